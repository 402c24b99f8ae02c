"""Clips in a given style: first image and clean background, read, held against the clip and named in provenance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hoigen.conditioning import FirstImageError, checked_background, with_first_image
from hoigen.provenance import sha256_of
from hoigen.records import Clip
from hoigen.sources.recording import RecordingError, read_still
from hoigen.video.style import Style, StyleError

Taken = TypeVar('Taken')


@dataclass(frozen=True, eq=False)
class Styled:
    """A clip whose frame 0 has the style; background: [H,W,3] uint8, None if none is given.

    provenance: the prompt; of each file its name, its SHA-256 and, of the first image, how well it fits by role.
    """

    clip: Clip
    prompt: str
    background: np.ndarray | None
    provenance: dict[str, Any]


def styled(clip: Clip, style: Style) -> Styled:
    """The clip in a style of files (:meth:`Style.of`); StyleError for one that cannot be read or does not fit."""
    prompt = style.prompt or clip.labels[0].task
    known: dict[str, Any] = {'prompt': prompt}
    background = None
    if style.first_image is not None:
        clip, ranks = _taken('first_image', style.first_image, partial(with_first_image, clip))
        outlines = {role: round(rank, 3) for role, rank in ranks.items()}
        known['first_image'] = _named(style.first_image) | {'outlines': outlines}
    if style.background is not None:
        background = _taken('background', style.background, partial(checked_background, clip))
        known['background'] = _named(style.background)
    return Styled(clip, prompt, background, known)


def _taken(option: str, path: Path, take: Callable[[np.ndarray], Taken]) -> Taken:
    """What ``take`` makes of an image file."""
    try:
        return take(read_still(path))
    except RecordingError as error:
        raise StyleError(f'{option}: {error}') from error
    except FirstImageError as error:
        raise StyleError(f'{option}: {path}: {error}') from error


def _named(path: Path) -> dict[str, Any]:
    return {'file': path.name, 'sha256': sha256_of(path)}
