"""Sheets of images: before and after side by side, with the outline of the true mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hoigen.geometry.camera import project
from hoigen.records import Camera

ROWS = 6
"""Frames of a clip on a sheet, evenly chosen."""
WIDTH = 420
"""A picture on a sheet is enlarged to this width at least, pixels."""
INK, GROUND, OUTLINE = (240, 242, 246), (15, 17, 22), (255, 60, 200)
AXES = ((235, 70, 60), (70, 200, 90), (80, 130, 255))
"""Front, left and up of the object: red, green, blue."""
HEAD, GAP = 30, 6


def marked(rgb: np.ndarray, mask: np.ndarray, camera: Camera, T_world_object: np.ndarray, axis_m: float) -> np.ndarray:
    """[H,W,3] uint8 with the outline of a mask [H,W] bool and the object's axes, ``axis_m`` long."""
    shown = rgb.copy()
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, outlines, -1, OUTLINE, 1)
    origin = T_world_object[:3, 3]
    pixels, depth = project(camera, np.stack([origin, *(origin + axis_m * T_world_object[:3, :3].T)]))
    if (depth > 0).all() and np.abs(pixels).max() < 1e5:
        places = np.rint(pixels).astype(int).tolist()
        for end, colour in zip(places[1:], AXES, strict=True):
            cv2.line(shown, tuple(places[0]), tuple(end), colour, max(1, round(camera.width / 320)), cv2.LINE_AA)
    return shown


def sheet(columns: Mapping[str, Sequence[np.ndarray]], notes: Sequence[str]) -> Image.Image:
    """Columns of T pictures [H,W,3] uint8 by name, up to ROWS of them beneath each other, each row with its note."""
    count = len(notes)
    rows = sorted(set(np.linspace(0, count - 1, min(ROWS, count)).round().astype(int).tolist()))
    height, width = next(iter(columns.values()))[0].shape[:2]
    scale = max(1, -(-WIDTH // width))
    wide, high, font = width * scale, height * scale, ImageFont.load_default(16)
    canvas = Image.new('RGB', (len(columns) * (wide + GAP) + GAP, HEAD + len(rows) * (high + HEAD)), GROUND)
    pen = ImageDraw.Draw(canvas)
    for column, (name, pictures) in enumerate(columns.items()):
        left = GAP + column * (wide + GAP)
        pen.text((left, HEAD / 2), name, fill=INK, font=font, anchor='lm')
        for row, frame in enumerate(rows):
            picture = Image.fromarray(pictures[frame]).resize((wide, high), Image.Resampling.NEAREST)
            canvas.paste(picture, (left, HEAD + row * (high + HEAD)))
    for row, frame in enumerate(rows):
        pen.text((GAP, HEAD + row * (high + HEAD) + high + HEAD / 2), notes[frame], fill=INK, font=font, anchor='lm')
    return canvas
