"""Sorts the messages of a running graph into one bag per episode."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from rclpy.serialization import deserialize_message

from hoigen.episodes import EpisodeError, EpisodeWriteFailed, EpisodeWriter
from hoigen.messages import decode
from hoigen.messages.header import header_of
from hoigen.provenance import provenance_from_json
from hoigen.records import EpisodeState, EpisodeStatus
from hoigen.ros import topics
from hoigen.ros.frames import Found, Frames
from hoigen.ros.open_episode import PROVENANCE_OF, OpenEpisode
from hoigen.ros.topics import Topic
from hoigen.sources.streams.order import EpisodeOrder, Refused, Tables
from hoigen.sources.streams.pairing import Origin

OPEN_EPISODES = 32
"""More than a node has in its queue by default: what it admits must find its bag open."""
EARLY_LABELS = 1000
"""Labels of made frames that may wait for their episode to begin."""
DONE_EPISODES = 10_000
"""Closed episodes whose late messages are known as such."""
TOLD = 4 * OPEN_EPISODES
"""Provenances, other tables and statuses that may wait for their episode to begin."""
PROVENANCES = tuple(PROVENANCE_OF.values())
NUMBERED = (topics.SYNTH_CONDITIONS, topics.EDIT_MESH_ASSETS)
OF_EPISODE = (*PROVENANCES, *NUMBERED, topics.EPISODE_STATUS)
"""The topics with one message of an episode as a whole, which says of which."""
LABELLED = (topics.LABELS, topics.SYNTH_LABELS, topics.REJECTED_LABELS, topics.EDIT_LABELS)
"""The topics that say of which episode a frame is, each for what is published together with it."""


class _Labels(NamedTuple):
    topic: Topic
    stamp_ns: int
    message: Any
    cdr: bytes
    origin: Origin | None


class Recordings:
    """Writes each message into the bag of its episode. One thread calls it.

    Labels say which episode a frame is of, those of the scene for it and its conditions, synth/labels, rejected/labels
    and edit/labels for what was made of it; a message waits until the labels of its frame have come (:class:`Frames`),
    and what is told of the episode as a whole, provenance and status, until those of its first. A bag is closed when
    it is complete, or as it is when a later one is complete; while too many are open, no further one is begun. An
    episode that is skipped leaves nothing behind. ``on_closed`` gets what became of each: recorded, rejected, skipped
    or failed. ``waiting``: frames that may wait for their labels. ``made_by``: the node whose frames are recorded and
    awaited.
    """

    def __init__(
        self,
        make: Callable[[int], EpisodeWriter],
        on_closed: Callable[[EpisodeStatus], None],
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
        self._told: OrderedDict[tuple[Topic, Any], bytes] = OrderedDict()
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
        if topic is topics.EPISODE_STATUS:
            self._add_status(cdr)
            return
        if topic in NUMBERED:
            self._add_told(topic, deserialize_message(cdr, topic.type).episode, cdr)
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
        for told in OF_EPISODE if not made else ():
            early_cdr = self._told.pop((told, episode), None)
            if early_cdr is not None and episode in self._open:
                self._write_told(told, episode, early_cdr)
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

    def _add_told(self, topic: Topic, episode: Any, cdr: bytes) -> None:
        """What is told of an episode waits for its bag."""
        if episode in self._open:
            self._write_told(topic, episode, cdr)
        elif episode not in self._done:
            self._told[topic, episode] = cdr
            if len(self._told) > TOLD:
                (oldest, unknown), _ = self._told.popitem(last=False)
                if oldest is not topics.EPISODE_STATUS:  # a recorder that was started late hears those of all before
                    raise Refused(
                        f'{oldest.name} of no episode', f'expected one of {self.open_episodes}, got {unknown!r}'
                    )
        elif not self._done[episode]:
            raise Refused('episode is closed', f'{topic.name} of episode {episode}')

    def _add_provenance(self, topic: Topic, cdr: bytes) -> None:
        try:
            made = provenance_from_json(deserialize_message(cdr, topic.type).data)
        except ValueError as error:
            raise Refused('bad message', error) from error
        self._add_told(topic, made.config.get('episode'), cdr)

    def _add_status(self, cdr: bytes) -> None:
        status = _status_of(cdr)
        skipped = status.state is EpisodeState.SKIPPED
        if skipped and status.node == topics.PERCEPTION:  # its frames have no labels
            self._families[topics.LABELS].drop(*status.stamps_ns)
        elif (skipped and status.node == topics.BUILDER) or (
            status.node == self._made_by and status.state is not EpisodeState.FAILED  # a goal may still make it
        ):
            self._add_told(topics.EPISODE_STATUS, status.episode, cdr)

    def _write_told(self, topic: Topic, episode: int, cdr: bytes) -> None:
        bag = self._open[episode]
        if topic is topics.EPISODE_STATUS:
            status = _status_of(cdr)
            if status.state is EpisodeState.SKIPPED:
                self._discard(episode, status.reason)
                return
            bag.tell(status)
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
            self._report(episode, self._forget(episode), EpisodeState.FAILED, str(error))
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
        """Leave nothing of an episode that was skipped."""
        bag = self._forget(episode)
        self._done[episode] = True
        with suppress(EpisodeError):
            bag.writer.close(made=())
        shutil.rmtree(bag.writer.folder, ignore_errors=True)
        self._report(episode, bag, EpisodeState.SKIPPED, reason)

    def _close(self, episode: int) -> None:
        bag = self._forget(episode)
        try:
            made = bag.close()
        except (EpisodeError, OSError) as error:
            self._report(episode, bag, EpisodeState.FAILED, str(error))
        else:
            state = EpisodeState.REJECTED if bag.rejected else EpisodeState.RECORDED
            self._report(episode, bag, state, str(made.folder), made.frames or None)

    def _report(
        self, episode: int, bag: OpenEpisode, state: EpisodeState, reason: str, frames: int | None = None
    ) -> None:
        self._on_closed(EpisodeStatus(topics.RECORDER, episode, state, bag.stamps_ns, frames, reason))

    def _forget(self, episode: int) -> OpenEpisode:
        self._done[episode] = False
        if len(self._done) > DONE_EPISODES:
            self._done.popitem(last=False)
        return self._open.pop(episode)


def _status_of(cdr: bytes) -> EpisodeStatus:
    try:
        return decode.episode_status(deserialize_message(cdr, topics.EPISODE_STATUS.type))
    except ValueError as error:
        raise Refused('bad message', error) from error
