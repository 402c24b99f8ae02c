"""What is true of the scene at one instant, as tables: objects, hands, joints, action, contacts, and the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from hoigen.records.check import Check, array, layouts_of

__all__ = [
    'KEYPOINTS',
    'SIDES',
    'UNITS',
    'UNKNOWN',
    'Action',
    'Contacts',
    'Hands',
    'Joints',
    'Labels',
    'Objects',
    'check_labels',
]

SIDES = ('left', 'right')
KEYPOINTS = 21
"""Of a hand: the wrist, then thumb, index, middle, ring and little finger, four each from the palm to the tip."""
UNITS = ('m', 'rad', 'm/s', 'rad/s', 'N', 'N m', '1')
"""Of actions: SI, and 1 for a plain number."""
UNKNOWN: Any = None
"""A column that is left out: NaN in every row."""


@dataclass(frozen=True, eq=False)
class _Table:
    """Rows by the name in the first field; every other column has one entry for each."""

    def __post_init__(self) -> None:
        check, rows = Check(type(self).__name__), len(self)
        for name, layout in layouts_of(type(self)).items():
            if getattr(self, name) is UNKNOWN:
                object.__setattr__(self, name, np.full((rows, *layout.shape[1:]), np.nan, layout.dtype))
        check.arrays(self, {'R': rows})
        if not check.faults:
            self._check(check)
        check.done()

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def _check(self, check: Check) -> None:
        """Fault what is not as the table says, beyond its columns' layouts."""


def _names(check: Check, name: str, names: Sequence[str]) -> None:
    check.that(len(set(names)) == len(names) and all(names), name, 'names, each once', list(names))


def _poses(check: Check, name: str, poses: np.ndarray) -> None:
    """Fault a pose [4,4] that is neither rigid nor NaN throughout."""
    for row, pose in enumerate(poses):
        if not np.isnan(pose).all():
            check.rigid(f'{name}[{row}]', pose)


@dataclass(frozen=True, eq=False)
class Objects(_Table):
    """Objects, the handled one first. ids: each once; the id of its mesh, where it has one.

    T_world_object: [R,4,4] float64, NaN where unknown. visibility: [R] float32, the fraction of its silhouette that is
    seen, in [0, 1]: what is nearer and the image's border hide the rest; NaN where unknown.
    """

    ids: tuple[str, ...] = ()
    T_world_object: np.ndarray = field(default=UNKNOWN, metadata=array('float64', 'R', 4, 4, finite=False))
    visibility: np.ndarray = field(default=UNKNOWN, metadata=array('float32', 'R', finite=False))

    @property
    def known(self) -> np.ndarray:
        """[R] bool: whether the pose is known."""
        return ~np.isnan(self.T_world_object[:, 0, 0])

    def with_more(self, name: str, T_world_object: np.ndarray, visibility: float) -> Objects:
        """Also an object that was put in; how much is seen of the others is no longer known."""
        seen = np.append(np.full(len(self), np.nan), visibility).astype(np.float32)
        return Objects((*self.ids, name), np.concatenate([self.T_world_object, T_world_object[None]]), seen)

    def _check(self, check: Check) -> None:
        _names(check, 'ids', self.ids)
        _poses(check, 'T_world_object', self.T_world_object)
        outside = (self.visibility < 0) | (self.visibility > 1)
        check.that(not outside.any(), 'visibility', 'fractions in [0, 1] or NaN', self.visibility[outside].tolist())


@dataclass(frozen=True, eq=False)
class Hands(_Table):
    """Hands. sides: of :data:`SIDES`, each once at most.

    T_world_wrist: [R,4,4] float64. keypoints_m: [R,21,3] float32 world, in the order of :data:`KEYPOINTS`. pixels:
    [R,21,2] float32, where in the image these are, hidden or not. NaN where unknown.
    """

    sides: tuple[str, ...] = ()
    T_world_wrist: np.ndarray = field(default=UNKNOWN, metadata=array('float64', 'R', 4, 4, finite=False))
    keypoints_m: np.ndarray = field(default=UNKNOWN, metadata=array('float32', 'R', KEYPOINTS, 3, finite=False))
    pixels: np.ndarray = field(default=UNKNOWN, metadata=array('float32', 'R', KEYPOINTS, 2, finite=False))

    @property
    def known(self) -> np.ndarray:
        """[R] bool: whether the wrist's pose is known."""
        return ~np.isnan(self.T_world_wrist[:, 0, 0])

    def _check(self, check: Check) -> None:
        check.that(set(self.sides) <= set(SIDES), 'sides', f'of {list(SIDES)}', list(self.sides))
        _names(check, 'sides', self.sides)
        _poses(check, 'T_world_wrist', self.T_world_wrist)


