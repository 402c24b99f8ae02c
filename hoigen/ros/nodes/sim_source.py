"""sim_source: streams simulated episodes, no further ahead of the synthesizer than it is allowed to be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from hoigen.records import EpisodeStatus, MeshAsset, SceneFrame
from hoigen.ros import convert, topics
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.options.sim_source import SimSourceOptions
from hoigen.sources.mujoco import MujocoSource, first_stamp_ns

POLL_S = 0.05


class SceneEpisode(Protocol):
    """One simulated episode; stamps of its frames begin at 0."""

    @property
    def assets(self) -> tuple[MeshAsset, ...]: ...

    def frames(self) -> Iterable[SceneFrame]: ...


class Source(Protocol):
    """Makes episodes, each from its seed and number alone."""

    def episode(self, seed: int, index: int) -> SceneEpisode: ...


def mujoco(config: SimSourceOptions) -> Source:
    """The simulator with the node's parameters."""
    return MujocoSource(config.simulation())


class SimSource(ManagedNode[SimSourceOptions]):
    """Simulates and streams in its worker; deactivating it ends the episode in progress where it is."""

    def __init__(self, build: Callable[[SimSourceOptions], Source] = mujoco, **node_kwargs: Any) -> None:
        super().__init__(topics.SOURCE, SimSourceOptions, **node_kwargs)
        self._build = build

    def open(self) -> None:
        self._source = self._build(self.config)
        self._next, self._frames = self.config.first_episode, 0
        self._unfinished: set[int] = set()
        for topic in topics.written_by(topics.SOURCE):
            self.advertise(topic)
        self.subscribe_to_statuses(self._on_status)

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

    def _on_status(self, status: EpisodeStatus) -> None:
        self._unfinished.discard(status.episode)

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

    def _send(self, index: int, episode: SceneEpisode) -> None:
        begin_ns = first_stamp_ns(index, self.config.frames, self.config.frame_rate)
        self.publish_before(topics.MESH_ASSETS, convert.ENCODER.assets(episode.assets, begin_ns, index))
        begun_at = time.monotonic()
        for frame in episode.frames():
            rate = self.config.rate
            due = begun_at + frame.stamp_ns * 1e-9 / rate if rate else 0.0
            if self.stopping.wait(max(0.0, due - time.monotonic())):
                return
            self.publish(convert.ENCODER.frame(frame, begin_ns + frame.stamp_ns))
            self._frames += 1


def main() -> int:
    return spin(SimSource)
