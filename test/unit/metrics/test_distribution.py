"""Distances of feature sets against closed forms."""

import numpy as np
import pytest
import torch

from hoigen.metrics.distribution import Distribution, frechet_distance, kernel_distance


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
    assert kernel_distance(a.flip(0) @ turn, b @ turn) == pytest.approx(kernel_distance(a, b), rel=1e-6)


def test_the_kernel_distance_is_the_unbiased_formula():
    a, b = features(12, 5), features(12, 5, seed=1) + 1
    def kernel(x, y):
        return (x @ y.T / 5 + 1) ** 3
    n, eye = 12, torch.eye(12, dtype=torch.bool)
    wanted = sum(kernel(x, x).masked_fill(eye, 0).sum() / (n * (n - 1)) for x in (a, b)) - 2 * kernel(a, b).mean()
    assert kernel_distance(a, b) == pytest.approx(float(wanted), rel=1e-5)


def test_with_few_samples_frechet_is_biased_and_kernel_is_not():
    """Why the kernel distance is printed too: equal distributions, N below the width."""
    pairs = [(features(20, 64, seed), features(20, 64, 100 + seed)) for seed in range(20)]
    far = [(a, b + 0.5) for a, b in pairs]
    assert np.mean([frechet_distance(*pair) for pair in pairs]) > 10, 'the true distance is 0'
    kernel = np.mean([kernel_distance(*pair) for pair in pairs])
    assert abs(kernel) < 0.1 * np.mean([kernel_distance(*pair) for pair in far])


def test_n_below_the_width_is_said():
    few, many = (Distribution('FID', 'full', 1.0, 0.0, n, 2048, 'ab') for n in (2048, 2049))
    assert 'N = 2048 <= 2048 features: the covariance is rank-deficient' in few.note
    assert many.note == ''


def test_unequal_or_single_samples_are_refused():
    for a, b in ((features(1, 3), features(1, 3)), (features(5, 3), features(5, 4))):
        with pytest.raises(ValueError, match='features: expected two sets of equal shape'):
            frechet_distance(a, b)


def test_the_random_state_of_others_is_left_alone():
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    kernel_distance(features(5, 3), features(5, 3, 1))
    assert torch.rand(1) == wanted
