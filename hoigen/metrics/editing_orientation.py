"""How an object in a picture is turned, read by synthesis: its mesh is drawn at many orientations, the likest wins.

The papers ask Orient Anything, a network, instead. This reads all three angles, and needs the object's textured mesh.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.geometry.camera import crop_camera, project, resize_camera
from hoigen.geometry.shading import brightness, draw
from hoigen.geometry.transforms import angle_between, rigid
from hoigen.metrics.editing import EditTruth
from hoigen.records import Camera, MeshAsset

ACCURATE_DEG = 30.0
"""An orientation is right within that."""
WINDOW = 32
"""Side of the compared pictures, pixels."""
ROOM = 1.08
"""The window's side, in diameters of the ball about the object."""
DIRECTIONS, TURNS = 128, 18
"""Sides from which the object is drawn, and how often each of these pictures is turned about its middle."""
REFINED = ((6, 10.0), (2, 5.0))
"""So many of the likest candidates, APART_DEG from each other, are drawn again as the camera sees them, also turned by
so much to either side about each axis; then the likest of those."""
GOLDEN = np.pi * (3 - np.sqrt(5))
TEXELS = 64
"""Side of the texture that is drawn, pixels."""
SOFT = 0.7
"""Deviation of the blur of what is compared, pixels of the window."""
GAIN = (0.3, 1.7)
"""Light may make the object so much darker or brighter than its own colours."""
NEARER = 0.005
"""Relative difference of depth from which the scene hides the object."""
ALIKE_DEG, APART_DEG = 15.0, 25.0
"""What is as like as the object turned by the first looks the same; such orientations are kept the second apart."""
ALIKE_LEVELS = 8.0
"""So does what differs by no more RGB levels (root mean square) where the object is: of a ball, every orientation."""
MOST_CHANCE = 0.25
"""An object of which more orientations than that look alike tells nothing."""


@dataclass(frozen=True, eq=False)
class _Views:
    """Candidates: rotation [K,3,3] ``R_world_object``; colour [K,3P] float32, of the object times its share [K,P] of
    each of the window's P pixels."""

    rotation: np.ndarray
    colour: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, eq=False)
class _Seen:
    """The window of a picture, [3P] float32, and of what lies behind the object there, [P,3] float32."""

    picture: np.ndarray
    scene: np.ndarray


