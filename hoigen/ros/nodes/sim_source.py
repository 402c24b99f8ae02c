"""sim_source: streams simulated episodes, no further ahead of the synthesizer than it is allowed to be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from rclpy.duration import Duration

from hoigen.provenance import provenance_from_json, rejection_of
from hoigen.records import MeshAsset, SceneFrame
from hoigen.ros import convert, topics
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.parameters import param, validate
from hoigen.sources.mujoco import MujocoConfig, MujocoSource

ACK_S = 10.0
PAUSE_NS = 1_000_000_000
POLL_S = 0.05


@dataclass(frozen=True)
class SimSourceConfig:
    """Parameters of sim_source."""

    episodes: int = param(3, 'Episodes to stream.', low=1, high=1_000_000)
    first_episode: int = param(0, 'Number of the first one.', low=0, high=1_000_000)
    seed: int = param(0, 'Seed; an episode depends on it and on its number only.', low=0, high=2**31 - 1)
    task: str = param('any', 'Interaction to simulate, or any.')
    camera: str = param('front', 'Camera to render from.')
    width: int = param(720, 'Width of the image.', unit='pixels', low=16, high=4096)
    height: int = param(480, 'Height of the image.', unit='pixels', low=16, high=4096)
    frames: int = param(17, 'Frames of an episode.', low=1, high=1000)
    frame_rate: float = param(8.0, 'Frames for a second of the scene.', unit='Hz', low=0.1, high=1000.0)
    rate: float = param(1.0, 'Pace relative to real time; 0 is as fast as the simulator can.', low=0.0, high=1000.0)
    ahead: int = param(
        0,
        'Episodes streamed before the first of them is generated, edited or, alone, '
        'conditioned; 0 does not wait for any.',
        low=0,
        high=1000,
    )
    wait_for: str = param('', 'Nodes of the graph that must listen before it begins, by name.')

    def __post_init__(self) -> None:
        validate(self)

    def simulation(self) -> MujocoConfig:
        """What of it concerns the core; raises ConfigError for names that it does not know."""
        return MujocoConfig(
            width=self.width,
            height=self.height,
            frames=self.frames,
            rate_hz=self.frame_rate,
            camera=self.camera,
            task=self.task,
        )


class Episode(Protocol):
    """One simulated episode; stamps of its frames begin at 0."""

    @property
    def assets(self) -> tuple[MeshAsset, ...]: ...

    def frames(self) -> Iterable[SceneFrame]: ...


class Source(Protocol):
    """Makes episodes, each from its seed and number alone."""

    def episode(self, seed: int, index: int) -> Episode: ...


def mujoco(config: SimSourceConfig) -> Source:
    """The simulator with the node's parameters."""
    return MujocoSource(config.simulation())


class SimSource(ManagedNode[SimSourceConfig]):
    """Simulates and streams in its worker; deactivating it ends the episode in progress where it is."""

    def __init__(self, build: Callable[[SimSourceConfig], Source] = mujoco, **node_kwargs: Any) -> None:
        super().__init__(topics.SOURCE, SimSourceConfig, **node_kwargs)
        self._build = build

    def open(self) -> None:
        self._source = self._build(self.config)
        self._next, self._frames = self.config.first_episode, 0
        self._unfinished: set[int] = set()
        for topic in topics.written_by(topics.SOURCE):
            self.advertise(topic)
        for topic in (topics.SYNTH_LABELS, topics.EDIT_LABELS):
            self.subscribe(topic, self._on_made)
        for topic in (topics.CONDITION_PROVENANCE, topics.PROVENANCE):
            self.subscribe(topic, partial(self._on_provenance, topic))

    def start(self) -> None:
        self.work(self._stream, limit=self.config.episodes)
        for index in range(self._next, self.config.first_episode + self.config.episodes):
            self.hand_over(index, f'episode {index}')

    def stop(self) -> None:
        self.end_work()

    def values(self) -> dict[str, object]:
        return {
            'episodes': self._next - self.config.first_episode,
            'frames': self._frames,
            'planned': self.config.episodes,
        }

    def _on_made(self, message: Any) -> None:
        if message.last:
            self._unfinished.discard(message.episode)

    def _on_provenance(self, topic: topics.Topic, message: Any) -> None:
        try:
            made = provenance_from_json(message.data)
        except ValueError as error:
            self.diagnostics.refuse('bad message', error)
            return
        if rejection_of(made) or topic is topics.CONDITION_PROVENANCE:
            self._unfinished.discard(made.config.get('episode'))

    def _stream(self, index: int) -> None:  # worker thread
        self.wait_for_readers(self.config.wait_for)
        while self.config.ahead and len(self._unfinished) >= self.config.ahead and not self.stopping.is_set():
            self.stopping.wait(POLL_S)
        if self.stopping.is_set():
            return
        with self.diagnostics.stage('simulate'):
            episode = self._source.episode(self.config.seed, index)
        self._next = index + 1
        self._unfinished.add(index)
        self._send(index, episode)

    def _send(self, index: int, episode: Episode) -> None:
        begin_ns = first_stamp_ns(index, self.config)
        self.publish({topics.MESH_ASSETS.name: convert.ENCODER.assets(episode.assets, begin_ns, index)})
        self.publisher(topics.MESH_ASSETS).wait_for_all_acked(Duration(seconds=ACK_S))  # frames must not overtake it
        begun_at = time.monotonic()
        for frame in episode.frames():
            rate = self.config.rate
            due = begun_at + frame.stamp_ns * 1e-9 / rate if rate else 0.0
            if self.stopping.wait(max(0.0, due - time.monotonic())):
                return
            self.publish(convert.ENCODER.frame(frame, begin_ns + frame.stamp_ns))
            self._frames += 1


def first_stamp_ns(index: int, config: SimSourceConfig) -> int:
    """When an episode begins: episodes follow each other with a pause, whichever of them is streamed first."""
    return (index + 1) * PAUSE_NS + round(index * config.frames / config.frame_rate * 1e9)


def main() -> int:
    return spin(SimSource)
