"""Where reference pictures lie in FLUX's plane of tokens (UNO, universal rotary position embedding)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from hoigen.models.flux import position_ids

__all__ = ['Offset', 'reference_ids']

Offset = Literal['diagonal', 'down', 'across', 'none']
"""Which way references are moved out of the picture's place; UNO's weights were trained on the diagonal."""


def reference_ids(
    height: int, width: int, references: Sequence[tuple[int, int]], offset: Offset = 'diagonal'
) -> list[Tensor]:
    """[h*w, 3] float32 position ids of each reference (h, w), all in tokens, after a picture of ``height`` x ``width``.

    On the diagonal each is moved down and across by all pictures before it; the other ways are UNO's ablation.
    """
    found, down, across = [], height, width
    for h, w in references:
        found.append(
            position_ids(
                h,
                w,
                down=down if offset in ('diagonal', 'down') else 0,
                across=across if offset in ('diagonal', 'across') else 0,
            )
        )
        down, across = down + h, across + w
    return found
