"""perception: what a camera or a recording sees becomes the conditions of clips, on the topics of a simulated scene."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, get_args, get_type_hints

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.duration import Duration

from hoigen.messages import decode
from hoigen.messages.encode import FrameNames
from hoigen.perception.perceive import Perceived, Perceiver, PerceptionConfig
from hoigen.records import Clip, Footage, Provenance
from hoigen.ros import convert, topics
from hoigen.ros.clips import LEAST_FRAMES
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.pairing import Origin, name_source
from hoigen.ros.parameters import param, validate
from hoigen.ros.streams import Refused
from hoigen.ros.stretches import Stretch, StretchCollector, footage_of
from hoigen.ros.sync import ExactSync

PARTS = (topics.DEPTH, topics.CAMERA_INFO, topics.IMAGE)
"""What an instant may consist of."""

POLL_S = 0.25
ACK_S = 10.0

_CHOICES = {name: get_args(kind) for name, kind in get_type_hints(PerceptionConfig).items()}


@dataclass(frozen=True)
class PerceptionNodeConfig:
    """Parameters of perception."""

    frames: int = param(17, 'Frames of a stretch, which becomes one clip; 4k+1.', low=LEAST_FRAMES, high=1000)
    pause: float = param(
        2.0,
        "A stretch ends where the next frame's stamp is so much later, or where none comes for "
        "so long, by the node's clock and in fact.",
        unit='s',
        low=0.01,
        high=3600.0,
    )
    inputs: str = param(
        'auto',
        'What an instant consists of; auto takes what somebody publishes.',
        choices=('auto', 'image', 'image camera_info', 'image depth camera_info'),
    )
    masks: str = param('auto', 'What finds hand and object.', choices=_CHOICES['masks'])
    boxes: str = param('motion', 'What sam2 starts from.', choices=_CHOICES['boxes'])
    geometry: str = param('auto', 'Where point maps come from.', choices=_CHOICES['geometry'])
    sam: str = param('sam2', 'SAM 2.1: its name in `hoigen models list`, or a folder.')
    vggt: str = param('vggt', 'VGGT: its name in `hoigen models list`, or a folder.')
    tracker: str = param('flow', 'What follows points.', choices=_CHOICES['tracker'])
    median_depth: float = param(
        0.0,
        'Median depth that gives a point map of unknown scale its metres; 0 is unknown.',
        unit='m',
        low=0.0,
        high=1000.0,
    )
    task: str = param('', 'What is done in the recording, in a sentence.')
    seed: int = param(0, 'Everything random is derived from it.', low=0, high=2**31 - 1)
    first_episode: int = param(0, 'Number of the first stretch as an episode.', low=0, high=1_000_000)
    source: str = param('', 'What the provenance calls the recording; empty: the nodes that publish it.')
    queue: int = param(
        2, 'Stretches that may wait; when one more comes the oldest is dropped.', low=1, high=1000, read_only=True
    )
    waiting: int = param(128, 'Instants that may wait for their parts; further ones are refused.', low=1, high=100_000)
    input_reliability: str = param(
        'reliable', 'Asked of publishers; best_effort hears any.', choices=('reliable', 'best_effort'), read_only=True
    )
    wait_for: str = param('', 'Nodes of the graph that must listen before it publishes, by name.')

    def __post_init__(self) -> None:
        validate(self)
        if self.frames % 4 != 1:
            raise ValueError(f'frames: expected 4k+1, got {self.frames}')
        self.perception()

    def perception(self) -> PerceptionConfig:
        """What of it concerns the core."""
        same: dict[str, Any] = {
            name: getattr(self, name)
            for name in ('masks', 'boxes', 'geometry', 'sam', 'vggt', 'tracker', 'task', 'seed')
        }
        return PerceptionConfig(**same, median_depth_m=self.median_depth or None)


Perceive = Callable[[Footage, str], Perceived]


def perceiver(config: PerceptionNodeConfig) -> Perceive:
    """The back-ends that the parameters name; raises and says what to do if weights are not there."""
    return Perceiver(config.perception())


class Perception(ManagedNode[PerceptionNodeConfig]):
    """Callbacks cut what comes into stretches; the worker perceives one after the other, and publishes its clip.

    A stretch of which there is no clip is told in condition/provenance, with the reason, and passed over.
    """

    def __init__(self, build: Callable[[PerceptionNodeConfig], Perceive] = perceiver, **node_kwargs: Any) -> None:
        super().__init__(topics.PERCEPTION, PerceptionNodeConfig, **node_kwargs)
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
        self._heard_at = time.monotonic()
        self.work(self._handle, limit=self.config.queue)

    def stop(self) -> None:
        self.end_work()

    def release(self) -> None:
        if self.configured:
            self.destroy_timer(self._timer)

    def values(self) -> dict[str, object]:
        return {'clips': self._clips, 'skipped': self._skipped, 'reason': self._reason}

    def _on_part(self, topic: str, message: Any, origin: Origin | None) -> None:
        self._heard_at = time.monotonic()
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
            if (self._published(topic) if asked == 'auto' else topic.name.split('/')[1] in asked.split())
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
            and time.monotonic() - self._heard_at > self.config.pause
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
            self._reject(stretch, 'no clip', seen.reason, seen.provenance)
        else:
            self._send(stretch, seen.clip, seen.provenance, estimated=footage.K is None)

    def _source(self) -> str:
        return self.config.source or self.publishers_of(topics.IMAGE)

    def _send(self, stretch: Stretch, clip: Clip, provenance: Provenance, *, estimated: bool) -> None:
        """Publish a clip; the camera's lens only where it was ``estimated``, else its source tells it."""
        self._tell(stretch, provenance)
        self.publisher(topics.CONDITION_PROVENANCE).wait_for_all_acked(Duration(seconds=ACK_S))
        episode, frames = self.config.first_episode + stretch.number, len(clip.labels)
        names = FrameNames(optical=stretch.instants[0][topics.IMAGE.name].header.frame_id)
        for row in range(frames):
            labels = replace(clip.labels[row], episode=episode, frame=row, last=row == frames - 1)
            messages = convert.ENCODER.recorded(replace(clip.row(row), labels=labels), names)
            name_source(messages[topics.TRACKS.name], stretch.images[row])
            if not estimated:
                del messages[topics.CAMERA_INFO.name]
            self.publish(messages)
        self._clips += 1

    def _reject(self, stretch: Stretch, kind: str, reason: str, provenance: Provenance | None = None) -> None:
        """Say that there is no clip of a stretch, in the log and to those who wait for it."""
        self._skipped, self._reason = self._skipped + 1, reason
        self.diagnostics.refuse(kind, f'stretch {stretch.number}: {reason}')
        told = provenance or Provenance(self.config.seed, {}, self._source(), {}, {}, {})
        self._tell(stretch, replace(told, config=told.config | {'rejected': reason}))

    def _tell(self, stretch: Stretch, provenance: Provenance) -> None:
        """Publish how the conditions of a stretch were found, before them; ``stamps_ns`` says of which frames."""
        told = {'episode': self.config.first_episode + stretch.number, 'stamps_ns': stretch.stamps_ns}
        message = convert.ENCODER.provenance(replace(provenance, config=provenance.config | told))
        self.publish({topics.CONDITION_PROVENANCE.name: message})


def main() -> int:
    return spin(Perception)
