"""sensor_msgs/CameraInfo: intrinsics, and the distortion that is taken out of pictures that still have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hoigen.sources.recording.calibration import Calibration
from hoigen.sources.recording.options import RecordingError

MODELS = ('plumb_bob', 'rational_polynomial', 'equidistant')


@dataclass(frozen=True, eq=False)
class Lens:
    """Where each pixel of a picture without distortion lies in the picture with it: [H,W] float32 columns and rows."""

    columns: np.ndarray
    rows: np.ndarray

    def straighten(self, pixels: np.ndarray) -> np.ndarray:
        """Of pictures [H,W,3] uint8, blended, or depth [H,W] float32, not blended; another size is left as it is."""
        if pixels.shape[:2] != self.rows.shape:
            return pixels
        colour = pixels.ndim == 3
        return cv2.remap(
            pixels,
            self.columns,
            self.rows,
            cv2.INTER_LINEAR if colour else cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0 if colour else float('nan'),
        )


def calibration_of(info: Any, topic: str, rectified: bool) -> Calibration | None:
    """Intrinsics of the pictures once they have no distortion; None if the camera says that it is not calibrated."""
    K, P = _array(info, 'k').reshape(3, 3), _array(info, 'p').reshape(3, 4)[:, :3]
    K = P if rectified and P[0, 0] > 0 else K
    if K[0, 0] == 0:
        return None
    if info.binning_x > 1 or info.binning_y > 1 or info.roi.width or info.roi.height:
        raise RecordingError(f'{topic}: expected whole pictures, got some with binning or a region of interest')
    return Calibration(K.copy(), (int(info.width), int(info.height)), topic)


def lens_of(info: Any, topic: str) -> Lens | None:
    """None for a camera without distortion."""
    D, K = _array(info, 'd'), _array(info, 'k').reshape(3, 3)
    if not D.any():
        return None
    if info.distortion_model not in MODELS:
        raise RecordingError(
            f'{topic}: expected a distortion model of {", ".join(MODELS)}, got {info.distortion_model!r}'
        )
    undistort = (
        cv2.fisheye.initUndistortRectifyMap if info.distortion_model == MODELS[2] else cv2.initUndistortRectifyMap
    )
    columns, rows = undistort(K, D, np.eye(3), K, (int(info.width), int(info.height)), cv2.CV_32FC1)
    return Lens(columns, rows)


def same_camera(info: Any, other: Any) -> bool:
    return (info.width, info.height, info.distortion_model) == (
        other.width,
        other.height,
        other.distortion_model,
    ) and all(np.array_equal(_array(info, name), _array(other, name)) for name in ('k', 'd', 'p'))


def _array(info: Any, name: str) -> np.ndarray:
    """A field that ROS 1 writes in capitals."""
    return np.asarray(getattr(info, name) if hasattr(info, name) else getattr(info, name.upper()), np.float64)
