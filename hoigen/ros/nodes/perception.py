"""perception: what a camera or a recording sees becomes the conditions of clips, on the topics of a simulated scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType

from hoigen.messages import decode
from hoigen.messages.encode import FrameNames
from hoigen.perception.perceive import Perceived, Perceiver
from hoigen.records import Clip, EpisodeState, EpisodeStatus, Footage, Provenance
from hoigen.ros import convert, topics
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.options.perception import PerceptionOptions
from hoigen.ros.silence import Silence
from hoigen.sources.streams.clips import LEAST_FRAMES
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import Origin, name_source
from hoigen.sources.streams.stretches import Stretch, StretchCollector, footage_of
from hoigen.sources.streams.sync import ExactSync

PARTS = (topics.DEPTH, topics.CAMERA_INFO, topics.IMAGE)
"""What an instant may consist of."""

POLL_S = 0.25

Perceive = Callable[[Footage, str], Perceived]


def perceiver(config: PerceptionOptions) -> Perceive:
    """The back-ends that the parameters name; raises and says what to do if weights are not there."""
    return Perceiver(config.perception())


class Perception(ManagedNode[PerceptionOptions]):
    """Callbacks cut what comes into stretches; the worker perceives one after the other, and publishes its clip.

    A stretch of which there is no clip is skipped, and reported with the reason.
    """

    def __init__(self, build: Callable[[PerceptionOptions], Perceive] = perceiver, **node_kwargs: Any) -> None:
        super().__init__(topics.PERCEPTION, PerceptionOptions, **node_kwargs)
        self._build = build

    def open(self) -> None:
        self._perceive = self._build(self.config)
        self._clips = self._skipped = 0
        self._reason = ''
        for topic in topics.written_by(topics.PERCEPTION):
            self.advertise(topic)
        for topic in PARTS:
            self.subscribe(topic, partial(self._on_part, topic.name), self.config.input_reliability, origin=True)
        self._timer = self.create_timer(POLL_S, self._on_time, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def start(self) -> None:
        self._inputs: tuple[str, ...] = ()
        self._sync = ExactSync((), self._on_set, self.report)
        self._collector = StretchCollector(self.config.frames, round(self.config.pause * 1e9))
        self._silence = Silence(POLL_S)
        self.work(self._handle, limit=self.config.queue)

    def stop(self) -> None:
        self.end_work()

    def release(self) -> None:
        if self.configured:
            self.destroy_timer(self._timer)

    def values(self) -> dict[str, object]:
        return {'clips': self._clips, 'skipped': self._skipped, 'reason': self._reason}

    def _on_part(self, topic: str, message: Any, origin: Origin | None) -> None:
        self._silence.end()
        if self._collector.empty and self._sync.empty:
            self._choose_inputs()
        if topic in self._inputs:
            self._sync.add(topic, decode.stamp_ns(message.header), message, origin)

    def _choose_inputs(self) -> None:
        """What the next stretch consists of: what was asked for, or everything that somebody else publishes."""
        asked = self.config.inputs
        chosen = tuple(
            topic.name
            for topic in PARTS
            if (self._published(topic) if 'auto' in asked else topic.name.split('/')[1] in asked)
        )
        if chosen != self._inputs:
            self._inputs = chosen
            self._sync = ExactSync(chosen, self._on_set, self.report, self.config.waiting)

    def _published(self, topic: topics.Topic) -> bool:
        own = topics.PERCEPTION in topic.writers
        return topic is topics.IMAGE or self.count_publishers(self.resolve_topic_name(topic.name)) > own

    def _on_set(self, stamp_ns: int, messages: dict[str, Any], origins: dict[str, Origin | None]) -> None:
        try:
            self._hand_over(self._collector.add(messages, origins[topics.IMAGE.name]))
        except Refused as error:
            self.report(error)

    def _on_time(self) -> None:
        """End a stretch after which nothing comes. A slow playback's clock stands; a camera's may be another one."""
        if (
            self.active
            and self._silence.look() > self.config.pause
            and self._collector.paused(self.get_clock().now().nanoseconds)
        ):
            self._sync.clear()
            self._hand_over(self._collector.end())

    def _hand_over(self, stretches: list[Stretch]) -> None:
        for stretch in stretches:
            dropped = self.worker.put_newest(stretch) if self.worker is not None else None
            if dropped is not None:
                self._reject(dropped, 'too slow', 'newer ones came before its turn')

    def _handle(self, stretch: Stretch) -> None:  # worker thread
        self.wait_for_readers(self.config.wait_for)
        whole = (len(stretch.instants) - 1) // 4 * 4 + 1
        if whole < LEAST_FRAMES:
            self._reject(
                stretch, 'short stretch', f'expected at least {LEAST_FRAMES} frames, got {len(stretch.instants)}'
            )
            return
        if whole < len(stretch.instants):
            self.get_logger().warning(
                f'stretch {stretch.number}: expected 4k+1 frames, got {len(stretch.instants)}; '
                f'left out at its end: {len(stretch.instants) - whole}'
            )
        try:
            with self.diagnostics.stage('perceive'):
                footage = footage_of(stretch.instants[:whole])
                seen = self._perceive(footage, f'{self._source()}, stretch {stretch.number}')
        except Exception as error:  # a stretch that nobody foresaw costs itself only
            self._reject(stretch, 'not perceived', str(error) or type(error).__name__)
            return
        for note in seen.notes:
            self.get_logger().info(f'stretch {stretch.number}: {note}')
        if seen.clip is None:
            self._reject(stretch, 'no clip', seen.reason)
        else:
            self._send(stretch, seen.clip, seen.provenance, estimated=footage.K is None)

    def _source(self) -> str:
        return self.config.video or self.publishers_of(topics.IMAGE)

    def _send(self, stretch: Stretch, clip: Clip, provenance: Provenance, *, estimated: bool) -> None:
        """Publish a clip; the camera's lens only where it was ``estimated``, else its source tells it."""
        episode, frames = self._episode(stretch), len(clip.labels)
        told = {'episode': episode, 'stamps_ns': stretch.stamps_ns}
        message = convert.ENCODER.provenance(replace(provenance, config=provenance.config | told))
        self.publish_before(topics.CONDITION_PROVENANCE, message)
        names = FrameNames(optical=stretch.instants[0][topics.IMAGE.name].header.frame_id)
        for row in range(frames):
            labels = replace(clip.labels[row], episode=episode, frame=row, last=row == frames - 1)
            messages = convert.ENCODER.recorded(replace(clip.row(row), labels=labels), names)
            name_source(messages[topics.TRACKS.name], stretch.images[row])
            if not estimated:
                del messages[topics.CAMERA_INFO.name]
            self.publish(messages)
        self._clips += 1

    def _reject(self, stretch: Stretch, kind: str, reason: str) -> None:
        """Report that there is no clip of a stretch."""
        self._skipped, self._reason = self._skipped + 1, reason
        self.diagnostics.refuse(kind, f'stretch {stretch.number}: {reason}')
        self.publish_status(
            EpisodeStatus(
                self.get_name(), self._episode(stretch), EpisodeState.SKIPPED, stretch.stamps_ns, reason=reason
            )
        )

    def _episode(self, stretch: Stretch) -> int:
        return self.config.first_episode + stretch.number


def main() -> int:
    return spin(Perception)
