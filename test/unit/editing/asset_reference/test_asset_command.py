"""``hoigen edit reference``: pictures with true arrays beside them, resumable, wrong use told."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from hoigen.cli import main
from hoigen.editing.asset_reference.generator import AssetReference
from hoigen.editing.asset_reference.loading import FILES, build_parts
from hoigen.editing.flux.configuration import EditConfig
from hoigen.models.configuration import save_config
from hoigen.models.tensors import save_tensors


@pytest.fixture
def model(small_edit_config: EditConfig, tmp_path: Path) -> Path:
    """An untrained model at toy size, in a folder."""
    folder, config = tmp_path / 'model', replace(small_edit_config, reference_size=16)
    save_config(config, folder)
    torch.manual_seed(0)
    for part, name in zip(build_parts(config), FILES, strict=True):
        save_tensors(part.state_dict(), folder / name)
    return folder


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    trimesh.creation.box((0.1, 0.06, 0.04)).export(tmp_path / 'thing.ply')
    return tmp_path / 'thing.ply'


def made(mesh: Path, model: Path, *more: str) -> int:
    return main(
        [
            'edit',
            'reference',
            str(mesh),
            '--caption',
            'a thing',
            '--model',
            str(model),
            '--count',
            '2',
            '--out',
            str(model.parent / 'out'),
            *more,
        ]
    )


def test_pictures_with_their_arrays_and_a_sheet(mesh: Path, model: Path, monkeypatch):
    assert made(mesh, model, '--azimuth', '90', '--elevation', '10') == 0
    out = model.parent / 'out'
    assert sorted(path.name for path in out.iterdir()) == [
        'thing.png',
        'thing_0000.npz',
        'thing_0000.png',
        'thing_0001.npz',
        'thing_0001.png',
    ]
    with np.load(out / 'thing_0001.npz') as arrays:
        assert np.array_equal(arrays['rgb'], np.array(Image.open(out / 'thing_0001.png')))
        assert np.array_equal(arrays['mask'], np.isfinite(arrays['points']).all(-1))
        assert arrays['T_cam_object'].shape == (4, 4)
        assert np.isnan(arrays['K']).all() == np.isnan(arrays['T_cam_object']).all()
        assert np.isnan(arrays['residual_px']) == np.isnan(arrays['T_cam_object']).all()
        provenance = json.loads(str(arrays['provenance']))
    assert provenance['seed'] == 1
    assert provenance['config']['caption'] == 'a thing seen from the left, level'
    assert Image.open(out / 'thing.png').size[1] > 2 * 32

    calls = []
    generate = AssetReference.generate
    monkeypatch.setattr(AssetReference, 'generate', lambda *a, **k: calls.append(k['seed']) or generate(*a, **k))
    (out / 'thing_0001.npz').unlink()
    assert made(mesh, model, '--azimuth', '90', '--elevation', '10') == 0
    assert calls == [1]
    assert made(mesh, model) == 0
    assert calls == [1, 0, 1]  # another caption: what is there is of no use


@pytest.mark.parametrize(
    ('more', 'says'),
    [
        (('--count', '0'), 'at least one picture, got 0'),
        (('--azimuth', '10', '--elevation', '100'), 'within 360 and 90'),
    ],
)
def test_wrong_use_is_told(mesh: Path, model: Path, capsys, more: tuple[str, ...], says: str):
    with pytest.raises(SystemExit, match='2'):
        made(mesh, model, *more)
    assert says in ' '.join(''.join(capsys.readouterr()).replace('│', '').split())


def test_another_unit_is_told(mesh: Path, model: Path, capsys):
    """A mesh in millimetres that is read as metres."""
    assert made(mesh, model, '--scale', '1000') == 1
    told = capsys.readouterr().err
    assert '123.288 m' in told
    assert 'millimetres' in told
