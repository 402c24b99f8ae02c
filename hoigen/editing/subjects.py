"""Objects to be put into pictures: from a mesh file, or cut out of a frame that shows one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from hoigen.conventions import OBJECT
from hoigen.editing.placement import PlacementError, refuse_size
from hoigen.editing.records import Reference, Subject
from hoigen.editing.views import random_views
from hoigen.geometry.camera import project
from hoigen.geometry.orientation import apparent
from hoigen.geometry.shading import brightness
from hoigen.geometry.transforms import apply
from hoigen.records import Camera, MeshAsset, RecordError
from hoigen.untrusted.child import command, environment, last_words

__all__ = ['KINDS', 'VIEWS', 'load_mesh', 'mesh_subject', 'picture_subject']

KINDS = ('.glb', '.gltf', '.obj', '.ply', '.stl')
LARGEST_FILE = 512 << 20
TIMEOUT_S = 600.0
VIEWS = 20
"""Pictures of a mesh (SpatialHand renders as many)."""
VIEW_PIXELS = 256
LEAST_PIXELS = 64
"""An object is cut out of a frame that shows at least so many pixels of it."""
MARGIN = 0.08
"""White on each side of a cut-out object, in sides of the box about it."""
EDGE = 1
"""Pixels at an object's outline that are mixed with what is behind it: their colour is not the object's."""
FINE = 24
"""Triangles of a mesh that takes a picture's look are cut until none is longer than 1/FINE of it: uv are linear in a
triangle, a picture's perspective is not."""
MOST_VERTICES = 200_000


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
        child = subprocess.run(
            command('hoigen.editing.meshes.files', str(path.absolute())),
            capture_output=True,
            env=environment(),
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise PlacementError(f'{path}: reading it took longer than {TIMEOUT_S:g} s') from None
    if child.returncode or not child.stdout:
        raise PlacementError(f'{path}: what read it ended with status {child.returncode}{last_words(child.stderr)}')
    with np.load(BytesIO(child.stdout), allow_pickle=False) as whole:
        found = {name: whole[name] for name in whole.files}
    if 'failed' in found:
        raise PlacementError(f'{path}: {found["failed"]}')
    return found


def mesh_subject(mesh: MeshAsset, caption: str, seed: int = 0) -> Subject:
    """A mesh with pictures of it from VIEWS directions drawn from the seed; PlacementError for an unlikely size."""
    refuse_size(mesh)
    return Subject(caption, random_views(mesh, VIEWS, np.random.default_rng(seed), VIEW_PIXELS), mesh)


def picture_subject(
    rgb: np.ndarray, mask: np.ndarray, camera: Camera, T_world_object: np.ndarray | None, mesh: MeshAsset, caption: str
) -> Subject:
    """The object as a frame [H,W,3] uint8 shows it where ``mask`` [H,W] bool says: one picture, cut out on white.

    T_world_object: its pose [4,4] in that frame; None where nobody knows it. Where it is known, the picture says how
    the object is turned in it, and a mesh without a texture takes its look from the picture: as seen from this camera,
    so that what the camera did not see looks as what is before it. PlacementError where the mask is of another size or
    shows too little, or the mesh is not before the camera.
    """
    if rgb.shape[:2] != (camera.height, camera.width) or mask.shape != rgb.shape[:2]:
        raise PlacementError(
            f"mask: expected one of the picture's size {camera.width}x{camera.height}, got picture "
            f'{rgb.shape[1]}x{rgb.shape[0]} and mask {mask.shape[1]}x{mask.shape[0]}'
        )
    if mask.sum() < LEAST_PIXELS:
        raise PlacementError(f'mask: expected {LEAST_PIXELS} pixels of the object at least, got {int(mask.sum())}')
    if T_world_object is None:
        return Subject(caption, (Reference(_cut_out(rgb, mask), None),), mesh)
    depth = project(camera, apply(T_world_object, np.concatenate([mesh.vertices, np.zeros((1, 3))])))[1]
    if not (depth > 0).all():
        raise PlacementError(
            f'mesh {mesh.id!r}: expected all of it before the camera that shows it, got a part '
            f'{depth.min():.3g} m along the optical axis'
        )
    if mesh.texture is None:
        mesh = _with_look(rgb, mask, camera, T_world_object, mesh)
    return Subject(caption, (Reference(_cut_out(rgb, mask), apparent(camera, T_world_object)),), mesh)


def _cut_out(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The object on white, in the middle of a square with a margin."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    piece = np.where(mask[..., None], rgb, 255)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = piece.shape[:2]
    side = round((1 + 2 * MARGIN) * max(height, width))
    square = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = piece
    return square


def _with_look(
    rgb: np.ndarray, mask: np.ndarray, camera: Camera, T_world_object: np.ndarray, mesh: MeshAsset
) -> MeshAsset:
    """The mesh with the picture as its texture, without the light that a drawing of it there would have."""
    vertices, triangles = _fine(mesh)
    fine = replace(mesh, vertices=vertices, triangles=triangles)
    pixels, _ = project(camera, apply(T_world_object, vertices))
    light = brightness(fine, T_world_object, camera)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8)) > 0
    own = inner & np.isfinite(light)
    if own.sum() < LEAST_PIXELS:
        raise PlacementError(f'mask: expected it on the mesh at its pose, got {int(own.sum())} pixels of it there')
    unlit = np.clip(rgb / np.where(own, light, 1)[..., None], 0, 255).round().astype(np.uint8)
    rows, columns = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
    texture = _spread(unlit, own)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = texture.shape[:2]
    across = np.clip((pixels[:, 0] - columns[0] + 0.5) / width, 0.5 / width, 1 - 0.5 / width)
    up = np.clip(1 - (pixels[:, 1] - rows[0] + 0.5) / height, 0.5 / height, 1 - 0.5 / height)
    return replace(fine, uv=np.stack([across, up], 1).astype(np.float32), texture=np.ascontiguousarray(texture))


def _fine(mesh: MeshAsset) -> tuple[np.ndarray, np.ndarray]:
    """The same surface in triangles that are small against the mesh."""
    from trimesh.remesh import subdivide_to_size

    longest = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0))) / FINE
    corners = mesh.vertices[mesh.triangles]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1)
    if sides.max() <= longest or len(mesh.vertices) > MOST_VERTICES:
        return mesh.vertices, mesh.triangles
    vertices, triangles = subdivide_to_size(mesh.vertices, mesh.triangles, longest, max_iter=32)
    return np.asarray(vertices, np.float32), np.asarray(triangles, np.int32)


def _spread(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The picture [H,W,3] with the unknown pixels as the nearest known ones."""
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((nearest.max() + 1, 3), np.uint8)
    table[nearest[known]] = picture[known]
    return table[nearest]
