"""What the pose editor makes of messages: an instant to edit, the pose that holds for it, the results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hoigen.editing.records import Edited, inserted_id
from hoigen.geometry.trajectory import PoseOptions, Trajectory, poses_of
from hoigen.messages import decode
from hoigen.messages.encode import FrameNames
from hoigen.records import Camera, EditedFrame, EditedObject, Labels, Provenance
from hoigen.ros import topics
from hoigen.ros.options.pose_editor import DEPTHS, INPUTS
from hoigen.sources.streams.order import Refused, Tables
from hoigen.sources.streams.stretches import Instant, fit_together, stamp_of

__all__ = ['PARTS', 'Instant', 'Poses', 'Seen', 'edited_frame', 'seen_of', 'to_world', 'untouched']

PARTS = tuple({topic.name: topic for topic in topics.TOPICS}[name] for name in INPUTS)
"""What a frame may consist of."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One instant that can be edited.

    depth_m: [H,W] float32, infinite where nothing is, NaN unknown. labels: None if unknown. names: of the frames;
    without camera/pose the world is the camera's own.
    """

    stamp_ns: int
    camera: Camera
    rgb: np.ndarray
    depth_m: np.ndarray
    labels: Labels | None
    names: FrameNames


def world_of(instant: Instant) -> str:
    """The name of the frame in which an instant's camera is placed."""
    return instant.get(topics.CAMERA_POSE.name, instant[topics.IMAGE.name]).header.frame_id


def seen_of(instant: Instant) -> Seen:
    """Read an instant; raises :class:`Refused` for messages that cannot be read or do not fit together."""
    image = instant[topics.IMAGE.name]
    fit_together({name: message for name, message in instant.items() if hasattr(message, 'width')})
    name = next(depth for depth in DEPTHS if depth in instant)
    labels = instant.get(topics.LABELS.name)
    world = world_of(instant)
    if labels is not None and labels.header.frame_id != world:
        raise Refused('bad frame', f'labels: header.frame_id: expected {world!r}, got {labels.header.frame_id!r}')
    with _reading(instant):
        depth = decode.depth(instant[name], name, far=name == topics.CONDITION_DEPTH.name)
        return Seen(
            stamp_of(instant),
            camera_of(instant),
            decode.rgb(image, 'camera/image'),
            depth,
            None if labels is None else decode.labels(labels),
            FrameNames(world, image.header.frame_id),
        )


@contextmanager
def _reading(instant: Instant) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise Refused('bad frame', f'frame at {stamp_of(instant)} ns: {error}') from error


def camera_of(instant: Instant) -> Camera:
    """The camera; where nobody says where it is, its own optical frame is the world."""
    info, posed = instant[topics.CAMERA_INFO.name], instant.get(topics.CAMERA_POSE.name)
    if posed is not None:
        return decode.camera(info, posed)
    return Camera(decode.intrinsics(info), info.width, info.height, np.eye(4))


def to_world(posed: Any, instant: Instant) -> np.ndarray:
    """``T_world_object`` [4,4] of a PoseStamped in the world or in the instant's camera.

    Raises :class:`Refused` for one in another frame or with numbers that are no pose.
    """
    world, optical = world_of(instant), instant[topics.IMAGE.name].header.frame_id
    if posed.header.frame_id not in (world, optical):
        known = repr(world) if world == optical else f'{world!r} (the world) or {optical!r} (the camera)'
        raise Refused('unknown frame', f'pose: header.frame_id: expected {known}, got {posed.header.frame_id!r}')
    try:
        T = decode.pose(posed.pose)
        if posed.header.frame_id == world:
            return T
        return decode.pose(instant[topics.CAMERA_POSE.name].pose, 'camera/pose') @ T
    except decode.MessageError as error:
        raise Refused('bad pose', error) from error


@dataclass(eq=False)
class _Told:
    message: Any
    T_world_object: np.ndarray | None = None


class Poses:
    """Which pose holds at each instant: one that came on edit/pose, else what the parameters say.

    One that came holds from its stamp on (0: at once) until one that came later does. In the camera's frame it says
    where the object is as the camera stands at the first instant for which it holds; it stays there in the world. The
    parameters' pose is one in the world or in the first camera of an episode, their trajectory begins with the episode.
    All calls come from the executor's thread, with every instant in its order.
    """

    def __init__(self, trajectory: Trajectory | None) -> None:
        self._trajectory = trajectory
        self._told: Tables[_Told] = Tables()
        self._first: tuple[int, Camera] | None = None
        self._before: tuple[int, int | None] = (0, None)

    def tell(self, message: Any) -> None:
        """A pose has come on edit/pose."""
        self._told.add(decode.stamp_ns(message.header), _Told(message))

    def at(self, instant: Instant, options: PoseOptions | None) -> np.ndarray | None:
        """``T_world_object`` [4,4] at an instant, None where nobody says.

        Raises :class:`Refused` for a pose in an unknown frame, ValueError for an instant after the trajectory's end.
        """
        stamp_ns = stamp_of(instant)
        begun_ns, camera = self._beginning(instant, stamp_ns)
        told = self._told.at(stamp_ns)
        if told is not None:
            if told.T_world_object is None:
                told.T_world_object = to_world(told.message, instant)
            return told.T_world_object
        if options is None:
            return None
        if options.frame == 'world' and topics.CAMERA_POSE.name not in instant:
            raise Refused('unknown frame', "pose: expected frame 'camera', nobody publishes camera/pose, got 'world'")
        if self._trajectory is None:
            return poses_of(options, camera, np.array([stamp_ns]))[0]
        pose = self._trajectory.at(np.array([(stamp_ns - begun_ns) / 1e9]))[0]
        return camera.T_world_cam @ pose if options.frame == 'camera' else pose

    def _beginning(self, instant: Instant, stamp_ns: int) -> tuple[int, Camera]:
        """Stamp and camera of the first instant of the episode; without labels, of all that came."""
        labels = instant.get(topics.LABELS.name)
        episode = None if labels is None else labels.episode
        before_ns, before = self._before
        if self._first is None or stamp_ns <= before_ns or episode != before:
            with _reading(instant):
                self._first = stamp_ns, camera_of(instant)
        self._before = stamp_ns, episode
        return self._first


def untouched(seen: Seen, T_world_object: np.ndarray, made: Provenance) -> Edited:
    """The frame as it is, of an object that cannot be seen in it."""
    return Edited(
        seen.camera, seen.rgb, np.zeros(seen.depth_m.shape, bool), seen.depth_m, 0.0, T_world_object, float('nan'), made
    )


def edited_frame(seen: Seen, edited: Edited, caption: str) -> EditedFrame:
    """An edited frame under the scene's stamp, with its labels.

    The labels tell also of the object put in, after the scene's: in a scene without objects it is the handled one now.
    """
    labels = seen.labels
    if labels is not None:
        objects = labels.objects
        objects = objects.with_more(inserted_id(objects.ids), edited.T_world_object, edited.visibility)
        labels = replace(labels, objects=objects)
    inserted = EditedObject(caption, edited.T_world_object, edited.visibility, edited.agreement)
    return EditedFrame(seen.stamp_ns, edited.rgb, edited.depth_m, edited.mask, labels, inserted)
