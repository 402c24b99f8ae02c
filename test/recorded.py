"""Writes small recordings as cameras and other programs leave them: RGB-D folders and videos."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np


def write_rgbd(folder: Path, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, stamps_s: Sequence[float]) -> Path:
    """An RGB-D folder: PNG pictures, depth in millimetres (0 unknown), a calibration, stamps in the names."""
    for name in ('rgb', 'depth'):
        (folder / name).mkdir(parents=True)
    for picture, depth, stamp_s in zip(rgb, depth_m, stamps_s, strict=True):
        cv2.imwrite(str(folder / f'rgb/{stamp_s:.6f}.png'), picture[..., ::-1])
        millimetres = np.nan_to_num(np.rint(depth * 1000)).astype(np.uint16)
        cv2.imwrite(str(folder / f'depth/{stamp_s:.6f}.png'), millimetres)
    (folder / 'calibration.json').write_text(
        json.dumps(
            {'fx': K[0, 0], 'fy': K[1, 1], 'cx': K[0, 2], 'cy': K[1, 2], 'width': rgb.shape[2], 'height': rgb.shape[1]}
        )
    )
    return folder


def write_video(path: Path, rgb: np.ndarray, rate_hz: int = 8) -> Path:
    """An H.264 file of [T,H,W,3] uint8."""
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=rate_hz, options={'crf': '10', 'g': '4'})
        stream.height, stream.width, stream.pix_fmt = rgb.shape[1], rgb.shape[2], 'yuv420p'
        for number, picture in enumerate(rgb):
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            frame.pts, frame.time_base = number, Fraction(1, rate_hz)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def shades(count: int, width: int = 60, height: int = 40) -> np.ndarray:
    """[T,H,W,3] uint8: plain pictures, each of another grey, so that one sees which is which."""
    greys = (20 + 5 * np.arange(count)).astype(np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (count, height, width, 3)).copy()
