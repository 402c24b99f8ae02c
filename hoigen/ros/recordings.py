"""Sorts the messages of a running graph into one bag per episode."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.serialization import deserialize_message

from hoigen.episodes import (
    EpisodeError,
    EpisodeSummary,
    EpisodeWriteFailed,
    EpisodeWriter,
    provenance_from_json,
    rejection_of,
)
from hoigen.episodes.topics import header_of
from hoigen.ros import topics
from hoigen.ros.streams import EpisodeOrder, Refused, Tables
from hoigen.ros.topics import Topic

OPEN_EPISODES = 8
PROVENANCE_OF = {topics.SYNTHESIZER: topics.PROVENANCE, topics.EDITOR: topics.EDIT_PROVENANCE}
"""How that node tells how an episode's frames were made."""
PROVENANCES = (topics.CONDITION_PROVENANCE, *PROVENANCE_OF.values())
PER_FRAME = tuple(topic for topic in topics.read_by(topics.RECORDER) if not topic.latched)


class OpenEpisode:
    """A bag that is being written, and what it still lacks."""

    def __init__(self, writer: EpisodeWriter, made_by: str) -> None:
        self.writer, self._made_by = writer, made_by
        self.frames: int | None = None
        self.rejected = False
        self._counts: Counter[str] = Counter()

    @property
    def generated(self) -> bool:
        """Whether generated frames are in it."""
        return self._made_by == topics.SYNTHESIZER and not self.rejected

    def write(self, topic: Topic, stamp_ns: int, cdr: bytes) -> None:
        self.writer.write(topic.name, topic.type_name, stamp_ns, cdr, 'latched' if topic.latched else 'stream')
        self._counts[topic.name] += 1

    @property
    def complete(self) -> bool:
        """Every topic that began has a message for each frame, and none but the depth image is missing.

        Of an episode whose generated clip was rejected no generated frame is awaited, of footage no mesh.
        """
        unmade = PROVENANCE_OF.keys() - (set() if self.rejected else {self._made_by})
        awaited = [topic for topic in PER_FRAME if not unmade & set(topic.writers)
                   and not (topic is topics.MESH_FRAME and self._counts[topics.CONDITION_PROVENANCE.name])]
        expected = [topic.name for topic in awaited if topic is not topics.DEPTH or self._counts[topic.name]]
        return (self.frames is not None and self._counts[PROVENANCE_OF[self._made_by].name] > 0
                and all(self._counts[name] >= self.frames for name in expected))


