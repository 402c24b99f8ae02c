"""What the stages of perception hand on: frozen, checked at construction. T frames of [H,W] pixels throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoigen.conventions import ROLE_CODE, ROLES, SCENE
from hoigen.records import Camera, Check
from hoigen.records.labels import KEYPOINTS, SIDES


class PerceptionError(ValueError):
    """A recording does not show what a stage needs; says which, what was expected and what came."""


@dataclass(frozen=True, eq=False)
class Flow:
    """Dense optical flow between neighbouring frames, in pixels.

    forward: [T-1,H,W,2] float32 (du, dv) from frame t to t + 1; backward: from t + 1 to t. forward_ok, backward_ok:
    [T-1,H,W] bool, where going there and back ends where it began.
    """

    forward: np.ndarray
    backward: np.ndarray
    forward_ok: np.ndarray
    backward_ok: np.ndarray

    def __post_init__(self) -> None:
        check, sizes = Check('Flow'), dict[str, int]()
        for name in ('forward', 'backward'):
            check.array(name, getattr(self, name), 'float32', ('T-1', 'H', 'W', 2), sizes=sizes)
            check.array(f'{name}_ok', getattr(self, f'{name}_ok'), 'bool', ('T-1', 'H', 'W'), sizes=sizes)
        check.done()


@dataclass(frozen=True, eq=False)
class Boxes:
    """Where I instances of hand and object were detected.

    role: [I] uint8 role codes. boxes: [T,I,4] float32 left, top, right, bottom in pixels, pixel borders included
    (a single pixel at the origin is -0.5, -0.5, 0.5, 0.5); NaN where not detected. score: [T,I] float32 in [0, 1].
    """

    role: np.ndarray
    boxes: np.ndarray
    score: np.ndarray

    def __post_init__(self) -> None:
        check, sizes = Check('Boxes'), dict[str, int]()
        check.array('role', self.role, 'uint8', ('I',), sizes=sizes)
        check.array('boxes', self.boxes, 'float32', ('T', 'I', 4), sizes=sizes, finite=False)
        check.array('score', self.score, 'float32', ('T', 'I'), sizes=sizes)
        check.done()


@dataclass(frozen=True, eq=False)
class Hands:
    """I hands seen in T frames, each with a number that it keeps; a side may come twice, of two persons.

    side: [I] of :data:`hoigen.records.labels.SIDES`. keypoints_px: [T,I,21,2] float32 (u, v) in the order of
    :data:`hoigen.records.labels.KEYPOINTS`, NaN where the hand is not seen. shape_m: [T,I,21,3] float32, metres about
    the hand's centre in the camera's axes, as a network guesses it from the image alone; NaN likewise. score: [T,I]
    float32 in [0, 1], 0 where not seen.
    """

    side: tuple[str, ...]
    keypoints_px: np.ndarray
    shape_m: np.ndarray
    score: np.ndarray

    def __post_init__(self) -> None:
        check, sizes = Check('Hands'), {'I': len(self.side)}
        check.that(set(self.side) <= set(SIDES), 'side', f'of {list(SIDES)}', list(self.side))
        check.array('keypoints_px', self.keypoints_px, 'float32', ('T', 'I', KEYPOINTS, 2), sizes=sizes, finite=False)
        check.array('shape_m', self.shape_m, 'float32', ('T', 'I', KEYPOINTS, 3), sizes=sizes, finite=False)
        check.array('score', self.score, 'float32', ('T', 'I'), sizes=sizes)
        if not check.faults:
            seen = np.isfinite(self.keypoints_px).all((2, 3))
            check.that(
                bool((seen == (self.score > 0)).all()), 'score', '> 0 where all keypoints are seen alone', self.score
            )
        check.done()

    @property
    def seen(self) -> np.ndarray:
        """[T,I] bool."""
        return self.score > 0


@dataclass(frozen=True)
class Detector:
    """What looks at single frames: one of :mod:`hoigen.perception.learned.detector`, or a plug-in.

    find: a frame [H,W,3] uint8 -> boxes [N,4] left, top, right, bottom in pixels, borders included as in
    :class:`Boxes`, scores [N] in [0, 1], N labels. roles: label -> role; what has another label is left out.
    """

    find: Callable[[np.ndarray], Any]
    roles: Mapping[str, str]


@dataclass(frozen=True)
class Doubt:
    """What was found and is not believed, or was looked for and not found, and why, in words.

    number: of the instance, from 1, whose mask is empty for that in ``frames``; 0 where it is none.
    """

    why: str
    number: int = 0
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Which pixels belong to which of I instances of hand and object; an instance keeps its number for the whole clip.

    role: [I] uint8 role codes. instance: [T,H,W] uint8, 0 scene, i + 1 instance i. doubts: what is not believed.
    by_keypoints: the first instances are the :class:`Hands` of the same frames, found by their keypoints.
    """

    role: np.ndarray
    instance: np.ndarray
    doubts: tuple[Doubt, ...] = ()
    by_keypoints: bool = False

    def __post_init__(self) -> None:
        check = Check('Segmentation')
        check.array('role', self.role, 'uint8', ('I',))
        check.array('instance', self.instance, 'uint8', ('T', 'H', 'W'))
        if not check.faults:
            check.that(bool((self.role != ROLE_CODE[SCENE]).all()), 'role', 'hand or object', self.role)
            check.that(
                self.instance.max(initial=0) <= len(self.role),
                'instance',
                f'0 to {len(self.role)}',
                self.instance.max(initial=0),
            )
        check.done()

    def in_words(self, doubt: Doubt) -> str:
        """Of what is not believed, and why, without the frames."""
        name = f'{ROLES[self.role[doubt.number - 1]]} {doubt.number} is not believed: ' if doubt.number else ''
        return name + doubt.why

    @property
    def mask(self) -> np.ndarray:
        """[T,H,W] uint8 role codes."""
        return np.append(np.uint8(ROLE_CODE[SCENE]), self.role)[self.instance]


