"""Scene frames -> clip, one frame at a time: samples are drawn once and carried by the meshes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hoigen.conditioning.config import ConditioningConfig, ConditioningError
from hoigen.conditioning.contact import point_contact
from hoigen.conditioning.lookup import picture_of, point_colours
from hoigen.conditioning.sampling import ScenePoints, draw_points
from hoigen.conditioning.source_check import SourceCheck, SourceMismatch
from hoigen.conditioning.visibility import point_visibility
from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.raster import rasterise
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Clip, MeshAsset, SceneFrame

__all__ = ['ClipBuilder', 'FrameConditions', 'build_clip', 'row_of']


@dataclass(frozen=True, eq=False)
class FrameConditions:
    """One instant's row of a :class:`~hoigen.records.Clip`; N samples, M tracks, picture [H,W].

    points: [N,3] float32 world m. role: [N] uint8. visible, known, contact: [N] bool. rgb: [N,3] uint8, the colour in
    the clip's first frame where known. mask: [H,W] uint8 role codes. depth_m: [H,W] float32 of the meshes, infinite
    where there is none. tracks: [M,3] float32 world m. track_visible: [M] bool.
    """

    stamp_ns: int
    points: np.ndarray
    role: np.ndarray
    visible: np.ndarray
    rgb: np.ndarray
    known: np.ndarray
    contact: np.ndarray
    mask: np.ndarray
    depth_m: np.ndarray
    tracks: np.ndarray
    track_visible: np.ndarray


class ClipBuilder:
    """Builds the clip of one episode. A refused frame raises :class:`ConditioningError` and changes nothing.

    An episode whose images do not show its meshes is refused from then on (:class:`SourceMismatch`); ``source_check``
    says what was compared.
    """

    def __init__(self, assets: Sequence[MeshAsset], config: ConditioningConfig | None = None) -> None:
        ids = [asset.id for asset in assets]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if not ids or twice:
            raise ConditioningError(f'assets: expected at least 1, each id once, got {len(ids)}, repeated {twice}')
        self._config = config or ConditioningConfig()
        self._table = mesh_table(assets)
        self.source_check = SourceCheck(self._table, self._config.min_agreement)
        self._triangle_role = self._table.roles[self._table.triangle_asset]
        self._drawn: ScenePoints | None = None
        self._frames: list[SceneFrame] = []
        self._rows: list[FrameConditions] = []

    def add(self, frame: SceneFrame) -> FrameConditions:
        """Condition on the next frame, or refuse it."""
        if self.source_check.refused:
            raise SourceMismatch(self.source_check.refused)
        self._check(frame)
        world = self._table.posed(frame.poses, frame.vertices)
        if not np.abs(world).max() <= np.finfo(np.float32).max:
            raise ConditioningError(
                f'frame at {frame.stamp_ns} ns: vertices: expected finite places in world, got some too far to be told'
            )
        drawn = self._drawn or draw_points(self._table, world, frame.camera, self._config)
        row = self._condition(frame, world, drawn)
        self.source_check.add(frame, row.mask, row.depth_m)
        self._drawn = drawn
        self._frames.append(frame)
        self._rows.append(row)
        return row

    def clip(self) -> Clip:
        """The clip of all frames so far, at least one."""
        if not self._rows:
            raise ConditioningError('clip: expected at least 1 frame, got 0')
        rows, frames = self._rows, self._frames
        stacked = {
            name: np.stack([getattr(row, name) for row in rows])
            for name in ('points', 'depth_m', 'mask', 'tracks', 'track_visible')
        }
        return Clip(
            stamps_ns=np.array([frame.stamp_ns for frame in frames], np.int64),
            cameras=tuple(frame.camera for frame in frames),
            rgb=np.stack([frame.rgb for frame in frames]),
            point_role=rows[0].role,
            point_visible=np.stack([row.visible for row in rows]),
            point_rgb=rows[0].rgb,
            point_rgb_known=rows[0].known,
            point_contact=np.stack([row.contact for row in rows]),
            labels=tuple(frame.labels for frame in frames),
            **stacked,
        )

    def _check(self, frame: SceneFrame) -> None:
        """Refuse a frame that does not belong to these assets or does not follow the one before."""
        known, sent = set(self._table.ids), frame.poses.keys() | frame.vertices.keys()
        faults = []
        if sent - known:
            faults.append(f'unknown assets {sorted(sent - known)}, expected only {sorted(known)}')
        if known - sent:
            faults.append(f'no pose and no vertices for assets {sorted(known - sent)}')
        sizes = dict(zip(self._table.ids, np.diff(self._table.starts), strict=True))
        faults += [
            f'vertices of {name!r}: expected {sizes[name]}, got {len(vertices)}'
            for name, vertices in frame.vertices.items()
            if name in sizes and len(vertices) != sizes[name]
        ]
        if self._frames:
            last = self._frames[-1]
            if frame.stamp_ns <= last.stamp_ns:
                faults.append(f'stamp_ns: expected > {last.stamp_ns}, got {frame.stamp_ns}')
            size, was = ((f.camera.width, f.camera.height) for f in (frame, last))
            if size != was:
                faults.append(f'camera: expected size {was[0]}x{was[1]}, got {size[0]}x{size[1]}')
        if faults:
            raise ConditioningError(f'frame at {frame.stamp_ns} ns: ' + '; '.join(faults))

    def _condition(self, frame: SceneFrame, world: np.ndarray, drawn: ScenePoints) -> FrameConditions:
        table, config = self._table, self._config
        picture = rasterise(frame.camera, world, table.triangles)
        mask = np.append(self._triangle_role, np.uint8(0))[picture.triangle]  # no mesh: scene
        corners = world[table.triangles[drawn.samples.triangle]]
        points = np.einsum('nk,nkx->nx', drawn.samples.weights, corners)
        role = table.roles[drawn.asset]
        visible = point_visibility(
            frame.camera, picture, table.triangle_asset, points, corners, drawn.asset, config.visibility_tolerance_m
        )
        if self._rows:
            rgb, known = self._rows[0].rgb, self._rows[0].known
        else:
            first = picture_of(frame.rgb, mask, picture.depth_m, frame.camera)
            rgb, known = point_colours(first, apply(invert(frame.camera.T_world_cam), points), role, visible)
        placed = points.astype(np.float32)
        return FrameConditions(
            frame.stamp_ns,
            placed,
            role,
            visible,
            rgb,
            known,
            point_contact(points, corners, role, drawn.spacing_m, config.contact_distance_m),
            mask,
            np.where(picture.triangle < 0, np.float32(np.inf), picture.depth_m),
            placed[drawn.tracks],
            visible[drawn.tracks],
        )


def build_clip(
    assets: Sequence[MeshAsset], frames: Iterable[SceneFrame], config: ConditioningConfig | None = None
) -> Clip:
    """The clip of an episode's assets and frames: :class:`ClipBuilder` over all of them."""
    builder = ClipBuilder(assets, config)
    for frame in frames:
        builder.add(frame)
    return builder.clip()


def row_of(clip: Clip, row: int) -> FrameConditions:
    """The conditions of one instant of a clip."""
    return FrameConditions(
        int(clip.stamps_ns[row]),
        clip.points[row],
        clip.point_role,
        clip.point_visible[row],
        clip.point_rgb,
        clip.point_rgb_known,
        clip.point_contact[row],
        clip.mask[row],
        clip.depth_m[row],
        clip.tracks[row],
        clip.track_visible[row],
    )
