"""condition_builder: the meshes, camera, image and labels of an instant become its geometric conditions.

Colours are taken from an episode's first image alone, yet every image is heard: each is held against the outlines of
the meshes at its stamp (:mod:`hoigen.conditioning.source_check`), and an image that comes a frame late, or a source
that goes wrong later than its first frame, shows in no other way where there is no depth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from rclpy.serialization import deserialize_message

from hoigen.conditioning import ClipBuilder, ConditioningConfig, SourceMismatch
from hoigen.conditioning.warm import compile_kernels
from hoigen.messages import decode
from hoigen.messages.encode import frame_names
from hoigen.records import EpisodeState, EpisodeStatus, MeshAsset, Provenance, RecordError, SceneFrame
from hoigen.ros import convert, topics
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.options.condition_builder import ConditionBuilderOptions
from hoigen.sources.streams.beside import Beside
from hoigen.sources.streams.order import EpisodeOrder, Refused, Tables
from hoigen.sources.streams.pairing import Origin, name_source
from hoigen.sources.streams.sync import ExactSync

Build = Callable[[Sequence[MeshAsset], ConditioningConfig], ClipBuilder]


class ConditionBuilder(ManagedNode[ConditionBuilderOptions]):
    """Callbacks put the messages of an instant together; the worker owns the builder of the present episode."""

    def __init__(self, build: Build = ClipBuilder, **node_kwargs: Any) -> None:
        super().__init__(topics.BUILDER, ConditionBuilderOptions, **node_kwargs)
        self._build = build

    def open(self) -> None:
        compile_kernels()  # on a new machine it takes seconds, in which a fast source's first frames would be refused
        self._sync = ExactSync([topic.name for topic in topics.SCENE_PARTS], self._on_set, self.report)
        self._tables: Tables[bytes] = Tables()
        self._begun: tuple[int, int] | None = None
        self._builder: ClipBuilder | None = None
        self._frames, self._depth_fault = 0, ''
        self._whole: list[int] = []
        self._reported = False
        self._beside = Beside(self._on_whole)
        for topic in topics.written_by(topics.BUILDER):
            self.advertise(topic)
        self.subscribe(topics.MESH_ASSETS, self._on_assets, raw=True)  # first, so that it is heard before the frames
        self.subscribe(topics.DEPTH, self._on_depth, self.config.input_reliability)
        for topic in topics.SCENE_PARTS:
            self.subscribe(topic, partial(self._on_part, topic.name), self.config.input_reliability, origin=True)

    def start(self) -> None:
        self._sync.clear()
        self._beside.clear()
        self._order, self._builder, self._begun, self._frames = EpisodeOrder(), None, None, 0
        self.work(self._condition, limit=self.config.queue)

    def stop(self) -> None:
        self.end_work()

    def values(self) -> dict[str, object]:
        values: dict[str, object] = {'frames': self._frames}
        if self._builder is not None:
            values['source_check'] = self._builder.source_check.summary()
        if self._depth_fault:
            values['depth_not_used'] = self._depth_fault
        return values

    def _on_assets(self, cdr: bytes) -> None:
        table = deserialize_message(cdr, topics.MESH_ASSETS.type)
        stamp_ns = decode.stamp_ns(table.header)
        self._tables.add(stamp_ns, cdr, table.episode)
        if self._begun is not None and self._begun[0] == stamp_ns and table.episode in (0, self._begun[1]):
            self.diagnostics.fail(f'mesh_assets at {stamp_ns} ns came after the first frame that they are for')

    def _on_part(self, topic: str, message: Any, origin: Origin | None) -> None:
        self._sync.add(topic, decode.stamp_ns(message.header), message, origin)

    def _on_depth(self, message: Any) -> None:
        self._beside.add(decode.stamp_ns(message.header), message)

    def _on_set(self, stamp_ns: int, messages: dict[str, Any], origins: dict[str, Origin | None]) -> None:
        wait = self.count_publishers(topics.DEPTH.name) > 0 and not messages[topics.LABELS.name].last
        self._beside.frame(stamp_ns, (messages, origins[topics.LABELS.name]), wait=wait)

    def _on_whole(self, stamp_ns: int, item: tuple[dict[str, Any], Origin | None], depth: Any | None) -> None:
        messages, origin = item
        messages |= {} if depth is None else {topics.DEPTH.name: depth}
        self.hand_over((messages, origin), f'frame at {stamp_ns} ns')

    def _condition(self, item: tuple[dict[str, Any], Origin | None]) -> None:  # worker thread
        messages, origin = item
        labels = messages[topics.LABELS.name]
        stamp_ns = decode.stamp_ns(labels.header)
        begins = self._order.begins(stamp_ns, labels.episode, labels.frame, origin.publisher if origin else b'')
        if begins and self._begun is not None:
            self._finish(self._begun[1])
        try:
            if begins:
                self._begin(stamp_ns, labels.episode)
            self._publish_conditions(stamp_ns, messages, origin)
        except Refused as error:
            if self._builder is None or self._builder.source_check.refused or (labels.last and not self._whole):
                self._skip(str(error))
            raise
        finally:
            if labels.last:
                self._finish(labels.episode)

    def _publish_conditions(self, stamp_ns: int, messages: dict[str, Any], origin: Origin | None) -> None:
        labels = messages[topics.LABELS.name]
        if self._builder is None:
            raise Refused('no assets', f'frame at {stamp_ns} ns: expected good mesh_assets before it')
        if labels.frame >= self.config.max_frames:
            raise Refused('episode too long', f'frame {labels.frame}: expected less than {self.config.max_frames}')
        try:
            with self.diagnostics.stage('condition'):
                conditions = self._builder.add(self._frame(messages))
        except SourceMismatch as error:
            raise Refused('source mismatch', f'episode {labels.episode}: {error}') from error
        except ValueError as error:
            raise Refused('bad frame', error) from error
        self._order.accept(stamp_ns, labels.frame)
        if not self._frames:
            self.wait_for_readers(self.config.wait_for)
        made = convert.ENCODER.conditions(conditions, frame_names(messages))
        name_source(made[topics.TRACKS.name], origin)
        self.publish(made)
        if labels.frame == len(self._whole):
            self._whole.append(stamp_ns)
        self._frames += 1
        self.diagnostics.caution(self._builder.source_check.warning(), log=labels.last)

    def _frame(self, messages: dict[str, Any]) -> SceneFrame:
        """The messages' record; a depth that does not lie on the image is left out, for nothing else is made of it."""
        depth = messages.pop(topics.DEPTH.name, None)
        frame = decode.scene_frame(messages)
        try:
            return frame if depth is None else replace(frame, depth_m=decode.depth(depth, topics.DEPTH.name))
        except (decode.MessageError, RecordError) as error:
            self._depth_fault = str(error)
            return frame

    def _begin(self, stamp_ns: int, episode: int) -> None:
        """Take the newest table that holds for the episode that begins there."""
        self._builder, self._begun = None, (stamp_ns, episode)
        self._whole, self._reported = [], False
        table = self._tables.at(stamp_ns, episode)
        if table is None:
            return
        try:
            assets = decode.assets(deserialize_message(table, topics.MESH_ASSETS.type))
            self._builder = self._build(assets, self.config.conditioning())
        except ValueError as error:
            self.diagnostics.refuse('bad assets', f'mesh_assets of episode {episode}: {error}')
            self._skip(f'mesh_assets: {error}')

    def _finish(self, episode: int) -> None:
        """An episode has ended; what follows a gap is left out of it."""
        if not self._whole:
            self._skip('expected conditions of its first frame, got none')
        elif self.config.alone and self._builder is not None and not self._reported:
            found = {
                'episode': episode,
                'frames': len(self._whole),
                'stamps_ns': [self._whole[0], self._whole[-1]],
                'points': self.config.points,
                'contact_distance': self.config.contact_distance,
                'source_check': self._builder.source_check.summary(),
            }
            made = Provenance(self.config.points_seed, found, self.publishers_of(topics.IMAGE), {}, {}, {})
            self.wait_for_readers(self.config.wait_for)
            self.publish({topics.CONDITION_PROVENANCE.name: convert.ENCODER.provenance(made)})
            self._report(EpisodeState.ACCEPTED, frames=len(self._whole))

    def _skip(self, reason: str) -> None:
        """The episode has no conditions, and is not recorded."""
        self._report(EpisodeState.SKIPPED, reason=reason)

    def _report(self, state: EpisodeState, *, frames: int | None = None, reason: str = '') -> None:
        """Publish once what became of the episode."""
        if self._reported:
            return
        self._reported = True
        assert self._begun is not None
        begun_ns, episode = self._begun
        stamps_ns = (begun_ns, max([begun_ns, *self._whole]))
        self.publish_status(EpisodeStatus(self.get_name(), episode, state, stamps_ns, frames, reason))


def main() -> int:
    return spin(ConditionBuilder)
