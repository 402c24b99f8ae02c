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
from hoigen.perception.tracking.odometry import depth_confidence
depth_confidence(np.ones((4, 4)))
"""


def said(**variables: str) -> list[str]:
    """The lines of a process that runs two kernels in an environment with these variables."""
    done = subprocess.run(
        [sys.executable, '-c', TWO_KERNELS],
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    assert not done.stdout
    return done.stderr.splitlines()


def test_compilation_is_announced_once_and_only_where_the_cache_is_empty(tmp_path: Path) -> None:
    first, last = said(NUMBA_CACHE_DIR=str(tmp_path))
    assert first == 'compiling kernels for this machine, once: up to a minute'
    assert last.startswith('compiled kernels for ')
    assert not said(NUMBA_CACHE_DIR=str(tmp_path))


def test_kernels_run_where_no_folder_can_keep_them(tmp_path: Path) -> None:
    """A read-only installation and no home: numba's own search finds no place, and would refuse every kernel."""
    locators = 'UserProvidedCacheLocator,UserWideCacheLocator'  # the package's folder is writable here
    nowhere = {'HOME': '/dev/null/none', 'XDG_CACHE_HOME': '/dev/null/none', 'NUMBA_CACHE_DIR': ''}
    lines = said(**nowhere, NUMBA_CACHE_LOCATOR_CLASSES=locators, TMPDIR=str(tmp_path))
    assert lines[-1].endswith('set NUMBA_CACHE_DIR to a writable folder, and later runs load them')
    assert not list(tmp_path.iterdir())
