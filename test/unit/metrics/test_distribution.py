"""Distances of feature sets against closed forms."""

import warnings

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import KernelInceptionDistance

from hoigen.metrics.distribution import Distribution, _kernel, frechet_distance, kernel_distance


def features(n: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_frechet_of_scaled_and_moved_features_is_its_closed_form():
    """y = 3 x + m per axis: |m + 2 mean|^2 + (3 - 1)^2 tr C, for any Gaussian fit of x."""
    x = features(50, 4)
    moved = 3 * x + torch.tensor([1.0, -2.0, 0.0, 0.5])
    wanted = (moved.mean(0) - x.mean(0)).square().sum() + 4 * torch.cov(x.T).trace()
    assert frechet_distance(moved, x) == pytest.approx(float(wanted), rel=1e-6)


def test_frechet_of_two_gaussians_in_one_dimension():
    """(m1 - m2)^2 + (s1 - s2)^2."""
    a, b = features(200, 1), features(200, 1, seed=1) * 2 + 5
    wanted = float((a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2)
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-6)


def test_distances_do_not_depend_on_order_rotation_or_place():
    a, b = features(40, 6), 1.5 * features(40, 6, seed=1) + 0.3
    turn = torch.linalg.qr(features(6, 6, seed=2)).Q
    base = frechet_distance(a, b)
    assert frechet_distance(a @ turn + 7, b.flip(0) @ turn + 7) == pytest.approx(base, rel=1e-5)
    assert frechet_distance(b, a) == pytest.approx(base, rel=1e-6)
    clip = torch.arange(40)
    assert kernel_distance(a.flip(0) @ turn, b.flip(0) @ turn, clip) == pytest.approx(kernel_distance(a, b, clip))


def test_the_kernel_distance_of_independent_samples_is_torchmetrics():
    """Over many samples, one to a clip, the pairs that are left out weigh nothing."""
    a, b = features(400, 5), features(400, 5, seed=1) + 1
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)
        library = KernelInceptionDistance(torch.nn.Identity(), subsets=1, subset_size=400)
    library.update(a, real=True)
    library.update(b, real=False)
    assert kernel_distance(b, a, torch.arange(400)) == pytest.approx(float(library.compute()[0]), rel=0.01)


def test_the_kernel_distance_of_two_samples_is_its_closed_form():
    """Two clips of one frame: k(x1,x2) + k(y1,y2) - k(x1,y2) - k(x2,y1) with k = (xy + 1)^3 in one dimension."""
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [3.0]])
    assert kernel_distance(x, y, torch.arange(2)) == pytest.approx(27 + 1 - 64 - 1)


def test_with_few_samples_frechet_is_biased_and_kernel_is_not():
    """Why the kernel distance is printed too: equal distributions, N below the width."""
    pairs = [(features(20, 64, seed), features(20, 64, 100 + seed), torch.arange(20)) for seed in range(20)]
    assert np.mean([frechet_distance(a, b) for a, b, _ in pairs]) > 10, 'the true distance is 0'
    kernel = np.mean([kernel_distance(*pair) for pair in pairs])
    assert abs(kernel) < 0.1 * np.mean([kernel_distance(a, b + 0.5, clip) for a, b, clip in pairs])


def test_frames_of_one_clip_and_a_clips_own_truth_are_no_independent_pairs():
    """Frames nearly equal within a clip and between a clip and its truth: the distance must not be below 0 for it."""
    clip = torch.arange(10).repeat_interleave(8)
    made, truth = [], []
    for seed in range(40):
        centre = features(10, 16, seed).repeat_interleave(8, 0)
        made.append(centre + 0.1 * features(80, 16, 100 + seed))
        truth.append(centre + 0.1 * features(80, 16, 200 + seed))
    values = [kernel_distance(a, b, clip) for a, b in zip(made, truth, strict=True)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)
    off = ~torch.eye(80, dtype=torch.bool)
    usual = [
        _kernel(a, a)[off].mean() + _kernel(b, b)[off].mean() - 2 * _kernel(a, b).mean()
        for a, b in zip(made, truth, strict=True)
    ]
    assert np.mean(usual) < -3 * np.std(usual) / np.sqrt(40), 'what KID would say'
    assert np.isnan(kernel_distance(made[0], truth[0], torch.zeros(80)))


def test_n_below_the_width_is_said():
    few, many = (Distribution('FID', 'full', 1.0, 0.0, n, 9, 2048, 'ab') for n in (2048, 2049))
    assert 'N = 2048 <= 2048 features: the covariance is rank-deficient' in few.note
    assert many.note == ''


def test_unequal_or_single_samples_are_refused():
    for a, b in ((features(1, 3), features(1, 3)), (features(5, 3), features(5, 4))):
        with pytest.raises(ValueError, match='features: expected two sets of equal shape'):
            frechet_distance(a, b)
