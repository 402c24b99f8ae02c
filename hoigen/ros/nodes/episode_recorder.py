"""episode_recorder: writes what the graph says into one bag per episode, as the bytes that came."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hoigen.episodes import EpisodeError, EpisodeSummary, EpisodeWriter
from hoigen.ros import topics
from hoigen.ros.graph import episode_folder
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.options.episode_recorder import EpisodeRecorderOptions
from hoigen.ros.pairing import Origin
from hoigen.ros.recordings import EpisodeNotAdmitted, Recordings
from hoigen.ros.streams import Refused
from hoigen.ros.topics import Topic

Item = tuple[Topic, bytes, Origin | None]


class EpisodeRecorder(ManagedNode[EpisodeRecorderOptions]):
    """Callbacks hand serialized messages over; the worker sorts and writes them."""

    def __init__(self, make: Callable[[Path], EpisodeWriter] = EpisodeWriter, **node_kwargs: Any) -> None:
        super().__init__(topics.RECORDER, EpisodeRecorderOptions, **node_kwargs)
        self._make = make

    def open(self) -> None:
        out = Path(self.config.out)
        out.mkdir(parents=True, exist_ok=True)
        self._recorded = self._rejected = self._not_admitted = 0
        self._bag = ''
        self._recordings = Recordings(
            lambda episode: self._make(episode_folder(out, episode)),
            self._on_closed,
            self.report,
            self.config.waiting,
            self.config.made_by,
        )
        self.work(self._take, limit=self.config.queue)
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
            'recorded': self._recorded,
            'rejected': self._rejected,
            'not_admitted': self._not_admitted,
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

    def _on_closed(self, episode: int, result: EpisodeSummary | EpisodeError) -> None:
        if isinstance(result, EpisodeNotAdmitted):
            self._not_admitted += 1
            self.get_logger().warning(f'episode {episode}: not recorded: {result}')
            return
        if isinstance(result, EpisodeError):
            self.diagnostics.fail(f'episode {episode} is not whole: {result}')
            return
        if self.config.made_by != topics.BUILDER and not result.generated:
            self._rejected += 1
            self.get_logger().warning(f'episode {episode}: rejected; {result.folder} holds its scene alone')
            return
        self._recorded += 1
        self._bag = str(result.folder)
        self.get_logger().info(f'episode {episode}: {result.frames} frames in {result.folder}')


def main() -> int:
    return spin(EpisodeRecorder)
