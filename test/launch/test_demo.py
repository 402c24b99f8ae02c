"""The real thing, once: `hoigen up` with simulator and tiny model records what the core makes, bit for bit."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')


from hoigen.episodes import EpisodeReader
from hoigen.records import Episode

SEED = 3


def read(bag: Path) -> tuple[Episode, dict[str, int]]:
    with EpisodeReader(bag) as reader:
        assert not reader.faults()
        return reader.episode(), reader.counts
