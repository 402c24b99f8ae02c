"""Folders of weights that are damaged: one line that names the file, of video models and of editing models alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from hoigen.editing.flux.configuration import read_config as read_edit_config
from hoigen.editing.flux_insertion.loading import load_insertion
from hoigen.models.hub import ModelError
from hoigen.models.hub.published import read_checkpoint, read_tensors, refuse_other_config
from hoigen.models.hub.store import Source
from hoigen.resources import find
from hoigen.video.configuration import read_config
from hoigen.video.model import load

SHIPPED = {read_config: 'config/models/tiny.yaml', read_edit_config: 'config/editing/insertion-tiny.yaml'}
SOURCE = Source('mine', 'none')


@pytest.mark.parametrize('read', SHIPPED)
@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('name: [tiny\nsteps: 3', r'model\.yaml: expected YAML, got: .* in line \d'),
        ('just words', 'got str'),
        ('', 'got NoneType'),
        ('- a', 'got list'),
        ('name: x', r'missing \[.*steps.*\], unknown \[\]'),
        (b'\xff\xfe\x00', r'model\.yaml: expected YAML'),
    ],
    ids=['YAML', 'words', 'empty', 'list', 'fields', 'bytes'],
)
def test_a_model_yaml_that_is_none_is_told_in_one_line(read, text, told: str, tmp_path: Path) -> None:
    """With the file's name and what came."""
    (tmp_path / 'model.yaml').write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelError, match=told) as error:
        read(str(tmp_path))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('read', SHIPPED)
@pytest.mark.parametrize(
    ('change', 'told'),
    [
        ({'memory': {'weights': 'float8'}}, "memory.weights: expected one of float32, bfloat16, int8, got 'float8'"),
        ({'memory': {'offload': 'all'}}, "memory.offload: expected one of .* got 'all'"),
        ({'memory': 3}, r'model\.yaml: '),
        ({'memory': {'speed': 1}}, r'model\.yaml: .*speed'),
        ({'stepps': 3}, r"unknown \['stepps'\]"),
        ({'autoencoder': 7}, r'model\.yaml: autoencoder: expected dict.*, got 7'),
        ({'steps': 'all'}, "steps: expected int, got 'all'"),
    ],
)
def test_a_field_of_another_kind_is_told_with_the_file(read, change: dict, told: str, tmp_path: Path) -> None:
    """Also where only the parts cannot be made of it."""
    fields = yaml.safe_load(find(SHIPPED[read]).read_text())
    (tmp_path / 'model.yaml').write_text(yaml.safe_dump(fields | change))
    with pytest.raises(ModelError, match=told):
        (load if read is read_config else load_insertion)(str(tmp_path))


@pytest.mark.parametrize('read', SHIPPED)
def test_parts_that_the_configuration_cannot_describe_are_told(read, tmp_path: Path) -> None:
    """An argument that no network has, in the transformer's own fields."""
    fields = yaml.safe_load(find(SHIPPED[read]).read_text())
    fields['transformer']['wings'] = 2
    (tmp_path / 'model.yaml').write_text(yaml.safe_dump(fields))
    for name in ('transformer', 'autoencoder', 'insertion', 'refiner'):
        (tmp_path / f'{name}.safetensors').write_bytes(b'')
    with pytest.raises(ModelError, match=r'model [\w-]+: expected parts as its model.yaml can .* got: .*wings'):
        (load if read is read_config else load_insertion)(str(tmp_path))


@pytest.mark.parametrize('fault', ['cut', 'no header', 'empty', 'folder'])
def test_a_damaged_safetensors_file_is_told(fault: str, tmp_path: Path) -> None:
    """Whoever reads it."""
    file = tmp_path / 'model.safetensors'
    save_file({'weight': torch.ones(64)}, file)
    whole = file.read_bytes()
    if fault == 'folder':
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes({'cut': whole[:-9], 'no header': b'\x40' + bytes(70), 'empty': b''}[fault])
    with pytest.raises(ModelError, match=r'model\.safetensors: expected a safetensors file, got: '):
        read_tensors(file)
    if fault != 'folder':
        with pytest.raises(ModelError, match=r'model\.safetensors: expected a safetensors file, got: '):
            read_checkpoint(tmp_path, SOURCE)


@pytest.mark.parametrize('text', ['{"a": ', '[1]', '"a"'])
def test_a_cut_config_json_is_told(text: str, tmp_path: Path) -> None:
    """The configuration beside published weights, and the index of their shards."""
    (tmp_path / 'config.json').write_text(text)
    with pytest.raises(ModelError, match=r'config\.json: expected JSON with fields'):
        refuse_other_config({'a': 1}, tmp_path / 'config.json', SOURCE)
    (tmp_path / 'model.safetensors.index.json').write_text(text)
    with pytest.raises(ModelError, match=r'index\.json: expected JSON with fields'):
        read_checkpoint(tmp_path, SOURCE)
    (tmp_path / 'model.safetensors.index.json').write_text(json.dumps({'weight_map': [1]}))
    with pytest.raises(ModelError, match=r'index\.json: expected weight_map'):
        read_checkpoint(tmp_path, SOURCE)
