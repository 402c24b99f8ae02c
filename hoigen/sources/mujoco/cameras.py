"""Named cameras, each aimed so that hand and object fill the picture during the whole clip."""

from __future__ import annotations

import numpy as np

from hoigen.geometry.transforms import apply, invert, look_at, rigid
from hoigen.records import Camera
from hoigen.sources.mujoco.draws import Draws

DIRECTIONS = {  # azimuth and elevation of the camera as the object sees it, degrees; +y is away from the forearm
    'front': (158, 22),
    'side': (184, 14),
    'over': (172, 44),
    'corner': (140, 26),
    'shoulder': (203, 34),
}
CAMERAS = (*DIRECTIONS, 'ego')
FILL = 0.95  # the share of the picture's half width and height that the action may take


def place_cameras(name: str, draws: Draws, points: np.ndarray, width: int, height: int) -> list[Camera]:
    """One camera per instant. points: [T,P,3] world m, what must be in view (hand and object)."""
    if name == 'ego':
        return _ego(draws, points, width, height)
    azimuth, elevation = DIRECTIONS[name]
    a, e = np.radians(azimuth + draws.free(-12, 12)), np.radians(elevation + draws.free(-5, 7))
    backward = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    half = np.tan(np.radians(draws.free(30, 42)) / 2) * np.array([width / height, 1.0])
    rotation = look_at(backward, np.zeros(3))[:3, :3]
    seen = points.reshape(-1, 3) @ rotation
    reach, middle = [], []
    for axis in range(2):  # |x - cx| <= slope (z - cz) for every point fixes the nearest cz and its cx
        slope = FILL * half[axis]
        right = (seen[:, axis] - slope * seen[:, 2]).max()
        left = (-seen[:, axis] - slope * seen[:, 2]).max()
        reach.append(-(right + left) / (2 * slope))
        middle.append((right - left) / 2)
    centre = rotation @ np.array([*middle, min(reach)])
    return [_camera(rigid(rotation, centre), half[1], width, height)] * len(points)


def _ego(draws: Draws, points: np.ndarray, width: int, height: int) -> list[Camera]:
    """A head above and beside the forearm that looks at the action and sways."""
    times, middle = np.linspace(0, 1, len(points)), points.reshape(-1, 3).mean(0)
    beside = np.array([draws.free(-0.34, -0.22), draws.free(-0.32, -0.22), draws.free(0.36, 0.46)])
    head = beside + middle * np.array([1, 1, 0])
    sway = np.stack([_drift(draws, times) for _ in range(5)], 1) * (0.012, 0.012, 0.008, 0.012, 0.012)
    poses = [look_at(head + s[:3], middle + np.array([*s[3:], 0])) for s in sway]
    seen = np.stack([apply(invert(pose), p) for pose, p in zip(poses, points, strict=True)])
    spread = np.abs(seen[..., :2] / seen[..., 2:]).max((0, 1))
    half_height = float((spread / (width / height, 1.0)).max() / FILL)
    return [_camera(pose, half_height, width, height) for pose in poses]


def _drift(draws: Draws, times: np.ndarray) -> np.ndarray:
    """A slow wander in [-1, 1]: two sines of random phase."""
    slow, fast = (np.sin(2 * np.pi * (draws.free(0.3, 1.0) * k * times + draws.free(0, 1))) for k in (1, 2))
    return 0.7 * slow + 0.3 * fast


def _camera(pose: np.ndarray, half_height: float, width: int, height: int) -> Camera:
    """half_height: of the view at distance 1."""
    focal = 0.5 * height / half_height
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return Camera(K, width, height, pose)
