"""Transforms for viewers, derived from the recorded geometry."""

from __future__ import annotations

from typing import Any

from rosbags.typesys.store import Typestore

from hoigen.episodes.topics import CONDITION_PROVENANCE, MESH_ASSETS
from hoigen.messages.header import header_of

_INFO, _POSE, _MESH = '/camera/camera_info', '/camera/pose', '/mesh_frame'
SOURCES = (_INFO, _POSE, _MESH)
_TYPES = {_POSE: 'geometry_msgs/msg/PoseStamped', _MESH: 'hoigen/msg/MeshFrame'}


class TransformsOf:
    """Collects, per stamp, the camera's pose and the meshes' poses into one tf2_msgs/msg/TFMessage.

    Parents are the messages' own frame_ids (the world), children the camera's optical frame, as its camera_info names
    it, and the ids of the rigid meshes. A camera that is the world, or of which no camera_info tells the name, moves
    in none. A clip of footage, whose first message is the provenance of its conditions, has no meshes.
    """

    def __init__(self, types: Typestore) -> None:
        self._types = types
        self._pending: dict[int, dict[str, Any]] = {}
        self._awaited, self._footage = len(SOURCES), True

    def add(self, topic: str, cdr: bytes | memoryview) -> list[tuple[int, Any]]:
        """Take one serialized message; returns [(stamp_ns, TFMessage)] when that completes its stamp, else []."""
        self._footage = self._footage and topic != MESH_ASSETS
        if topic == CONDITION_PROVENANCE and self._footage:
            self._awaited = len(SOURCES) - 1
        if topic not in SOURCES:
            return []
        stamp, frame_id = header_of(cdr)
        part: Any = frame_id if topic == _INFO else self._types.deserialize_cdr(cdr, _TYPES[topic])
        if topic == _MESH and len(part.ids) != len(part.poses):
            raise ValueError(f'{len(part.ids)} ids for {len(part.poses)} poses')
        parts = self._pending.setdefault(stamp, {})
        parts[topic] = part
        return self._take(stamp) if len(parts) == self._awaited else []

    def rest(self) -> list[tuple[int, Any]]:
        """What is there for stamps that were never completed, in order."""
        return [ready for stamp in sorted(self._pending) for ready in self._take(stamp)]

    def _take(self, stamp: int) -> list[tuple[int, Any]]:
        message = self._message(self._pending.pop(stamp))
        return [(stamp, message)] if message else []

    def _message(self, parts: dict[str, Any]) -> Any:
        found = []
        if (pose := parts.get(_POSE)) and parts.get(_INFO, '') not in ('', pose.header.frame_id):
            found.append(self._transform(pose.header, parts[_INFO], pose.pose))
        if mesh := parts.get(_MESH):
            found += [self._transform(mesh.header, id, pose) for id, pose in zip(mesh.ids, mesh.poses, strict=True)]
        return self._make('tf2_msgs/msg/TFMessage', transforms=found) if found else None

    def _transform(self, header: Any, child: str, pose: Any) -> Any:
        shift = self._make('geometry_msgs/msg/Vector3', x=pose.position.x, y=pose.position.y, z=pose.position.z)
        move = self._make('geometry_msgs/msg/Transform', translation=shift, rotation=pose.orientation)
        return self._make('geometry_msgs/msg/TransformStamped', header=header, child_frame_id=child, transform=move)

    def _make(self, msgtype: str, **fields: Any) -> Any:
        return self._types.types[msgtype](**fields)
