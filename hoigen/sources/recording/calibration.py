"""Intrinsics as people write them down: JSON, camera_info YAML, or plain numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hoigen.records import Camera, RecordError
from hoigen.sources.recording.content import foreign
from hoigen.sources.recording.options import RecordingError

NAMES = (
    'calibration.json',
    'camera_info.yaml',
    'camera_info.yml',
    'calibration.yaml',
    'calibration.yml',
    'camera_info.json',
    'intrinsics.json',
    'camera_intrinsics.json',
    'camera_intrinsic.json',
    'intrinsics.txt',
    'calibration.txt',
    'K.txt',
    'camera-intrinsics.txt',
    'camera.txt',
)
"""Files in which an RGB-D folder may keep its calibration; the first that is there is read."""
LONGEST = 1_000_000
"""Bytes of a calibration file; a longer one is something else."""
SAME_SHIFT, OTHER_SIZE = 0.1, 1.25
"""A principal point whose two coordinates are, to the first part, off the middle by one factor of at least the second
belongs to pictures of another size."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """K [3,3] float64 of pictures of ``size`` (width, height), None where that is not said.

    file: where it comes from. distorted: it has distortion coefficients, which are not used.
    """

    K: np.ndarray
    size: tuple[int, int] | None
    file: str
    distorted: bool = False


def camera_of(calibration: Calibration, width: int, height: int) -> Camera:
    """The camera of pictures of that size; RecordingError where the calibration cannot be theirs."""
    said = calibration.size
    if not np.array_equal(calibration.K[2], [0, 0, 1]) or calibration.K[1, 0]:
        raise RecordingError(
            f'{calibration.file}: expected K with the rows [f s c], [0 f c], [0 0 1], got {calibration.K.tolist()}'
        )
    if said is not None and said != (width, height):
        raise RecordingError(
            f'{calibration.file}: expected the calibration of {width}x{height} pictures, got that of '
            f'{said[0]}x{said[1]}'
        )
    try:
        camera = Camera(calibration.K, width, height, np.eye(4))
    except RecordError as error:
        raise RecordingError(f'{calibration.file}: {error}') from None
    across, down = calibration.K[0, 2] / ((width - 1) / 2), calibration.K[1, 2] / ((height - 1) / 2)
    if min(across, down) > 0 and abs(across / down - 1) < SAME_SHIFT and not 1 / OTHER_SIZE < across < OTHER_SIZE:
        raise RecordingError(
            f'{calibration.file}: expected the calibration of {width}x{height} pictures, got the '
            f'principal point {calibration.K[0, 2]:.1f}, {calibration.K[1, 2]:.1f}, which is the '
            f'middle of pictures of about {2 * calibration.K[0, 2] + 1:.0f}x'
            f'{2 * calibration.K[1, 2] + 1:.0f}'
        )
    return camera


def read_calibration(path: Path) -> Calibration:
    """The intrinsics in a file, those of the left or colour camera where there are several.

    JSON or YAML: ``camera_matrix: {data}``, ``K``, ``k``, ``intrinsic_matrix``, or ``fx fy cx cy``, at the top or under
    a camera's name; ``resolution: '1280x720'`` or ``width`` and ``height``. Text: nine numbers of K, or fx fy cx cy.
    """
    try:
        if (size := path.stat().st_size) > LONGEST:
            raise RecordingError(f'{path}: expected a calibration of at most {LONGEST} bytes, got {size}')
        text = path.read_text('utf-8-sig')
        values = _numbers(text) if path.suffix.lower() == '.txt' else _named(_parse(path, text))
        section, K = _find(values)
    except RecordingError:
        raise
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        why = foreign(path) or f'a file that cannot be read: {" ".join(str(error).split())}'
        raise RecordingError(f'{path}: expected a calibration, got {why}') from None
    if K is None or not np.isfinite(K).all():
        raise RecordingError(f'{path}: expected K (camera_matrix, K, intrinsic_matrix, or fx, fy, cx and cy), got none')
    return Calibration(
        K, _size(section, path) or _size(values, path), path.name, _distorted(section) or _distorted(values)
    )


class _Yaml(yaml.SafeLoader):
    """YAML as ROS and OpenCV's FileStorage write it; aliases, with which a short file can be endless, are refused."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError('expected no aliases, got one')
        return super().compose_node(parent, index)


