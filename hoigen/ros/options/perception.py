"""Options of perception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from hoigen.perception.choices import BoxSource, GeometrySource, MaskSource, TrackSource
from hoigen.ros.declare import AwaitsReaders, OfRecording, ReadsStreams, Seeded, param

if TYPE_CHECKING:
    from hoigen.perception.perceive import PerceptionConfig

INPUTS = ('image', 'camera_info', 'depth')


@dataclass(frozen=True)
class PerceptionOptions(AwaitsReaders, ReadsStreams, Seeded, OfRecording):
    """What finds hand and object in a recording, and how far away everything is."""

    pause: float = param(
        2.0,
        "A segment ends where the next frame's stamp is this much later, or where none comes for this long, by the "
        "node's clock and in fact.",
        unit='s',
        low=0.01,
        high=3600.0,
    )
    inputs: tuple[str, ...] = param(
        ('auto',),
        'What a frame consists of: image with camera_info and depth; auto takes what is published.',
        choices=('auto', *INPUTS),
    )
    masks: str = param(
        'auto',
        'Finds hand and object; motion: of robots, in gloves; auto: sam2 if its weights are there, else keypoints.',
        choices=get_args(MaskSource),
    )
    boxes: str = param('motion', 'Finds the boxes that sam2 starts from.', choices=get_args(BoxSource))
    geometry: str = param(
        'auto',
        'Where point maps come from; auto is depth where the recording has any, else vggt.',
        choices=get_args(GeometrySource),
    )
    sam: str = param('sam2', 'SAM 2.1: its name in `hoigen models list`, or a folder.')
    vggt: str = param('vggt', 'VGGT: its name in `hoigen models list`, or a folder.')
    tracker: str = param('flow', 'Follows points.', choices=get_args(TrackSource))
    median_depth: float = param(
        0.0,
        'Median depth that gives a point map of unknown scale its metres; 0 is unknown.',
        unit='m',
        low=0.0,
        high=1000.0,
    )
    task: str = param('', 'What is done in the recording, in a sentence.')
    first_episode: int = param(0, 'Number of the first segment as an episode.', low=0, high=1_000_000)
    queue: int = param(
        2, 'Segments that may wait; when one more comes the oldest is dropped.', low=1, high=1000, read_only=True
    )
    waiting: int = param(512, 'Frames that may wait for their parts; further ones are refused.', low=1, high=100_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames % 4 != 1 or self.frames == 1:
            raise ValueError(f'frames: expected 4k+1, at least 5, got {self.frames}')
        if self.inputs != ('auto',) and set(self.inputs) not in ({*INPUTS[:1]}, {*INPUTS[:2]}, {*INPUTS}):
            raise ValueError(f'inputs: expected auto, or image, then camera_info, then depth, got {self.inputs}')
        self.perception()

    def perception(self) -> PerceptionConfig:
        """What of it concerns the core."""
        from hoigen.perception.perceive import PerceptionConfig  # OpenCV and numba: not for help

        same: dict[str, Any] = {
            name: getattr(self, name)
            for name in ('masks', 'boxes', 'geometry', 'sam', 'vggt', 'tracker', 'task', 'seed')
        }
        return PerceptionConfig(**same, median_depth_m=self.median_depth or None)
