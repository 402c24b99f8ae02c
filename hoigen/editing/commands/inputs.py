"""What the verbs of editing read: a scene (picture or recorded clip) and an object (mesh, or size and pictures)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.editing.clips.recorded import Recorded, object_meshes, object_poses, read_recorded, seen_shape
from hoigen.editing.placement import PlacementError, box_of, place
from hoigen.editing.records import Reference, Subject
from hoigen.editing.subjects import load_mesh, mesh_subject, picture_subject
from hoigen.geometry.transforms import angle_between
from hoigen.records import Camera, Clip, Contacts, Labels, MeshAsset
from hoigen.sources.recording.calibration import camera_of, read_calibration
from hoigen.sources.recording.depth import DepthUnit
from hoigen.sources.recording.stills import PICTURES, read_depth, read_picture
from hoigen.untrusted.limits import Limits

if TYPE_CHECKING:
    from hoigen.models.labelling import DepthModel

__all__ = [
    'PictureOptions',
    'SubjectOptions',
    'is_picture',
    'read_mask',
    'read_scene',
    'recorded_subjects',
    'subject_of',
]

REFERENCES = 20
"""Pictures of a recorded object that a model may choose from, evenly over the frames that show it best."""
BEST = 0.9
"""A frame shows an object well if it shows so much of what the best one shows."""
VERBS_END = r'(?= (?:and|to|out|off|on|onto|into|in|from|with|by|over|at)\b|[,.;]|$)'


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


@dataclass(frozen=True)
class SubjectOptions:
    """The object. Its mesh gives outline, depth and labels at any pose; of a size alone, the box of that size does."""

    mesh: Path | None = None
    """GLB, glTF, OBJ, PLY or STL in metres; object frame: front +x, up +z."""
    scale: float = 1.0
    """Metres for one unit of the mesh (millimetres: 0.001)."""
    size: tuple[float, float, float] | None = None
    """In place of a mesh, metres along x, y and z; then IMAGES are needed."""
    images: tuple[Path, ...] = ()
    """Images of the object alone on white, square. A mesh is rendered where none are given."""
    caption: str = ''
    """A few words: 'a red mug'."""

    def __post_init__(self) -> None:
        if (self.mesh is None) == (self.size is None):
            raise PlacementError(
                'object: expected either a mesh or a size, got ' + ('none' if self.mesh is None else 'both')
            )
        if self.size is not None and not (np.isfinite(self.size).all() and min(self.size) > 0):
            raise PlacementError(f'size: expected metres > 0 along x, y and z, got {self.size}')
        if self.size is not None and not self.images:
            raise PlacementError('images: expected at least one image of an object that has no mesh, got none')


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
    nothing = np.zeros(0, np.float32)
    labels = Labels((), nothing, nothing, None, Contacts(), '', 0, 0, True)
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
        labels=(labels,),
    )
    return Recorded(path.stem, clip, (), (), None)


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


def subject_of(options: SubjectOptions, seed: int) -> Subject:
    """The object that is asked for."""
    references = tuple(_reference(path) for path in options.images)
    if options.size is not None:
        half = np.array(options.size, np.float32) / 2
        corners = np.stack([-half, half, half * np.array([1, -1, 1], np.float32)])
        box = box_of(MeshAsset('box', OBJECT, corners, np.array([[0, 1, 2]], np.int32)))
        return Subject(options.caption, references, box, exact=False)
    assert options.mesh is not None
    mesh = load_mesh(options.mesh, options.scale)
    return Subject(options.caption, references, mesh) if references else mesh_subject(mesh, options.caption, seed)


def recorded_subjects(recorded: Recorded, poses: np.ndarray, caption: str | None) -> tuple[Subject, ...]:
    """The clip's own object as a subject of each of T frames, cut out of the frames that show it best; its mesh wears
    the one that shows it turned most as it will be. poses: [T,4,4], where it will be. caption: by default what the task
    says is handled."""
    before = object_poses(recorded)
    meshes = object_meshes(recorded, before) if recorded.of_object else (seen_shape(recorded, before),) * len(before)
    words = caption if caption is not None else handled(recorded.clip.labels[0].task)
    clip, own = recorded.clip, recorded.clip.mask == ROLE_CODE[OBJECT]
    shares = np.array(
        [
            _share(mesh, pose, camera, mask)
            for mesh, pose, camera, mask in zip(meshes, before, clip.cameras, own, strict=True)
        ]
    )
    if not shares.max() > 0:
        raise PlacementError(f'{recorded.name}: expected frames that show the object, got none')
    rows = np.flatnonzero(shares >= BEST * shares.max())
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), REFERENCES)).round().astype(int))]
    shown, faults = dict[int, Subject](), list[PlacementError]()
    for t in rows.tolist():
        try:
            shown[t] = picture_subject(clip.rgb[t], own[t], clip.cameras[t], before[t], meshes[t], words)
        except PlacementError as error:
            faults.append(error)
    if not shown:
        raise PlacementError(f'{recorded.name}: in none of {len(rows)} frames: {faults[0]}') from faults[0]
    references = tuple(item for subject in shown.values() for item in subject.references)
    made = []
    for mesh, pose, camera in zip(meshes, poses, clip.cameras, strict=True):
        turn = _turn(camera, pose)
        same = [t for t in shown if meshes[t] is mesh]  # of an object that deforms, those of the same shape
        alike = min(same, key=lambda t: angle_between(_turn(clip.cameras[t], before[t]), turn), default=None)
        made.append(Subject(words, references, mesh if alike is None else shown[alike].mesh))
    return tuple(made)


def _turn(camera: Camera, T_world_object: np.ndarray) -> np.ndarray:
    """``R_cam_object`` [3,3]."""
    return camera.T_world_cam[:3, :3].T @ T_world_object[:3, :3]


def handled(task: str) -> str:
    """What a task's sentence says is handled: 'yellow mug' of 'lift the yellow mug and carry it to the left'; '' where
    it says nothing of the kind."""
    found = re.search(rf'\b(?:the|a|an) ([\w -]+?){VERBS_END}', task)
    return found[1] if found else ''


def _share(mesh: MeshAsset, pose: np.ndarray, camera: Camera, mask: np.ndarray) -> float:
    """How much of the object is seen; 0 where the mesh cannot be placed or the mask shows nothing."""
    try:
        placement = place(mesh, pose, camera)
    except PlacementError:
        return 0.0
    return float((mask & placement.mask).sum() / placement.mask.sum()) * (1 - placement.cut)


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
    model = load_depth(options.depth_model)
    if not model.metric:
        raise PlacementError(
            f'depth_model: expected a network that tells metres, got {options.depth_model!r}, which '
            'tells only what is nearer'
        )
    return model(rgb)


def load_depth(name: str) -> DepthModel:
    """Depth Anything; its library is loaded only where it is asked for."""
    from hoigen.models.labelling import load_depth as load

    return load(name)


def _reference(path: Path) -> Reference:
    """A picture of an object alone, made square on white."""
    rgb = read_picture(path, path.name, Limits().pixels)
    side = max(rgb.shape[:2])
    square = Image.new('RGB', (side, side), (255, 255, 255))
    square.paste(Image.fromarray(rgb), ((side - rgb.shape[1]) // 2, (side - rgb.shape[0]) // 2))
    return Reference(np.array(square), None)
