"""What the verbs of editing read: a recorded clip or an image as a scene, and masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hoigen.editing.clips.recorded import Recorded, read_recorded
from hoigen.editing.placement import PlacementError
from hoigen.records import Camera, Clip, Episode, Labels, Provenance
from hoigen.sources.recording.calibration import camera_of, read_calibration
from hoigen.sources.recording.depth import DepthUnit
from hoigen.sources.recording.stills import PICTURES, read_depth, read_picture
from hoigen.untrusted.limits import Limits


@dataclass(frozen=True)
class PictureOptions:
    """What is known of a scene that is a single picture; a recorded clip says these itself."""

    depth: Path | None = None
    """Its depth map, of the same size: PNG, TIFF or npy, 0 unknown."""
    depth_unit_m: float | None = None
    """Metres for a step of the depth values; none: 1 of floats, 0.001 of integers."""
    depth_model: str = ''
    """In place of DEPTH, a network that tells metres: a folder, or a name of `hoigen models list`. With neither,
    nothing hides the object."""
    calibration: Path | None = None
    """File with K: JSON or YAML (camera_info), or text with K's nine numbers or fx fy cx cy."""
    fov_deg: float | None = None
    """In place of a calibration, the horizontal field of view in degrees."""


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES


def read_scene(path: Path, options: PictureOptions) -> Recorded:
    """A recorded clip, or a picture as a clip of one frame whose world is the camera's optical frame."""
    if not is_picture(path):
        return read_recorded(path)
    rgb = read_picture(
        path, path.name, Limits().pixels, as_stored=options.depth is not None or options.calibration is not None
    )
    camera = _camera(options, rgb.shape[1], rgb.shape[0])
    depth = _depth(options, rgb)
    none = np.zeros((1, 0), bool)
    clip = Clip(
        stamps_ns=np.zeros(1, np.int64),
        cameras=(camera,),
        rgb=rgb[None],
        depth_m=depth[None],
        mask=np.zeros((1, *rgb.shape[:2]), np.uint8),
        points=np.zeros((1, 0, 3), np.float32),
        point_role=np.zeros(0, np.uint8),
        point_visible=none,
        point_rgb=np.zeros((0, 3), np.uint8),
        point_rgb_known=none[0],
        point_contact=none,
        tracks=np.zeros((1, 0, 3), np.float32),
        track_visible=none,
        labels=(Labels(episode=0, frame=0, last=True),),
    )
    return Recorded(path.stem, Episode(clip, Provenance(0, {}, path.name, {}, {}, {})))


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """[H,W] bool of a picture of that size (height, width): where it is not black."""
    mask = read_picture(path, path.name, Limits().pixels).any(-1)
    if mask.shape != size:
        raise PlacementError(
            f"{path}: expected a mask of the picture's size {size[1]}x{size[0]}, got {mask.shape[1]}x{mask.shape[0]}"
        )
    if not mask.any():
        raise PlacementError(f'{path}: expected a mask with something in it, got a black picture')
    return mask


def _camera(options: PictureOptions, width: int, height: int) -> Camera:
    if (options.calibration is None) == (options.fov_deg is None):
        raise PlacementError(
            'camera: expected either a calibration or a field of view (fov_deg), got '
            + ('none' if options.calibration is None else 'both')
        )
    if options.calibration is not None:
        return camera_of(read_calibration(options.calibration), width, height)
    assert options.fov_deg is not None
    if not 1 <= options.fov_deg <= 170:
        raise PlacementError(f'fov_deg: expected degrees in [1, 170], got {options.fov_deg:g}')
    focal = width / 2 / np.tan(np.radians(options.fov_deg) / 2)
    return Camera(
        np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]), width, height, np.eye(4)
    )


def _depth(options: PictureOptions, rgb: np.ndarray) -> np.ndarray:
    """[H,W] float32 metres, measured or told by a network; NaN where nobody knows."""
    if options.depth is not None and options.depth_model:
        raise PlacementError('depth: expected a depth map or a network that tells it (depth_model), got both')
    if options.depth is not None:
        unit = DepthUnit(options.depth_unit_m)
        depth = read_depth(options.depth, options.depth.name, Limits().pixels, unit)
        print(f'{options.depth.name}: {unit.says}')
        if depth.shape != rgb.shape[:2]:
            raise PlacementError(
                f"{options.depth}: expected depth of the picture's size {rgb.shape[1]}x{rgb.shape[0]}"
                f', got {depth.shape[1]}x{depth.shape[0]}'
            )
        return depth
    if not options.depth_model:
        return np.full(rgb.shape[:2], np.nan, np.float32)
    from hoigen.models.labelling import load_depth  # its library takes seconds

    model = load_depth(options.depth_model)
    if not model.metric:
        raise PlacementError(
            f'depth_model: expected a network that tells metres, got {options.depth_model!r}, which '
            'tells only what is nearer'
        )
    return model(rgb)
