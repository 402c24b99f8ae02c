"""What a run left before is read whole, or named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hoigen.editing.arrays import opened
from hoigen.editing.clips.store import FrameStore


def damaged(path: Path, fault: str) -> None:
    np.savez_compressed(path, provenance=np.zeros(1000), other=np.arange(1000))
    whole = bytearray(path.read_bytes())
    if fault == 'cut':
        del whole[len(whole) // 2 :]
    elif fault == 'flipped':
        whole[60:75] = bytes(15)  # in the compressed data
    elif fault == 'words':
        whole[:] = b'not an archive'
    elif fault == 'empty':
        whole.clear()
    path.write_bytes(whole)
    if fault == 'one array':
        with path.open('wb') as file:
            np.save(file, np.zeros(3))


@pytest.mark.parametrize('fault', ['cut', 'flipped', 'words', 'empty', 'one array', 'lacks'])
def test_a_damaged_file_of_a_run_before_is_told(fault: str, tmp_path: Path) -> None:
    """A finished set, and a finished frame of an edit that was stopped: no traceback of the archive's library."""
    damaged(tmp_path / 'made.npz', fault)
    with (
        pytest.raises(ValueError, match=r'made\.npz: expected a set, got a damaged one .*; remove it'),
        opened(tmp_path / 'made.npz', 'a set') as held,
    ):
        assert all(held[name].size for name in ('provenance', 'lacking'))
    damaged(tmp_path / '00000.npz', fault)
    with pytest.raises(ValueError, match=r'00000\.npz: expected a finished frame'):
        FrameStore(tmp_path, {}).get(0)


def test_settings_that_were_cut_are_told(tmp_path: Path) -> None:
    """A file of the folder of single frames."""
    (tmp_path / 'settings.json').write_text('{"a": ')
    with pytest.raises(
        ValueError, match=r'settings\.json: expected the settings with which what is there was begun, as'
    ):
        FrameStore(tmp_path, {})
    assert FrameStore(tmp_path / 'new', {'a': 1}).get(0) is None
