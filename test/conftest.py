"""Fixtures for every room; the synthetic scene they are made of is in ``synthetic_scene.py``."""

from __future__ import annotations

import os

# One thread of work for each test process, and for what it starts: several of them share the cores (pytest-xdist).
os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = os.environ['OPENCV_FOR_THREADS_NUM'] = '1'

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from synthetic_scene import moving_scene

from hoigen.conditioning import build_clip
from hoigen.records import Clip, MeshAsset, SceneFrame

settings.register_profile('hoigen', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('hoigen')  # nothing fails because the machine is slow


@pytest.fixture(scope='session')
def golden() -> Path:
    """Numbers of the published models and of their official code; its README says how each file was made."""
    return Path(__file__).parent / 'golden'


@pytest.fixture(scope='session')
def scene() -> tuple[tuple[MeshAsset, ...], list[SceneFrame]]:
    """Five frames from a camera that stands still."""
    return moving_scene()


@pytest.fixture(scope='session')
def make_scene() -> Callable[..., tuple[tuple[MeshAsset, ...], list[SceneFrame]]]:
    """``moving_scene`` itself, for scenes of another length, size or camera."""
    return moving_scene


@pytest.fixture(scope='session')
def clip(scene: tuple[tuple[MeshAsset, ...], list[SceneFrame]]) -> Clip:
    """The clip of ``scene``."""
    return build_clip(*scene)
