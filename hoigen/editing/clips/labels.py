"""The clip of an edit: every mask, depth, point, contact and pose as it is after it, never as it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.conditioning.lookup import picture_of, point_colours
from hoigen.conventions import OBJECT, ROLE_CODE, SCENE
from hoigen.editing.clips.edited import ClipEdit, PaintedFrame
from hoigen.editing.clips.plate import hidden_by_object
from hoigen.editing.clips.recorded import Recorded, is_metric, pixels_of
from hoigen.editing.records import inserted_id
from hoigen.geometry.meshes import MeshTable, mesh_table
from hoigen.geometry.raster import rasterise, visible_fractions
from hoigen.geometry.surface import sample_surface, seed_of
from hoigen.geometry.transforms import apply, invert
from hoigen.perception.clip import touching
from hoigen.records import Camera, Clip, Contacts, Labels, MeshAsset, MeshFrame, Objects, SceneFrame

__all__ = ['has_object', 'relabelled']

SAME_POSE = 1e-9
"""An object that is moved by less than this was not moved: what touched it touches it still."""
SHARE = 0.3
"""Points on an object put into a clip that had none, as a part of the clip's points."""
SLACK = 0.02
"""A point is seen if the picture's depth at its pixel is less by no larger part."""


def relabelled(recorded: Recorded, edit: ClipEdit, frames: Sequence[PaintedFrame]) -> tuple[Clip, np.ndarray | None]:
    """The edited clip, and the masks [T,H,W] bool of what was put in as its meshes show them, rendered once more.

    With meshes, the clip is built anew from the meshes where they are now, contact of surfaces with it. Without, masks
    and depth are the edit's, points of the object go with it, and others are seen or hidden as depth tells; contact is
    told from points that are seen. Contacts with forces cannot be told without physics: they stay only in frames whose
    object was not moved, elsewhere there are none. In a clip with an object of its own, one put in is scene: its labels
    come after those of the object that is handled. How much is seen of each object is known with meshes; without, only
    of the one that was put there.
    """
    labels = tuple(_labels(recorded, edit, t, frame) for t, frame in enumerate(frames))
    exact = all(subject.exact for subject in edit.subjects)
    if recorded.assets and exact:
        return _rebuilt(recorded, edit, frames, labels)
    return _patched(recorded, edit, frames, labels), None


def has_object(recorded: Recorded) -> bool:
    """Whether there is an object in the clip already."""
    clip, code = recorded.clip, ROLE_CODE[OBJECT]
    return bool((clip.point_role == code).any() or (clip.mask == code).any() or len(clip.labels[0].objects))


def _labels(recorded: Recorded, edit: ClipEdit, t: int, frame: PaintedFrame) -> Labels:
    """What is true of frame t now."""
    before = recorded.clip.labels[t]
    objects, contacts = before.objects, before.contacts
    seen = frame.visibility if all(subject.exact for subject in edit.subjects) else np.nan
    if edit.kind == 'remove':
        objects, contacts = Objects(), Contacts()  # of those that are left none is handled
    elif edit.kind == 'move':
        assert edit.poses is not None
        delta, poses = _movement(recorded, edit, t), objects.T_world_object
        if not np.allclose(edit.poses[t], poses[0], rtol=0, atol=SAME_POSE):
            contacts = Contacts()
        parts = np.isin(objects.ids, [objects.ids[0], *(asset.id for asset in recorded.of_object)])
        poses = np.where(parts[:, None, None], delta @ poses, poses)
        poses[0] = edit.poses[t]
        objects = Objects(objects.ids, poses, np.where(np.arange(len(parts)), np.nan, seen).astype(np.float32))
    elif objects or not has_object(recorded):  # else it would be taken for the handled one
        assert edit.poses is not None
        objects = objects.with_more(_inserted_id(recorded), edit.poses[t], seen)
    return replace(before, objects=objects, contacts=contacts, task=before.task if edit.task is None else edit.task)


