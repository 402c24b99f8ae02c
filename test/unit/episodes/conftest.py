from __future__ import annotations

from pathlib import Path

import pytest
from drawn_episode import drawn_episode

from hoigen.episodes import write_episode
from hoigen.episodes.whole import Message, messages_of
from hoigen.records import Episode


@pytest.fixture(scope='session')
def drawn() -> Episode:
    """Five frames, small images: every topic, little data."""
    return drawn_episode()


@pytest.fixture(scope='session')
def recorded(drawn: Episode) -> list[Message]:
    return list(messages_of(drawn))


@pytest.fixture(scope='session')
def episode(tmp_path_factory: pytest.TempPathFactory, drawn: Episode) -> Path:
    """A finished bag of it; read only."""
    folder = tmp_path_factory.mktemp('bags') / 'episode_0000'
    write_episode(folder, drawn)
    return folder
