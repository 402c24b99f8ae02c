"""The numbers beside the pictures: what was found, how much of it, by what, and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hoigen.geometry.transforms import angle_between
from hoigen.perception.notes import spans
from hoigen.perception.records import Geometry
from hoigen.perception.report.look import instances
from hoigen.perception.tracking.tracks import scene_reprojection_px

if TYPE_CHECKING:
    from hoigen.perception.perceive import Perceived

EVEN = 0.02
"""A rate is said to vary if steps between stamps differ by more than this part of their median."""


def facts(perceived: Perceived) -> dict[str, dict[str, str]]:
    """Numbers in words, by title and name."""
    tables = {'Footage': _footage(perceived), 'Tracks': _tracks(perceived)}
    for number, instance in enumerate(instances(perceived.segmentation.role)):
        tables[instance.name.capitalize()] = _instance(perceived, number)
    if perceived.geometry is not None:
        tables['Geometry'] = _geometry(perceived.geometry, perceived.footage.stamps_ns)
    tables['Time spent'] = _time(perceived.seconds, len(perceived.footage.stamps_ns))
    return tables


def frame_rate(stamps_ns: np.ndarray) -> str:
    """'16 Hz', or where it varies the slowest and the fastest."""
    steps = np.diff(stamps_ns) / 1e9
    if not len(steps):
        return 'one frame'
    middle = np.median(steps)
    if np.abs(steps - middle).max() <= EVEN * middle:
        return f'{1 / steps.mean():.4g} Hz'
    return f'varies, {1 / steps.max():.3g} to {1 / steps.min():.3g} Hz'


def tallies(perceived: Perceived) -> tuple[np.ndarray, np.ndarray]:
    """[I,T] pixels of each instance, and [T] the part of the tracks that is visible (NaN without any)."""
    segmentation, tracks = perceived.segmentation, perceived.tracks
    count = len(segmentation.role)
    pixels = np.stack([np.bincount(frame.ravel(), minlength=count + 1)[1:] for frame in segmentation.instance], 1)
    if not tracks.visible.shape[1]:
        return pixels, np.full(len(tracks.visible), np.nan)
    return pixels, tracks.visible.mean(1)


def camera_motion(geometry: Geometry, stamps_ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[T-1] speed, in lengths a second, and [T-1] turning in degrees a second from each frame to the next."""
    poses = np.stack([camera.T_world_cam for camera in geometry.cameras])
    seconds = np.diff(stamps_ns) / 1e9
    way = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=-1)
    turn = angle_between(poses[:-1, :3, :3], poses[1:, :3, :3])
    return way / seconds, np.degrees(turn) / seconds


def _footage(perceived: Perceived) -> dict[str, str]:
    footage = perceived.footage
    height, width = footage.rgb.shape[1:3]
    span = (footage.stamps_ns[-1] - footage.stamps_ns[0]) / 1e9
    found = {
        'frames': f'{len(footage.stamps_ns)}',
        'rate': frame_rate(footage.stamps_ns),
        'duration': f'{span:.2f} s',
        'size': f'{width}×{height}',
        'first stamp': f'{footage.stamps_ns[0] / 1e9:.9f} s',
        'measured depth': 'none' if footage.depth_m is None else _share(np.isfinite(footage.depth_m)) + ' known',
    }
    if footage.K is None:
        return found | {'calibration': 'none'}
    return found | {
        'focal length': f'{footage.K[0, 0]:.1f}, {footage.K[1, 1]:.1f} px',
        'principal point': f'{footage.K[0, 2]:.1f}, {footage.K[1, 2]:.1f} px',
    }


def _instance(perceived: Perceived, number: int) -> dict[str, str]:
    mask = perceived.segmentation.instance == number + 1
    seen, frames = mask.any((1, 2)), len(mask)
    found = {'seen in': f'{seen.sum()} of {frames} frames', 'missing in': spans(~seen) if not seen.all() else 'none'}
    if seen.any():
        area = mask[seen].mean((1, 2))
        found['area'] = f'{100 * area.mean():.2f} % of the picture ({100 * area.min():.2f} to {100 * area.max():.2f})'
    doubts = [doubt for doubt in perceived.segmentation.doubts if doubt.number == number + 1]
    if doubts:
        found['not believed in'] = '; '.join(
            f'{spans(np.isin(np.arange(frames), doubt.frames))}: {doubt.why}' for doubt in doubts
        )
    boxes = perceived.boxes
    if boxes is not None and number < len(boxes.role) and len(boxes.role) == len(perceived.segmentation.role):
        detected = np.isfinite(boxes.boxes[:, number]).all(-1)
        found['boxes'] = f'{detected.sum()} of {frames} frames'
        if detected.any():
            found['mean score'] = f'{boxes.score[detected, number].mean():.2f}'
    tracks = perceived.tracks.instance == number + 1
    return found | {'tracks': f'{tracks.sum()}'}


def _tracks(perceived: Perceived) -> dict[str, str]:
    tracks, geometry = perceived.tracks, perceived.geometry
    count = len(tracks.instance)
    found = {
        'followed': f'{count} points',
        'of the scene': f'{(tracks.instance == 0).sum()}',
        'of hand and object': f'{(tracks.instance > 0).sum()}',
    }
    if not count:
        return found
    found |= {'visible': _share(tracks.visible), 'seen in': _lengths(tracks.visible)}
    if geometry is None or tracks.places is None:
        return found | {'places': 'in the picture only'}
    miss, share = scene_reprojection_px(perceived.footage, tracks, geometry)
    return found | {
        'places': 'in 3D',
        'scene against pictures': 'unknown' if np.isnan(miss) else f'{miss:.2f} px off, {100 * share:.0f} % found',
    }


def _lengths(visible: np.ndarray) -> str:
    """The median number of frames for which a point that is ever seen is seen."""
    seen = visible.sum(0)
    return f'{np.median(seen[seen > 0]):.0f} of {len(visible)} frames, median' if seen.any() else 'never'


def _geometry(geometry: Geometry, stamps_ns: np.ndarray) -> dict[str, str]:
    unit = 'm' if geometry.metric else 'units'
    speed, turn = camera_motion(geometry, stamps_ns)
    seconds = np.diff(stamps_ns) / 1e9
    known = np.isfinite(geometry.depth_m)
    found = {
        'made by': geometry.method,
        'lengths': 'metres' if geometry.metric else 'of unknown scale',
        'depth': f'{_share(known)} known',
        'mean confidence': f'{geometry.confidence.mean():.2f}',
        'camera moved': f'{(speed * seconds).sum():.3f} {unit}',
        'camera turned': f'{(turn * seconds).sum():.1f}°',
    }
    if known.any():
        near, middle, far = np.percentile(geometry.depth_m[known], (1, 50, 99))
        found['depth near, middle, far'] = f'{near:.2f}, {middle:.2f}, {far:.2f} {unit}'
    return found


def _time(seconds: dict[str, float], frames: int) -> dict[str, str]:
    whole = sum(seconds.values())
    stages = {stage: f'{spent:.2f} s, {1e3 * spent / frames:.0f} ms a frame' for stage, spent in seconds.items()}
    return stages | {'together': f'{whole:.2f} s' + (f', {frames / whole:.1f} frames/s' if whole else '')}


def _share(values: np.ndarray) -> str:
    return f'{100 * values.mean():.1f} %'