def _rebuilt(
    recorded: Recorded, edit: ClipEdit, frames: Sequence[PaintedFrame], labels: Sequence[Labels]
) -> tuple[Clip, np.ndarray | None]:
    """Built anew from the meshes where they are now."""
    clip = recorded.clip
    placed = [_placed(recorded, edit, t) for t in range(len(frames))]
    assets = tuple(asset for asset in recorded.assets if edit.kind != 'remove' or asset.role != OBJECT)
    if edit.kind == 'insert':
        assets = (*assets, _inserted(recorded, edit))
    table = mesh_table(assets)
    scene = [
        SceneFrame(
            int(clip.stamps_ns[t]),
            clip.cameras[t],
            frame.rgb,
            None,
            dict(placed[t].poses),
            dict(placed[t].vertices),
            _with_visibility(labels[t], clip.cameras[t], table, placed[t]),
        )
        for t, frame in enumerate(frames)
    ]
    built = build_clip(assets, scene, ConditioningConfig(points=clip.points.shape[1], tracks=clip.tracks.shape[1]))
    if edit.kind == 'remove':
        return built, None
    names = {assets[-1].id} if edit.kind == 'insert' else {asset.id for asset in recorded.of_object}
    code = ROLE_CODE[assets[-1].role if edit.kind == 'insert' else OBJECT]
    painted = np.stack([frame.mask for frame in frames])  # also where it is as deep as what it touches
    return (
        replace(built, mask=np.where(painted, code, built.mask).astype(np.uint8)),
        _rendered(assets, placed, clip, names),
    )


def _with_visibility(labels: Labels, camera: Camera, table: MeshTable, places: MeshFrame) -> Labels:
    """With how much is seen of the objects of which the edit does not say it."""
    told, known = labels.objects.visibility, ~np.isnan(labels.objects.visibility)
    seen = visible_fractions(camera, table, table.posed(places.poses, places.vertices), labels.objects.ids)
    return replace(labels, objects=replace(labels.objects, visibility=np.where(known, told, seen)))


def _placed(recorded: Recorded, edit: ClipEdit, t: int) -> MeshFrame:
    """Where everything is in frame t after the edit."""
    poses, vertices = dict(recorded.mesh_frames[t].poses), dict(recorded.mesh_frames[t].vertices)
    if edit.kind == 'insert':
        assert edit.poses is not None
        return MeshFrame(poses | {_inserted_id(recorded): edit.poses[t]}, vertices)
    for asset in recorded.of_object:
        if edit.kind == 'remove':
            poses.pop(asset.id, None)
            vertices.pop(asset.id, None)
        elif asset.id in poses:
            poses[asset.id] = _movement(recorded, edit, t) @ poses[asset.id]
        else:
            vertices[asset.id] = apply(_movement(recorded, edit, t), vertices[asset.id]).astype(np.float32)
    return MeshFrame(poses, vertices)


def _movement(recorded: Recorded, edit: ClipEdit, t: int) -> np.ndarray:
    """[4,4]: what carries the object's world points of frame t to where they are now."""
    before = recorded.clip.labels[t].T_world_object
    assert edit.poses is not None
    assert before is not None
    return edit.poses[t] @ invert(before)


def _inserted(recorded: Recorded, edit: ClipEdit) -> MeshAsset:
    """What was put in, as an asset of the clip."""
    role = SCENE if has_object(recorded) else OBJECT
    return replace(edit.subjects[0].mesh, id=_inserted_id(recorded), role=role)


def _inserted_id(recorded: Recorded) -> str:
    return inserted_id({asset.id for asset in recorded.assets}.union(recorded.clip.labels[0].objects.ids))


def _rendered(assets: Sequence[MeshAsset], placed: Sequence[MeshFrame], clip: Clip, names: set[str]) -> np.ndarray:
    """[T,H,W] bool: where some of the assets are seen."""
    table = mesh_table(assets)
    wanted = np.append(np.isin(np.array(table.ids), sorted(names))[table.triangle_asset], False)
    return np.stack(
        [
            wanted[rasterise(camera, table.posed(places.poses, places.vertices), table.triangles).triangle]
            for camera, places in zip(clip.cameras, placed, strict=True)
        ]
    )


