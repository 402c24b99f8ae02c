"""A small synthetic scene whose every true value is known: a hand box and an object ball move over a chequered floor.

The pictures are drawn by our own raster with a colour that is fixed to the surface, so that a surface point has the
same colour in every frame.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.raster import rasterise
from hoigen.geometry.transforms import apply, invert, look_at, rigid
from hoigen.records import Action, Camera, Contacts, Hands, Joints, Labels, MeshAsset, Objects, SceneFrame

TINT = {'scene': (150, 160, 170), 'hand': (220, 150, 120), 'object': (60, 170, 90)}

_SQUARES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def box(name: str, role: str, size: tuple[float, float, float]) -> MeshAsset:
    """A box of ``size`` metres around its frame's origin."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * np.array(size) / 2
    triangles = np.concatenate([_SQUARES[:, [0, 1, 2]], _SQUARES[:, [0, 2, 3]]])
    return MeshAsset(name, role, corners.astype(np.float32), triangles.astype(np.int32))


def ball(name: str, role: str, radius: float, rings: int = 16) -> MeshAsset:
    """A ball of ``radius`` metres around its frame's origin."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1), indexing='ij'
    )
    places = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1)
    number = np.arange(places[..., 0].size).reshape(polar.shape)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    triangles = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    return MeshAsset(name, role, (radius * places.reshape(-1, 3)).astype(np.float32), triangles.astype(np.int32))


def camera_at(
    eye: tuple[float, float, float],
    width: int = 180,
    height: int = 120,
    target: tuple[float, float, float] = (0.0, 0.0, 0.05),
) -> Camera:
    """A camera with a horizontal view of about 53 degrees."""
    K = np.array([[width, 0, (width - 1) / 2], [0, width, (height - 1) / 2], [0, 0, 1]], float)
    return Camera(K, width, height, look_at(np.array(eye), np.array(target)))


def labels(frame: int, last: bool = False, T_world_ball: np.ndarray | None = None, touched: bool = False) -> Labels:
    """``touched``: the palm is on the ball's top, in four places."""
    contacts, T = Contacts(), np.eye(4) if T_world_ball is None else T_world_ball
    if touched:
        normals = np.array([[x, y, 3] for x in (-1, 1) for y in (-1, 1)]) / 11**0.5
        count = np.arange(4, dtype=np.float32)
        contacts = Contacts(
            tuple(('ball', f'palm_{number}') for number in range(4)),
            (T[:3, 3] + 0.05 * normals).astype(np.float32),
            normals.astype(np.float32),
            2 + count,
            count / 1000,
        )
    positions = np.sin(np.linspace(0, 3, 24) + frame / 4).astype(np.float32)
    names, keypoints = tuple(f'joint_{number}' for number in range(24)), np.full((1, 21, 3), frame, np.float32)
    return Labels(
        episode=0,
        frame=frame,
        last=last,
        task='pick up the ball',
        objects=Objects(('ball',), T[None], np.array([0.75], np.float32)),
        hands=Hands(('right',), T[None], keypoints, keypoints[..., :2]),
        joints=Joints(names, positions),
        action=Action(names, ('rad',) * 24, positions[::-1] / 2),
        contacts=contacts,
    )


def frame_of(assets: tuple[MeshAsset, ...], poses: dict[str, np.ndarray], camera: Camera, number: int) -> SceneFrame:
    """The scene drawn with its surface colours: a chequer of 4 cm in each asset's own frame."""
    table = mesh_table(assets)
    picture = rasterise(camera, table.posed(poses, {}), table.triangles)
    rgb = np.full((camera.height, camera.width, 3), 40, np.uint8)
    places = unproject(camera, pixel_grid(camera.width, camera.height), picture.depth_m)
    for index, name in enumerate(table.ids):
        shown = (picture.triangle >= 0) & (table.triangle_asset[picture.triangle] == index)
        own = apply(invert(poses[name]), places[shown])
        light = 0.7 + 0.3 * (np.floor(own / 0.04 + 0.3).sum(axis=1) % 2)
        tint = np.array(TINT[next(asset.role for asset in assets if asset.id == name)])
        rgb[shown] = np.rint(light[:, None] * tint).astype(np.uint8)
    return SceneFrame(125_000_000 * number, camera, rgb, picture.depth_m, poses, {}, labels(number))


def moving_scene(
    frames: int = 5, sway_m: float = 0.0, width: int = 180, height: int = 120
) -> tuple[tuple[MeshAsset, ...], list[SceneFrame]]:
    """The hand above the ball, both carried along y and up; ``sway_m`` moves the camera sideways in all."""
    assets = (
        box('floor', 'scene', (2.0, 2.0, 0.02)),
        box('palm', 'hand', (0.1, 0.09, 0.04)),
        box('finger', 'hand', (0.03, 0.12, 0.03)),
        ball('ball', 'object', 0.05),
    )
    made = []
    for number in range(frames):
        part = number / max(frames - 1, 1)
        centre = np.array([0.0, 0.25 * part - 0.1, 0.05 + 0.1 * part])
        turn = np.array([[np.cos(part), -np.sin(part), 0], [np.sin(part), np.cos(part), 0], [0, 0, 1]])
        poses = {
            'floor': rigid(np.eye(3), np.array([0, 0, -0.01])),
            'ball': rigid(turn, centre),
            'palm': rigid(turn, centre + np.array([0, 0, 0.07])),
            'finger': rigid(turn, centre + turn @ np.array([0.06, 0, 0.04])),
        }
        drawn = frame_of(assets, poses, camera_at((0.7, sway_m * part, 0.5), width, height), number)
        true = labels(number, number == frames - 1, poses['ball'], number >= frames / 2)
        made.append(replace(drawn, labels=true))
    return assets, made
