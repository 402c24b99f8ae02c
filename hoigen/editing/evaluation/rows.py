"""What is compared in an evaluation of insertion: the model with and without its parts, and pictures without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from hoigen.editing.evaluation.scenes import Insertion
from hoigen.editing.flux_insertion.inserter import Inserter
from hoigen.editing.placement import box_of
from hoigen.editing.records import Subject
from hoigen.geometry.shading import draw

RIM = 2
"""Pixels about an object that is moved which are taken away with it."""


@dataclass(frozen=True)
class Row:
    """One way to make the pictures; the default is the model as it is used.

    guided: the masked image shows the mesh as it is to be. geometry_aware: nearer pixels of the scene stay. exact: the
    mesh is known, not only the box about it. references_by: see ``Inserter``. caption: the object is named.
    stage_1: the model has learned from novel views before. refined: a small model's last step mends what it painted.
    moved: the object is taken away elsewhere in the picture before.
    """

    guided: bool = True
    geometry_aware: bool = True
    exact: bool = True
    references_by: Literal['pose', 'order'] = 'pose'
    caption: bool = True
    stage_1: bool = True
    refined: bool = True
    moved: bool = False


@dataclass(frozen=True, eq=False)
class Made:
    """A picture [H,W,3] uint8 and where its labels say that the object is seen, [H,W] bool; None without labels."""

    rgb: np.ndarray
    mask: np.ndarray | None


MODEL, MOVEMENT = 'model', 'model, movement: taken away, then inserted'
NO_DEPTH = 'model, without geometry-aware synthesis'
PAPER, ANY_REFERENCES = "the paper's conditions", "the paper's conditions, any references"
STAGE_1 = "the paper's conditions, any references, no refiner"
NO_STAGE_1 = f'{STAGE_1}, without stage 1'

ROWS = {
    MODEL: Row(),
    NO_DEPTH: Row(geometry_aware=False),
    'model, only the size is known': Row(exact=False),
    'model, without refiner': Row(refined=False),
    MOVEMENT: Row(moved=True),
    PAPER: Row(guided=False),
    "the paper's conditions, without geometry-aware synthesis": Row(guided=False, geometry_aware=False),
    "the paper's conditions, without caption": Row(guided=False, caption=False),
    ANY_REFERENCES: Row(guided=False, references_by='order'),
    STAGE_1: Row(guided=False, references_by='order', refined=False),
    NO_STAGE_1: Row(guided=False, references_by='order', refined=False, stage_1=False),
}


def make(row: Row, inserter: Inserter, insertion: Insertion, seed: int) -> Made:
    """The insertion as a row makes it."""
    model = inserter.model if row.refined else replace(inserter.model, refiner=None)
    inserter = replace(
        inserter, model=model, guided=row.guided, geometry_aware=row.geometry_aware, references_by=row.references_by
    )
    asset, truth, camera = insertion.look.asset, insertion.truth, insertion.placement.camera
    subject = Subject(
        insertion.look.caption if row.caption else '',
        insertion.references,
        asset if row.exact else box_of(asset),
        exact=row.exact,
    )
    rgb, depth = truth.without, truth.scene_depth_m
    if row.moved:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM + 1, 2 * RIM + 1))
        hole = cv2.dilate(insertion.before.mask.astype(np.uint8), kernel) > 0
        depth = np.where(hole, np.float32(np.nan), insertion.before.depth_m)
        rgb = inserter.remove(insertion.before.rgb, hole, depth, seed=seed)
    edited = inserter.insert(rgb, depth, camera, subject, insertion.placement.T_world_object, seed=seed)
    return Made(edited.rgb, edited.mask)


def _drawn(insertion: Insertion) -> np.ndarray:
    """The mesh drawn into the scene: what needs no learning."""
    view = draw(insertion.look.asset, insertion.placement.T_world_object, insertion.placement.camera)
    share = (view.share * insertion.truth.visible)[..., None]
    return (share * view.rgb + (1 - share) * insertion.truth.without).round().astype(np.uint8)


def _filled(insertion: Insertion) -> np.ndarray:
    """What is seen of the object in its own mean colour: what the outline alone tells."""
    truth = insertion.truth
    mean = truth.rgb[truth.visible].mean(0).round().astype(np.uint8)
    return np.where(truth.visible[..., None], mean, truth.without)


TRUE, NOTHING = 'true picture', 'nothing inserted'
BASELINES: dict[str, Callable[[Insertion], np.ndarray]] = {
    TRUE: lambda insertion: insertion.truth.rgb,
    'mesh drawn in, no learning': _drawn,
    'outline in one colour': _filled,
    NOTHING: lambda insertion: insertion.truth.without,
}
"""What bounds the measures: the best that a picture can be found to be, and what takes no model."""
