"""ST-SSIM, GMSD and GMSD-T against closed forms."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from hoigen.metrics.image import region_mean, ssim_map
from hoigen.metrics.video import gmsd, gmsd_t, st_ssim_map


def grey(frames: np.ndarray) -> np.ndarray:
    """[T,H,W] to a grey video [T,H,W,3] uint8."""
    return np.repeat(frames[..., None], 3, -1).astype(np.uint8)


@pytest.fixture
def video():
    return np.random.default_rng(0).integers(40, 200, (8, 24, 32, 3)).astype(np.uint8)


def test_equal_videos_are_perfect(video):
    assert st_ssim_map(video, video) == pytest.approx(1)
    assert gmsd(video, video) == 0
    assert gmsd_t(video, video) == 0


def test_st_ssim_of_a_constant_offset_is_the_luminance_term():
    """Videos that differ by a constant have the same contrast and structure: only Wang's first factor is left."""
    a, b = 90.0, 130.0
    videos = (np.full((7, 16, 16, 3), int(v), np.uint8) for v in (a, b))
    c1 = (0.01 * 255) ** 2
    assert st_ssim_map(*videos) == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1))


def test_st_ssim_is_torchmetrics_on_volumes(video):
    """The window over x, y and time is the library's for volumes, borders included."""
    other = np.random.default_rng(1).integers(0, 256, video.shape).astype(np.uint8)
    a, b = (torch.from_numpy(v).permute(3, 0, 1, 2)[None].double() / 255 for v in (other, video))
    _, full = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
    assert st_ssim_map(other, video) == pytest.approx(full[0].mean(0).numpy(), abs=1e-8)


def test_st_ssim_sees_flicker_that_no_single_frame_shows():
    """Brightness that goes up and down by 6 from frame to frame: SSIM hardly sees it, ST-SSIM does."""
    truth = np.full((16, 16, 16, 3), 120, np.uint8)
    flicker = truth + (6 * (np.arange(16) % 2)).astype(np.uint8)[:, None, None, None]
    assert region_mean(ssim_map(flicker, truth)) > 0.99
    assert region_mean(st_ssim_map(flicker, truth)) < 0.9


def test_gmsd_of_a_lost_edge_is_its_closed_form():
    """A step of 80 grey levels, made flat: similarity c/(80^2+c) in its two columns at half size, 1 elsewhere."""
    truth = np.zeros((3, 16, 40))
    truth[:, :, 20:] = 80
    low, share = 170 / (80**2 + 170), 2 / 20
    wanted = (1 - low) * np.sqrt(share * (1 - share))
    assert gmsd(grey(truth * 0), grey(truth)) == pytest.approx(wanted)
    assert gmsd(grey(truth), grey(truth * 0)) == pytest.approx(wanted), 'it is symmetric'


def test_gmsd_t_of_a_lost_ramp_in_time_is_its_closed_form():
    """Brightness that rises by 10 a frame, made constant: gradient 20 inside, 10 in the first and the last frame."""
    truth = np.broadcast_to(10.0 * np.arange(8)[:, None, None], (8, 16, 16))
    inside, ends, share = 170 / (20**2 + 170), 170 / (10**2 + 170), 2 / 8
    assert gmsd_t(grey(truth * 0), grey(truth)) == pytest.approx((ends - inside) * np.sqrt(share * (1 - share)))
    assert gmsd(grey(truth * 0), grey(truth)) == pytest.approx(0), 'no single frame has a gradient'


def test_gmsd_t_sees_time_run_backwards():
    """The same frames in another order: each is a true frame, the motion is not."""
    u = np.arange(64)
    truth = grey(np.stack([np.broadcast_to(np.where((u // 8 + t // 2) % 2, 40, 200), (16, 64)) for t in range(8)]))
    assert gmsd_t(truth[[0, 2, 1, 3, 4, 6, 5, 7]], truth) > 0.1


def test_regions_see_only_their_own_error(video):
    region = np.zeros(video.shape[:3], bool)
    region[:, :8, :8] = True
    wrong = video.copy()
    wrong[:, :, 16:] = 0
    assert gmsd(wrong, video, region) == 0
    assert gmsd_t(wrong, video, region) == 0
    wrong[:, :4, :4] = 0
    assert gmsd(wrong, video, region) > 0.1
    assert gmsd_t(wrong, video, region) > 0.1
    region[3:] = False
    assert np.isfinite(gmsd(wrong, video, region)), 'frames without the region do not count'
    with pytest.raises(ValueError, match='region: expected at least one pixel'):
        gmsd_t(video, video, np.zeros(video.shape[:3], bool))
