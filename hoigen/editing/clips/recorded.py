"""A recorded clip with what of its geometry is exact: meshes where they were recorded, else only what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.editing.placement import PlacementError
from hoigen.episodes import EpisodeReader
from hoigen.episodes.bags import bag_name, one_bag
from hoigen.episodes.errors import EpisodeError
from hoigen.geometry.camera import project
from hoigen.geometry.meshes import world_vertices
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Camera, Clip, Episode, MeshAsset, MeshFrame, Provenance

LEAST_POINTS = 12
"""A shape is told by at least so many points of the object."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recorded scene under the name of its file; footage has no meshes, or those of hands alone."""

    name: str
    scene: Episode

    @property
    def clip(self) -> Clip:
        return self.scene.clip

    @property
    def assets(self) -> tuple[MeshAsset, ...]:
        """Meshes of everything in the scene; none where only its hands have any."""
        whole = any(asset.role != HAND for asset in self.scene.assets)
        return self.scene.assets if whole else ()

    @property
    def mesh_frames(self) -> tuple[MeshFrame, ...]:
        return self.scene.mesh_frames

    @property
    def provenance(self) -> Provenance | None:
        """How the clip was made, None if unknown."""
        return self.scene.clip_provenance

    @property
    def of_object(self) -> tuple[MeshAsset, ...]:
        return tuple(asset for asset in self.assets if asset.role == OBJECT)


def read_recorded(folder: Path) -> Recorded:
    """The clip of a bag, as a simulator's episode (``hoigen up sim_to_video``) or footage (``hoigen extract``) gives.

    Raises :class:`EpisodeError` for a bag that is unfinished or lacks something, and for a folder of several bags.
    """
    folder = Path(folder)
    if folder.exists() and folder.suffix.lower() != '.mcap' and not any(folder.rglob('*.[mM][cC][aA][pP]')):
        raise EpisodeError(
            f'{folder}: expected the bag of an episode or of an extracted clip, got '
            f'{"a folder" if folder.is_dir() else "a file"} that is none; make clips of it first: '
            f'hoigen extract {folder}'
        )
    bag = one_bag(folder)
    with EpisodeReader(bag) as reader:
        return Recorded(bag_name(bag), reader.scene())


def is_metric(recorded: Recorded) -> bool:
    """Whether the clip's lengths are metres, as far as anyone told: those of meshes are."""
    config = {} if recorded.provenance is None else recorded.provenance.config
    return bool(recorded.assets) or bool(config.get('metric'))


def object_poses(recorded: Recorded) -> np.ndarray:
    """``T_world_object`` [T,4,4] of the labels; PlacementError where a frame has none."""
    labels = recorded.clip.labels
    poses = [frame.T_world_object for frame in labels if frame.T_world_object is not None]
    if len(poses) < len(labels):
        first = next(number for number, frame in enumerate(labels) if frame.T_world_object is None)
        raise PlacementError(
            f"{recorded.name}: expected the object's pose in every frame, got none in {len(labels) - len(poses)} "
            f'of {len(labels)}, first in frame {first}'
        )
    return np.stack(poses)


def object_meshes(recorded: Recorded, poses: np.ndarray) -> tuple[MeshAsset, ...]:
    """The object's mesh in its own frame in each of T frames, of all its assets; the same one while they hold still.

    poses: ``T_world_object`` [T,4,4].
    """
    found: list[MeshAsset] = []
    for places, pose in zip(recorded.mesh_frames, poses, strict=True):
        parts = []
        for asset in recorded.of_object:
            parts.append(apply(invert(pose), world_vertices(asset, places)).astype(np.float32))
        vertices = np.concatenate(parts)
        if found and np.allclose(vertices, found[-1].vertices, atol=1e-6):
            found.append(found[-1])
            continue
        starts = np.cumsum([0, *map(len, parts)])
        triangles = np.concatenate(
            [asset.triangles + start for asset, start in zip(recorded.of_object, starts, strict=False)]
        ).astype(np.int32)
        found.append(MeshAsset('object', OBJECT, vertices, triangles))
    return tuple(found)


def seen_shape(recorded: Recorded, poses: np.ndarray) -> MeshAsset:
    """The convex hull of the object's points in its own frame, for footage without a mesh: what was never seen of the
    object is cut away, hollows are filled. poses: ``T_world_object`` [T,4,4]."""
    clip = recorded.clip
    rows = np.flatnonzero(clip.point_role == ROLE_CODE[OBJECT])
    seen = clip.point_visible[:, rows]
    here = [
        apply(invert(pose), places[mine]) for pose, places, mine in zip(poses, clip.points[:, rows], seen, strict=True)
    ]
    places = np.concatenate(here)
    if len(rows) < LEAST_POINTS or len(places) < LEAST_POINTS:
        raise PlacementError(
            f'{recorded.name}: expected {LEAST_POINTS} points of the object at least, to tell its '
            f'shape, got {min(len(rows), len(places))}; give its mesh'
        )
    middle = np.median(places, axis=0)
    away = np.linalg.norm(places - middle, axis=1)
    try:
        hull = ConvexHull(places[away <= np.quantile(away, 0.98)])
    except QhullError:
        raise PlacementError(
            f'{recorded.name}: expected the points of a solid object, got flat ones; give its mesh'
        ) from None
    used, triangles = np.unique(hull.simplices, return_inverse=True)
    vertices = hull.points[used]
    corners = vertices[triangles.reshape(-1, 3)]
    inwards = (
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * (corners[:, 0] - vertices.mean(0))
    ).sum(1) < 0
    triangles = np.where(inwards[:, None], triangles.reshape(-1, 3)[:, ::-1], triangles.reshape(-1, 3))
    return MeshAsset('object', OBJECT, vertices.astype(np.float32), np.ascontiguousarray(triangles, np.int32))


def pixels_of(camera: Camera, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Row, column [N] int64 of the nearest pixels and depth [N] of world places [N,3], and whether they are in view."""
    pixels, depth = project(camera, places)
    with np.errstate(invalid='ignore'):
        inside = (depth > 0) & (pixels >= -0.5).all(1) & (pixels < (camera.width - 0.5, camera.height - 0.5)).all(1)
    column, row = np.floor(np.where(inside[:, None], pixels, 0) + 0.5).astype(np.int64).T
    return row, column, depth, inside
