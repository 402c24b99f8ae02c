"""Several calibrated cameras of one scene: conditions that agree, and how well the generated views agree.

A surface point of hand and object is the same row in every view, so that it has one place, one normalised place up to
the camera's rotation, and one colour. Each view is then generated for itself from the same noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from hoigen.conditioning import build_conditions
from hoigen.conventions import ROLE_CODE, SCENE
from hoigen.geometry.view import centre_view
from hoigen.records import Clip, Conditions
from hoigen.video.styled import Styled
from hoigen.video.windows import point_colours


@dataclass(frozen=True)
class Consistency:
    """How much views differ where they show the same place, in grey levels (0 to 255), and in how many places.

    generated: mean absolute colour difference over ``pairs``, each a surface point of hand and object in one frame
    after the first that two views see. true: the same of the scene's own pictures, whose light and resolution differ
    from view to view too: generated views as consistent as the true ones have the same number.
    """

    generated: float
    true: float
    pairs: int

    def __str__(self) -> str:
        return (
            f'views differ by {self.generated:.1f} grey levels where they show the same place, the true pictures '
            f'by {self.true:.1f} (N = {self.pairs})'
        )


def view_conditions(
    views: Sequence[Styled], *, width: int, height: int, detail: bool = False
) -> tuple[Conditions, ...]:
    """The conditions of each view; ValueError unless all show one scene at the same instants.

    A point whose colour a view does not know has the colour that another view's first frame shows. detail: also at the
    source's own size, if it is larger.
    """
    clips = [view.clip for view in views]
    same = all(
        np.array_equal(c.stamps_ns, clips[0].stamps_ns) and np.array_equal(_acting(c), _acting(clips[0])) for c in clips
    )
    if not same:
        raise ValueError(
            'views: expected clips of one scene with the same stamps and the same points of hand and '
            'object (one seed for their samples), got others'
        )
    return tuple(
        replace(
            build_conditions(clip, width=width, height=height, background=view.background),
            prompt=view.prompt,
            detail=_detail(clip, view.background, width, height) if detail else None,
        )
        for clip, view in zip(share_colours(clips), views, strict=True)
    )


def _detail(clip: Clip, background: np.ndarray | None, width: int, height: int) -> Conditions | None:
    """What is left of the source with that aspect, at its own size, if it is larger; even, as videos are."""
    part = centre_view(clip.cameras[0], width, height)
    if part.columns <= width or part.rows <= height:
        return None
    return build_conditions(clip, width=part.columns // 2 * 2, height=part.rows // 2 * 2, background=background)


def share_colours(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """The clips, each with the colours of hand and object that only others know; the earlier in the list goes first."""
    shared = []
    for clip in clips:
        rgb, known, rows = clip.point_rgb.copy(), clip.point_rgb_known.copy(), _rows(clip)
        for other in clips:
            theirs = _rows(other)
            fresh = ~known[rows] & other.point_rgb_known[theirs]
            rgb[rows[fresh]], known[rows[fresh]] = other.point_rgb[theirs[fresh]], True
        shared.append(replace(clip, point_rgb=rgb, point_rgb_known=known))
    return tuple(shared)


def consistency(
    generated: Sequence[np.ndarray], true: Sequence[np.ndarray], conditions: Sequence[Conditions]
) -> Consistency:
    """Compare each two views; generated and true: [T,H,W,3] uint8 per view at the conditions' size."""
    differences: list[list[np.ndarray]] = [[], []]
    for a, b in combinations(range(len(conditions)), 2):
        one, other = (_seen(conditions[view]) for view in (a, b))
        for t in range(1, len(one[1])):
            both = one[1][t] & other[1][t]
            for videos, found in zip((generated, true), differences, strict=True):
                left, right = (
                    point_colours(videos[view][t], seen[0][t, both]) for view, seen in ((a, one), (b, other))
                )
                found.append(np.abs(left - right).mean(axis=1))
    made, real = (np.concatenate(found) for found in differences)
    if not len(made):
        raise ValueError('views: expected points of hand and object that two views see, got none')
    return Consistency(float(made.mean()), float(real.mean()), len(made))


def _rows(clip: Clip | Conditions) -> np.ndarray:
    return np.flatnonzero(clip.point_role != ROLE_CODE[SCENE])


def _acting(clip: Clip) -> np.ndarray:
    """World places [T,A,3] of the points of hand and object."""
    return clip.points[:, _rows(clip)]


def _seen(conditions: Conditions) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [T,A,2] and visibility [T,A] of the points of hand and object."""
    rows = _rows(conditions)
    return conditions.point_pixels[:, rows], conditions.point_visible[:, rows]
