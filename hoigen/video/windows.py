"""Clips longer than a model's own: windows that follow each other in latent space under one condition of the clip.

A latent holds four frames and frame ``4 i`` ends latent ``i``. Every window begins with the clip's true first frame, as
the model knows it, and jumps from there to its own part: the latents that it shares with the window before, which it
holds as they are at every denoising step, and those that it adds. So nothing is made from a picture that was made
before, which would drift, and the memory that the DiT needs is that of one window, however long the clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.records import Conditions


@dataclass(frozen=True)
class Window:
    """The clip's first frame, then its latents ``start + 1`` to ``stop`` (exclusive).

    Those below ``known`` are there from the windows before.
    """

    start: int
    stop: int
    known: int

    @property
    def frames(self) -> list[int]:
        """Its frames, of the clip's."""
        return [0, *range(4 * self.start + 1, 4 * self.stop - 3)]

    @property
    def latents(self) -> list[int]:
        """Its latents, of the clip's."""
        return [0, *range(self.start + 1, self.stop)]


def plan_windows(latents: int, length: int, overlap: int | None = None) -> tuple[Window, ...]:
    """Windows of ``length`` latents over a clip of ``latents``, spread evenly; one, if the clip is no longer.

    overlap: how many latents neighbours share at least, beside the first frame; by default a quarter of a window.
    """
    if latents <= length:
        return (Window(0, latents, 0),)
    overlap = max(1, length // 4) if overlap is None else overlap
    fresh = length - 1 - overlap
    if overlap < 1 or fresh < 1:
        raise ValueError(f'overlap: expected 1 to {length - 2} of the {length} latents of a window, got {overlap}')
    count = 1 + -(-(latents - length) // fresh)
    starts = np.linspace(0, latents - length, count).round().astype(int).tolist()
    stops = [start + length for start in starts]
    return tuple(Window(*row) for row in zip(starts, stops, [0, *stops[:-1]], strict=True))


def seam_score(frames: np.ndarray, conditions: Conditions, windows: tuple[Window, ...]) -> float | None:
    """How much more the picture changes where a window's own part begins than elsewhere; 1 is no seam.

    A change is the mean absolute difference, over the points of hand and object that are visible before and after,
    between the colour at a point's place in one frame and at its place in the next: so motion alone is no change. Where
    four frames of one latent meet those of the next, the change is taken in parts of that of the two frames before and
    after. The score is this ratio, over all borders where a window's own part begins, divided by the same over all
    other borders. None where there is no window or nothing to compare.
    """
    borders = 4 * np.arange(1, windows[-1].stop - 1) + 1
    seams = np.isin(borders, [4 * (w.known - 1) + 1 for w in windows[1:]])
    changes = np.array([0.0] + [_change(frames, conditions, t) for t in range(1, len(frames))])
    around = np.mean([changes[borders + step] for step in (-2, -1, 1, 2)], axis=0)
    with np.errstate(divide='ignore', invalid='ignore'):
        at, elsewhere = (changes[borders[part]].sum() / around[part].sum() for part in (seams, ~seams))
        score = at / elsewhere
    return float(score) if np.isfinite(score) else None


def _change(frames: np.ndarray, conditions: Conditions, t: int) -> float:
    """Mean colour change from frame ``t - 1`` to ``t`` at the points of hand and object; 0 where none is visible."""
    both = conditions.point_visible[t - 1] & conditions.point_visible[t] & (conditions.point_role > 0)
    if not both.any():
        return 0.0
    before, after = (point_colours(frames[s], conditions.point_pixels[s, both]) for s in (t - 1, t))
    return float(np.abs(after - before).mean())


def point_colours(frame: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """[N,3] float32 colours of a frame [H,W,3] uint8 at the pixels nearest to (u, v) [N,2], all inside."""
    column, row = np.floor(pixels + 0.5).astype(int).T
    return frame[row.clip(0, frame.shape[0] - 1), column.clip(0, frame.shape[1] - 1)].astype(np.float32)
