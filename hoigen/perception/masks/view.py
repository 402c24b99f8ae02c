"""A stretch at the small size at which labels are found, and its labels at full size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.geometry.camera import pixel_grid, resize_camera
from hoigen.perception.records import Flow, Geometry
from hoigen.records import Camera, Footage

WIDTH = 320
"""Labels are found at this width: a thin finger is still two pixels wide."""

KEEPS = 0.97
"""What is known of a place fades by this much with every frame that it is carried along the flow."""


@dataclass(frozen=True, eq=False)
class View:
    """T frames at [h,w].

    lab: [T,h,w,3] uint8, a little smoothed. depth_m: [T,h,w] float32, NaN unknown, or None. forward, backward:
    [T-1,h,w,2] float32 pixels, and where they are right, [T-1,h,w] bool.
    """

    lab: np.ndarray
    depth_m: np.ndarray | None
    cameras: tuple[Camera, ...]
    forward: np.ndarray
    backward: np.ndarray
    forward_ok: np.ndarray
    backward_ok: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """T, h, w."""
        frames, height, width = self.lab.shape[:3]
        return frames, height, width


def view_of(footage: Footage, flow: Flow, geometry: Geometry | None) -> View:
    """The stretch made small; never larger than it is."""
    full_height, full_width = footage.rgb.shape[1:3]
    width = min(WIDTH, full_width)
    height = max(1, round(full_height * width / full_width))
    size, scale = (width, height), np.array([width / full_width, height / full_height], np.float32)
    lab = [
        cv2.cvtColor(
            cv2.GaussianBlur(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), (0, 0), 0.8), cv2.COLOR_RGB2LAB
        )
        for frame in footage.rgb
    ]
    forward, backward = (
        np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) * scale for f in way])
        for way in (flow.forward, flow.backward)
    )
    rows, columns = np.arange(height) * full_height // height, np.arange(width) * full_width // width
    forward_ok, backward_ok = (ok[:, rows][:, :, columns] for ok in (flow.forward_ok, flow.backward_ok))
    depth = None if geometry is None else _known_of_four(geometry.depth_m, rows, columns)
    cameras = tuple(resize_camera(c, width, height) for c in (geometry.cameras if geometry is not None else ()))
    return View(np.stack(lab), depth, cameras, forward, backward, forward_ok, backward_ok)


def _known_of_four(depth_m: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Every pixel's own depth, or where that is unknown one of its three neighbours' to the right and below."""
    small = np.full((len(depth_m), len(rows), len(columns)), np.nan, np.float32)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        r, c = np.minimum(rows + down, depth_m.shape[1] - 1), np.minimum(columns + right, depth_m.shape[2] - 1)
        small = np.where(np.isnan(small), depth_m[:, r][:, :, c], small)
    return small


def resized(pixels: np.ndarray, size: tuple[int, ...], view: View) -> np.ndarray:
    """``pixels`` [...,2] float32 (u, v) of an image of ``size`` (H, W) in the view, pixel centres at whole numbers."""
    scale = np.array([view.shape[2] / size[1], view.shape[1] / size[0]], np.float32)
    return (pixels + np.float32(0.5)) * scale - np.float32(0.5)


def sampled(picture: np.ndarray, places: np.ndarray, interpolation: int) -> np.ndarray:
    """What ``picture`` [h,w] or [h,w,C] shows at ``places`` [...,2] (u, v); its border outside."""
    return cv2.remap(picture, places[..., 0], places[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE)


def carried(view: View, value: np.ndarray) -> np.ndarray:
    """[T,h,w] float32: the largest ``value`` that what a pixel shows has at any time, found along the flow."""
    grid = pixel_grid(value.shape[2], value.shape[1]).astype(np.float32)
    later, sooner = value.copy(), value.copy()
    for t in range(len(value) - 2, -1, -1):
        there = sampled(later[t + 1], grid + view.forward[t], cv2.INTER_NEAREST)
        np.maximum(later[t], np.where(view.forward_ok[t], KEEPS * there, 0), out=later[t])
    for t in range(1, len(value)):
        there = sampled(sooner[t - 1], grid + view.backward[t - 1], cv2.INTER_NEAREST)
        np.maximum(sooner[t], np.where(view.backward_ok[t - 1], KEEPS * there, 0), out=sooner[t])
    return np.maximum(later, sooner)


def gathered(view: View, value: np.ndarray, keeps: float) -> np.ndarray:
    """[T,h,w] float32: the sum of ``value`` over all times at which what a pixel shows has one, found along the flow; a
    frame's counts ``keeps`` times as much in the next."""
    grid = pixel_grid(value.shape[2], value.shape[1]).astype(np.float32)
    later, sooner = value.copy(), value.copy()
    for t in range(len(value) - 2, -1, -1):
        there = sampled(later[t + 1], grid + view.forward[t], cv2.INTER_LINEAR)
        later[t] += np.where(view.forward_ok[t], keeps * there, 0)
    for t in range(1, len(value)):
        there = sampled(sooner[t - 1], grid + view.backward[t - 1], cv2.INTER_LINEAR)
        sooner[t] += np.where(view.backward_ok[t - 1], keeps * there, 0)
    return later + sooner - value


def enlarge(belief: np.ndarray, height: int, width: int) -> np.ndarray:
    """[T,height,width] uint8: the likeliest label of every full-size pixel, from beliefs [T,h,w,L]."""
    labels = np.zeros((len(belief), height, width), np.uint8)
    for t, frame in enumerate(belief):
        best = np.zeros((height, width), np.float32)
        for n in range(frame.shape[-1]):
            if n and not frame[..., n].any():
                continue
            large = cv2.resize(np.ascontiguousarray(frame[..., n]), (width, height), interpolation=cv2.INTER_LINEAR)
            labels[t][large > best] = n
            np.maximum(best, large, out=best)
    return labels
