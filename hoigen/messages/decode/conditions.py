"""condition_builder's messages -> arrays, those of an episode -> its clip, those of the synthesizer -> its clip, and
those of pose_editor -> edited frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured

from hoigen.conventions import ROLES
from hoigen.messages.decode.fields import MessageError, columns, pose, stamp_ns
from hoigen.messages.decode.images import depth, mask, picture, rgb
from hoigen.messages.decode.scene import camera, labels
from hoigen.messages.layout import CLOUD_FIELDS, POINT_TYPES
from hoigen.records import Clip, ClipFrame, EditedFrame, EditedObject, Fidelity, GeneratedClip, Provenance


def cloud(message: Any) -> np.ndarray:
    """Rows [N] of condition/points as a structured array of :data:`CLOUD_FIELDS`; ids are 0 to N-1, in order."""
    found = {field.name: field for field in message.fields}
    if missing := sorted(CLOUD_FIELDS.keys() - found.keys()):
        raise MessageError('points.fields', f'{list(CLOUD_FIELDS)}', f'none called {missing}')
    for name, kind in CLOUD_FIELDS.items():
        got = POINT_TYPES.get(found[name].datatype)
        if got != kind and (name, got) != ('rgb', 'f4'):
            raise MessageError(f'points.fields.{name}', kind, got)
    data, count = np.asarray(message.data, np.uint8), message.width * message.height
    if data.size != count * message.point_step:
        raise MessageError('points.data', f'{count} points of {message.point_step} bytes', f'{data.size} bytes')
    order = '>' if message.is_bigendian else '<'
    layout = np.dtype(
        {
            'names': list(CLOUD_FIELDS),
            'formats': [order + kind for kind in CLOUD_FIELDS.values()],
            'offsets': [found[name].offset for name in CLOUD_FIELDS],
            'itemsize': message.point_step,
        }
    )
    rows = data.view(layout)
    _in_order('points.id', rows['id'])
    if count and rows['role'].max() >= len(ROLES):
        raise MessageError('points.role', f'role codes 0 to {len(ROLES) - 1}', int(rows['role'].max()))
    return rows


def tracks(message: Any) -> tuple[np.ndarray, np.ndarray]:
    """World points [M,3] float32 and visible [M] bool of a hoigen/PointTracks; ids are 0 to M-1, in order."""
    _in_order('tracks.ids', np.asarray(message.ids))
    points, visible = columns(message.points, 3, np.float32, 'tracks.points'), np.asarray(message.visible, bool)
    if not len(message.ids) == len(points) == len(visible):
        raise MessageError(
            'tracks',
            'one point and one visible for each id',
            f'{len(message.ids)} ids, {len(points)} points, {len(visible)} visible',
        )
    return points, visible


def _in_order(field: str, ids: np.ndarray) -> None:
    """Ids name rows: a row is the same surface point in every frame only if they are the same in every frame."""
    if not np.array_equal(ids, np.arange(len(ids))):
        raise MessageError(field, f'0 to {len(ids) - 1} in order', f'others, first {ids[:3].tolist()}')


def clip(messages: Mapping[str, Sequence[Any]]) -> Clip:
    """The clip of T frames: by topic (``camera/image``, ``condition/points`` ...) the T messages in order."""
    frames = range(len(_stamps(messages, 'labels')))
    return Clip.of([clip_frame({topic: column[t] for topic, column in messages.items()}) for t in frames])


def clip_frame(messages: Mapping[str, Any]) -> ClipFrame:
    """One frame of a clip, of its messages by topic."""
    rows = cloud(messages['condition/points'])
    followed, track_visible = tracks(messages['condition/tracks'])
    return ClipFrame(
        stamp_ns=stamp_ns(messages['labels'].header),
        camera=camera(messages['camera/camera_info'], messages['camera/pose']),
        rgb=rgb(messages['camera/image']),
        depth_m=depth(messages['condition/depth'], far=True),
        mask=mask(messages['condition/mask']),
        points=structured_to_unstructured(rows[['x', 'y', 'z']]),
        point_role=rows['role'].copy(),
        point_visible=rows['visible'] > 0,
        point_rgb=np.stack([rows['rgb'] >> shift & 255 for shift in (16, 8, 0)], -1).astype(np.uint8),
        point_rgb_known=rows['known'] > 0,
        point_contact=rows['contact'] > 0,
        tracks=followed,
        track_visible=track_visible,
        labels=labels(messages['labels']),
    )


def generated(messages: Mapping[str, Sequence[Any]], provenance: Provenance) -> GeneratedClip:
    """The generated frames of T instants, from the messages of ``synth/*`` and ``camera/pose`` by topic."""
    stamps = _stamps(messages, 'synth/labels')
    scores = [
        [getattr(message, part) for message in messages['synth/fidelity']] for part in ('value', 'outline', 'motion')
    ]
    return GeneratedClip(
        stamps_ns=stamps,
        cameras=tuple(map(camera, messages['synth/camera_info'], messages['camera/pose'])),
        frames=_stack('synth/image', list(map(rgb, messages['synth/image']))),
        fidelity=Fidelity(*(np.array(part, np.float32) for part in scores)),
        labels=tuple(map(labels, messages['synth/labels'])),
        provenance=provenance,
    )


def edited(messages: Mapping[str, Any]) -> EditedFrame:
    """One edited frame, from the messages of ``edit/*`` by topic; edit/object and edit/labels where there are such."""
    inserted, told = messages.get('edit/object'), messages.get('edit/labels')
    return EditedFrame(
        stamp_ns=stamp_ns(messages['edit/image'].header),
        rgb=rgb(messages['edit/image'], 'edit/image'),
        depth_m=depth(messages['edit/depth'], 'edit/depth', far=True),
        mask=picture(messages['edit/mask'], ('mono8',), 'edit/mask') > 0,
        labels=None if told is None else labels(told),
        inserted=None
        if inserted is None
        else EditedObject(inserted.caption, pose(inserted.pose), inserted.visibility, inserted.agreement),
    )


def _stamps(messages: Mapping[str, Sequence[Any]], reference: str) -> np.ndarray:
    """The stamps [T] int64 of the topic ``reference``, which all others must have."""
    stamps = [stamp_ns(message.header) for message in messages[reference]]
    for topic, column in messages.items():
        if [stamp_ns(message.header) for message in column] != stamps:
            raise MessageError(topic, f'the {len(stamps)} stamps of {reference}', f'{len(column)} messages of others')
    return np.array(stamps, np.int64)


def _stack(topic: str, rows: Sequence[np.ndarray]) -> np.ndarray:
    shapes = {row.shape for row in rows}
    if len(shapes) != 1:
        raise MessageError(topic, 'at least one message, all of one size', sorted(shapes) or 'none')
    return np.stack(rows)
