from __future__ import annotations

from pathlib import Path

import pytest
from episode_factory import Message, Scene, messages, write_scene

SMALL = Scene(size=(96, 64), synth=(48, 32), frames=5, points=200, tracks=40)


@pytest.fixture(scope='session')
def scene() -> Scene:
    """Five frames, small pictures: every topic, little data."""
    return SMALL


@pytest.fixture(scope='session')
def recorded(scene: Scene) -> list[Message]:
    return list(messages(scene))


@pytest.fixture(scope='session')
def episode(tmp_path_factory: pytest.TempPathFactory, scene: Scene) -> Path:
    """A finished bag of the small scene; read only."""
    folder = tmp_path_factory.mktemp('bags') / 'episode_0000'
    write_scene(folder, scene)
    return folder
