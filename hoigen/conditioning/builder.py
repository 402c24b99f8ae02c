"""Scene frames -> clip, one frame at a time: samples are drawn once and carried by the meshes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
from hoigen.records import Clip, ClipFrame, Episode, Labels, MeshAsset, MeshFrame, SceneFrame

__all__ = ['ClipBuilder', 'build_clip', 'build_episode']


class ClipBuilder:
    """Makes the frames of one episode's clip, one at a time, and keeps none of them: its memory is that of one frame.

    A refused frame raises :class:`ConditioningError` and changes nothing.

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
        self._last: tuple[int, tuple[int, int], Labels] | None = None
        self._colours: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, frame: SceneFrame) -> ClipFrame:
        """The next frame with its conditions, or refuse it."""
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
        self._drawn, self._colours = drawn, (row.point_rgb, row.point_rgb_known)
        self._last = frame.stamp_ns, _size(frame), frame.labels
        return row

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
        if self._last is not None:
            (stamp_ns, was, labels), size = self._last, _size(frame)
            if frame.stamp_ns <= stamp_ns:
                faults.append(f'stamp_ns: expected > {stamp_ns}, got {frame.stamp_ns}')
            if size != was:
                faults.append(f'camera: expected size {was[0]}x{was[1]}, got {size[0]}x{size[1]}')
            faults += frame.labels.other_rows(labels)
        if faults:
            raise ConditioningError(f'frame at {frame.stamp_ns} ns: ' + '; '.join(faults))

    def _condition(self, frame: SceneFrame, world: np.ndarray, drawn: ScenePoints) -> ClipFrame:
        table, config = self._table, self._config
        picture = rasterise(frame.camera, world, table.triangles)
        mask = np.append(self._triangle_role, np.uint8(0))[picture.triangle]  # no mesh: scene
        corners = world[table.triangles[drawn.samples.triangle]]
        points = np.einsum('nk,nkx->nx', drawn.samples.weights, corners)
        role = table.roles[drawn.asset]
        visible = point_visibility(
            frame.camera, picture, table.triangle_asset, points, corners, drawn.asset, config.visibility_tolerance_m
        )
        if self._colours is None:
            first = picture_of(frame.rgb, mask, picture.depth_m, frame.camera)
            colours = point_colours(first, apply(invert(frame.camera.T_world_cam), points), role, visible)
        else:
            colours = self._colours
        placed = points.astype(np.float32)
        return ClipFrame(
            stamp_ns=frame.stamp_ns,
            camera=frame.camera,
            rgb=frame.rgb,
            depth_m=np.where(picture.triangle < 0, np.float32(np.inf), picture.depth_m),
            mask=mask,
            points=placed,
            point_role=role,
            point_visible=visible,
            point_rgb=colours[0],
            point_rgb_known=colours[1],
            point_contact=point_contact(points, corners, role, drawn.spacing_m, config.contact_distance_m),
            tracks=placed[drawn.tracks],
            track_visible=visible[drawn.tracks],
            labels=frame.labels,
        )


def build_clip(
    assets: Sequence[MeshAsset], frames: Iterable[SceneFrame], config: ConditioningConfig | None = None
) -> Clip:
    """The clip of an episode's assets and frames: :class:`ClipBuilder` over all of them."""
    builder = ClipBuilder(assets, config)
    return Clip.of([builder.add(frame) for frame in frames])


def build_episode(
    assets: Sequence[MeshAsset], frames: Iterable[SceneFrame], config: ConditioningConfig | None = None
) -> Episode:
    """The episode of a scene whose meshes are known, of which nothing has been made yet."""
    frames = tuple(frames)
    depths = [frame.depth_m for frame in frames if frame.depth_m is not None]
    return Episode(
        build_clip(assets, frames, config),
        assets=tuple(assets),
        mesh_frames=tuple(MeshFrame(frame.poses, frame.vertices) for frame in frames),
        depth_m=np.stack(depths) if depths else None,
    )


def _size(frame: SceneFrame) -> tuple[int, int]:
    return frame.camera.width, frame.camera.height
