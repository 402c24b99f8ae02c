"""The filter of pose-aligned examples: a right pose passes, a shifted one and another look do not."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from synthetic_scene import box

from hoigen.editing.asset_reference.aligned import Alignment, AlignmentLimits, alignment, perceptual
from hoigen.editing.views import view_of
from hoigen.geometry.orientation import Orientation
from hoigen.geometry.shading import draw
from hoigen.geometry.transforms import rigid
from hoigen.models.hub import ModelError
from hoigen.models.lpips import Lpips
from hoigen.records import Camera

K = np.array([[80.0, 0, 31.5], [0, 80.0, 31.5], [0, 0, 1]])
CAMERA = Camera(K, 64, 64, np.eye(4))
BLOCK = box('block', 'object', (0.16, 0.16, 0.16))
POSE = rigid(np.eye(3), np.array([0.0, 0.0, 0.4]))


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean() / 255)


def test_the_asset_at_its_pose_is_kept_and_beside_it_is_not():
    view = draw(BLOCK, POSE, CAMERA)
    right = alignment(view.rgb, view.mask, BLOCK, POSE, CAMERA, mean_difference)
    assert right.iou == 1
    assert right.lpips == 0
    assert right.faults(AlignmentLimits()) == ()
    shifted = rigid(np.eye(3), np.array([0.03, 0.0, 0.4]))
    wrong = alignment(view.rgb, view.mask, BLOCK, shifted, CAMERA, mean_difference)
    assert 0.5 < wrong.iou < 0.8
    assert 'IoU above 0.8' in wrong.faults(AlignmentLimits())[0]


def test_another_look_of_the_same_outline_is_left_out():
    """Texture mismatches pass the mask and must fail the look."""
    view = draw(BLOCK, POSE, CAMERA)
    dark = np.where(view.mask[..., None], np.uint8(0), view.rgb)
    found = alignment(dark, view.mask, BLOCK, POSE, CAMERA, mean_difference)
    assert found.iou == 1
    assert found.lpips > 0.3
    assert [fault.split(':')[0] for fault in found.faults(AlignmentLimits())] == ['look']


def test_without_weights_only_the_mask_decides():
    view = draw(BLOCK, POSE, CAMERA)
    found = alignment(view.rgb, view.mask, BLOCK, POSE, CAMERA)
    assert np.isnan(found.lpips)
    assert found.faults(AlignmentLimits()) == ()


def test_an_object_at_the_pictures_edge_is_compared_whole():
    edge = rigid(np.eye(3), np.array([0.13, 0.0, 0.4]))
    view = draw(BLOCK, edge, CAMERA)
    assert view.mask[:, -1].any()
    assert alignment(view.rgb, view.mask, BLOCK, edge, CAMERA, mean_difference).lpips == 0


@pytest.mark.parametrize('limits', [(0.8, 0.3)])
def test_the_papers_limits_are_strict(limits):
    assert AlignmentLimits() == AlignmentLimits(*limits)
    assert Alignment(0.8, 0.1).faults(AlignmentLimits())
    assert Alignment(0.81, 0.3).faults(AlignmentLimits())


def test_nothing_seen_and_other_sizes():
    view = view_of(BLOCK, Orientation(0.5, 0.2, 0.0), 64)
    empty = np.zeros((64, 64), bool)
    assert alignment(view.rgb, empty, BLOCK, POSE, CAMERA).iou == 0
    with pytest.raises(ValueError, match='64x64, got 32x32 and 64x64'):
        alignment(view.rgb[:32, :32], view.mask, BLOCK, POSE, CAMERA)


def test_the_perceptual_distance_tells_a_look_from_another(tmp_path):
    """Random convolutions do for that: equal pictures are at 0, a darker object is not."""
    torch.manual_seed(0)
    save_file({name: value.contiguous() for name, value in Lpips().state_dict().items()}, tmp_path / 'alex.safetensors')
    distance = perceptual(tmp_path / 'alex.safetensors')
    view = draw(BLOCK, POSE, CAMERA)
    dark = np.where(view.mask[..., None], view.rgb // 3, view.rgb)
    assert alignment(view.rgb, view.mask, BLOCK, POSE, CAMERA, distance).lpips == 0
    assert alignment(dark, view.mask, BLOCK, POSE, CAMERA, distance).lpips > 0
    save_file({'features.0.bias': torch.zeros(3)}, tmp_path / 'other.safetensors')
    with pytest.raises(ModelError, match=r'Lpips: .* do not fit'):
        perceptual(tmp_path / 'other.safetensors')
