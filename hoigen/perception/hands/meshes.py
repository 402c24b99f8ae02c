"""Hands of a recording as meshes: rigged hands of the user's, posed where keypoints are known in 3D."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hoigen.conventions import HAND, ROLE_CODE
from hoigen.geometry.raster import rasterise
from hoigen.perception.hands.rig import Rig, load_rig, pose
from hoigen.perception.records import PerceptionError
from hoigen.records import Clip, MeshAsset, MeshFrame
from hoigen.records.labels import SIDES

MOST_OFF_M = 0.02
"""A posed hand whose surface is farther than this (median) from the measured depth is left out of that frame."""


@dataclass(frozen=True, eq=False)
class HandMeshes:
    """assets: of the hands that are known in some frame. frames: T, or none without assets; a hand is missing in those
    in which it is not known. notes: a sentence for each side."""

    assets: tuple[MeshAsset, ...] = ()
    frames: tuple[MeshFrame, ...] = ()
    notes: tuple[str, ...] = ()


def load_rigs(folder: Path) -> dict[str, Rig]:
    """The rigs of left.glb and right.glb, by side; PerceptionError where one is missing or cannot be read."""
    return {side: load_rig(folder / f'{side}.glb') for side in SIDES}


def posed_hands(clip: Clip, rigs: Mapping[str, Rig]) -> HandMeshes:
    """The hands of a clip in metres, whose labels have keypoints in 3D."""
    assets, notes = [], []
    found: list[dict[str, np.ndarray]] = [{} for _ in clip.labels]
    sides = clip.labels[0].hands.sides
    for row, side in enumerate(sides):
        keypoints = np.stack([label.hands.keypoints_m[row] for label in clip.labels])
        known = np.flatnonzero(np.isfinite(keypoints).all((1, 2)))
        if not len(known):
            notes.append(f'{side} hand: no mesh, for its keypoints are not known in 3D')
            continue
        rig, name = rigs[side], f'{side}_hand'
        try:
            vertices = pose(rig, keypoints[known])
        except PerceptionError as error:
            notes.append(f'{side} hand: no mesh; {error}')
            continue
        off = np.array([_off_m(v, rig, clip, int(t)) for t, v in zip(known, vertices, strict=True)])
        near = off <= MOST_OFF_M
        for t, placed in zip(known[near], vertices[near], strict=True):
            found[t][name] = placed
        notes.append(f'{side} hand: {_said(off, near, len(found))}')
        if near.any():
            assets.append(MeshAsset(name, HAND, rig.vertices.astype(np.float32), rig.triangles))
    return HandMeshes(tuple(assets), tuple(MeshFrame({}, own) for own in found) if assets else (), tuple(notes))


def _off_m(vertices: np.ndarray, rig: Rig, clip: Clip, t: int) -> float:
    """The median distance along the optical axis from the mesh to what is measured of hands; infinite without any."""
    drawn = rasterise(clip.cameras[t], vertices, rig.triangles).depth_m
    apart = np.abs(drawn - clip.depth_m[t])[clip.mask[t] == ROLE_CODE[HAND]]
    apart = apart[np.isfinite(apart)]
    return float(np.median(apart)) if len(apart) else np.inf


def _said(off: np.ndarray, near: np.ndarray, frames: int) -> str:
    words = f'a mesh in {near.sum()} of {frames} frames'
    if near.any():
        words += f', {1000 * np.median(off[near]):.0f} mm (median) from the measured depth'
    if not near.all():
        words += f'; in {(~near).sum()} it would be more than {1000 * MOST_OFF_M:.0f} mm off'
    return words
