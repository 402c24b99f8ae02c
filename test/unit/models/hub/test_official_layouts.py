"""The key check lets the official checkpoints through, at their full size: their lists of keys lie in empty files."""

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from hoigen.models.hub import ModelError, entry
from hoigen.models.hub.fit import refuse_unfit

WIDE, HALF = ('F32', 4), ('BF16', 2)
PARTS = {
    'vggt': {'.': ('vggt_1b', None, WIDE)},
    'das': {'transformer': ('das_tracking_transformer', 'das_transformer', HALF)},
    'flux': {
        'transformer': ('flux1_dev_transformer', 'flux1_dev_transformer', HALF),
        'vae': ('flux1_dev_vae', 'flux1_dev_vae', HALF),
    },
    'uno': {'.': ('uno_dit_lora_rank512', None, HALF)},
    'cogvideox': {
        'transformer': ('cogvideox_5b_i2v_transformer', 'cogvideox_5b_i2v_transformer', HALF),
        'vae': ('cogvideox_5b_i2v_vae', 'cogvideox_5b_i2v_vae', HALF),
        'text_encoder': ('t5_v1_1_xxl_encoder', 'cogvideox_5b_i2v_text_encoder', HALF),
    },
}


def write_empty(path: Path, shapes: dict[str, list[int]], dtype: tuple[str, int]) -> None:
    """A safetensors file of gigabytes that takes a few kilobytes of the disk: all of it after the header is a hole."""
    header, end = {'__metadata__': {'format': 'pt'}}, 0
    for key, shape in shapes.items():
        size = dtype[1]
        for n in shape:
            size *= n
        header[key] = {'dtype': dtype[0], 'shape': shape, 'data_offsets': [end, end + size]}
        end += size
    words = json.dumps(header).encode()
    path.parent.mkdir(parents=True)
    with path.open('wb') as file:
        file.write(struct.pack('<Q', len(words)) + words)
        file.truncate(8 + len(words) + end)


@pytest.mark.parametrize('name', PARTS)
def test_official_keys_and_shapes_fit(golden, tmp_path, name):
    """And one key more does not."""
    one = replace(entry(name), parts={part: entry(name).parts[part] for part in PARTS[name]})
    for part, (keys, config, dtype) in PARTS[name].items():
        weights = 'model.safetensors' if part in ('.', 'text_encoder') else 'diffusion_pytorch_model.safetensors'
        shapes = json.loads((golden / 'manifests' / f'{keys}.json').read_text())
        write_empty(tmp_path / 'right' / part / weights, shapes, dtype)
        write_empty(tmp_path / 'wrong' / part / weights, shapes | {'stowaway': [1]}, dtype)
        for folder in ('right', 'wrong') if config else ():
            shutil.copy(golden / 'configs' / f'{config}.json', tmp_path / folder / part / 'config.json')
    refuse_unfit(one, tmp_path / 'right')
    with pytest.raises(ModelError, match='unexpected stowaway'):
        refuse_unfit(one, tmp_path / 'wrong')
