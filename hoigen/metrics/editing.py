"""How true an edited picture is: which pixels show the object, how deep they are, what is before what, what was kept.

A picture is read by colour against true renderings of the same view: each changed pixel is the object's or the
scene's, whichever of them has the nearer colour close by. Where the two look alike nobody can tell; such pixels
are left out of every measure, the same ones for every method.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from scipy.spatial import cKDTree

from hoigen.records import Check

SCENE, OBJECT, UNCLEAR = 0, 1, 2
"""Codes of a reading."""
ALIKE = 30.0
"""Colours nearer than this (Euclidean, RGB levels) may belong to either."""
CLEARLY = 0.8
"""A pixel is read where one distance is less than this part of the other."""
UNCHANGED = 8
"""A pixel that differs from the scene by no more in any colour shows the scene."""
REACH = 2
"""The scene's colours are looked for within so many pixels, so that a soft edge or a little shift does no harm."""
BLUR = 1.0
"""Deviation in pixels of the softened pictures whose colours count, too: models paint soft edges and textures."""
RIGHT = 0.7
"""The share of the hidden pixels that must show the scene, and of the seen ones the object, for a right order."""
LEAST = 12
"""Fewer pixels than that say nothing about the order."""


@dataclass(frozen=True, eq=False)
class EditTruth:
    """What a picture with an inserted object should show, [H,W] each.

    rgb: [H,W,3] uint8, the true picture. without: the same without the object and its shadow. alone: the object with
    nothing before it; only its pixels inside ``outline`` count. outline: bool, where the object would be seen if
    nothing stood before it. object_depth_m: float32, of its front there. scene_depth_m: float32, of ``without``, NaN
    or infinite where nothing is. visible: bool, where the object is seen.
    """

    rgb: np.ndarray
    without: np.ndarray
    alone: np.ndarray
    outline: np.ndarray
    object_depth_m: np.ndarray
    scene_depth_m: np.ndarray
    visible: np.ndarray

    def __post_init__(self) -> None:
        check, sizes = Check('EditTruth'), dict[str, int]()
        for name in ('rgb', 'without', 'alone'):
            check.array(name, getattr(self, name), 'uint8', ('H', 'W', 3), sizes=sizes)
        for name in ('outline', 'visible'):
            check.array(name, getattr(self, name), 'bool', ('H', 'W'), sizes=sizes)
        for name in ('object_depth_m', 'scene_depth_m'):
            check.array(name, getattr(self, name), 'float32', ('H', 'W'), sizes=sizes, finite=False)
        check.that(
            bool(self.visible.any()) and not (self.visible & ~self.outline).any(),
            'visible',
            'a part of the outline that is not empty',
            int(self.visible.sum()),
        )
        check.done()

    @cached_property
    def depth_m(self) -> np.ndarray:
        """[H,W] float32 of the true picture."""
        return np.where(self.visible, self.object_depth_m, self.scene_depth_m)

    @cached_property
    def tellable(self) -> np.ndarray:
        """[H,W] bool, where the scene has no colour of the object's, nor the object one of the scene's there."""
        everywhere = np.ones(self.outline.shape, bool)
        scene = np.where(self.visible[..., None], self.without, self.rgb)
        apart = np.minimum(self.to_object(scene, everywhere), self.to_object(self.without, everywhere)) >= ALIKE
        return apart & (~self.outline | (self.to_scene(self.alone, everywhere) >= ALIKE))

    def to_object(self, picture: np.ndarray, where: np.ndarray) -> np.ndarray:
        """[H,W] float32 distance of each pixel's colour to the nearest that the object has anywhere; 0 elsewhere."""
        found = np.zeros(where.shape, np.float32)
        found[where] = self._palette.query(picture[where].astype(np.float32))[0]
        return found

    def to_scene(self, picture: np.ndarray, where: np.ndarray) -> np.ndarray:
        """[H,W] float32 distance of each pixel's colour to the nearest of the scene's close by; 0 elsewhere."""
        rows, columns = np.nonzero(where)
        colours = picture[where].astype(np.float32)
        least = np.full(len(colours), np.inf, np.float32)
        for scene in self._scenes:
            for down in range(2 * REACH + 1):
                for across in range(2 * REACH + 1):
                    apart = colours - scene[rows + down, columns + across]
                    least = np.minimum(least, np.einsum('nc,nc->n', apart, apart))
        found = np.zeros(where.shape, np.float32)
        found[where] = np.sqrt(least)
        return found

    @cached_property
    def _palette(self) -> cKDTree:
        share = cv2.GaussianBlur(self.outline.astype(np.float32), (0, 0), BLUR)[..., None]
        soft = cv2.GaussianBlur(self.alone * self.outline[..., None].astype(np.float32), (0, 0), BLUR)
        inner = cv2.erode(self.outline.astype(np.uint8), np.ones((3, 3))).astype(bool)
        inner = inner if inner.any() else self.outline
        return cKDTree(np.concatenate([self.alone[inner], (soft / np.maximum(share, 1e-6))[inner]]))

    @cached_property
    def _scenes(self) -> list[np.ndarray]:
        """The scene with and without the object's shadow, sharp and soft, with a border of REACH."""
        shaded = np.where(self.visible[..., None], self.without, self.rgb)
        sharp = [picture.astype(np.float32) for picture in (self.without, shaded)]
        soft = [cv2.GaussianBlur(picture, (0, 0), BLUR) for picture in sharp]
        return [cv2.copyMakeBorder(picture, *[REACH] * 4, cv2.BORDER_REPLICATE) for picture in sharp + soft]