class OrientationReader:
    """Reads how an object is turned in pictures of one view of one scene.

    T_world_object: the true pose, of which only the place of the object's middle is used to read. truth: what the
    pictures should show; its scene may have the object's shadow or not, and hides the object where it is nearer.
    """

    def __init__(self, asset: MeshAsset, T_world_object: np.ndarray, camera: Camera, truth: EditTruth) -> None:
        low, high = asset.vertices.min(0).astype(float), asset.vertices.max(0).astype(float)
        self._asset, self._true, self._middle = _small(asset), T_world_object[:3, :3], (low + high) / 2
        self._place = self._true @ self._middle + T_world_object[:3, 3]
        radius = float(np.linalg.norm(asset.vertices - self._middle, axis=1).max())
        (u, v), far = project(camera, self._place)
        side = int(np.ceil(2 * ROOM * radius * camera.K[0, 0] / far))
        self._corner, self._side, self._far = (round(u - (side - 1) / 2), round(v - (side - 1) / 2)), side, float(far)
        self._camera = resize_camera(crop_camera(camera, *self._corner, side, side), WINDOW, WINDOW)
        self._scene_depth = np.nan_to_num(self._window(truth.scene_depth_m, cv2.INTER_NEAREST), nan=np.inf)
        self._truth = truth

    def read(self, picture: np.ndarray) -> np.ndarray:
        """``R_world_object`` [3,3] that a picture [H,W,3] uint8 shows."""
        seen, views = self._seen(picture), self._coarse
        errors = _errors(seen, views)
        for count, step_deg in REFINED:
            chosen = _apart(views.rotation[np.argsort(errors)], [], count)
            views = self._drawn([*chosen, *(turn @ rotation for rotation in chosen for turn in _turns(step_deg))])
            errors = _errors(seen, views)
        return views.rotation[errors.argmin()]

    def error_deg(self, picture: np.ndarray) -> float:
        """The angle from how the object is seen to be turned to the nearest orientation that looks as the true one."""
        return float(np.degrees(angle_between(self.alike, self.read(picture)).min()))

    @property
    def tells(self) -> bool:
        """Whether the look of the object, as far as it is seen here, says much of its orientation."""
        return self.chance <= MOST_CHANCE

    @cached_property
    def chance(self) -> float:
        """How often an orientation drawn by chance is right."""
        nearest = np.min([np.degrees(angle_between(self._coarse.rotation, rotation)) for rotation in self.alike], 0)
        return float((nearest <= ACCURATE_DEG).mean())

    @cached_property
    def alike(self) -> np.ndarray:
        """[A,3,3] the true orientation, and others APART_DEG apart that look no more different from it than it does
        itself turned by ALIKE_DEG about any axis, or than ALIKE_LEVELS: of a can, those upside down and about its axis.
        """
        true, scene = self._drawn([self._true]), self._seen(self._truth.without).scene
        seen = _Seen(true.colour[0] + ((1 - true.share[0])[:, None] * scene).ravel(), scene)
        allowed = max(
            _errors(seen, self._drawn([turn @ self._true for turn in _turns(ALIKE_DEG)])).mean(),
            ALIKE_LEVELS**2 * true.share[0].mean(),
        )
        errors = _errors(seen, self._coarse)
        order = np.argsort(errors)[: int((errors <= allowed).sum())]
        return np.stack(_apart(self._coarse.rotation[order], [self._true], len(order) + 1))

    @cached_property
    def _coarse(self) -> _Views:
        """Orientations all over: the object drawn from all sides, each picture turned about its middle."""
        ray = self._place - self._camera.T_world_cam[:3, 3]
        ray = ray / np.linalg.norm(ray)
        middle = project(self._camera, self._place)[0].tolist()
        rotations, colours, shares = [], [], []
        for rotation in _facing(self._camera, DIRECTIONS):
            colour, share, depth = self._draw(rotation)
            for turn in 360 / TURNS * np.arange(TURNS):
                about = cv2.getRotationMatrix2D(middle, -turn, 1)
                rotations.append(_turn(turn * ray) @ rotation)
                turned = [
                    cv2.warpAffine(part, about, (WINDOW, WINDOW), borderValue=self._far if part is depth else 0)
                    for part in (colour, share, depth)
                ]
                shown = self._shown(*turned)
                colours.append(shown[0])
                shares.append(shown[1])
        return _Views(np.stack(rotations), np.stack(colours), np.stack(shares))

    def _drawn(self, rotations: Sequence[np.ndarray]) -> _Views:
        shown = [self._shown(*self._draw(rotation)) for rotation in rotations]
        return _Views(
            np.stack(rotations), np.stack([colour for colour, _ in shown]), np.stack([share for _, share in shown])
        )

    def _draw(self, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colour times share [S,S,3], share [S,S] and depth in metres [S,S] of the object alone, float32; unlit, as
        nobody knows the light of a picture."""
        pose = rigid(rotation, self._place - rotation @ self._middle)
        view = draw(self._asset, pose, self._camera)
        light = brightness(self._asset, pose, self._camera)
        light = np.where(view.mask, light, np.nanmean(light) if view.mask.any() else 1)
        colour = ((view.rgb - 255 * (1 - view.share[..., None])) / light[..., None]).astype(np.float32)
        return colour, view.share, np.where(view.mask, view.depth_m, np.float32(self._far))

    def _shown(self, colour: np.ndarray, share: np.ndarray, depth_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colour and share with nothing where the scene is nearer, soft, as rows [3P] and [P]."""
        free = (self._scene_depth >= depth_m * (1 - NEARER)).astype(np.float32)
        return _soft(colour * free[..., None]).ravel(), _soft(share * free).ravel()

    def _seen(self, picture: np.ndarray) -> _Seen:
        """Behind the object lies the scene with or without its shadow, whichever the picture shows."""
        truth = self._truth
        shaded = np.where(truth.visible[..., None], truth.without, truth.rgb)
        window, without, shaded = (self._cut(p).reshape(-1, 3) for p in (picture, truth.without, shaded))
        nearer = np.abs(window - without).sum(1) <= np.abs(window - shaded).sum(1)
        return _Seen(window.ravel(), np.where(nearer[:, None], without, shaded))

    def _cut(self, picture: np.ndarray) -> np.ndarray:
        how = cv2.INTER_AREA if self._side > WINDOW else cv2.INTER_LINEAR
        return _soft(self._window(picture.astype(np.float32), how))

    def _window(self, picture: np.ndarray, how: int) -> np.ndarray:
        (left, top), side = self._corner, self._side
        around = [
            max(0, -top),
            max(0, top + side - picture.shape[0]),
            max(0, -left),
            max(0, left + side - picture.shape[1]),
        ]
        wide = cv2.copyMakeBorder(picture, *around, cv2.BORDER_REPLICATE)
        top, left = top + around[0], left + around[2]
        return cv2.resize(wide[top : top + side, left : left + side], (WINDOW, WINDOW), interpolation=how)


def _small(asset: MeshAsset) -> MeshAsset:
    """The asset with a texture no finer than the window shows."""
    if asset.texture is None or max(asset.texture.shape) <= TEXELS:
        return asset
    texture = cv2.resize(asset.texture, (TEXELS, TEXELS), interpolation=cv2.INTER_AREA)
    return replace(asset, texture=texture)


def _errors(seen: _Seen, views: _Views) -> np.ndarray:
    """[K] mean squared difference of a window to each candidate in the scene, in the light that fits best."""
    wanted = seen.picture - ((1 - views.share)[..., None] * seen.scene).reshape(len(views.share), -1)
    both, own = (np.einsum('kp,kp->k', other, views.colour) for other in (wanted, views.colour))
    gain = np.clip(both / np.maximum(own, 1e-6), *GAIN)
    return (np.einsum('kp,kp->k', wanted, wanted) - 2 * gain * both + gain**2 * own) / len(seen.picture)


def _apart(rotations: np.ndarray, found: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Up to ``count`` rotations: those found and, of the others in their order, the ones APART_DEG from all before."""
    for rotation in rotations:
        if len(found) == count:
            break
        if not found or np.degrees(angle_between(np.stack(found), rotation).min()) > APART_DEG:
            found = [*found, rotation]
    return found


def _facing(camera: Camera, count: int) -> Iterator[np.ndarray]:
    """``R_world_object`` for each of ``count`` sides of an object, evenly spread (a Fibonacci lattice)."""
    for k in range(count):
        up = 1 - (2 * k + 1) / count
        about, tilt = np.degrees(k * GOLDEN), np.degrees(np.arccos(up))
        yield camera.T_world_cam[:3, :3] @ _turn(np.array([tilt, 0, 0])) @ _turn(np.array([0, 0, about]))


def _turns(degrees: float) -> list[np.ndarray]:
    """A little turn to either side about each axis."""
    return [_turn(degrees * axis) for axis in (*np.eye(3), *-np.eye(3))]


def _turn(degrees: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(degrees, degrees=True).as_matrix()


def _soft(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), SOFT)
