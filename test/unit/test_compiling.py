"""The first run on a machine says what it waits for; later ones have nothing to say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TWO_KERNELS = """
import numpy as np
from hoigen.geometry.surface import spread
spread(np.eye(3), 2)
from hoigen.perception.tracking.lift_confidence import depth_confidence
depth_confidence(np.ones((4, 4)))
"""


def said(cache: Path) -> list[str]:
    """The lines of a process that runs two kernels with their cache in that folder."""
    done = subprocess.run(
        [sys.executable, '-c', TWO_KERNELS],
        env=os.environ | {'NUMBA_CACHE_DIR': str(cache)},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    assert not done.stdout
    return done.stderr.splitlines()


def test_compilation_is_announced_once_and_only_where_the_cache_is_empty(tmp_path: Path) -> None:
    first, last = said(tmp_path)
    assert first == 'compiling kernels for this machine, once: up to a minute'
    assert last.startswith('compiled kernels for ')
    assert not said(tmp_path)
