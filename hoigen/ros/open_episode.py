"""An episode's bag while it is written: what it holds, what it still lacks, and what of it is kept in the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hoigen.episodes import EpisodeError, EpisodeMismatch, EpisodeSummary, EpisodeWriter, cut_episode
from hoigen.episodes.bags import rejected_folder
from hoigen.records import EpisodeState, EpisodeStatus
from hoigen.ros import topics
from hoigen.ros.topics import Topic
from hoigen.sources.streams.order import Refused

__all__ = ['PROVENANCE_OF', 'OpenEpisode']

PROVENANCE_OF = {
    topics.BUILDER: topics.CONDITION_PROVENANCE,
    topics.SYNTHESIZER: topics.PROVENANCE,
    topics.EDITOR: topics.EDIT_PROVENANCE,
}
"""Where that node reports how an episode's frames, or its conditions, were made."""
PER_FRAME = tuple(topic for topic in topics.read_by(topics.RECORDER) if not topic.latched)


class OpenEpisode:
    """A bag that is being written. ``made_by``: the node whose frames complete it; ``seen``: all topics that came."""

    def __init__(self, writer: EpisodeWriter, made_by: str, begun_ns: int, seen: Set[Topic]) -> None:
        self.writer, self._made_by, self.begun_ns = writer, made_by, begun_ns
        self._seen = seen
        self._frames: int | None = None
        self._span: tuple[int, int] | None = None
        self._told: EpisodeStatus | None = None
        self._begun: set[Topic] = set()
        self._stamps: dict[Topic, set[int]] = defaultdict(set)
        self._labels: dict[Topic, dict[int, tuple[Any, ...]]] = defaultdict(dict)

    @property
    def rejected(self) -> bool:
        """Whether none of its generated clips may be kept."""
        return self._told is not None and self._told.state is EpisodeState.REJECTED

    @property
    def _made(self) -> tuple[Topic, ...]:
        """The topics of the frames that complete it."""
        made = topics.REJECTED if self.rejected else topics.GENERATED
        return {topics.SYNTHESIZER: made, topics.EDITOR: topics.EDITED}.get(self._made_by, ())

    def begin(self, labels: Topic) -> None:
        """The frames that another node makes of the episode begin; raises :class:`Refused` for the second time."""
        if labels in self._begun:
            raise Refused('made again', f'{labels.name}: expected the frames of an episode once, its bag has some')
        self._begun.add(labels)

    def follow(self, labels: Topic, stamp_ns: int, message: Any) -> None:
        """Take note of what labels say; the scene's last ones say how many frames there are."""
        if labels is topics.LABELS and message.last:
            self._frames = message.frame + 1
        self._labels[labels][stamp_ns] = (
            message.episode,
            message.frame,
            message.last,
            message.task,
            tuple(message.hand_sides),
            tuple(message.joint_names),
            tuple(message.joint_positions),
            tuple(message.action_names),
            tuple(message.action_units),
            tuple(message.action),
        )

    def write(self, topic: Topic, stamp_ns: int, cdr: bytes) -> None:
        """Append a message; raises :class:`Refused` for the second one of a topic and frame."""
        if stamp_ns in self._stamps[topic]:
            raise Refused('frame comes twice', f'{topic.name} at {stamp_ns} ns: expected one message, its bag has it')
        self.writer.write(topic.name, topic.type_name, stamp_ns, cdr, 'latched' if topic.latched else 'stream')
        self._stamps[topic].add(stamp_ns)

    def tell(self, status: EpisodeStatus) -> None:
        """What became of it, by the node whose frames complete it; ``frames`` where these are a part of it."""
        if self._told is not None:
            raise Refused('made again', f'episode {status.episode}: expected one status, its bag has it')
        self._told = status
        if status.frames is not None:
            self._frames, self._span = status.frames, status.stamps_ns

    @property
    def stamps_ns(self) -> tuple[int, int]:
        """Of the first and the last of its frames."""
        stamps = [stamp for stamp in self._stamps[topics.LABELS] if self._wants(stamp)] or [self.begun_ns]
        return min(stamps), max(stamps)

    @property
    def complete(self) -> bool:
        """Every topic has a message for each frame that is wanted; the depth image only if there ever was one.

        Of an episode whose generated clip was rejected its rejected frames are awaited, of footage no mesh.
        """
        tables = [topic for topic in topics.written_by(self._made_by) if topic.row.kind == 'table']
        if self._told is None or self._frames is None or not all(self._stamps[topic] for topic in tables):
            return False
        wanted = {stamp for stamp in self._stamps[topics.LABELS] if self._wants(stamp)}
        return len(wanted) == self._frames and all(wanted <= self._stamps[topic] for topic in self._awaited())

    def close(self) -> EpisodeSummary:
        """Finish the bag; of an episode of which a part was made, with that part alone; of one that was rejected under
        another name.

        Raises :class:`EpisodeError` where topics differ in their frames, or in what their labels say.
        """
        made = [topic.row for topic in self._made]
        if all(self._wants(stamp) for topic in PER_FRAME for stamp in self._stamps[topic]):
            summary = self.writer.close(made=made)
        else:
            with suppress(EpisodeMismatch):
                self.writer.close(made=made)
            summary = cut_episode(self.writer.folder, self._wants, made=made)
        for labels in (topics.SYNTH_LABELS, topics.REJECTED_LABELS, topics.EDIT_LABELS):
            for stamp_ns, says in self._labels[labels].items():
                if says != self._labels[topics.LABELS].get(stamp_ns, says):
                    raise EpisodeError(
                        f'{self.writer.folder}: {labels.name} at {stamp_ns} ns: expected what labels '
                        f'says, {self._labels[topics.LABELS][stamp_ns]}, got {says}'
                    )
        if self.rejected:
            summary = replace(summary, folder=self.writer.folder.rename(rejected_folder(self.writer.folder)))
        return summary

    def _wants(self, stamp_ns: int) -> bool:
        return self._span is None or self._span[0] <= stamp_ns <= self._span[1]

    def _awaited(self) -> list[Topic]:
        unmade = {*topics.GENERATED, *topics.REJECTED, *topics.EDITED} - {*self._made}
        return [
            topic
            for topic in PER_FRAME
            if topic not in unmade
            and not (
                topic is topics.MESH_FRAME
                and not self._stamps[topics.MESH_ASSETS]
                and self._stamps[topics.CONDITION_PROVENANCE]
            )
            and not (topic is topics.DEPTH and topic not in self._seen)
        ]
