"""video_source: streams a recording at its own stamps, no further ahead of the synthesizer than it is allowed to be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hoigen.messages.encode import OPTICAL
from hoigen.records import Camera, EpisodeStatus, Footage
from hoigen.ros import convert, topics
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.options.video_source import VideoSourceOptions
from hoigen.sources.recording import RecordingError, open_recording

POLL_S = 0.05
AFTER_S, AFTER_NS = 0.2, 500_000_000
"""When all is streamed the time goes on in steps, so that who waits for a further frame learns that none comes."""


class Recording(Protocol):
    """What the node asks of a recording."""

    @property
    def faults(self) -> tuple[str, ...]: ...

    def describe(self) -> str: ...

    def stretches(self, frames: int) -> Iterator[Footage]: ...

    def close(self) -> None: ...


def recording_of(config: VideoSourceOptions) -> Recording:
    """The recording that the parameters name."""
    config.check()
    return open_recording(Path(config.video), config.recording())


class VideoSource(ManagedNode[VideoSourceOptions]):
    """Reads and streams in its worker; deactivating it ends the stretch in progress where it is."""

    def __init__(self, build: Callable[[VideoSourceOptions], Recording] = recording_of, **node_kwargs: Any) -> None:
        super().__init__(topics.VIDEO, VideoSourceOptions, **node_kwargs)
        self._build = build
        self._recording: Recording | None = None

    def open(self) -> None:
        self._recording = self._build(self.config)
        self._stretches = self._recording.stretches(self.config.frames)
        self._first = next(self._stretches, None)
        if self._first is None:
            raise RecordingError(f'{self.config.video}: expected at least one frame, got none')
        self._count = self._frames = 0
        self._now_ns = int(self._first.stamps_ns[0])
        self._finished, self._fault = False, ''
        self._unfinished: set[int] = set()
        absent = {topics.DEPTH: self._first.depth_m is None, topics.CAMERA_INFO: self._first.K is None}
        for topic in topics.written_by(topics.VIDEO):
            if not absent.get(topic):
                self.advertise(topic)
        self.subscribe_to_statuses(self._on_status)
        self.get_logger().info(self._recording.describe())

    def start(self) -> None:
        self.work(self._stream, limit=1)
        self.hand_over(self._recording, 'the recording')

    def stop(self) -> None:
        self.end_work()

    def release(self) -> None:
        if self._recording is not None:
            self._recording.close()
            self._recording = None

    def values(self) -> dict[str, object]:
        planned = {'planned': self._count} if self._finished else {}
        return {'episodes': self._count, 'frames': self._frames, 'fault': self._fault} | planned

    def _on_status(self, status: EpisodeStatus) -> None:
        """All stretches that begin no later than the last frame of an episode are done with."""
        for first_ns in tuple(self._unfinished):
            if first_ns <= status.stamps_ns[1]:
                self._unfinished.discard(first_ns)

    def _stream(self, recording: Recording) -> None:  # worker thread
        self.wait_for_readers(self.config.wait_for)
        finished = False
        try:
            while not finished:
                while self.config.ahead and len(self._unfinished) >= self.config.ahead and not self.stopping.is_set():
                    self.stopping.wait(POLL_S)
                if self.stopping.is_set():
                    return
                with self.diagnostics.stage('read'):
                    footage, self._first = self._first or next(self._stretches, None), None
                    self._refuse_another_run(footage)
                finished = footage is None
                if footage is not None:
                    self._send(footage)
        except RecordingError as error:
            self._finish(str(error))
        else:
            self._finish('; '.join(recording.faults))
        self._let_time_pass()

    def _refuse_another_run(self, footage: Footage | None) -> None:
        if footage is not None and self._frames and footage.stamps_ns[0] <= self._now_ns:
            raise RecordingError(
                f'{self.config.video}: its clock goes back from {self._now_ns} to '
                f'{footage.stamps_ns[0]} ns, and a graph knows frames by their stamps: what follows '
                'is not played; `hoigen extract` reads it'
            )

    def _send(self, footage: Footage) -> None:
        stamps = footage.stamps_ns.tolist()
        self._unfinished.add(stamps[0])
        self._count += 1
        begun_at, rate = time.monotonic(), self.config.rate
        for row, stamp_ns in enumerate(stamps):
            due = begun_at + (stamp_ns - stamps[0]) * 1e-9 / rate if rate else 0.0
            if self.stopping.wait(max(0.0, due - time.monotonic())):
                return
            self.publish(messages_of(footage, row))
            self._frames, self._now_ns = self._frames + 1, stamp_ns

    def _finish(self, fault: str) -> None:
        self._fault, self._finished = fault, True
        if fault:
            self.diagnostics.refuse('damaged recording', fault)
        self.get_logger().info(f'finished: {self._frames} frames in {self._count} stretches')

    def _let_time_pass(self) -> None:
        while not self.stopping.wait(AFTER_S):
            self._now_ns += AFTER_NS
            self.publish({topics.CLOCK.name: convert.ENCODER.clock(self._now_ns)})


def messages_of(footage: Footage, row: int) -> dict[str, Any]:
    """What the node publishes of one instant, by topic."""
    stamp_ns = int(footage.stamps_ns[row])
    head = convert.ENCODER.header(stamp_ns, OPTICAL)
    messages = {topics.CLOCK.name: convert.ENCODER.clock(stamp_ns)}
    if footage.depth_m is not None:
        messages[topics.DEPTH.name] = convert.ENCODER.image(footage.depth_m[row], head)
    if footage.K is not None:
        height, width = footage.rgb.shape[1:3]
        camera = Camera(footage.K, width, height, np.eye(4))
        messages[topics.CAMERA_INFO.name] = convert.ENCODER.camera_info(camera, head)
    return messages | {topics.IMAGE.name: convert.ENCODER.image(footage.rgb[row], head)}


def main() -> int:
    return spin(VideoSource)
