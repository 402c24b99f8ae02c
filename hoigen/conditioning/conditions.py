"""Clip -> conditions: everything that a generator reads, at its size, from the clip alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.conditioning.background import carry_background
from hoigen.conditioning.shadow import cast_shadows
from hoigen.conditioning.splat import nearest_samples, sample_reach
from hoigen.conditioning.texture import carry_colours
from hoigen.conventions import ROLE_CODE, SCENE
from hoigen.geometry.camera import project
from hoigen.geometry.raster import NEAR_M
from hoigen.geometry.transforms import apply, invert
from hoigen.geometry.view import View, centre_view
from hoigen.records import Camera, Clip, Conditions

__all__ = ['DrawnPoints', 'build_conditions', 'draw_points', 'pasted_baseline', 'scene_images']

PERCENTILES = (2, 98)
"""The part of frame 0's inverse depths that uses the whole range of the tracking colours' blue."""


@dataclass(frozen=True, eq=False)
class DrawnPoints:
    """The points of a clip as T cameras of one size see them; fields as in :class:`Conditions`."""

    cameras: tuple[Camera, ...]
    mask: np.ndarray
    depth_m: np.ndarray
    pixels: np.ndarray
    point_depth_m: np.ndarray
    visible: np.ndarray
    tracking: np.ndarray
    coloured: np.ndarray
    state: np.ndarray


def build_conditions(clip: Clip, *, width: int, height: int, background: np.ndarray | None = None) -> Conditions:
    """The conditions of ``clip`` at ``width`` x ``height``: its centre with that aspect, resized.

    background: [H,W,3] uint8 of the clip's size, what its camera, which stands still, shows without hand and object; by
    default what frame 0 shows around them.
    """
    view = centre_view(clip.cameras[0], width, height)
    drawn = draw_points(clip, view)
    cameras, mask, depth_m = drawn.cameras, drawn.mask, drawn.depth_m
    image = view.picture(clip.rgb[0])
    in_first = apply(invert(cameras[0].T_world_cam), clip.points)
    centre, scale = _normalisation(in_first[0], clip.point_role)
    clean = view.picture((clip.mask[0] != ROLE_CODE[SCENE]).astype(np.float32)) == 0
    shadows = cast_shadows(image, cameras, mask, depth_m, clip.points, clip.point_role)
    if background is None:
        carried, known = carry_background(cameras, image, clean, mask, depth_m)
        shaded = shadows.codes
    else:
        carried = np.repeat(view.picture(background)[None], len(mask), axis=0)
        known, shaded = np.ones(mask.shape, bool), shadows.codes & 2  # it shows no shadow of frame 0
    return Conditions(
        stamps_ns=clip.stamps_ns,
        cameras=cameras,
        prompt=clip.labels[0].task,
        image=image,
        points=((in_first - centre) / scale).astype(np.float32),
        centre_m=centre,
        scale_m=scale,
        point_pixels=drawn.pixels,
        point_depth_m=drawn.point_depth_m,
        point_visible=drawn.visible,
        point_role=clip.point_role,
        tracking=drawn.tracking,
        background=carried,
        background_known=known,
        coloured=drawn.coloured,
        coloured_state=drawn.state,
        shadow=shaded,
        shadow_gain=shadows.gain,
        mask=mask,
        depth_m=depth_m,
    )


def draw_points(clip: Clip, view: View) -> DrawnPoints:
    """Draw the tracking and the coloured points of a clip in a view."""
    cameras = tuple(view.camera(camera) for camera in clip.cameras)
    mask, depth_m = view.codes(clip.mask), view.depth(clip.depth_m, clip.mask, clip.cameras[0].K[0, 0])
    pixels, depth = (np.stack(part) for part in zip(*map(project, cameras, clip.points), strict=True))
    pixels = np.nan_to_num(pixels, nan=-1e6, posinf=1e6, neginf=-1e6).astype(np.float32)
    visible = clip.point_visible & _inside(pixels, cameras[0].width, cameras[0].height)
    depth = depth.astype(np.float32)
    if not clip.points.shape[1]:  # of a single image
        nothing = np.zeros((*mask.shape, 3), np.uint8)
        return DrawnPoints(cameras, mask, depth_m, pixels, depth, visible, nothing, nothing, np.zeros_like(mask))
    nearest = _nearest(clip, cameras, mask, depth_m, pixels, visible)
    tracking = np.append(_track_colours(pixels[0], depth[0], depth_m[0]), np.zeros((1, 3), np.uint8), axis=0)[nearest]
    coloured, state = carry_colours(clip, view, nearest)
    return DrawnPoints(cameras, mask, depth_m, pixels, depth, visible, tracking, coloured, state)


def pasted_baseline(conditions: Conditions) -> np.ndarray:
    """[T,H,W,3] uint8 without any learning: the coloured points over the first picture's scene."""
    pasted = np.where((conditions.coloured_state == 2)[..., None], conditions.coloured, conditions.background)
    pasted[0] = conditions.image
    return pasted


def scene_images(clip: Clip, width: int, height: int) -> np.ndarray:
    """The clip's own images [T,height,width,3] uint8, as conditions of that size show the scene."""
    view = centre_view(clip.cameras[0], width, height)
    return np.stack([view.picture(rgb) for rgb in clip.rgb])


def _normalisation(points: np.ndarray, role: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre [3] and root mean square distance to it of frame 0's hand and object; of all, where there are none."""
    acting = points[role != ROLE_CODE[SCENE]] if (role != ROLE_CODE[SCENE]).any() else points
    centre = acting.mean(axis=0)
    return centre, float(np.sqrt(((acting - centre) ** 2).sum(axis=1).mean()))


def _inside(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.all((pixels >= -0.5) & (pixels < np.array([width, height]) - 0.5), axis=-1)


def _nearest(
    clip: Clip,
    cameras: tuple[Camera, ...],
    mask: np.ndarray,
    depth_m: np.ndarray,
    pixels: np.ndarray,
    visible: np.ndarray,
) -> np.ndarray:
    """[T,H,W] int32: the sample that each pixel takes, -1 for none."""
    reach = sample_reach(clip.points[0], clip.point_role)
    return np.stack(
        [
            nearest_samples(camera, mask[t], depth_m[t], clip.points[t], pixels[t], visible[t], clip.point_role, reach)
            for t, camera in enumerate(cameras)
        ]
    )


def _track_colours(pixels: np.ndarray, depth: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
    """[N,3] uint8, Diffusion as Shader's colours of points by where frame 0 has them: pixels [N,2], depth [N] metres.

    Red and green rise over the width and the height of the image, blue over the middle range of inverse depth of
    ``depth_m`` [H,W]. A point outside the image is black.
    """
    height, width = depth_m.shape
    near = 1 / depth_m[np.isfinite(depth_m)]
    low, high = np.percentile(near, PERCENTILES) if near.size else (0.0, 1.0)  # without any depth nothing is drawn
    seen = _inside(pixels, width, height) & (depth > NEAR_M)
    ramps = pixels / np.maximum((width - 1, height - 1), 1)
    nearness = (1 / np.where(seen, depth, 1) - low) / max(high - low, 1e-9)
    return np.rint(255 * np.clip(np.column_stack([ramps, nearness]), 0, 1) * seen[:, None]).astype(np.uint8)
