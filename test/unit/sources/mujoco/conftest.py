"""Simulated episodes that several tests look at, made once."""

from __future__ import annotations

import pytest
from simulated_scene import Simulated, simulate


@pytest.fixture(scope='session')
def lifted_ball() -> Simulated:
    return simulate(seed=3, index=5, task='lift', shape='ball')
