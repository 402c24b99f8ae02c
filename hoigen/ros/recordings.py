"""Sorts the messages of a running graph into one bag per episode."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from rclpy.serialization import deserialize_message

from hoigen.episodes import EpisodeError, EpisodeSummary, EpisodeWriteFailed, EpisodeWriter
from hoigen.messages.header import header_of
from hoigen.provenance import provenance_from_json, rejection_of
from hoigen.ros import topics
from hoigen.ros.frames import Found, Frames
from hoigen.ros.open_episode import PROVENANCE_OF, OpenEpisode, admitted
from hoigen.ros.pairing import Origin
from hoigen.ros.streams import EpisodeOrder, Refused, Tables
from hoigen.ros.topics import Topic

__all__ = ['PROVENANCE_OF', 'EpisodeNotAdmitted', 'Recordings']

OPEN_EPISODES = 32
"""More than a node has in its queue by default: what it admits must find its bag open."""
EARLY_LABELS = 1000
"""Labels of made frames that may wait for their episode to begin."""
DONE_EPISODES = 10_000
"""Closed episodes whose late messages are known as such."""
PROVENANCES = tuple(PROVENANCE_OF.values())
LABELLED = (topics.LABELS, topics.SYNTH_LABELS, topics.EDIT_LABELS)
"""The topics that say of which episode a frame is, each for what is published together with it."""


class EpisodeNotAdmitted(EpisodeError):
    """The node that makes an episode's frames did not take it; nothing of it is kept."""


class _Labels(NamedTuple):
    topic: Topic
    stamp_ns: int
    message: Any
    cdr: bytes
    origin: Origin | None


