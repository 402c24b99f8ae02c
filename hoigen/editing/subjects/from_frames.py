"""Objects to be put into images, cut out of frames that show them."""

from __future__ import annotations

import re
from dataclasses import replace

import cv2
import numpy as np

from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.editing.clips.recorded import Recorded, object_meshes, object_poses, seen_shape
from hoigen.editing.placement import PlacementError, place
from hoigen.editing.records import Reference, Subject
from hoigen.geometry.camera import project
from hoigen.geometry.orientation import apparent
from hoigen.geometry.shading import brightness
from hoigen.geometry.transforms import angle_between, apply
from hoigen.records import Camera, MeshAsset

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
REFERENCES = 20
"""Pictures of a recorded object that a model may choose from, evenly over the frames that show it best."""
BEST = 0.9
"""A frame shows an object well if it shows so much of what the best one shows."""
VERBS_END = r'(?= (?:and|to|out|off|on|onto|into|in|from|with|by|over|at)\b|[,.;]|$)'


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
