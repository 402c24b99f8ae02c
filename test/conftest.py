"""Fixtures for every room; the synthetic scene they are made of is in ``synthetic_scene.py``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from synthetic_scene import moving_scene

from hoigen.conditioning import build_clip
from hoigen.records import Clip, MeshAsset, SceneFrame


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
