"""The models that label pictures, at toy size: what they tell arrives in our units and conventions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, Dinov2Model
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

from hoigen.geometry.orientation import rotation_of
from hoigen.models.hub import ModelError
from hoigen.models.labelling import OrientAnything, load_depth, load_likeness, load_orienter

BACKBONE = {'hidden_size': 64, 'num_hidden_layers': 2, 'num_attention_heads': 1, 'patch_size': 14, 'image_size': 56}
PICTURE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


def published(azimuth: int, elevation: int, turn: int, turns: int) -> OrientAnything:
    """A network whose head says these classes, whatever it sees."""
    torch.manual_seed(0)
    model = OrientAnything(Dinov2Config(**BACKBONE), 360 + 180 + turns + 2)
    with torch.no_grad():
        model.down_sampler.net2[0].weight.zero_()
        model.down_sampler.net2[0].bias.zero_()
        for place in (azimuth, 360 + elevation, 540 + turn, 540 + turns):
            model.down_sampler.net2[1].bias[place] = 5.0
    return model


def save(model: OrientAnything, folder):
    folder.mkdir(parents=True)
    save_file(model.state_dict(), folder / 'model.safetensors')


def published_rotation(azimuth: float, elevation: float, turn: float) -> np.ndarray:
    """How the published angles (degrees) turn an object before a camera: about its up, then up or down, then
    counter-clockwise in the picture."""
    a, e, d = np.radians([azimuth, elevation, turn])
    about_z = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(e), 0, np.sin(e)], [0, 1, 0], [-np.sin(e), 0, np.cos(e)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(d), -np.sin(d)], [0, np.sin(d), np.cos(d)]])
    to_camera = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    return to_camera @ about_x @ about_y @ about_z


@pytest.mark.parametrize(
    ('classes', 'turns'),
    [
        (
            (
                30,
                110,
                100,
            ),
            180,
        ),
        ((250, 60, 170), 360),
        ((0, 90, 90), 180),
    ],
)
def test_orient_anything_speaks_our_convention(tmp_path, classes, turns):
    """Loaded from its published layout, the number of outputs tells how many turns it knows."""
    save(published(*classes, turns), tmp_path / 'croplargeEX2')
    orientation, sure = load_orienter(str(tmp_path), 'cpu').tell(PICTURE)
    wanted = published_rotation(classes[0], classes[1] - 90, classes[2] - turns // 2)
    assert np.allclose(rotation_of(orientation), wanted, atol=1e-6)
    assert sure == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-4)


def test_other_weights_are_refused(tmp_path):
    save_file({'weight': torch.zeros(3)}, tmp_path / 'model.safetensors')
    with pytest.raises(ModelError, match='expected weights of Orient Anything'):
        load_orienter(str(tmp_path), 'cpu')
    model = published(0, 90, 90, 180)
    save_file(model.state_dict() | {'stowaway': torch.zeros(1)}, tmp_path / 'model.safetensors')
    with pytest.raises(ModelError, match='unexpected stowaway'):
        load_orienter(str(tmp_path), 'cpu')


@pytest.fixture(params=['relative', 'metric'])
def depth_folder(request, tmp_path):
    torch.manual_seed(3)
    config = DepthAnythingConfig(
        backbone_config=Dinov2Config(
            **BACKBONE, out_features=['stage1', 'stage2'], apply_layernorm=True, reshape_hidden_states=False
        ),
        patch_size=14,
        reassemble_hidden_size=64,
        reassemble_factors=[2, 1],
        neck_hidden_sizes=[16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type=request.param,
        max_depth=20,
    )
    DepthAnythingForDepthEstimation(config).save_pretrained(tmp_path)
    DPTImageProcessorPil(
        size={'height': 56, 'width': 56}, ensure_multiple_of=14, keep_aspect_ratio=True
    ).save_pretrained(tmp_path)
    return tmp_path, request.param


def test_depth_anything(depth_folder):
    """At the picture's size; a relative model's nearest is 1 and its farthest 50, whatever its own units."""
    folder, kind = depth_folder
    model = load_depth(str(folder), 'cpu')
    depth = model(PICTURE)
    assert depth.shape == (40, 60)
    assert depth.dtype == np.float32
    assert (depth > 0).all()
    assert model.metric == (kind == 'metric')
    if kind == 'relative':
        assert depth.min() == pytest.approx(1, abs=1e-4)
        assert depth.max() == pytest.approx(50, rel=1e-3)
    else:
        assert depth.max() <= 20


def test_likeness(tmp_path):
    """Unit vectors; the same picture is alike to itself most of all."""
    torch.manual_seed(1)
    Dinov2Model(Dinov2Config(**BACKBONE)).save_pretrained(tmp_path)
    BitImageProcessorPil(size={'shortest_edge': 56}, crop_size={'height': 56, 'width': 56}).save_pretrained(tmp_path)
    vectors = load_likeness(str(tmp_path), 'cpu')([PICTURE, 255 - PICTURE, PICTURE])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[2] == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[1] < 0.9999
