"""A recording's pictures at the wanted size: cropped about the centre, resized, with the intrinsics moved along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.geometry.view import View, centre_of
from hoigen.records import Camera
from hoigen.sources.recording.calibration import Calibration, camera_of
from hoigen.sources.recording.options import RecordingError

WIDEST = 640
"""Pixels across of pictures for which no size is asked."""


class SizeChange(RecordingError):
    """A picture is not as large as those before it."""


@dataclass(frozen=True)
class Fit:
    """Pictures of ``across`` x ``down`` pixels, with ``camera`` if it is known, and the part of them that is shown."""

    across: int
    down: int
    camera: Camera | None
    view: View

    @property
    def shown(self) -> Camera | None:
        """The camera of what is shown."""
        return None if self.camera is None else self.view.camera(self.camera)

    def picture(self, rgb: np.ndarray) -> np.ndarray:
        self._same('pictures', rgb)
        return rgb if self._whole else self.view.picture(rgb)

    def depth(self, depth_m: np.ndarray) -> np.ndarray:
        """Depth at the new pixel centres; surfaces are not mixed, and next to unknown pixels the nearest one counts."""
        self._same('depth pictures', depth_m)
        if self._whole:
            return depth_m
        focal = float(self.camera.K[0, 0]) if self.camera is not None else float(max(self.across, self.down))
        one_surface = np.broadcast_to(np.uint8(0), (1, self.down, self.across))
        return self.view.depth(depth_m[None], one_surface, focal)[0]

    @property
    def _whole(self) -> bool:
        return (self.view.width, self.view.height) == (self.across, self.down)

    def _same(self, what: str, pixels: np.ndarray) -> None:
        height, width = pixels.shape[:2]
        if (width, height) != (self.across, self.down):
            raise SizeChange(f'expected {what} of {self.across}x{self.down}, got {width}x{height}')


def fit_of(rgb: np.ndarray, calibration: Calibration | None, size: tuple[int, int] | None) -> Fit:
    """The fit of a recording whose first picture is ``rgb``."""
    down, across = rgb.shape[:2]
    camera = None if calibration is None else camera_of(calibration, across, down)
    width, height = size or _own_size(across, down)
    return Fit(across, down, camera, centre_of(across, down, width, height))


def _own_size(across: int, down: int) -> tuple[int, int]:
    """Even sizes: video codecs and the models' patches ask for them."""
    if across <= WIDEST:
        return max(across // 2 * 2, 2), max(down // 2 * 2, 2)
    return WIDEST, max(round(down * WIDEST / across / 2) * 2, 2)
