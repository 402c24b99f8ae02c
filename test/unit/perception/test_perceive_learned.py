"""The whole path with learned back-ends: toys with drawn weights, for what is passed on, not for what they see."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from simulated_scene import lift
from toy_perception import TOY_VGGT, toy_sam

from hoigen.models.vggt import model as load
from hoigen.models.vggt.model import VGGT
from hoigen.perception.perceive import Perceived, Perceiver, PerceptionConfig
from hoigen.records import Footage


@pytest.fixture
def vggt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.manual_seed(0)
    state = VGGT(TOY_VGGT).state_dict()
    state['camera_head.pose_branch.fc2.bias'][7:] = 1.0  # a field of view, without which there is no lens
    save_file(state, tmp_path / 'model.safetensors')
    monkeypatch.setattr(load, 'read_config', lambda _: TOY_VGGT)
    return tmp_path


def rgb_only(frames: int = 5) -> Footage:
    footage = lift()[0]
    return Footage(footage.stamps_ns[:frames], footage.rgb[:frames], None, None)


def perceive(footage: Footage, **asked: object) -> Perceived:
    return Perceiver(PerceptionConfig(**asked))(footage, 'a lift')  # type: ignore[arg-type]


def test_vggt_gives_plain_rgb_places_of_unknown_scale(vggt: Path) -> None:
    """Point maps and places; the notes say that lengths are no metres, the provenance whose weights."""
    seen = perceive(rgb_only(), geometry='vggt', vggt=str(vggt))
    assert seen.geometry is not None
    assert not seen.geometry.metric
    assert seen.tracks.places is not None
    assert any('scale' in note for note in seen.notes)
    assert list(seen.provenance.weights)[2:] == [f'{vggt}/model.safetensors']
    assert seen.provenance.licences == {'mediapipe-hands': 'Apache-2.0', str(vggt): 'not known'}


def test_a_known_median_depth_gives_it_its_size(vggt: Path) -> None:
    """Depth and the cameras' ways are scaled alike, and are metres then."""
    unknown = perceive(rgb_only(), geometry='vggt', vggt=str(vggt)).geometry
    known = perceive(rgb_only(), geometry='vggt', vggt=str(vggt), median_depth_m=0.6).geometry
    assert unknown is not None
    assert known is not None
    assert known.metric
    assert np.nanmedian(known.depth_m) == pytest.approx(0.6, rel=1e-5)
    scale = 0.6 / np.nanmedian(unknown.depth_m)
    for a, b in zip(unknown.cameras, known.cameras, strict=True):
        assert b.T_world_cam[:3, 3] == pytest.approx(scale * a.T_world_cam[:3, 3], abs=1e-6)


def test_vggts_tracker_follows_on_measured_depth(vggt: Path) -> None:
    """The plug-in is given the footage and asked for every point."""
    footage = lift()[0]
    assert footage.depth_m is not None
    short = replace(footage, stamps_ns=footage.stamps_ns[:5], rgb=footage.rgb[:5], depth_m=footage.depth_m[:5])
    seen = perceive(short, geometry='depth', tracker='vggt', vggt=str(vggt))
    assert seen.tracks.places is not None
    assert np.isfinite(seen.tracks.places).all()


def test_sam_starts_from_what_moves(tmp_path: Path) -> None:
    """Its masks are the clip's; what it does not see is a gap."""
    toy_sam().save_pretrained(tmp_path)
    seen = perceive(rgb_only(), masks='sam2', geometry='none', sam=str(tmp_path))
    assert seen.provenance.config['masks_method'] == str(tmp_path)
    assert seen.segmentation.instance.shape == (5, 180, 320)
    assert len(seen.provenance.weights) == 3  # with the two hand networks
