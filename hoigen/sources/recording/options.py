"""What of a recording is taken, and how much its decoding may cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from hoigen.untrusted.limits import Limits

NO_DEPTH = 'none'
"""What the option depth says where the images are wanted alone."""


class RecordingError(ValueError):
    """A recording cannot be read as asked; the text names the file, what was expected and what came."""


class Damaged(RecordingError):
    """One frame cannot be decoded; those around it may be whole."""


class NotRead(RecordingError):
    """One frame is whole, but of an encoding, mode, size or range of values that is not read."""


@dataclass(frozen=True)
class RecordingOptions:
    """Which instants of a recording are taken, and how its parts are found where their names do not tell."""

    size: tuple[int, int] | None = None
    """Width and height of the pictures, cropped about the centre and resized; none: at most 640 pixels wide."""
    rate_hz: float | None = None
    """Take the frames nearest to this pace; none: every frame."""
    start_s: float = 0.0
    """Where to begin, after the first frame."""
    duration_s: float | None = None
    """How long; none: to the end."""
    image: str = ''
    """Topic (bag) or subfolder (RGB-D folder) of the pictures, where several could be meant."""
    depth: str = ''
    """Topic or subfolder of the depth, where several could be meant; 'none' reads the images alone."""
    calibration: Path | None = None
    """File with K, instead of the recording's own."""
    frame_rate_hz: float | None = None
    """Of frames whose names hold no time."""
    depth_unit_m: float | None = None
    """Metres for a step of the depth values, floats and integers alike; none: 1 of floats, 0.001 of integers, 1/5000 of
    integers in TUM's layout."""
    pairing_s: float = 0.02
    """How far apart the stamps of a picture and its depth may be."""
    decoder: Literal['auto', 'pyav'] = 'auto'
    """Of videos; auto takes decord, which is faster, for short ones that it reads truly."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        rules = {
            f'size: expected at least 16x16 and at most {self.limits.pixels} pixels': self.size is None
            or (min(self.size) >= 16 and self.size[0] * self.size[1] <= self.limits.pixels),
            'rate_hz: expected > 0': _positive(self.rate_hz),
            'start_s: expected >= 0': self.start_s >= 0,
            'duration_s: expected > 0': _positive(self.duration_s),
            'frame_rate_hz: expected > 0': _positive(self.frame_rate_hz),
            'depth_unit_m: expected > 0': _positive(self.depth_unit_m),
            'pairing_s: expected >= 0': self.pairing_s >= 0,
        }
        wrong = [f'{rule}, got {getattr(self, rule.split(":")[0])}' for rule, ok in rules.items() if not ok]
        if wrong:
            raise RecordingError('; '.join(wrong))

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which :meth:`from_json` makes the same options."""
        return asdict(self) | {'calibration': None if self.calibration is None else str(self.calibration)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RecordingOptions:
        size, calibration = values['size'], values['calibration']
        return cls(
            **values
            | {
                'size': size and (size[0], size[1]),
                'limits': Limits(**values['limits']),
                'calibration': None if calibration is None else Path(calibration),
            }
        )


def _positive(value: float | None) -> bool:
    return value is None or value > 0
