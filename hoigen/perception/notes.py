"""What a person should know of a stretch that was perceived: gaps above all, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hoigen.conventions import HAND, OBJECT, ROLE_CODE, ROLES
from hoigen.perception.records import Geometry, Segmentation, Tracks
from hoigen.records import Footage

MUCH_UNKNOWN, FEW_VISIBLE = 0.4, 0.3
"""Shares of pixels without depth and of visible tracks that are worth a note."""


def notes_on(footage: Footage, segmentation: Segmentation, tracks: Tracks, geometry: Geometry | None) -> Iterator[str]:
    """Sentences about what is not there or not sure."""
    for role in (HAND, OBJECT):
        gap = ~(segmentation.mask == ROLE_CODE[role]).any((1, 2))
        if gap.all():
            yield f'no {role} in view'
        elif gap.any():
            yield f'no {role} in view in frames {spans(gap)}'
    for number, role in enumerate(segmentation.role):
        gap = ~(segmentation.instance == number + 1).any((1, 2))
        if gap.any() and (segmentation.role == role).sum() > 1:
            yield f'{ROLES[role]} {number + 1} is not in view in frames {spans(gap)}'
    for doubt in segmentation.doubts:
        frames = np.isin(np.arange(len(segmentation.instance)), doubt.frames)
        yield segmentation.in_words(doubt) + (f' in frames {spans(frames)}' if doubt.number else '')
    if geometry is not None:
        if not geometry.metric:
            yield f'the scale of {geometry.method} is not known: lengths are in its own unit, not metres'
        unknown = 1 - np.isfinite(geometry.depth_m).mean()
        if unknown > MUCH_UNKNOWN:
            yield f'{100 * unknown:.0f} % of the pixels have no depth'
    if tracks.visible.size and tracks.visible.mean() < FEW_VISIBLE:
        yield f'tracks are visible in only {100 * tracks.visible.mean():.0f} % of their frames: too much moves too fast'
    steps = np.diff(footage.stamps_ns)
    if len(steps) and steps.max() > 2.5 * np.median(steps):
        after, longest, mostly = int(steps.argmax()), steps.max() / 1e9, np.median(steps) / 1e9
        yield f'{longest:.2f} s pass between frames {after} and {after + 1}, mostly {mostly:.2f} s'


def spans(where: np.ndarray) -> str:
    """The frames of [T] bool in words, '3, 7-9'."""
    rows = np.flatnonzero(where)
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return ', '.join(f'{run[0]}' if len(run) == 1 else f'{run[0]}-{run[-1]}' for run in runs)
