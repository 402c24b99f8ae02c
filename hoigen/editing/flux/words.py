"""What stands for FLUX's text encoders in the tiny models: a table of word vectors that is trained with them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ['LENGTH', 'WordTable']

LENGTH = 12
"""Words of a caption that are read."""


class WordTable(nn.Module):
    """A vector for each word, by a hash: words never seen in training are read as noise, not refused."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, width, padding_idx=0)

    def numbers(self, captions: Sequence[str]) -> Tensor:
        """[B,LENGTH] int64 rows of the table, 0 where there is no word."""
        rows = torch.zeros(len(captions), LENGTH, dtype=torch.long)
        for row, caption in zip(rows, captions, strict=True):
            words = re.findall(r'[a-z]+', caption.lower())[:LENGTH]
            for place, word in enumerate(words):
                row[place] = 1 + zlib.crc32(word.encode()) % (self.table.num_embeddings - 1)
        return rows

    def forward(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Word vectors [B,LENGTH,D] and their mean [B,D]."""
        vectors = self.table(numbers)
        return vectors, vectors.sum(1) / (numbers > 0).sum(1, keepdim=True).clamp(min=1)
