"""The records that pass between rooms: frozen, checked at construction, never changed afterwards.

Frames, units and orders are those of :mod:`hoigen.conventions`. A record that does not hold what it says
raises :class:`RecordError`, which names every wrong field, what was expected and what came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hoigen.conventions import ROLES

__all__ = [
    'Camera',
    'Check',
    'Clip',
    'Conditions',
    'Contacts',
    'Fidelity',
    'Footage',
    'GeneratedClip',
    'Labels',
    'MeshAsset',
    'Provenance',
    'RecordError',
    'SceneFrame',
]


class RecordError(ValueError):
    """A record's fields do not hold what the record says they hold."""


class Check:
    """Collects every wrong field of one record, so that one error tells all of them."""

    def __init__(self, record: str) -> None:
        self.record, self.faults = record, list[str]()

    def array(
        self,
        name: str,
        value: Any,
        dtype: str,
        shape: tuple[int | str, ...],
        *,
        finite: bool = True,
        sizes: dict[str, int] | None = None,
    ) -> None:
        """Fault unless ``value`` is an array of ``dtype`` and ``shape``; a string dimension is a shared size."""
        want = f'{dtype} {list(shape)}'
        if not isinstance(value, np.ndarray):
            self.faults.append(f'{name}: expected {want}, got {type(value).__name__}')
            return
        sizes = {} if sizes is None else sizes
        fits = (
            value.dtype == np.dtype(dtype)
            and value.ndim == len(shape)
            and all(
                sizes.setdefault(want_n, n) == n if isinstance(want_n, str) else want_n == n
                for want_n, n in zip(shape, value.shape, strict=True)
            )
        )
        if not fits:
            known = {k: v for k, v in sizes.items() if k in shape}
            self.faults.append(
                f'{name}: expected {want}{f" with {known}" if known else ""}, got {value.dtype} {list(value.shape)}'
            )
        elif finite and value.dtype.kind == 'f' and not np.isfinite(value).all():
            bad = int((~np.isfinite(value)).sum())
            self.faults.append(f'{name}: expected finite values, got {bad} NaN or infinite of {value.size}')

    def rigid(self, name: str, value: Any) -> None:
        """Fault unless ``value`` is a float64 [4,4] rigid transform (to 1e-5)."""
        before = len(self.faults)
        self.array(name, value, 'float64', (4, 4))
        if len(self.faults) == before:
            rotation = value[:3, :3]
            ok = (
                np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
                and np.linalg.det(rotation) > 0
                and np.allclose(value[3], [0, 0, 0, 1])
            )
            self.that(ok, name, 'a rigid transform', 'a matrix that is not')

    def that(self, ok: bool, name: str, expected: str, got: object) -> None:
        if not ok:
            self.faults.append(f'{name}: expected {expected}, got {got}')

    def done(self) -> None:
        if self.faults:
            raise RecordError(f'{self.record}: ' + '; '.join(self.faults))


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion.

    K: [3,3] float64 intrinsics in pixels, integer pixel centres. T_world_cam: [4,4] float64, optical frame to world.
    """

    K: np.ndarray
    width: int
    height: int
    T_world_cam: np.ndarray

    def __post_init__(self) -> None:
        check = Check('Camera')
        check.that(self.width > 0 and self.height > 0, 'width, height', 'positive sizes', (self.width, self.height))
        check.array('K', self.K, 'float64', (3, 3))
        if not check.faults:
            check.that(
                self.K[0, 0] > 0 and self.K[1, 1] > 0,
                'K',
                'focal lengths > 0 (0 means uncalibrated)',
                (float(self.K[0, 0]), float(self.K[1, 1])),
            )
            check.that(
                -0.5 <= self.K[0, 2] <= self.width - 0.5 and -0.5 <= self.K[1, 2] <= self.height - 0.5,
                'K',
                f'a principal point inside {self.width}x{self.height}',
                (float(self.K[0, 2]), float(self.K[1, 2])),
            )
        check.rigid('T_world_cam', self.T_world_cam)
        check.done()


@dataclass(frozen=True, eq=False)
class MeshAsset:
    """One rigid or deforming triangle mesh, sent once.

    vertices: [V,3] float32 metres in the asset's frame. triangles: [F,3] int32, counter-clockwise from outside. uv:
    [V,2] float32 places in the texture [h,w,3] uint8, (0, 0) its lower left corner, repeated beyond [0, 1]; both None
    where the look is not known.
    """

    id: str
    role: str
    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray | None = None
    texture: np.ndarray | None = None

    def __post_init__(self) -> None:
        check = Check(f'MeshAsset {self.id!r}')
        check.that(bool(self.id), 'id', 'a name', repr(self.id))
        check.that(self.role in ROLES, 'role', f'one of {ROLES}', repr(self.role))
        sizes: dict[str, int] = {}
        check.array('vertices', self.vertices, 'float32', ('V', 3), sizes=sizes)
        check.array('triangles', self.triangles, 'int32', ('F', 3))
        check.that((self.uv is None) == (self.texture is None), 'uv, texture', 'both or none', 'one of them')
        if self.uv is not None and self.texture is not None:
            check.array('uv', self.uv, 'float32', ('V', 2), sizes=sizes)
            check.array('texture', self.texture, 'uint8', ('h', 'w', 3))
        if not check.faults:
            check.that(
                len(self.vertices) >= 3 and len(self.triangles) >= 1,
                'mesh',
                'at least one triangle',
                f'{len(self.vertices)} vertices, {len(self.triangles)} triangles',
            )
        if not check.faults:
            low, high = int(self.triangles.min()), int(self.triangles.max())
            check.that(
                low >= 0 and high < len(self.vertices),
                'triangles',
                f'indices in [0, {len(self.vertices) - 1}]',
                f'[{low}, {high}]',
            )
        check.done()


@dataclass(frozen=True, eq=False)
class Contacts:
    """Hand-object contacts of one instant, in world.

    positions_m: [C,3] float32. normals: [C,3] float32 unit vectors from object to hand. forces_n: [C] float32 >= 0,
    along the normal. A source without contact sensing gives C = 0.
    """

    positions_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    normals: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    forces_n: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self) -> None:
        check = Check('Contacts')
        sizes: dict[str, int] = {}
        check.array('positions_m', self.positions_m, 'float32', ('C', 3), sizes=sizes)
        check.array('normals', self.normals, 'float32', ('C', 3), sizes=sizes)
        check.array('forces_n', self.forces_n, 'float32', ('C',), sizes=sizes)
        check.done()


@dataclass(frozen=True, eq=False)
class Labels:
    """What is true of the scene at one instant.

    joint_names / joint_positions: J names and [J] float32 (rad, or m for sliding joints). action: [A] float32, the
    actuators' commands. T_world_object: [4,4] float64, None where nobody knows it. task: a sentence. episode / frame:
    counts from 0; last: this frame ends the episode.
    """

    joint_names: tuple[str, ...]
    joint_positions: np.ndarray
    action: np.ndarray
    T_world_object: np.ndarray | None
    contacts: Contacts
    task: str
    episode: int
    frame: int
    last: bool

    def __post_init__(self) -> None:
        check = Check('Labels')
        check.array('joint_positions', self.joint_positions, 'float32', (len(self.joint_names),))
        check.array('action', self.action, 'float32', ('A',))
        if self.T_world_object is not None:
            check.rigid('T_world_object', self.T_world_object)
        check.that(self.episode >= 0 and self.frame >= 0, 'episode, frame', 'counts >= 0', (self.episode, self.frame))
        check.done()


@dataclass(frozen=True, eq=False)
class SceneFrame:
    """One instant of a source.

    rgb: [H,W,3] uint8. depth_m: [H,W] float32 or None. poses: T_world_asset [4,4] float64 by asset id; vertices:
    [V,3] float32 world metres by asset id, for deforming assets. An asset is in one of the two, never both.
    """

    stamp_ns: int
    camera: Camera
    rgb: np.ndarray
    depth_m: np.ndarray | None
    poses: dict[str, np.ndarray]
    vertices: dict[str, np.ndarray]
    labels: Labels

    def __post_init__(self) -> None:
        check = Check(f'SceneFrame at {self.stamp_ns} ns')
        size = (self.camera.height, self.camera.width)
        check.that(self.stamp_ns >= 0, 'stamp_ns', '>= 0', self.stamp_ns)
        check.array('rgb', self.rgb, 'uint8', (*size, 3))
        if self.depth_m is not None:
            check.array('depth_m', self.depth_m, 'float32', size, finite=False)
        for name, pose in self.poses.items():
            check.rigid(f'pose of {name!r}', pose)
        for name, vertices in self.vertices.items():
            check.array(f'vertices of {name!r}', vertices, 'float32', ('V', 3))
        both = sorted(self.poses.keys() & self.vertices.keys())
        check.that(not both, 'poses, vertices', 'each asset in one of them', f'{both} in both')
        check.done()


@dataclass(frozen=True, eq=False)
class Footage:
    """T instants of a recording as a camera measured them, at one size with one lens.

    rgb: [T,H,W,3] uint8. depth_m: [T,H,W] float32 measured metres along the optical axis, NaN unknown; None without a
    depth camera. K: [3,3] float64 intrinsics; None where the camera was not calibrated.
    """

    stamps_ns: np.ndarray
    rgb: np.ndarray
    depth_m: np.ndarray | None
    K: np.ndarray | None

    def __post_init__(self) -> None:
        check, sizes = Check('Footage'), dict[str, int]()
        check.array('stamps_ns', self.stamps_ns, 'int64', ('T',), sizes=sizes)
        check.array('rgb', self.rgb, 'uint8', ('T', 'H', 'W', 3), sizes=sizes)
        if self.depth_m is not None:
            check.array('depth_m', self.depth_m, 'float32', ('T', 'H', 'W'), sizes=sizes, finite=False)
        if not check.faults:
            check.that(sizes['T'] > 0, 'frames', 'at least 1', 0)
            steps = np.diff(self.stamps_ns)
            check.that(bool((steps > 0).all()), 'stamps_ns', 'rising stamps', f'a step of {steps.min(initial=1)} ns')
            if self.depth_m is not None:
                behind = int((self.depth_m <= 0).sum())
                check.that(not behind, 'depth_m', 'metres > 0, NaN where unknown', f'{behind} values <= 0')
        check.done()
        if self.K is not None:
            Camera(self.K, sizes['W'], sizes['H'], np.eye(4))


@dataclass(frozen=True, eq=False)
class Clip:
    """T instants of one scene with its exact geometry; every array's row t is ``stamps_ns[t]``.

    rgb: [T,H,W,3] uint8. depth_m: [T,H,W] float32 of the meshes, infinite where there is none. mask: [T,H,W] uint8 role
    codes. points: [T,N,3] float32 world metres, a row n the same surface point in every frame; point_role: [N] uint8;
    point_visible: [T,N] bool; point_rgb: [N,3] uint8 and point_rgb_known: [N] bool, the colour where the point was
    seen in frame 0. tracks: [T,M,3] float32 world and track_visible: [T,M] bool. point_contact: [T,N] bool, within
    contact distance of the other party.

    Of a recorded scene, depth_m is what was measured or estimated of everything in view, NaN unknown; places of points
    and tracks are measured where visible and predicted from those around them elsewhere.
    """

    stamps_ns: np.ndarray
    cameras: tuple[Camera, ...]
    rgb: np.ndarray
    depth_m: np.ndarray
    mask: np.ndarray
    points: np.ndarray
    point_role: np.ndarray
    point_visible: np.ndarray
    point_rgb: np.ndarray
    point_rgb_known: np.ndarray
    point_contact: np.ndarray
    tracks: np.ndarray
    track_visible: np.ndarray
    labels: tuple[Labels, ...]

    def __post_init__(self) -> None:
        check, sizes = Check('Clip'), {'T': len(self.cameras)}
        if self.cameras:
            sizes |= {'H': self.cameras[0].height, 'W': self.cameras[0].width}
        for name, dtype, shape in (
            ('stamps_ns', 'int64', ('T',)),
            ('rgb', 'uint8', ('T', 'H', 'W', 3)),
            ('depth_m', 'float32', ('T', 'H', 'W')),
            ('mask', 'uint8', ('T', 'H', 'W')),
            ('points', 'float32', ('T', 'N', 3)),
            ('point_role', 'uint8', ('N',)),
            ('point_visible', 'bool', ('T', 'N')),
            ('point_rgb', 'uint8', ('N', 3)),
            ('point_rgb_known', 'bool', ('N',)),
            ('point_contact', 'bool', ('T', 'N')),
            ('tracks', 'float32', ('T', 'M', 3)),
            ('track_visible', 'bool', ('T', 'M')),
        ):
            check.array(name, getattr(self, name), dtype, shape, sizes=sizes, finite=name != 'depth_m')
        check.that(len(self.labels) == sizes['T'] > 0, 'labels', f'{sizes["T"]} rows, at least 1', len(self.labels))
        if not check.faults:
            steps = np.diff(self.stamps_ns)
            check.that(bool((steps > 0).all()), 'stamps_ns', 'rising stamps', f'a step of {steps.min(initial=1)} ns')
        check.done()


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a generator reads, at the generator's size [H,W]; derived from a :class:`Clip` only.

    image: [H,W,3] uint8, the first frame. points: [T,N,3] float32 in the first camera's frame, normalised:
    ``X_cam0 = points * scale_m + centre_m``. point_pixels: [T,N,2] float32 (u, v) in the frame's own camera and
    point_depth_m: [T,N] float32 along its optical axis; point_visible: [T,N] bool; point_role: [N] uint8.
    tracking: [T,H,W,3] uint8, points coloured by their place in frame 0. background: [T,H,W,3] uint8, the first
    frame's static scene carried to frame t's camera, and background_known: [T,H,W] bool. coloured: [T,H,W,3] uint8,
    points of hand and object with the colour they had in frame 0, or a guess from those around them; coloured_state:
    [T,H,W] uint8, 0 no point, 1 guessed, 2 known. shadow: [T,H,W] uint8, 1 where hand and object threw a shadow on this
    place of the scene in frame 0, plus 2 where they do now; shadow_gain: [3] float32 in (0, 1], the share of each
    channel's light that a shadow leaves. mask: [T,H,W] uint8 role codes. depth_m: [T,H,W] float32, infinite where
    nothing is, NaN unknown.
    """

    stamps_ns: np.ndarray
    cameras: tuple[Camera, ...]
    prompt: str
    image: np.ndarray
    points: np.ndarray
    centre_m: np.ndarray
    scale_m: float
    point_pixels: np.ndarray
    point_depth_m: np.ndarray
    point_visible: np.ndarray
    point_role: np.ndarray
    tracking: np.ndarray
    background: np.ndarray
    background_known: np.ndarray
    coloured: np.ndarray
    coloured_state: np.ndarray
    shadow: np.ndarray
    shadow_gain: np.ndarray
    mask: np.ndarray
    depth_m: np.ndarray

    def __post_init__(self) -> None:
        check, sizes = Check('Conditions'), {'T': len(self.cameras)}
        if self.cameras:
            sizes |= {'H': self.cameras[0].height, 'W': self.cameras[0].width}
        for name, dtype, shape in (
            ('stamps_ns', 'int64', ('T',)),
            ('image', 'uint8', ('H', 'W', 3)),
            ('points', 'float32', ('T', 'N', 3)),
            ('centre_m', 'float64', (3,)),
            ('point_pixels', 'float32', ('T', 'N', 2)),
            ('point_depth_m', 'float32', ('T', 'N')),
            ('point_visible', 'bool', ('T', 'N')),
            ('point_role', 'uint8', ('N',)),
            ('tracking', 'uint8', ('T', 'H', 'W', 3)),
            ('background', 'uint8', ('T', 'H', 'W', 3)),
            ('background_known', 'bool', ('T', 'H', 'W')),
            ('coloured', 'uint8', ('T', 'H', 'W', 3)),
            ('coloured_state', 'uint8', ('T', 'H', 'W')),
            ('shadow', 'uint8', ('T', 'H', 'W')),
            ('shadow_gain', 'float32', (3,)),
            ('mask', 'uint8', ('T', 'H', 'W')),
            ('depth_m', 'float32', ('T', 'H', 'W')),
        ):
            check.array(name, getattr(self, name), dtype, shape, sizes=sizes, finite=name != 'depth_m')
        check.that(self.scale_m > 0, 'scale_m', '> 0', self.scale_m)
        check.that(
            bool(((self.shadow_gain > 0) & (self.shadow_gain <= 1)).all()), 'shadow_gain', 'in (0, 1]', self.shadow_gain
        )
        check.done()