class Recordings:
    """Writes each message into the bag of its episode. One thread calls it.

    Labels say which episode a frame is of, those of the scene for it and its conditions, synth/labels and edit/labels
    for what was made of it; a message waits until the labels of its frame have come (:class:`Frames`), and provenance,
    which has no stamp, until those of its episode. A bag is closed when it is complete, or as it is when a later one is
    complete; while too many are open, no further one is begun. An episode that the making node did not admit leaves
    nothing behind. ``on_closed`` gets the episode and its summary, or what is wrong.
    ``waiting``: frames that may wait for their labels. ``made_by``: the node whose frames are recorded and awaited.
    """

    def __init__(
        self,
        make: Callable[[int], EpisodeWriter],
        on_closed: Callable[[int, EpisodeSummary | EpisodeError], None],
        on_refused: Callable[[Refused], None],
        waiting: int,
        made_by: str = topics.SYNTHESIZER,
    ) -> None:
        self._make, self._on_closed, self._on_refused = make, on_closed, on_refused
        self._made_by = made_by
        self._families: dict[Topic, Frames] = {}
        for labels in LABELLED:
            family = Frames(labels, on_refused, waiting)
            self._families |= dict.fromkeys(family.topics, family)
        self._orders = {labels: EpisodeOrder() for labels in LABELLED}
        self._open: dict[int, OpenEpisode] = {}
        self._done: OrderedDict[int, bool] = OrderedDict()  # whether it was discarded
        self._early: OrderedDict[tuple[Topic, int], list[_Labels]] = OrderedDict()
        self._provenance: OrderedDict[tuple[Topic, Any], bytes] = OrderedDict()
        self._tables: Tables[bytes] = Tables()
        self._seen: set[Topic] = set()

    @property
    def open_episodes(self) -> list[int]:
        return list(self._open)

    @property
    def waiting(self) -> int:
        """How many messages wait for their labels."""
        return sum(self._families[labels].waiting for labels in LABELLED)

    def add(self, topic: Topic, cdr: bytes, origin: Origin | None = None) -> None:
        """Take one serialized message; raises :class:`Refused` if it belongs to no episode."""
        if topic.writers and set(topic.writers) <= PROVENANCE_OF.keys() - {self._made_by}:
            return
        if topic in PROVENANCES:
            self._add_provenance(topic, cdr)
            return
        stamp_ns = header_of(cdr)[0]
        self._seen.add(topic)
        if topic is topics.MESH_ASSETS:
            self._tables.add(stamp_ns, cdr, deserialize_message(cdr, topic.type).episode)
        elif self._families[topic].see(topic, stamp_ns, origin):
            if topic in LABELLED:
                self._add_labels(_Labels(topic, stamp_ns, deserialize_message(cdr, topic.type), cdr, origin))
            else:
                self._write_found(self._families[topic].add(topic, stamp_ns, origin, cdr))

    def close(self) -> None:
        """Close every bag as it is."""
        for episode in self.open_episodes:
            self._close(episode)

    def _add_labels(self, labels: _Labels) -> None:
        episode, made = labels.message.episode, labels.topic is not topics.LABELS
        if made and episode not in self._open and episode not in self._done:
            self._early.setdefault((labels.topic, episode), []).append(labels)
            if sum(map(len, self._early.values())) > EARLY_LABELS:
                (topic, unknown), _ = self._early.popitem(last=False)
                raise Refused(
                    'labels of no episode', f'{topic.name} of episode {unknown}: expected one of {self.open_episodes}'
                )
            return
        taken = False
        try:
            if labels.message.frame and self._done.get(episode):
                return
            self._follow(labels)
            taken = True
        finally:  # what comes with refused labels is refused with them
            found = self._families[labels.topic].label(labels.stamp_ns, labels.origin, episode if taken else None)
        self._write(episode, labels.topic, labels.stamp_ns, labels.cdr)
        for told in PROVENANCES if not made else ():
            if (told, episode) in self._provenance:
                self._write_provenance(told, episode, self._provenance.pop((told, episode)))
        self._write_found(found)
        for topic in LABELLED if not made else ():
            for early in self._early.pop((topic, episode), []):
                self._add_labels(early)

    def _follow(self, labels: _Labels) -> None:
        """Begin the episode of labels or go on with it; raises :class:`Refused` for labels that do not follow."""
        message, order = labels.message, self._orders[labels.topic]
        episode = message.episode
        if order.begins(labels.stamp_ns, episode, message.frame, labels.origin.publisher if labels.origin else b''):
            try:
                if labels.topic is topics.LABELS:
                    self._begin(episode, labels.stamp_ns)
                elif episode in self._open:
                    self._open[episode].begin(labels.topic)
            except Refused:
                order.refuse()
                raise
        if episode not in self._open:
            raise Refused('episode is closed', f'{labels.topic.name}: frame {message.frame} of episode {episode}')
        order.accept(labels.stamp_ns, message.frame)
        self._open[episode].follow(labels.topic, labels.stamp_ns, message)

    def _begin(self, episode: int, stamp_ns: int) -> None:
        if episode in self._open:
            raise Refused(
                'episode begins again',
                f'episode {episode} at {stamp_ns} ns: its bag is open: expected another number for each episode',
            )
        if len(self._open) >= OPEN_EPISODES:
            raise Refused(
                'too many episodes', f'episode {episode} at {stamp_ns} ns: {OPEN_EPISODES} wait already to be completed'
            )
        table = self._tables.at(stamp_ns, episode)
        try:
            self._open[episode] = OpenEpisode(self._make(episode), self._made_by, stamp_ns, self._seen)
        except EpisodeError as error:
            raise Refused('episode exists', error) from error
        self._done.pop(episode, None)
        if table is not None:
            self._write(episode, topics.MESH_ASSETS, stamp_ns, table)

    def _add_provenance(self, topic: Topic, cdr: bytes) -> None:
        try:
            made = provenance_from_json(deserialize_message(cdr, topic.type).data)
        except ValueError as error:
            raise Refused('bad message', error) from error
        episode: Any = made.config.get('episode')
        if topic is topics.CONDITION_PROVENANCE and rejection_of(made) and admitted(made):
            stamps = made.config.get('stamps_ns')
            if stamps:
                self._families[topics.LABELS].drop(int(stamps[0]), int(stamps[1]))
        elif episode in self._open:
            self._write_provenance(topic, episode, cdr)
        elif episode in self._done:
            raise Refused('episode is closed', f'{topic.name} of episode {episode}')
        else:
            self._provenance[topic, episode] = cdr
            if len(self._provenance) > 2 * OPEN_EPISODES:
                self._provenance.popitem(last=False)
                raise Refused('provenance of no episode', f'expected one of {self.open_episodes}, got {episode!r}')

    def _write_provenance(self, topic: Topic, episode: int, cdr: bytes) -> None:
        made, bag = provenance_from_json(deserialize_message(cdr, topic.type).data), self._open[episode]
        if not admitted(made):
            self._discard(episode, rejection_of(made))
            return
        if topic is PROVENANCE_OF.get(self._made_by):
            bag.tell(made)
        self._write(episode, topic, bag.begun_ns, cdr)

    def _write_found(self, found: Sequence[Found]) -> None:
        for one in found:
            if one.episode is not None:
                self._write(one.episode, one.topic, one.stamp_ns, one.cdr)

    def _write(self, episode: int, topic: Topic, stamp_ns: int, cdr: bytes) -> None:
        bag = self._open.get(episode)
        if bag is None and self._done.get(episode):
            return
        if bag is None:
            self._on_refused(Refused('episode is closed', f'{topic.name} at {stamp_ns} ns of episode {episode}'))
            return
        try:
            bag.write(topic, stamp_ns, cdr)
        except EpisodeWriteFailed as error:
            self._forget(episode)
            self._on_closed(episode, error)
        except Refused as error:
            self._on_refused(error)
        except EpisodeError as error:
            self._on_refused(Refused('bad message', error))
        if bag.complete:
            for earlier in self.open_episodes:
                self._close(earlier)
                if earlier == episode:
                    break

    def _discard(self, episode: int, reason: str) -> None:
        """Leave nothing of an episode that was not admitted."""
        bag = self._forget(episode)
        self._done[episode] = True
        with suppress(EpisodeError):
            bag.writer.close(generated=False)
        shutil.rmtree(bag.writer.folder, ignore_errors=True)
        self._on_closed(episode, EpisodeNotAdmitted(reason))

    def _close(self, episode: int) -> None:
        bag = self._forget(episode)
        try:
            self._on_closed(episode, bag.close())
        except EpisodeError as error:
            self._on_closed(episode, error)

    def _forget(self, episode: int) -> OpenEpisode:
        self._done[episode] = False
        if len(self._done) > DONE_EPISODES:
            self._done.popitem(last=False)
        return self._open.pop(episode)
