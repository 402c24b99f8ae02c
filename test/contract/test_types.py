"""The types that the package states are true of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_mypy_has_nothing_to_say() -> None:
    """A file of its own: another worker runs the other tests meanwhile."""
    pytest.importorskip('mypy', reason='pip install -r requirements-dev.txt')
    done = subprocess.run([sys.executable, '-m', 'mypy'], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
