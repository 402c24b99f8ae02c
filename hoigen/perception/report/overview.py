"""A still picture of a stretch for those without a browser: masks, depth and tracks of a few frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw

from hoigen.look.colours import DepthScale
from hoigen.look.images import draw_text
from hoigen.perception.records import Boxes, Segmentation, Tracks
from hoigen.perception.report.look import instances, thinned, track_colours

if TYPE_CHECKING:
    from hoigen.perception.perceive import Perceived

COLUMNS, TILE, GAP, MARGIN, HEAD, FOOT = 4, 400, 6, 20, 50, 30
INK, FAINT, GROUND = (240, 242, 246), (150, 158, 172), (15, 17, 22)
FILL, DIM, TAIL = 0.38, 0.5, 10
"""How strongly masks are filled, how far the picture under tracks is dimmed, how many frames a track's tail lasts."""
SUB = 3
"""cv2 draws at 1 / 2 ** SUB of a pixel."""


def overview(perceived: Perceived) -> np.ndarray:
    """[H,W,3] uint8: frames across; boxes and masks, depth, and tracks down. Without depth its row is left out."""
    footage, geometry = perceived.footage, perceived.geometry
    frames = np.unique(np.linspace(0, len(footage.rgb) - 1, COLUMNS).round().astype(int))
    rows = [[draw_masks(footage.rgb[t], perceived.segmentation, perceived.boxes, t) for t in frames]]
    scale = DepthScale.of(geometry.depth_m) if geometry is not None else None
    if geometry is not None and scale is not None:
        rows.append([scale.colours(geometry.depth_m[t]) for t in frames])
    rows.append([draw_tracks(footage.rgb[t], perceived.tracks, t) for t in frames])
    tall = round(TILE * footage.rgb.shape[1] / footage.rgb.shape[2])
    width = 2 * MARGIN + len(frames) * TILE + (len(frames) - 1) * GAP
    canvas = Image.new('RGB', (width, HEAD + len(rows) * (tall + GAP) + FOOT), GROUND)
    pen = ImageDraw.Draw(canvas)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            tile = cv2.resize(picture, (TILE, tall), interpolation=cv2.INTER_AREA)
            canvas.paste(Image.fromarray(tile), (MARGIN + c * (TILE + GAP), HEAD + r * (tall + GAP)))
    what = ['boxes and masks', 'tracks']
    if geometry is not None and scale is not None:
        unit = geometry.unit
        what.insert(1, f'depth, {scale.near:.2f} {unit} red to {scale.far:.2f} {unit} blue, unknown black')
    draw_text(pen, (MARGIN, HEAD / 2), perceived.provenance.source, 20, INK, 'lm')
    draw_text(pen, (width - MARGIN, HEAD / 2), '  ·  '.join(what), 15, FAINT, 'rm')
    for c, t in enumerate(frames):
        time_s = (footage.stamps_ns[t] - footage.stamps_ns[0]) / 1e9
        place = MARGIN + c * (TILE + GAP), canvas.height - FOOT / 2 - 2
        draw_text(pen, place, f'frame {t}   {time_s:.2f} s', 15, FAINT, 'lm')
    return np.asarray(canvas)


def draw_masks(rgb: np.ndarray, segmentation: Segmentation, boxes: Boxes | None, t: int) -> np.ndarray:
    """[H,W,3] uint8: frame t's picture, instances filled and outlined, boxes around what was detected."""
    drawn = rgb.copy()
    for instance in instances(segmentation.role):
        mask = segmentation.instance[t] == instance.number
        drawn[mask] = ((1 - FILL) * drawn[mask] + FILL * np.array(instance.rgb)).astype(np.uint8)
        outline = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(drawn, outline, -1, instance.rgb, 1, cv2.LINE_AA)
    if boxes is not None:
        for instance, (left, top, right, bottom) in zip(instances(boxes.role), boxes.boxes[t], strict=True):
            if np.isfinite([left, top, right, bottom]).all():
                corners = tuple(np.rint([left, top]).astype(int)), tuple(np.rint([right, bottom]).astype(int))
                cv2.rectangle(drawn, *corners, instance.rgb, 1, cv2.LINE_AA)
    return drawn


def draw_tracks(rgb: np.ndarray, tracks: Tracks, t: int) -> np.ndarray:
    """[H,W,3] uint8: frame t's picture, dimmed, with the way each point came; hidden ones hollow."""
    drawn = (DIM * rgb).astype(np.uint8)
    colours = track_colours(tracks, rgb.shape[1], rgb.shape[0])
    for m in thinned(tracks):
        colour = tuple(colours[m].tolist())
        way = tracks.pixels[max(0, t - TAIL) : t + 1, m]
        seen = tracks.visible[max(0, t - TAIL) : t + 1, m]
        for a in range(len(way) - 1):
            if seen[a] and seen[a + 1] and np.isfinite(way[a : a + 2]).all():
                cv2.line(drawn, _sub(way[a]), _sub(way[a + 1]), colour, 1, cv2.LINE_AA, SUB)
        if np.isfinite(way[-1]).all():
            cv2.circle(drawn, _sub(way[-1]), 2 << SUB, colour, cv2.FILLED if seen[-1] else 1, cv2.LINE_AA, SUB)
    return drawn


def _sub(pixel: np.ndarray) -> tuple[int, int]:
    column, row = np.rint(np.clip(pixel, -4096, 8192) * (1 << SUB)).astype(int).tolist()
    return column, row