def read(picture: np.ndarray, truth: EditTruth) -> np.ndarray:
    """[H,W] uint8 codes SCENE, OBJECT or UNCLEAR of a picture [H,W,3] uint8 of the same view."""
    changed = (np.abs(picture.astype(np.int16) - truth.without) > UNCHANGED).any(-1)
    to_object, to_scene = truth.to_object(picture, changed), truth.to_scene(picture, changed)
    found = np.full(changed.shape, UNCLEAR, np.uint8)
    found[to_object < CLEARLY * to_scene] = OBJECT
    found[~changed | (to_scene < CLEARLY * to_object)] = SCENE
    return found


def object_iou(reading: np.ndarray, truth: EditTruth) -> float:
    """Intersection over union of where the object is read and where it is truly seen, over pixels that can be told;
    an unclear pixel does not show the object. NaN where none of the object's pixels can be told."""
    found, true = (reading == OBJECT) & truth.tellable, truth.visible & truth.tellable
    return float((found & true).sum() / (found | true).sum()) if true.any() else float('nan')


def depth_error_percent(reading: np.ndarray, truth: EditTruth) -> float:
    """AbsRel: mean of |depth - true| / true in percent, over the outline and wherever the object is read.

    A pixel is as deep as what it is read to show; beyond the outline the object is taken to be as deep as the middle
    of its front. Unclear pixels do not count; NaN where none does.
    """
    middle = np.float32(np.median(truth.object_depth_m[truth.outline]))
    depth = np.where(truth.outline, truth.object_depth_m, middle)
    depth = np.where(reading == OBJECT, depth, truth.scene_depth_m)
    counted = (truth.outline | (reading == OBJECT)) & (reading != UNCLEAR) & truth.tellable
    counted &= np.isfinite(depth) & np.isfinite(truth.depth_m)
    if not counted.any():
        return float('nan')
    return float(100 * (np.abs(depth[counted] - truth.depth_m[counted]) / truth.depth_m[counted]).mean())


def occlusion_right(reading: np.ndarray, truth: EditTruth) -> float:
    """1 where the scene is seen before the object and the object before the rest, as geometry has it, else 0; NaN
    where too few pixels of either can be told."""
    hidden, seen = truth.outline & ~truth.visible & truth.tellable, truth.visible & truth.tellable
    if hidden.sum() < LEAST or seen.sum() < LEAST:
        return float('nan')
    kept, shown = (reading[hidden] == SCENE).mean(), (reading[seen] == OBJECT).mean()
    return float(kept >= RIGHT and shown >= RIGHT)


def unclear_share(reading: np.ndarray, truth: EditTruth) -> float:
    """The share of the outline that no measure counts: it looks like both, or like neither."""
    return float(((reading == UNCLEAR) | ~truth.tellable)[truth.outline].mean())


def colour_error(picture: np.ndarray, truth: EditTruth) -> float:
    """How far the colours of the object's seen pixels are from the true ones wherever they are: the earth mover's
    distance in RGB levels, mean of the three channels."""
    found, true = (np.sort(p[truth.visible].astype(np.float32), axis=0) for p in (picture, truth.rgb))
    return float(np.abs(found - true).mean())


def background_error(picture: np.ndarray, truth: EditTruth) -> float:
    """Mean absolute difference to the scene without the object, RGB levels, outside the object's outline."""
    apart = np.abs(picture.astype(np.float32) - truth.without).mean(-1)
    return float(apart[~truth.outline].mean())
