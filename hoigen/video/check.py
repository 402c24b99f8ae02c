"""Check clip files before hours of training are spent on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from rich.progress import track
from safetensors import safe_open

from hoigen.conventions import ROLES
from hoigen.video.data import PLANES, VIDEOS, DataError

LAYOUT: dict[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(VIDEOS, ('U8', ('T', 'H', 'W', '3'))),
    **dict.fromkeys(PLANES, ('U8', ('T', 'H', 'W'))),
    'points': ('F16', ('T', 'N', '3')),
    'pixels': ('F16', ('T', 'N', '2')),
    'visible': ('U8', ('T', 'N')),
    'shadow_gain': ('F32', ('3',)),
    'role': ('U8', ('N',)),
    'stamps_ns': ('I64', ('T',)),
    'clean_background': ('U8', ('1', 'H', 'W', '3')),
}
"""Type and shape of each tensor, as :mod:`hoigen.video.data` says."""

MAY_LACK = ('stamps_ns', 'clean_background')

MAX_COLOUR_ERROR = 26
"""Median error, red and green together, up to which tracking colours are those of the image, however few the points."""


def check_clips(
    paths: Iterable[Path], *, frames: int, height: int, width: int, cloud: int, quiet: bool = False
) -> None:
    """DataError that names every clip (the first ten) which a model of this size cannot be trained on, and why."""
    faults = []
    for path in track(list(paths), description='checking clips', disable=quiet):
        found = clip_faults(path, frames=frames, height=height, width=width, cloud=cloud)
        if found:
            faults.append(f'{path}: {"; ".join(found)}')
    if faults:
        more = f'\n... and {len(faults) - 10} more' if len(faults) > 10 else ''
        raise DataError(f'{len(faults)} clips cannot be used:\n' + '\n'.join(faults[:10]) + more)


def clip_faults(path: Path, *, frames: int, height: int, width: int, cloud: int) -> list[str]:
    """What is wrong with one clip file."""
    try:
        with safe_open(path, framework='np') as file:
            if faults := _layout_faults(file, {'T': frames, 'H': height, 'W': width, '3': 3, '2': 2, '1': 1}, cloud):
                return faults
            return _value_faults(file.get_tensor) + _info_faults(file.metadata())
    except Exception as error:  # safetensors raises its own type for a broken file
        return [f'expected a whole safetensors file, got: {error}']


def _layout_faults(file, sizes: dict[str, int], cloud: int) -> list[str]:
    present = set(file.keys())
    missing = [name for name in LAYOUT if name not in present and name not in MAY_LACK]
    if missing:
        return [f'expected the tensors of a clip, missing {missing}']
    shapes = {name: tuple(file.get_slice(name).get_shape()) for name in LAYOUT if name in present}
    points = shapes['points'][1] if len(shapes['points']) == 3 else 0
    faults = []
    if points < cloud:
        faults.append(
            f'points: expected at least {cloud}, got {points}'
            + (' (an empty cloud)' if not points else ' (make clips with more: --points)')
        )
    sizes = sizes | {'N': points}
    for name, shape in shapes.items():
        kind, axes = LAYOUT[name]
        want, got = tuple(sizes[axis] for axis in axes), file.get_slice(name).get_dtype()
        if (got, shape) != (kind, want):
            faults.append(f'{name}: expected {kind} {list(want)}, got {got} {list(shape)}')
    return faults


def _value_faults(tensor: Callable[[str], np.ndarray]) -> list[str]:
    faults = []
    for name, rule in (('points', np.isfinite), ('pixels', lambda a: ~np.isnan(a))):
        bad = int((~rule(tensor(name))).sum())
        if bad:
            faults.append(f'{name}: expected finite values, got {bad} that are not')
    if not tensor('visible').any():
        faults.append('visible: expected a point in view in some frame, got none (an empty cloud)')
    for name in ('mask', 'role'):
        if tensor(name).max() >= len(ROLES):
            faults.append(f'{name}: expected role codes 0 to {len(ROLES) - 1}, got {tensor(name).max()}')
    return faults + _colour_faults(tensor('tracking')[0]) + _stamp_faults(tensor)


def _colour_faults(tracking: np.ndarray) -> list[str]:
    """Whether frame 0 of the tracking video [H,W,3] has red by its columns and green by its rows."""
    (height, width), drawn = tracking.shape[:2], tracking.any(axis=-1)
    ramps = np.stack(np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height)), axis=-1)
    error = np.median(np.abs(tracking[..., :2] - ramps)[drawn], axis=0).sum() if drawn.any() else 0
    if error <= MAX_COLOUR_ERROR:
        return []
    return [f'tracking: expected red and green by column and row of frame 0, got {error:.0f} levels off; make it anew']


def _stamp_faults(tensor: Callable[[str], np.ndarray]) -> list[str]:
    try:
        steps = np.diff(tensor('stamps_ns'))
    except Exception:  # the file has none, which it may
        return []
    return [] if (steps > 0).all() else [f'stamps_ns: expected rising stamps, got a step of {steps.min()} ns']


def _info_faults(metadata: dict[str, str] | None) -> list[str]:
    try:
        info = json.loads((metadata or {})['info'])
        return [] if isinstance(info['prompt'], str) else [f'info: expected a prompt, got {info["prompt"]!r}']
    except (KeyError, TypeError, json.JSONDecodeError):
        return [f'metadata: expected info, JSON with a prompt, got {metadata}']
