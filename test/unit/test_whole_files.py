"""A write that fails takes nothing with it and names the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hoigen.whole_files import whole_file


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / 'clip.npz'
    with whole_file(path) as file:
        np.savez(file, a=np.arange(3))
        assert not path.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ['clip.npz']
    assert np.load(path)['a'].tolist() == [0, 1, 2]


def test_a_full_disk_is_named_with_the_file_and_costs_nothing_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / 'clip.npz'
    path.write_bytes(b'before')
    (tmp_path / f'.clip.{os.getpid()}.partial.npz').symlink_to('/dev/full')
    with (
        pytest.raises(OSError, match=r'cannot be written: No space left on device: .*clip\.npz'),
        whole_file(path) as file,
    ):
        np.savez_compressed(file, a=np.random.default_rng(0).integers(0, 255, 100_000))
    assert path.read_bytes() == b'before'
    assert [entry.name for entry in tmp_path.iterdir()] == ['clip.npz']


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from hoigen.whole_files import whole_file

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with whole_file(Path(sys.argv[1])) as file:
        save_file({'a': np.zeros(1000)}, file)
except OSError as error:
    print(error)
"""


def test_safetensors_without_room_names_the_file(tmp_path: Path) -> None:
    """Its own error is no OSError and names no file."""
    path = tmp_path / 'clip.safetensors'
    said = subprocess.run([sys.executable, '-c', FULL, str(path)], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f'{path}: cannot be written: ')
    assert said.count('\n') == 1
    assert not path.exists()


def test_a_writer_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    def stopped() -> None:
        with whole_file(tmp_path / 'clip.npz') as file:
            file.write_bytes(b'half')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not list(tmp_path.iterdir())
