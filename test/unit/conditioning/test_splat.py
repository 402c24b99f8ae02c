"""Which sample a pixel takes: the nearest in space, of its own role, within reach."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_scene import camera_at

from hoigen.conditioning.splat import nearest_samples, sample_reach
from hoigen.geometry.camera import pixel_grid, unproject

CAMERA = camera_at((0.7, 0.0, 0.5), 18, 12)
DEPTH = np.full((12, 18), 0.8, np.float32)
MASK = np.full((12, 18), 2, np.uint8)


def taken(
    pixels: list[tuple[float, float]],
    depths: list[float],
    role: list[int],
    *,
    reach_m: float = 1.0,
    mask: np.ndarray = MASK,
    visible: bool = True,
) -> np.ndarray:
    """[H,W]: the samples that the pixels of a wall at 0.8 m take; 0.8 m away a pixel is 4.4 cm wide."""
    places = unproject(CAMERA, np.array(pixels), np.array(depths))
    count = len(pixels)
    return nearest_samples(
        CAMERA,
        mask,
        DEPTH,
        places,
        np.array(pixels),
        np.full(count, visible),
        np.array(role, np.uint8),
        np.full(count, reach_m),
    )


@pytest.mark.parametrize('order', [1, -1])
def test_nearest_in_space(order: int) -> None:
    """The wall is shared along the middle between two samples on it, whichever is listed first."""
    index = taken([(3.0, 6.0), (14.0, 6.0)][::order], [0.8, 0.8], [2, 2])
    assert (index[6, :8] == (0 if order == 1 else 1)).all()
    assert (index[6, 10:] == (1 if order == 1 else 0)).all()


def test_nearer_to_the_surface_wins_over_nearer_in_the_picture() -> None:
    """A sample on the wall beats one that floats before it at the same pixel."""
    assert taken([(9.0, 6.0), (9.4, 6.0)], [0.6, 0.8], [2, 2])[6, 9] == 1


def test_own_role_only() -> None:
    """Where hand and object touch, neither's samples spill on the other's pixels, though they are the nearest."""
    mask = MASK.copy()
    mask[:, 9:] = 1
    index = taken([(5.0, 6.0), (8.2, 6.0)], [0.8, 0.8], [2, 1], mask=mask)
    assert set(np.unique(index[:, :9])) <= {-1, 0}
    assert set(np.unique(index[:, 9:])) <= {-1, 1}
    assert index[6, 8] == 0
    assert index[6, 9] == 1


def test_reach_and_visibility() -> None:
    """A sample takes the pixels within its reach, and none when it is not visible."""
    index = taken([(9.0, 6.0)], [0.8], [2], reach_m=0.1)
    surface = unproject(CAMERA, pixel_grid(18, 12), DEPTH)
    np.testing.assert_array_equal(index == 0, np.linalg.norm(surface - surface[6, 9], axis=-1) <= 0.1)
    assert (taken([(9.0, 6.0)], [0.8], [2], visible=False) == -1).all()


def test_reach_is_that_of_its_own_role() -> None:
    """Reach follows the spacing of a role's samples: dense samples of another role beside them do not shorten it."""
    grid = np.stack(np.meshgrid(np.arange(7.0), np.arange(7.0), [0.0]), axis=-1).reshape(-1, 3)
    points, role = np.concatenate([grid, grid / 100]), np.repeat([1, 2], 49).astype(np.uint8)
    reach = sample_reach(points, role)
    assert reach[24] == pytest.approx(np.sqrt(2))
    np.testing.assert_allclose(reach[49:], reach[:49] / 100)
