"""The settings of the simulated source."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from hoigen.sources.mujoco.cameras import CAMERAS
from hoigen.sources.mujoco.draws import SPLITS
from hoigen.sources.mujoco.objects import SHAPES
from hoigen.sources.mujoco.tasks import ANY, TASKS, shapes_of

PAUSE_NS = 1_000_000_000
"""Between the last frame of an episode and the first of the next, at least."""


class ConfigError(ValueError):
    """Settings that the source cannot keep."""


@dataclass(frozen=True)
class MujocoConfig:
    """width, height: of the pictures, pixels. frames, rate_hz: a clip lasts (frames - 1) / rate_hz seconds, and the
    motion is stretched to fill it. camera: a name of CAMERAS. task, shape: a name or 'any', drawn per episode.
    split: 'train' and 'heldout' share no texture family, colour, size or proportion. depth: render depth too.
    attempts: simulations of one episode before giving up."""

    width: int = 720
    height: int = 480
    frames: int = 17
    rate_hz: float = 8.0
    camera: str = 'front'
    task: str = ANY
    shape: str = ANY
    split: str = 'train'
    depth: bool = True
    attempts: int = 25

    def __post_init__(self) -> None:
        faults = [
            _unknown('camera', self.camera, CAMERAS),
            _unknown('task', self.task, (ANY, *TASKS)),
            _unknown('shape', self.shape, (ANY, *SHAPES)),
            _unknown('split', self.split, SPLITS),
        ]
        if not any(faults) and ANY not in (self.task, self.shape) and self.shape not in shapes_of(self.task):
            faults.append(
                f'shape: expected one that {self.task!r} can be done with, '
                f'{", ".join(shapes_of(self.task))}, got {self.shape!r}'
            )
        if self.width < 16 or self.height < 16:
            faults.append(f'width, height: expected at least 16 pixels, got {self.width}x{self.height}')
        if self.frames < 2 or self.rate_hz <= 0 or (self.frames - 1) / self.rate_hz < 1.5:
            faults.append(
                'frames, rate_hz: expected a clip of at least 1.5 s, too short to grasp in otherwise, got '
                f'{self.frames} frames at {self.rate_hz} Hz'
            )
        if self.attempts < 1:
            faults.append(f'attempts: expected at least 1, got {self.attempts}')
        if any(faults):
            raise ConfigError('MujocoConfig: ' + '; '.join(f for f in faults if f))


def _unknown(field: str, name: str, known: Sequence[str]) -> str:
    if name in known:
        return ''
    near = difflib.get_close_matches(name, known, 1, 0.0)[0]
    return f'{field}: expected one of {", ".join(known)}, got {name!r}; did you mean {near!r}?'


def first_stamp_ns(index: int, frames: int, rate_hz: float) -> int:
    """When an episode begins: episodes follow each other with a pause, whichever of them is made first."""
    return (index + 1) * PAUSE_NS + round(index * frames / rate_hz * 1e9)
