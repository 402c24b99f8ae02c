"""Objects to be put into images: of a mesh file, or of a size and images of the object alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hoigen.conventions import OBJECT
from hoigen.editing.placement import PlacementError, box_of, refuse_size
from hoigen.editing.records import Reference, Subject
from hoigen.editing.views import random_views
from hoigen.records import MeshAsset, RecordError
from hoigen.sources.recording.stills import read_picture
from hoigen.untrusted.arrays import UnreadableFile, read_arrays
from hoigen.untrusted.limits import Limits

KINDS = ('.glb', '.gltf', '.obj', '.ply', '.stl')
LARGEST_FILE = 512 << 20
TIMEOUT_S = 600.0
VIEWS = 20
"""Images of a mesh (SpatialHand renders as many)."""
VIEW_PIXELS = 256


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


def load_mesh(path: Path, scale: float = 1.0) -> MeshAsset:
    """The mesh of a GLB, glTF, OBJ, PLY or STL file with its texture or colours; of the role object, named as the file.

    scale: metres for one unit of the file. The file's axes are the object's (front +x, up +z); those of glTF, which has
    up +y and front +z by its standard, are turned so. The file is read in a process of its own within limits.
    PlacementError where there is no such file, or it is broken, huge, without faces, with vertices that are no numbers,
    or of an unlikely size, with the likely unit.
    """
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise PlacementError(f'{path}: expected a mesh ({", ".join(KINDS)}), got {path.suffix or "no ending"!r}')
    if not path.is_file():
        raise PlacementError(f'{path}: expected a mesh file, got {"a folder" if path.is_dir() else "nothing there"}')
    if not (np.isfinite(scale) and scale > 0):
        raise PlacementError(f'scale: expected metres > 0 for one unit of {path.name}, got {scale}')
    if path.stat().st_size > LARGEST_FILE:
        raise PlacementError(
            f'{path}: expected at most {LARGEST_FILE >> 20} MB, got {path.stat().st_size >> 20} MB: simplify it'
        )
    found = _read(path)
    vertices = (found['vertices'].astype(float) * scale).astype(np.float32)
    try:
        mesh = MeshAsset(path.stem, OBJECT, vertices, found['triangles'], found.get('uv'), found.get('texture'))
        refuse_size(mesh)
    except (RecordError, PlacementError) as error:
        raise PlacementError(f'{path}: {error}') from None
    return mesh


def _read(path: Path) -> Mapping[str, np.ndarray]:
    """The file's arrays, read by a child."""
    try:
        found = read_arrays('hoigen.editing.meshes.files', str(path.absolute()), timeout_s=TIMEOUT_S)
    except UnreadableFile as error:
        raise PlacementError(f'{path}: {error}') from None
    if 'failed' in found:
        raise PlacementError(f'{path}: {found["failed"]}')
    return found


def mesh_subject(mesh: MeshAsset, caption: str, seed: int = 0) -> Subject:
    """A mesh with pictures of it from VIEWS directions drawn from the seed; PlacementError for an unlikely size."""
    refuse_size(mesh)
    return Subject(caption, random_views(mesh, VIEWS, np.random.default_rng(seed), VIEW_PIXELS), mesh)


def _reference(path: Path) -> Reference:
    """A picture of an object alone, made square on white."""
    rgb = read_picture(path, path.name, Limits().pixels)
    side = max(rgb.shape[:2])
    square = Image.new('RGB', (side, side), (255, 255, 255))
    square.paste(Image.fromarray(rgb), ((side - rgb.shape[1]) // 2, (side - rgb.shape[0]) // 2))
    return Reference(np.array(square), None)
