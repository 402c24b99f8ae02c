"""OpenMP's threads sleep while they wait for each other: on shared cores those that spin cost a clip twenty times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(('own', 'policy'), [({}, 'PASSIVE'), ({'OMP_WAIT_POLICY': 'ACTIVE'}, 'ACTIVE')])
def test_threads_sleep_while_they_wait_unless_the_user_wants_otherwise(own: dict[str, str], policy: str) -> None:
    """The policy is there before anything could load OpenMP, which reads it once."""
    code = 'import hoigen, os, sys; print(os.environ["OMP_WAIT_POLICY"], {"torch", "numpy"} & sys.modules.keys())'
    environment = {name: value for name, value in os.environ.items() if name != 'OMP_WAIT_POLICY'} | own
    ran = subprocess.run(
        [sys.executable, '-c', code],
        cwd=Path(__file__).parents[2],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.split() == [policy, 'set()']