_Yaml.add_constructor('tag:yaml.org,2002:opencv-matrix', yaml.SafeLoader.construct_yaml_map)


def _named(values: Mapping[Any, Any]) -> dict[str, Any]:
    """With names in small letters, for every program has its own way."""
    return {str(name).lower(): _named(held) if isinstance(held, Mapping) else held for name, held in values.items()}


def _parse(path: Path, text: str) -> dict[str, Any]:
    is_json = path.suffix.lower() == '.json'
    values = json.loads(text) if is_json else yaml.load(text.removeprefix('%YAML:1.0'), _Yaml)
    if not isinstance(values, dict):
        raise RecordingError(f'{path}: expected a table of names and values, got {type(values).__name__}')
    return values


def _numbers(text: str) -> dict[str, Any]:
    """K of a plain list; lines that begin with # are remarks."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith('#')]
    found = [float(word) for word in re.findall(r'[-+]?\d[\d.]*(?:[eE][-+]?\d+)?', ' '.join(lines))]
    return {'k': found} if len(found) in (4, 9) else {}


def _find(values: Mapping[str, Any]) -> tuple[Mapping[str, Any], np.ndarray | None]:
    """The part of the table that has K, and K; parts called left, colour or rgb go before others."""
    if (K := _matrix(values)) is not None:
        return values, K
    parts = [(name, part) for name, part in values.items() if isinstance(part, Mapping)]
    for name, part in sorted(parts, key=lambda item: not re.search('left|colou?r|rgb', item[0], re.IGNORECASE)):
        if re.search('depth|right|infra', name, re.IGNORECASE):
            continue
        section, K = _find(part)
        if K is not None:
            return section, K
    return values, None


def _matrix(values: Mapping[str, Any]) -> np.ndarray | None:
    for name in ('camera_matrix', 'cameramatrix', 'k', 'intrinsic_matrix', 'intrinsics', 'intrinsic'):
        held = values.get(name)
        held = held.get('data') if isinstance(held, Mapping) else held
        flat = _flat(held)
        if flat is not None and flat.size == 9:
            K = flat.reshape(3, 3)
            return K.T if K[2, 0] > 1 and K[0, 2] == 0 else K  # Open3D writes columns
        if flat is not None and flat.size == 4:
            return _pinhole(*flat)
    for names in (('fx', 'fy', 'cx', 'cy'), ('fx', 'fy', 'ppx', 'ppy')):
        flat = _flat([values[name] for name in names]) if all(name in values for name in names) else None
        if flat is not None and flat.size == 4:
            return _pinhole(*flat)
    return None


def _flat(held: Any) -> np.ndarray | None:
    try:
        return np.asarray(held, np.float64).ravel() if isinstance(held, list) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _pinhole(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)


def _size(values: Mapping[str, Any], path: Path) -> tuple[int, int] | None:
    """Width and height, where they are said."""
    resolution = values.get('resolution')
    if isinstance(resolution, str) and (found := re.fullmatch(r'\s*(\d+)\s*[x×*, ]\s*(\d+)\s*', resolution)):
        return int(found[1]), int(found[2])
    if isinstance(resolution, list) and len(resolution) == 2:
        return _pixels('resolution', resolution[0], path), _pixels('resolution', resolution[1], path)
    for wide, high in (('width', 'height'), ('image_width', 'image_height'), ('w', 'h')):
        if wide in values and high in values:
            return _pixels(wide, values[wide], path), _pixels(high, values[high], path)
    return None


def _pixels(name: str, held: Any, path: Path) -> int:
    try:
        return int(held)
    except (TypeError, ValueError, OverflowError):
        raise RecordingError(f'{path}: {name}: expected a number of pixels, got {held!r}') from None


def _distorted(values: Mapping[str, Any]) -> bool:
    """Whether there are distortion coefficients that are not all 0."""
    for name in (name for name in values if name.startswith('dist') or name == 'd'):
        held = values[name].get('data', values[name]) if isinstance(values[name], Mapping) else values[name]
        held = list(held.values()) if isinstance(held, Mapping) else held
        if isinstance(held, list) and any(isinstance(value, int | float) and value for value in held):
            return True
    return False