class Recordings:
    """Writes each message into the bag of its episode. One thread calls it.

    Labels tell which episode a stamp belongs to; a message waits until the labels of its stamp have come, and
    provenance, which has no stamp, until those of its episode. A bag is closed when it is complete, or as it is when a
    later one is complete or too many are open. ``on_closed`` gets the episode and its summary, or what is wrong.
    ``waiting``: stamps that may wait for their labels. ``made_by``: the node whose frames are recorded and awaited.
    """

    def __init__(self, make: Callable[[int], EpisodeWriter],
                 on_closed: Callable[[int, EpisodeSummary | EpisodeError], None],
                 on_refused: Callable[[Refused], None], waiting: int, made_by: str = topics.SYNTHESIZER) -> None:
        self._make, self._on_closed, self._on_refused, self._limit = make, on_closed, on_refused, waiting
        self._made_by, self._order = made_by, EpisodeOrder()
        self._open: dict[int, OpenEpisode] = {}
        self._episode_of: dict[int, int] = {}
        self._waiting: OrderedDict[int, list[tuple[Topic, bytes]]] = OrderedDict()
        self._provenance: OrderedDict[tuple[Topic, Any], bytes] = OrderedDict()
        self._tables: Tables[bytes] = Tables()

    @property
    def open_episodes(self) -> list[int]:
        return list(self._open)

    def add(self, topic: Topic, cdr: bytes) -> None:
        """Take one serialized message; raises :class:`Refused` if it belongs to no episode."""
        if topic.writers and set(topic.writers) <= PROVENANCE_OF.keys() - {self._made_by}:
            return
        if topic in PROVENANCES:
            self._add_provenance(topic, cdr)
        elif topic is topics.MESH_ASSETS:
            self._tables.add(header_of(cdr)[0], cdr)
        else:
            stamp_ns = header_of(cdr)[0]
            if topic is topics.LABELS:
                self._add_labels(stamp_ns, cdr)
            elif stamp_ns in self._episode_of:
                self._write(self._episode_of[stamp_ns], topic, stamp_ns, cdr)
            else:
                self._wait(topic, stamp_ns, cdr)

    def close(self) -> None:
        """Close every bag as it is."""
        for episode in self.open_episodes:
            self._close(episode)

    def _add_labels(self, stamp_ns: int, cdr: bytes) -> None:
        labels = deserialize_message(cdr, topics.LABELS.type)
        if self._order.begins(stamp_ns, labels.episode, labels.frame):
            self._begin(labels.episode, stamp_ns)
        if labels.episode not in self._open:
            raise Refused('episode is closed', f'frame {labels.frame} of episode {labels.episode}')
        self._order.accept(stamp_ns, labels.frame)
        self._episode_of[stamp_ns] = labels.episode
        if labels.last:
            self._open[labels.episode].frames = labels.frame + 1
        self._write(labels.episode, topics.LABELS, stamp_ns, cdr)
        for told in PROVENANCES:
            if (told, labels.episode) in self._provenance:
                self._write_provenance(told, labels.episode, self._provenance.pop((told, labels.episode)))
        for topic, waiting in self._waiting.pop(stamp_ns, []):
            self._write(labels.episode, topic, stamp_ns, waiting)

    def _begin(self, episode: int, stamp_ns: int) -> None:
        if episode in self._open:
            raise Refused('episode begins again', f'episode {episode} at {stamp_ns} ns: its bag is open')
        try:
            self._open[episode] = OpenEpisode(self._make(episode), self._made_by)
        except EpisodeError as error:
            raise Refused('episode exists', error) from error
        table = self._tables.at(stamp_ns)
        if table is not None:
            self._write(episode, topics.MESH_ASSETS, stamp_ns, table)
        if len(self._open) > OPEN_EPISODES:
            self._close(next(iter(self._open)))

    def _add_provenance(self, topic: Topic, cdr: bytes) -> None:
        try:
            made = provenance_from_json(deserialize_message(cdr, topic.type).data)
        except ValueError as error:
            raise Refused('bad message', error) from error
        episode: Any = made.config.get('episode')
        if topic is topics.CONDITION_PROVENANCE and rejection_of(made):
            self._drop(made.config.get('stamps_ns', ()))
        elif episode in self._open:
            self._write_provenance(topic, episode, cdr)
        else:
            self._provenance[topic, episode] = cdr
            if len(self._provenance) > 2 * OPEN_EPISODES:
                self._provenance.popitem(last=False)
                raise Refused('provenance of no episode', f'expected one of {self.open_episodes}, got {episode!r}')

    def _drop(self, stamps_ns: Sequence[int]) -> None:
        """Forget the frames between two stamps: they are of no episode."""
        for stamp_ns in [stamp for stamp in self._waiting if stamps_ns and stamps_ns[0] <= stamp <= stamps_ns[1]]:
            del self._waiting[stamp_ns]

    def _write_provenance(self, topic: Topic, episode: int, cdr: bytes) -> None:
        stamp_ns = min(stamp for stamp, of in self._episode_of.items() if of == episode)
        made = provenance_from_json(deserialize_message(cdr, topic.type).data)
        if topic is topics.PROVENANCE:
            self._open[episode].rejected = bool(rejection_of(made))
        self._write(episode, topic, stamp_ns, cdr)

    def _write(self, episode: int, topic: Topic, stamp_ns: int, cdr: bytes) -> None:
        bag = self._open.get(episode)
        if bag is None:
            raise Refused('episode is closed', f'{topic.name} at {stamp_ns} ns of episode {episode}')
        try:
            bag.write(topic, stamp_ns, cdr)
        except EpisodeWriteFailed as error:
            self._forget(episode)
            self._on_closed(episode, error)
        except EpisodeError as error:
            raise Refused('bad message', error) from error
        if bag.complete:
            for earlier in self.open_episodes:
                self._close(earlier)
                if earlier == episode:
                    break

    def _wait(self, topic: Topic, stamp_ns: int, cdr: bytes) -> None:
        self._waiting.setdefault(stamp_ns, []).append((topic, cdr))
        if len(self._waiting) > self._limit:
            stamp_ns, messages = self._waiting.popitem(last=False)
            names = [topic.name for topic, _ in messages]
            self._on_refused(Refused('stamp without labels', f'{stamp_ns} ns on {names}'))

    def _close(self, episode: int) -> None:
        bag = self._forget(episode)
        try:
            self._on_closed(episode, bag.writer.close(generated=bag.generated))
        except EpisodeError as error:
            self._on_closed(episode, error)

    def _forget(self, episode: int) -> OpenEpisode:
        self._episode_of = {stamp: of for stamp, of in self._episode_of.items() if of != episode}
        return self._open.pop(episode)
