"""episode_recorder: writes what the graph says into one bag per episode, as the bytes that came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hoigen.episodes import EpisodeWriter, episode_folder
from hoigen.records import EpisodeState, EpisodeStatus
from hoigen.ros import topics
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.options.episode_recorder import EpisodeRecorderOptions
from hoigen.ros.recordings import Recordings
from hoigen.ros.topics import Topic
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import Origin

Item = tuple[Topic, bytes, Origin | None]


class EpisodeRecorder(ManagedNode[EpisodeRecorderOptions]):
    """Callbacks hand serialized messages over; the worker sorts and writes them."""

    def __init__(self, make: Callable[[Path], EpisodeWriter] = EpisodeWriter, **node_kwargs: Any) -> None:
        super().__init__(topics.RECORDER, EpisodeRecorderOptions, **node_kwargs)
        self._make = make

    def open(self) -> None:
        out = Path(self.config.out)
        out.mkdir(parents=True, exist_ok=True)
        self._closed: Counter[EpisodeState] = Counter()
        self._bag = ''
        self._recordings = Recordings(
            lambda episode: self._make(episode_folder(out, episode)),
            self._on_closed,
            self.report,
            self.config.waiting,
            self.config.made_by,
        )
        self.work(self._take, limit=self.config.queue)
        for topic in topics.written_by(topics.RECORDER):
            self.advertise(topic)
        for topic in topics.read_by(topics.RECORDER):
            self.subscribe(
                topic, partial(self._on_message, topic), self.config.input_reliability, raw=True, origin=True
            )

    def start(self) -> None:
        if self.worker is None:
            self.work(self._take, limit=self.config.queue)

    def stop(self) -> None:
        for item in self.end_work():
            self._take(item)
        self._recordings.close()

    def values(self) -> dict[str, object]:
        return {
            'recorded': self._closed[EpisodeState.RECORDED],
            'rejected': self._closed[EpisodeState.REJECTED],
            'not_admitted': self._closed[EpisodeState.SKIPPED],
            'bag': self._bag,
            'open': self._recordings.open_episodes,
            'waiting': self._recordings.waiting,
        }

    def _on_message(self, topic: Topic, cdr: bytes, origin: Origin | None) -> None:
        self.hand_over((topic, cdr, origin), topic.name)

    def _take(self, item: Item) -> None:  # worker thread; the executor's when it has ended
        try:
            self._recordings.add(*item)
        except Refused as error:
            self.report(error)

    def _on_closed(self, status: EpisodeStatus) -> None:
        episode, reason = status.episode, status.reason
        if status.state is EpisodeState.FAILED:
            self.diagnostics.fail(f'episode {episode} is not whole: {reason}')
        elif status.state is EpisodeState.SKIPPED:
            self.get_logger().warning(f'episode {episode}: not recorded: {reason}')
        elif status.state is EpisodeState.REJECTED:
            self.get_logger().warning(f'episode {episode}: rejected; its best frames are in {reason}')
        else:
            self._bag = reason
            self.get_logger().info(f'episode {episode}: {status.frames} frames in {reason}')
        self._closed[status.state] += 1  # after what is told of it
        self.publish_status(status)


def main() -> int:
    return spin(EpisodeRecorder)
