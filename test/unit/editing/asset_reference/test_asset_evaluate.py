"""The measures of asset reference: a true picture is best in all, and each fault shows in its own measure."""

from dataclasses import replace

import numpy as np
import pytest

from hoigen.editing.asset_reference.conditions import asset_views, code_of
from hoigen.editing.asset_reference.evaluate import AGREE, LOOK, OFF, OWN, POSE, TURNED, measure
from hoigen.editing.asset_reference.generator import AssetPicture
from hoigen.editing.asset_reference.pose import plain_camera
from hoigen.editing.meshes.things import made_thing
from hoigen.geometry.orientation import Orientation, rotation_of
from hoigen.geometry.shading import draw
from hoigen.geometry.transforms import rigid
from hoigen.records import Camera, Provenance

MUGS = [made_thing('mug', seed)[0] for seed in (3, 4, 5)]
ASKED = Orientation(0.7, 0.5, 0.0)
K = plain_camera(64)
RIVALS = [asset_views(mug, 8, 32) for mug in MUGS]


@pytest.fixture
def true_picture() -> AssetPicture:
    pose = rigid(rotation_of(ASKED), np.array([0.0, 0.0, 0.3]))
    view, code = draw(MUGS[0], pose, Camera(K, 64, 64, np.eye(4))), code_of(MUGS[0])
    colours = code.encode(view.points)
    points = code.decode(colours)
    return AssetPicture(
        view.rgb,
        points,
        colours,
        np.stack([view.rgb, colours]),
        np.isfinite(points).all(-1),
        K,
        pose,
        0.1,
        Provenance(0, {}, '', {}, {}, {}),
    )


def test_a_true_picture_is_best(true_picture: AssetPicture):
    row = measure(true_picture, MUGS[0], ASKED, RIVALS)
    assert (row[POSE], row[TURNED], row[OWN]) == (1, 1, 1)
    assert row[AGREE] > 0.97
    assert row[LOOK] == 0
    assert row[OFF] == 0.1


def test_each_fault_shows(true_picture: AssetPicture):
    turned = measure(true_picture, MUGS[0], replace(ASKED, azimuth=0.7 + np.radians(40)), RIVALS)
    assert turned[TURNED] == 0
    other_look = replace(true_picture, rgb=255 - true_picture.rgb)
    assert measure(other_look, MUGS[0], ASKED, RIVALS)[LOOK] > 50
    assert measure(true_picture, MUGS[0], ASKED, [RIVALS[1], RIVALS[0], RIVALS[2]])[OWN] == 0
    aside = true_picture.T_cam_object + np.array([[0, 0, 0, 0.03], [0] * 4, [0] * 4, [0] * 4])
    assert measure(replace(true_picture, T_cam_object=aside), MUGS[0], ASKED, RIVALS)[AGREE] < 0.7


def test_what_cannot_be_told_does_not_count(true_picture: AssetPicture):
    blank = replace(
        true_picture, colours=np.full_like(true_picture.colours, 255), T_cam_object=None, residual_px=float('nan')
    )
    row = measure(blank, MUGS[0], ASKED, RIVALS)
    assert row.pop(POSE) == 0
    assert np.isnan(list(row.values())).all()