@dataclass(frozen=True, eq=False)
class Geometry:
    """Cameras and point maps: pixel (u, v) of frame t shows the world place at depth_m[t, v, u] of cameras[t].

    World is the first camera's frame. depth_m: [T,H,W] float32, NaN unknown. confidence: [T,H,W] float32 in [0, 1].
    method: what made it ('measured depth', 'vggt-1b'). metric: lengths are metres; without it their unit is unknown.
    """

    cameras: tuple[Camera, ...]
    depth_m: np.ndarray
    confidence: np.ndarray
    method: str
    metric: bool

    def __post_init__(self) -> None:
        check, sizes = Check('Geometry'), {'T': len(self.cameras)}
        check.array('depth_m', self.depth_m, 'float32', ('T', 'H', 'W'), sizes=sizes, finite=False)
        check.array('confidence', self.confidence, 'float32', ('T', 'H', 'W'), sizes=sizes)
        check.done()

    @property
    def unit(self) -> str:
        """Of lengths, in words."""
        return 'm' if self.metric else 'units'


@dataclass(frozen=True, eq=False)
class Tracks:
    """M surface points followed through the frames.

    pixels: [T,M,2] float32 (u, v), NaN where not followed. visible: [T,M] bool, seen there by the camera. instance: [M]
    uint8 as in :class:`Segmentation`. query: [M] int32, the frame in which the point was chosen. places: [T,M,3]
    float32 world, measured where visible and predicted elsewhere; None without geometry.
    """

    pixels: np.ndarray
    visible: np.ndarray
    instance: np.ndarray
    query: np.ndarray
    places: np.ndarray | None

    def __post_init__(self) -> None:
        check, sizes = Check('Tracks'), dict[str, int]()
        check.array('pixels', self.pixels, 'float32', ('T', 'M', 2), sizes=sizes, finite=False)
        check.array('visible', self.visible, 'bool', ('T', 'M'), sizes=sizes)
        check.array('instance', self.instance, 'uint8', ('M',), sizes=sizes)
        check.array('query', self.query, 'int32', ('M',), sizes=sizes)
        if self.places is not None:
            check.array('places', self.places, 'float32', ('T', 'M', 3), sizes=sizes)
        check.done()


def boxes_of(segmentation: Segmentation) -> np.ndarray:
    """[T,I,4] float32: the box around each instance, as in :class:`Boxes`; NaN where it is not in view."""
    frames, count = len(segmentation.instance), len(segmentation.role)
    boxes = np.full((frames, count, 4), np.nan, np.float32)
    for t in range(frames):
        for i in range(count):
            here = segmentation.instance[t] == i + 1
            columns, rows = np.flatnonzero(here.any(0)), np.flatnonzero(here.any(1))
            if len(rows):
                boxes[t, i] = columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5
    return boxes
