"""A source that publishes on DDS, as a reader sees it: numbered publications, in order on each topic, some lost."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st

from hoigen.sources.streams.pairing import Origin

STEP_NS = 100
LUCK = st.integers(0, 2**32).map(Random)
"""Many small choices at once: to draw each of them costs more than what is tested."""


class Frame(NamedTuple):
    """A frame of a run of episodes."""

    episode: int
    frame: int
    stamp_ns: int
    last: bool


class Publication(NamedTuple):
    """What a topic carries of a frame; ``run`` counts how often the source's process was started."""

    topic: str
    frame: Frame
    origin: Origin
    run: int


def origin(process: int, topic: int, number: int) -> Origin:
    """As DDS names it: twelve bytes for the process, four for the publisher."""
    return Origin(process.to_bytes(12, 'big') + bytes([0, 0, topic, 3]), number)


@st.composite
def episodes(draw: st.DrawFn, most: int = 4, first: int = 0, least_frames: int = 1) -> list[Frame]:
    """Episodes with clocks that start again, or go on."""
    frames, now_ns = [], 0
    for episode in range(first, first + draw(st.integers(1, most))):
        now_ns = 0 if draw(st.booleans()) else now_ns + draw(st.sampled_from((1, 7))) * STEP_NS
        length = draw(st.integers(least_frames, 5))
        for frame in range(length):
            frames.append(Frame(episode, frame, now_ns, frame == length - 1))
            now_ns += STEP_NS
    return frames


def published(frames: Iterable[Frame], topics: Iterable[str], process: int = 1) -> dict[str, list[Publication]]:
    """What a source that publishes one message on every topic for each frame sends, by topic."""
    frames = list(frames)
    return {
        topic: [
            Publication(topic, frame, origin(process, place, number), process) for number, frame in enumerate(frames, 1)
        ]
        for place, topic in enumerate(topics, 1)
    }


def delivered(streams: dict[str, list[Publication]], luck: Random, losses: bool) -> list[Publication]:
    """The order in which a reader gets them: kept on each topic, any over topics. ``losses``: some are lost or come
    twice, and the reader may join a topic late."""
    queues = {}
    for topic, stream in streams.items():
        if losses:
            stream = stream[luck.randint(0, 3) :]
            stream = [one for one in stream for _ in range(luck.choice((1, 1, 1, 0, 2)))]
        queues[topic] = stream[::-1]
    order: list[Publication] = []
    while waiting := [topic for topic, queue in queues.items() if queue]:
        queue = queues[luck.choice(waiting)]
        for _ in range(min(len(queue), luck.randint(1, 6))):
            order.append(queue.pop())
    return order