@dataclass(frozen=True)
class Provenance:
    """How an output was made: enough to make it again.

    weights: file name -> SHA-256. versions: package -> version. licences: what was used -> its licence.
    """

    seed: int
    config: dict[str, Any]
    source: str
    weights: dict[str, str]
    versions: dict[str, str]
    licences: dict[str, str]


@dataclass(frozen=True, eq=False)
class Fidelity:
    """How truly T generated frames follow the scene that drove them; each [T] float32 in [0, 1].

    mask: where hand and object are. motion: how they move from the frame before. Both are found in the frames alone
    again. value: of both together. NaN where there is nothing to measure, or nothing was measured.
    """

    value: np.ndarray
    mask: np.ndarray
    motion: np.ndarray

    def __post_init__(self) -> None:
        check, sizes = Check('Fidelity'), dict[str, int]()
        for name in ('value', 'mask', 'motion'):
            scores = getattr(self, name)
            before = len(check.faults)
            check.array(name, scores, 'float32', ('T',), sizes=sizes, finite=False)
            if len(check.faults) == before:
                outside = scores[(scores < 0) | (scores > 1)]
                check.that(not outside.size, name, 'scores in [0, 1]', outside[:3].tolist())
        check.done()

    @property
    def mean(self) -> float:
        """Of the clip: the mean of its measured frames' values; NaN if none was measured."""
        measured = self.value[~np.isnan(self.value)]
        return float(measured.mean()) if measured.size else float('nan')


@dataclass(frozen=True, eq=False)
class GeneratedClip:
    """Frames that a generator made, with the labels of the scene that drove them.

    frames: [T,H,W,3] uint8. fidelity: of each of them. cameras match the frames' size.
    """

    stamps_ns: np.ndarray
    cameras: tuple[Camera, ...]
    frames: np.ndarray
    fidelity: Fidelity
    labels: tuple[Labels, ...]
    provenance: Provenance

    def __post_init__(self) -> None:
        check, sizes = Check('GeneratedClip'), {'T': len(self.cameras)}
        if self.cameras:
            sizes |= {'H': self.cameras[0].height, 'W': self.cameras[0].width}
        check.array('stamps_ns', self.stamps_ns, 'int64', ('T',), sizes=sizes)
        check.array('frames', self.frames, 'uint8', ('T', 'H', 'W', 3), sizes=sizes)
        check.array('fidelity', self.fidelity.value, 'float32', ('T',), sizes=sizes, finite=False)
        check.that(len(self.labels) == sizes['T'], 'labels', f'{sizes["T"]} rows', len(self.labels))
        check.done()
