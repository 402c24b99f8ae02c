"""condition_builder: the meshes, camera, image and labels of an instant become its geometric conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hoigen import decode
from hoigen.conditioning import ClipBuilder, ConditioningConfig
from hoigen.records import MeshAsset
from hoigen.ros import convert, topics
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.parameters import param, validate
from hoigen.ros.streams import EpisodeOrder, Refused, Tables
from hoigen.ros.sync import ExactSync

Build = Callable[[Sequence[MeshAsset], ConditioningConfig], ClipBuilder]


@dataclass(frozen=True)
class ConditionBuilderConfig:
    """Parameters of condition_builder."""

    points: int = param(8192, 'Surface points that are followed.', low=1, high=1_000_000)
    tracks: int = param(1024, 'How many of them are published as tracks.', low=1, high=1_000_000)
    points_seed: int = param(0, 'Chooses the surface points.', low=0, high=2**31 - 1)
    contact_distance: float = param(0.005, 'Hand and object are in contact below it.', unit='m', low=1e-4, high=0.1)
    max_frames: int = param(300, 'Frames of an episode; further ones are refused.', low=1, high=100_000)
    queue: int = param(128, 'Frames that may wait; further ones are refused.', low=1, high=10_000, read_only=True)
    input_reliability: str = param('reliable', 'Asked of publishers; best_effort hears any.',
                                   choices=('reliable', 'best_effort'), read_only=True)
    wait_for: str = param('', 'Nodes of the graph that must listen before it begins, by name.')

    def __post_init__(self) -> None:
        validate(self)
        self.conditioning()

    def conditioning(self) -> ConditioningConfig:
        """What of it concerns the core."""
        return ConditioningConfig(points=self.points, tracks=self.tracks, seed=self.points_seed,
                                  contact_distance_m=self.contact_distance)


class ConditionBuilder(ManagedNode[ConditionBuilderConfig]):
    """Callbacks put the messages of an instant together; the worker owns the builder of the present episode."""

    def __init__(self, build: Build = ClipBuilder, **node_kwargs: Any) -> None:
        super().__init__(topics.BUILDER, ConditionBuilderConfig, **node_kwargs)
        self._build = build

    def open(self) -> None:
        self._sync = ExactSync([topic.name for topic in topics.SCENE_PARTS], self._on_set, self._on_unmatched)
        self._tables: Tables[tuple[MeshAsset, ...] | None] = Tables()
        self._begun_ns: int | None = None
        self._builder: ClipBuilder | None = None
        self._frames = 0
        for topic in topics.written_by(topics.BUILDER):
            self.advertise(topic)
        self.subscribe(topics.MESH_ASSETS, self._on_assets)  # first, so that it is heard before the frames
        for topic in topics.SCENE_PARTS:
            self.subscribe(topic, partial(self._on_part, topic.name), self.config.input_reliability)

    def start(self) -> None:
        self._sync.clear()
        self._order, self._builder, self._frames = EpisodeOrder(), None, 0
        self.work(self._condition, limit=self.config.queue)

    def stop(self) -> None:
        self.end_work()

    def values(self) -> dict[str, object]:
        return {'frames': self._frames}

    def _on_assets(self, message: Any) -> None:
        stamp_ns, assets = decode.stamp_ns(message.header), None
        try:
            assets = decode.assets(message)
        except ValueError as error:
            self.diagnostics.refuse('bad assets', f'mesh_assets at {stamp_ns} ns: {error}')
        self._tables.add(stamp_ns, assets)  # a bad one too: the table before it does not hold any more
        if stamp_ns == self._begun_ns:
            self.diagnostics.fail(f'mesh_assets at {stamp_ns} ns came after the first frame that they are for')

    def _on_part(self, topic: str, message: Any) -> None:
        self._sync.add(topic, decode.stamp_ns(message.header), message)

    def _on_set(self, stamp_ns: int, messages: dict[str, Any]) -> None:
        self.hand_over(messages, f'frame at {stamp_ns} ns')

    def _on_unmatched(self, stamp_ns: int, missing: list[str]) -> None:
        self.diagnostics.refuse('unmatched stamp', f'{stamp_ns} ns: expected all topics, got none of {missing}')

    def _condition(self, messages: dict[str, Any]) -> None:  # worker thread
        labels = messages[topics.LABELS.name]
        stamp_ns = decode.stamp_ns(labels.header)
        if self._order.begins(stamp_ns, labels.episode, labels.frame):
            self._begin(stamp_ns)
        if self._builder is None:
            raise Refused('no assets', f'frame at {stamp_ns} ns: expected good mesh_assets before it')
        if labels.frame >= self.config.max_frames:
            raise Refused('episode too long', f'frame {labels.frame}: expected less than {self.config.max_frames}')
        try:
            with self.diagnostics.stage('condition'):
                conditions = self._builder.add(decode.scene_frame(messages))
        except ValueError as error:
            raise Refused('bad frame', error) from error
        self._order.accept(stamp_ns, labels.frame)
        if not self._frames:
            self.wait_for_readers(self.config.wait_for)
        self.publish(convert.conditions_to_msgs(conditions, convert.frame_names(messages)))
        self._frames += 1

    def _begin(self, stamp_ns: int) -> None:
        """Take the newest table that holds at ``stamp_ns`` for the episode that begins there."""
        self._builder, self._begun_ns = None, stamp_ns
        assets = self._tables.at(stamp_ns)
        if assets is not None:
            self._builder = self._build(assets, self.config.conditioning())


def main() -> int:
    return spin(ConditionBuilder)
