"""Masks without learned weights on one simulated lift, seen by a head that sways, against its exact truth."""

from __future__ import annotations

import numpy as np
from simulated_scene import lift

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.perception.flow import measure_flow
from hoigen.perception.masks.segment import segment
from hoigen.perception.records import Geometry
from hoigen.records import Camera, Footage


def overlap(found: np.ndarray, truth: np.ndarray, role: str) -> float:
    one, other = found == ROLE_CODE[role], truth == ROLE_CODE[role]
    return float((one & other).sum() / (one | other).sum())


def test_a_lift_with_depth() -> None:
    """Sleeve and shadow are there as well: the sleeve is hand, the shadow is nothing."""
    footage, truth = lift()
    T_first_world = np.linalg.inv(truth.cameras[0].T_world_cam)
    cameras = tuple(Camera(c.K, c.width, c.height, T_first_world @ c.T_world_cam) for c in truth.cameras)
    geometry = Geometry(cameras, footage.depth_m, np.ones_like(footage.depth_m), 'measured depth', True)
    found = segment(footage, measure_flow(footage.rgb), geometry, seed=0)
    assert found.role.tolist() == [ROLE_CODE[HAND], ROLE_CODE[OBJECT]]
    assert overlap(found.mask, truth.mask, HAND) > 0.85
    assert overlap(found.mask, truth.mask, OBJECT) > 0.8


def test_a_lift_in_plain_pictures() -> None:
    """Eight frames a second without depth: the hand, with some of its sleeve missing."""
    footage, truth = lift()
    plain = Footage(footage.stamps_ns, footage.rgb, None, None)
    found = segment(plain, measure_flow(plain.rgb), None, seed=0)
    assert overlap(found.mask, truth.mask, HAND) > 0.6
