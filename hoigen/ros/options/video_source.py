"""Options of video_source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hoigen.ros.declare import AwaitsReaders, OfRecording, param, refuse_missing
from hoigen.sources.recording.options import RecordingOptions


@dataclass(frozen=True)
class VideoSourceOptions(AwaitsReaders, OfRecording):
    """Which part of a recording is streamed, and how fast."""

    frame_rate: float = param(
        0.0, 'Frames taken per second of the recording; 0 takes every one.', unit='Hz', low=0.0, high=1000.0
    )
    start: float = param(0.0, 'Where to begin, after the first frame.', unit='s', low=0.0, high=1e6)
    duration: float = param(0.0, 'How much to take; 0 goes to the end.', unit='s', low=0.0, high=1e6)
    width: int = param(
        0,
        'Width of the images; 0 keeps the aspect of the recording, at most 640 wide.',
        unit='pixels',
        low=0,
        high=4096,
    )
    height: int = param(0, 'Height of the images; 0 where width is.', unit='pixels', low=0, high=4096)
    image: str = param('', 'Topic or subfolder of the images, where several could be meant.')
    depth: str = param('', 'Topic or subfolder of the depth, where several could be meant.')
    calibration: str = param('', "File with the camera's K; empty takes the recording's own.")
    rate: float = param(
        1.0, 'Pace relative to real time; 0 is as fast as the recording can be read.', low=0.0, high=1000.0
    )
    ahead: int = param(
        0,
        'Segments streamed before the first of them is generated, edited or given up; 0 does not wait.',
        low=0,
        high=1000,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.width) != bool(self.height):
            raise ValueError(f'width, height: expected both or none, got {self.width}, {self.height}')
        self.recording()

    def recording(self) -> RecordingOptions:
        """What of it concerns the core."""
        return RecordingOptions(
            size=(self.width, self.height) if self.width else None,
            rate_hz=self.frame_rate or None,
            start_s=self.start,
            duration_s=self.duration or None,
            image=self.image,
            depth=self.depth,
            calibration=Path(self.calibration) if self.calibration else None,
        )

    def check(self) -> None:
        if not self.video:
            raise ValueError('video: expected the path of a recording, got none')
        refuse_missing(video=self.video, calibration=self.calibration)
