"""The look of a mesh of several materials or of colours at its corners, as one texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

LARGEST = 8192
"""The longest side of a texture, texels."""
INSET = 1 / 32
"""Places are looked up in steps of 1/32 texel: so far from a cell's edge its neighbour is never touched."""
BORDER = 1
PLAIN = 180
"""The grey of parts without a look, in a mesh whose other parts have one."""


@dataclass(frozen=True, eq=False)
class Part:
    """Triangles of one look. corners: [F,3,3] float64 metres. Its look is either uv [F,3,2] float64 in image [h,w,3]
    uint8, (0, 0) its lower left corner, repeated beyond [0, 1]; or colours [F,3,3] uint8 of its corners; or none."""

    corners: np.ndarray
    uv: np.ndarray | None = None
    image: np.ndarray | None = None
    colours: np.ndarray | None = None


def solid(corners: np.ndarray, colour: np.ndarray) -> Part:
    """A part [F,3,3] of one colour [3] uint8."""
    return Part(corners, np.full((len(corners), 3, 2), 0.5), np.full((2, 2, 3), colour, np.uint8))


def linear(colours: np.ndarray) -> np.ndarray:
    """Linear light, 0 to 1, of sRGB colours from 0 to 1."""
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def shown(light: np.ndarray) -> np.ndarray:
    """uint8 sRGB, as images have it, of linear light from 0 to 1."""
    light = np.clip(light, 0, 1)
    return np.round(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)).astype(
        np.uint8
    )


def joined(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners [F,3,3] float64 of all parts, their uv [F,3,2] float64 and the texture [h,w,3] uint8 that shows all."""
    parts = _of_one_image(
        [
            part if part.image is not None or part.colours is not None else solid(part.corners, np.full(3, PLAIN))
            for part in parts
        ]
    )
    corners = np.concatenate([part.corners for part in parts])
    if len(parts) == 1 and parts[0].image is not None:
        assert parts[0].uv is not None
        return corners, parts[0].uv, _fitted(parts[0].image, LARGEST)
    # Ours: trimesh's material packing wraps uv corner by corner, which tears triangles over several tiles, and has no
    # colours at corners.
    across = int(np.ceil(np.sqrt(len(parts))))
    pieces, places = zip(*[_piece(part, LARGEST // across - 2 * BORDER) for part in parts], strict=True)
    texture, origins = _packed(pieces, across)
    height, width = texture.shape[:2]
    uv = np.concatenate([place + origin for place, origin in zip(places, origins, strict=True)])
    return corners, np.stack([uv[..., 0] / width, 1 - uv[..., 1] / height], -1), texture


def _of_one_image(parts: Sequence[Part]) -> list[Part]:
    """Parts that share an image as one, and all with colours as one: each takes its room in the texture once."""
    alike: dict[int, list[Part]] = {}
    for part in parts:
        alike.setdefault(id(part.image), []).append(part)
    return [
        group[0]
        if len(group) == 1
        else Part(
            np.concatenate([part.corners for part in group]),
            None if group[0].uv is None else np.concatenate([part.uv for part in group]),
            group[0].image,
            None if group[0].colours is None else np.concatenate([part.colours for part in group]),
        )
        for group in alike.values()
    ]


def _piece(part: Part, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture of a part alone, and its corners' places [F,3,2] in it, texels from its upper left corner."""
    if part.colours is not None:
        return _cells(part.colours, largest)
    assert part.uv is not None
    assert part.image is not None
    first = part.uv - np.floor(part.uv.min(1, keepdims=True))
    needed = np.maximum(np.ceil(first.max((0, 1))), 1)
    tiles = np.minimum(needed, largest).astype(int)
    first = first * (tiles / needed)  # a tile is one texel then: which one does not matter
    image = np.tile(_fitted(part.image, largest // int(tiles.max())), (tiles[1], tiles[0], 1))
    height, width = image.shape[:2]
    return image, np.stack([first[..., 0] / tiles[0] * width, (1 - first[..., 1] / tiles[1]) * height], -1)


def _cells(colours: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """A cell of 2x2 texels for each triangle, in which colours between its corners are linear.

    The fourth texel of a cell goes on where its triangle ends: the corner across from it is the one for which that can
    be a colour."""
    across = int(np.ceil(np.sqrt(len(colours))))
    if 2 * across > largest:
        raise ValueError(f'colours: expected at most {(largest // 2) ** 2} triangles with colours, got {len(colours)}')
    fourth = colours.sum(1, dtype=int, keepdims=True) - 2 * colours.astype(int)
    first = np.abs(fourth - np.clip(fourth, 0, 255)).sum(-1).argmin(1)
    order = (first[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(colours.astype(int), order[..., None], 1).swapaxes(0, 1)
    cells = np.zeros((across * across, 2, 2, 3), np.uint8)
    cells[: len(colours)] = np.stack([np.stack([a, b], 1), np.stack([c, np.clip(b + c - a, 0, 255)], 1)], 1)
    picture = cells.reshape(across, across, 2, 2, 3).swapaxes(1, 2).reshape(2 * across, 2 * across, 3)
    rows, columns = np.divmod(np.arange(len(colours)), across)
    low, high = 0.5 + INSET, 1.5 - INSET
    inside = np.array([[low, low], [high, low], [low, high]])[(np.arange(3) - first[:, None]) % 3]
    return picture, 2 * np.stack([columns, rows], -1)[:, None] + inside


def _packed(pieces: Sequence[np.ndarray], across: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The pieces in rows of ``across``, each with a border that repeats it, and their upper left corners (x, y)."""
    framed = [np.pad(piece, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), mode='wrap') for piece in pieces]
    rows = [framed[first : first + across] for first in range(0, len(framed), across)]
    height = sum(max(len(piece) for piece in row) for row in rows)
    width = max(sum(piece.shape[1] for piece in row) for row in rows)
    texture, origins, top = np.zeros((height, width, 3), np.uint8), [], 0
    for row in rows:
        left = 0
        for piece in row:
            texture[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
            origins.append(np.array([left + BORDER, top + BORDER], float))
            left += piece.shape[1]
        top += max(len(piece) for piece in row)
    return texture, origins


def _fitted(image: np.ndarray, largest: int) -> np.ndarray:
    """The image, smaller if a side is longer than ``largest``."""
    height, width = image.shape[:2]
    if max(height, width) <= largest:
        return image
    share = largest / max(height, width)
    size = max(1, int(width * share)), max(1, int(height * share))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
