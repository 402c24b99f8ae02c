"""Which examples are good enough to learn from, and why others are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hoigen.editing.data.examples import Example
from hoigen.editing.records import Reference
from hoigen.editing.synthesis import TOLERANCE
from hoigen.editing.views import nearest

Likeness = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Pictures [S,S,3] uint8 -> unit vectors [n,D] float32, alike where the pictures show the same thing."""
WHITE = 255
CHANGED_M = 1e-4
"""Depth that differs by more than this with and without the thing shows the thing."""
ALIKE = 3
"""With so many of its pictures, those turned most alike, a thing in a scene is compared."""


@dataclass(frozen=True)
class FilterOptions:
    """What is left out."""

    agreement: float = 0.9
    """Least overlap (IoU) of a thing's mask with the pixels that it changes in the simulated depth, [0, 1]."""
    cut: float = 0.3
    """Most of a thing that may lie outside the picture, [0, 1]."""
    similarity: float = 0.5
    """Least DINO similarity of a thing in a scene to its pictures, [-1, 1]; only with --dino."""
    dino: str = ''
    """Folder or catalogue name of DINOv2's weights; none: likeness is not judged."""

    def __post_init__(self) -> None:
        if not (0 <= self.agreement <= 1 and 0 <= self.cut <= 1 and -1 <= self.similarity <= 1):
            raise ValueError(f'filters: expected agreement and cut in [0, 1] and similarity in [-1, 1], got {self}')


def seen_of(example: Example) -> np.ndarray:
    """[S,S] bool, where the thing is seen, by its mesh and the scene's depth."""
    scene = np.nan_to_num(example.sight.depth_without_m, nan=np.inf)
    return example.placement.mask & ~(scene < example.placement.depth_m * (1 - TOLERANCE))


def fault_of(example: Example, views: tuple[Reference, ...], options: FilterOptions, likeness: Likeness | None) -> str:
    """Why an example is left out; '' where it is good. likeness: None where it is not judged."""
    if example.placement.cut > options.cut:
        return 'cut off by the border'
    seen = seen_of(example)
    if agreement(example, seen) < options.agreement:
        return 'mask and rendering disagree'
    if likeness is None:
        return ''
    turned = nearest(views, example.placement.orientation, ALIKE)
    shown = np.where(seen[..., None], example.sight.rgb, np.uint8(WHITE))
    vectors = likeness([shown, *(view.rgb for view in turned)])
    return 'not like its pictures' if float((vectors[1:] @ vectors[0]).max()) < options.similarity else ''


def agreement(example: Example, seen: np.ndarray) -> float:
    """Intersection over union of where a thing should be seen with where it changes what the renderer measured."""
    sight = example.sight
    known = np.isfinite(sight.depth_m)
    both = known & np.isfinite(sight.depth_without_m)
    changed = known & ~np.isfinite(sight.depth_without_m)
    changed[both] = np.abs(sight.depth_m[both] - sight.depth_without_m[both]) > CHANGED_M
    union = int((changed | seen).sum())
    return float((changed & seen).sum()) / union if union else 0.0
