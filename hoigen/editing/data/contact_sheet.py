"""A sheet of examples of a set, read back from its files, for a person to see whether the labels are right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hoigen.editing.arrays import opened
from hoigen.editing.conditions import as_uint8, depth_picture
from hoigen.geometry.camera import resize_camera
from hoigen.look.sheets import marked
from hoigen.records import Camera

ROWS, SIDE, GAP, FOOT, HEAD = 8, 176, 4, 22, 26
AXIS = 0.5
"""Length of the axes drawn, in sides of what the camera sees at the object."""
COLUMNS = ('without', 'depth', 'guide', 'with, labels', 'with', 'pictures of it', '', '')
INK, GROUND = (240, 242, 246), (15, 17, 22)


def draw_contact_sheet(files: Sequence[Path]) -> Image.Image:
    """Up to ROWS scenes, evenly chosen, of each another example."""
    chosen = np.unique(np.linspace(0, len(files) - 1, min(ROWS, len(files))).round().astype(int)).tolist()
    canvas = Image.new('RGB', (len(COLUMNS) * (SIDE + GAP) + GAP, HEAD + len(chosen) * (SIDE + FOOT + GAP)), GROUND)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    for column, name in enumerate(COLUMNS):
        pen.text((GAP + column * (SIDE + GAP), HEAD / 2), name, fill=INK, font=font, anchor='lm')
    for row, place in enumerate(chosen):
        with opened(files[place], 'a scene') as scene:
            pictures, note = _row(dict(scene), row)
        top = HEAD + row * (SIDE + FOOT + GAP)
        for column, picture in enumerate(pictures):
            canvas.paste(Image.fromarray(picture), (GAP + column * (SIDE + GAP), top))
        pen.text((GAP, top + SIDE + FOOT / 2), f'{files[place].name}: {note}', fill=INK, font=font, anchor='lm')
    return canvas


def _row(scene: dict[str, np.ndarray], turn: int) -> tuple[list[np.ndarray], str]:
    """One example's pictures [SIDE,SIDE,3], and what its labels say."""
    index = 3 * turn % len(scene['rgb'])
    thing = int(scene['thing'][index])
    depth = np.where(
        scene['mask'][index],
        np.minimum(scene['object_depth_m'][index], np.nan_to_num(scene['depth_without_m'][index], nan=np.inf)),
        scene['depth_without_m'][index],
    )
    shades = np.repeat(as_uint8(depth_picture(depth))[..., None], 3, 2)
    views = scene['view_rgb'][thing]
    chosen = [views[i] for i in np.linspace(0, len(views) - 1, 3).round().astype(int)]
    pictures = [
        scene['without'][index],
        shades,
        scene['guide'][index],
        scene['rgb'][index],
        scene['rgb'][index],
        *chosen,
    ]
    enlarged = [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT) for picture in pictures]
    enlarged[3] = _labelled(enlarged[3], scene, index)
    angles = np.degrees(scene['orientation'][index])
    told = (
        'orientation unknown'
        if np.isnan(angles).any()
        else 'azimuth {:.0f}, elevation {:.0f}, in-plane {:.0f} degrees'.format(*angles)
    )
    return enlarged, f'{scene["caption"][thing]}; {float(scene["insertion_depth_m"][index]):.2f} deep; {told}'


def _labelled(picture: np.ndarray, scene: dict[str, np.ndarray], index: int) -> np.ndarray:
    """With the outline of the mask and the object's axes; of real pictures without a pose the outline alone."""
    mask = cv2.resize(scene['mask'][index].astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT) > 0
    T_world_object, K = scene['T_world_object'][index], scene['K'][index]
    if not np.isfinite(T_world_object).all():
        shown = picture.copy()
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        return cv2.drawContours(shown, outlines, -1, (255, 60, 200), 1)
    size = scene['rgb'].shape[1]
    camera = resize_camera(Camera(K, size, size, scene['T_world_cam'][index]), SIDE, SIDE)
    axis_m = AXIS * float(scene['insertion_depth_m'][index]) * size / float(K[0, 0]) / 2
    return marked(picture, mask, camera, T_world_object, axis_m)