@dataclass(frozen=True, eq=False)
class Joints(_Table):
    """Joints. names: each once. positions: [R] float32, radians, metres of sliding joints."""

    names: tuple[str, ...] = ()
    positions: np.ndarray = field(default=UNKNOWN, metadata=array('float32', 'R'))

    def _check(self, check: Check) -> None:
        _names(check, 'names', self.names)


@dataclass(frozen=True, eq=False)
class Action(_Table):
    """What is commanded. names: each once. units: of :data:`UNITS`, one for each. values: [R] float32."""

    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    values: np.ndarray = field(default=UNKNOWN, metadata=array('float32', 'R'))

    def _check(self, check: Check) -> None:
        _names(check, 'names', self.names)
        check.that(len(self.units) == len(self), 'units', f'{len(self)}, one for each name', len(self.units))
        check.that(set(self.units) <= set(UNITS), 'units', f'of {list(UNITS)}', sorted({*self.units} - {*UNITS}))


@dataclass(frozen=True, eq=False)
class Contacts(_Table):
    """Contacts, in world. bodies: ids of the two that touch, of meshes where they have one.

    positions_m: [R,3] float32. normals: [R,3] float32 unit vectors from the first body to the second. forces_n: [R]
    float32 >= 0, along the normal. penetration_m: [R] float32 >= 0, how deep they are in each other, NaN where unknown.
    A source without contact sensing has no rows.
    """

    bodies: tuple[tuple[str, str], ...] = ()
    positions_m: np.ndarray = field(default=UNKNOWN, metadata=array('float32', 'R', 3))
    normals: np.ndarray = field(default=UNKNOWN, metadata=array('float32', 'R', 3))
    forces_n: np.ndarray = field(default=UNKNOWN, metadata=array('float32', 'R'))
    penetration_m: np.ndarray = field(default=UNKNOWN, metadata=array('float32', 'R', finite=False))

    def _check(self, check: Check) -> None:
        wrong = [pair for pair in self.bodies if len(set(pair)) != 2 or len(pair) != 2 or not all(pair)]
        check.that(not wrong, 'bodies', 'two ids that differ for each contact', wrong)
        check.that(not (self.forces_n < 0).any(), 'forces_n', '>= 0', self.forces_n.min(initial=0))
        bad = (self.penetration_m < 0) | np.isinf(self.penetration_m)
        check.that(not bad.any(), 'penetration_m', 'metres >= 0 or NaN', self.penetration_m[bad].tolist())


@dataclass(frozen=True, eq=False, kw_only=True)
class Labels:
    """What is true of the scene at one instant. episode / frame: counts from 0; last: this frame ends the episode.

    task: a sentence. The frames of an episode have the same rows in every table but contacts.
    """

    episode: int
    frame: int
    last: bool
    task: str = ''
    objects: Objects = field(default_factory=Objects)
    hands: Hands = field(default_factory=Hands)
    joints: Joints = field(default_factory=Joints)
    action: Action = field(default_factory=Action)
    contacts: Contacts = field(default_factory=Contacts)

    def __post_init__(self) -> None:
        check = Check('Labels')
        check.that(self.episode >= 0 and self.frame >= 0, 'episode, frame', 'counts >= 0', (self.episode, self.frame))
        check.done()

    @property
    def T_world_object(self) -> np.ndarray | None:  # noqa: N802
        """[4,4] of the handled object, the first; None if unknown or where there is none."""
        return self.objects.T_world_object[0] if self.objects.known[:1].any() else None

    @property
    def rows(self) -> dict[str, tuple[Any, ...]]:
        """By table, what must be the same in every frame of an episode: the names of its rows, and units."""
        action = tuple(zip(self.action.names, self.action.units, strict=True))
        return {'objects': self.objects.ids, 'hands': self.hands.sides, 'joints': self.joints.names, 'action': action}

    def other_rows(self, first: Labels) -> list[str]:
        """What of :attr:`rows` differs from an episode's first frame, as errors."""
        return [
            f'labels.{table}: expected the rows of the first frame {list(rows)}, got {list(self.rows[table])}'
            for table, rows in first.rows.items()
            if self.rows[table] != rows
        ]


def check_labels(check: Check, labels: Sequence[Labels], frames: int) -> None:
    """Fault unless there are labels for each of an episode's ``frames``, all with the same rows."""
    check.that(len(labels) == frames > 0, 'labels', f'{frames} rows, at least 1', len(labels))
    other = next((t for t, label in enumerate(labels) if label.rows != labels[0].rows), None)
    if other is not None:
        check.faults += [f'frame {other}: {fault}' for fault in labels[other].other_rows(labels[0])]