def _patched(recorded: Recorded, edit: ClipEdit, frames: Sequence[PaintedFrame], labels: tuple[Labels, ...]) -> Clip:
    """The recorded clip with what is known of the edit put in."""
    clip, code = recorded.clip, ROLE_CODE[SCENE if edit.kind == 'insert' and has_object(recorded) else OBJECT]
    seen = np.stack([frame.mask for frame in frames])
    hidden = np.stack([hidden_by_object(mask) & edit.removes for mask in clip.mask])
    mask = np.where(hidden & (clip.mask == ROLE_CODE[OBJECT]), ROLE_CODE[SCENE], clip.mask)
    mask = np.where(seen, code, mask).astype(np.uint8)
    clip = replace(
        clip,
        rgb=np.stack([frame.rgb for frame in frames]),
        mask=mask,
        labels=labels,
        depth_m=np.stack([frame.depth_m for frame in frames]),
    )
    clip, fresh = _with_points(recorded, edit, clip)
    visible = np.stack([_visible(clip, t, clip.points[t]) for t in range(len(frames))])
    changed = np.stack([_at(clip, t, clip.points[t], seen[t] | hidden[t]) for t in range(len(frames))]) | fresh
    visible = np.where(changed, visible, clip.point_visible)
    contact = np.zeros_like(visible)
    if is_metric(recorded):
        contact = np.stack([touching(*row, clip.point_role) for row in zip(clip.points, visible, strict=True)])
    camera = clip.cameras[0]
    rgb, known = point_colours(
        picture_of(clip.rgb[0], mask[0], clip.depth_m[0], camera),
        apply(invert(camera.T_world_cam), clip.points[0]),
        clip.point_role,
        visible[0],
    )
    kept = ~fresh & ~changed[0] & clip.point_rgb_known
    rows = _rows(clip)
    return replace(
        clip,
        point_visible=visible,
        point_contact=contact,
        track_visible=visible[:, rows],
        point_rgb=np.where(kept[:, None], clip.point_rgb, rgb),
        point_rgb_known=known | kept,
    )


def _with_points(recorded: Recorded, edit: ClipEdit, clip: Clip) -> tuple[Clip, np.ndarray]:
    """The clip with the object's points moved, taken away or added, and which of its points [N] bool these are."""
    own = clip.point_role == ROLE_CODE[OBJECT]
    if edit.kind == 'remove':
        return clip.subset(~own, ~own[_rows(clip)]), np.zeros(int((~own).sum()), bool)
    if edit.kind == 'move':
        points, tracks, rows = clip.points.copy(), clip.tracks.copy(), own[_rows(clip)]
        for t in range(len(points)):
            delta = _movement(recorded, edit, t)
            points[t, own], tracks[t, rows] = apply(delta, points[t, own]), apply(delta, tracks[t, rows])
        return replace(clip, points=points, tracks=tracks), own
    if has_object(recorded) or not edit.subjects[0].exact:
        return clip, np.zeros(len(own), bool)
    return _with_new(edit, clip)


def _with_new(edit: ClipEdit, clip: Clip) -> tuple[Clip, np.ndarray]:
    """The clip with points on the surface of what was put in."""
    mesh, count = edit.subjects[0].mesh, max(1, round(SHARE * clip.points.shape[1]))
    samples = sample_surface(mesh.vertices, mesh.triangles, count, seed_of(0, 'inserted'))
    places = samples.at(mesh.vertices, mesh.triangles)
    assert edit.poses is not None
    placed = np.stack([apply(pose, places) for pose in edit.poses]).astype(np.float32)
    fresh = np.arange(clip.points.shape[1] + count) >= clip.points.shape[1]
    return clip.with_points(placed, np.full(count, ROLE_CODE[OBJECT], np.uint8)), fresh


def _rows(clip: Clip) -> np.ndarray:
    """[M] int64: which of the points each track is."""
    return cKDTree(clip.points[0]).query(clip.tracks[0])[1]


def _visible(clip: Clip, t: int, places: np.ndarray) -> np.ndarray:
    """[N] bool: is a place [N,3] in view and not behind what the picture's depth shows there?"""
    row, column, depth, inside = pixels_of(clip.cameras[t], places)
    with np.errstate(invalid='ignore'):
        return inside & ~(clip.depth_m[t][row, column] < depth * (1 - SLACK))


def _at(clip: Clip, t: int, places: np.ndarray, where: np.ndarray) -> np.ndarray:
    """[N] bool: is a place [N,3] seen at one of the pixels ``where`` [H,W] bool?"""
    row, column, _, inside = pixels_of(clip.cameras[t], places)
    return inside & where[row, column]
