"""L1, PSNR and SSIM against closed forms, against torchmetrics, and by region."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from hoigen.metrics.image import l1, psnr, region_mean, ssim_map


@pytest.fixture
def video():
    return np.random.default_rng(0).integers(40, 200, (2, 24, 32, 3)).astype(np.uint8)


def test_psnr_and_l1_of_a_constant_error_are_their_closed_forms(video):
    assert psnr(video + 10, video) == pytest.approx(10 * np.log10(255**2 / 100))
    assert psnr(video, video) == float('inf')
    assert l1(video + 10, video) == pytest.approx(10)
    assert l1(video, video + 10) == pytest.approx(10), 'unsigned differences must not wrap'


def test_a_region_sees_only_its_own_error(video):
    """An error outside the region must not count, and inside it must not be diluted."""
    region = np.zeros(video.shape[:3], bool)
    region[:, :5, :5] = True
    wrong = video.copy()
    wrong[:, 10:] += 30
    assert psnr(wrong, video, region) == float('inf')
    wrong[:, :5, :5] += 20
    assert psnr(wrong, video, region) == pytest.approx(10 * np.log10(255**2 / 400))
    assert l1(wrong, video, region) == pytest.approx(20)


def test_ssim_is_one_for_equal_pictures_and_local(video):
    """Structure destroyed at one end of the picture lowers the map there and leaves the other end at 1."""
    assert ssim_map(video, video) == pytest.approx(1)
    wrong = video.copy()
    wrong[:, :, 26:] = 0
    values = ssim_map(wrong, video)
    assert values.shape == video.shape[:3]
    assert values[:, :, :16] == pytest.approx(1)
    assert region_mean(values, np.arange(32)[None, None] >= np.full((2, 24, 1), 27)) < 0.2


def test_ssim_is_torchmetrics(video):
    """The fast filter is the library's: same window, same borders, same constants, everywhere in the map."""
    other = np.random.default_rng(1).integers(0, 256, video.shape).astype(np.uint8)
    a, b = (torch.from_numpy(v).permute(0, 3, 1, 2).double() / 255 for v in (other, video))
    _, full = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
    assert ssim_map(other, video) == pytest.approx(full.mean(1).numpy(), abs=1e-8)


def test_an_empty_region_is_refused(video):
    with pytest.raises(ValueError, match='region: expected at least one pixel'):
        psnr(video, video, np.zeros(video.shape[:3], bool))
