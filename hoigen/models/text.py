"""Text to embeddings: the published encoders of CogVideoX and FLUX, and what stands for them in the tiny models."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hoigen.models.configuration import Memory
from hoigen.models.hub.pretrained import pretrained
from hoigen.models.memory import free_bytes


class _Encoders:
    """Encoders of a pipeline's folder; those that have read stay where they leave ``room`` bytes of memory free.

    length: tokens of a text for T5, padded; a longer text is refused (ValueError). Padding is read like any token,
    without a mask: CogVideoX and FLUX learned on that.
    """

    def __init__(self, folder: Path, length: int, memory: Memory, room: float) -> None:
        self._folder, self._length, self._memory, self._room = folder, length, memory, room
        self._encoders: dict[str, Any] = {}

    def _t5(self, texts: list[str], number: str) -> list[Tensor]:
        """[length,D] of each text, on the CPU. number: what the names of its two folders end with."""
        from transformers import T5EncoderModel, T5Tokenizer  # takes seconds; models without text never wait for it

        tokenizer = T5Tokenizer.from_pretrained(self._folder / f'tokenizer{number}')
        for text in texts:
            if (count := len(tokenizer(text, verbose=False).input_ids)) > self._length:
                raise ValueError(
                    f'prompt: expected at most {self._length} tokens of T5, got {count}: shorten "{text[:60]} ..."'
                )
        return self._read(
            T5EncoderModel, f'text_encoder{number}', _numbers(tokenizer, texts, self._length), 'last_hidden_state'
        )

    def _read(self, made: Any, part: str, ids: Tensor, output: str) -> list[Tensor]:
        """That output of an encoder for each row of ids, on the CPU."""
        device = self._memory.text_device()
        encoder = self._encoders.get(part)
        if encoder is None:
            encoder = pretrained(made, self._folder / part, dtype=self._memory.dtype()).to(device)
        rows = [getattr(encoder(row[None].to(device)), output)[0].cpu() for row in ids]
        self._encoders[part] = encoder
        del encoder
        _release_cache(device)
        if free_bytes(device) < self._room:
            del self._encoders[part]
            _release_cache(device)
        return rows


class PromptEncoder(_Encoders):
    """CogVideoX's prompts by T5, which reads each but once; folder: holds ``tokenizer`` and ``text_encoder``."""

    def __init__(self, folder: Path, length: int, memory: Memory, room: float = math.inf) -> None:
        super().__init__(folder, length, memory, room)
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def embed(self, prompts: list[str]) -> Tensor:
        """``[B, length, D]`` on the CPU, in the encoder's dtype."""
        new = [p for p in dict.fromkeys(prompts) if p not in self._known]
        if new:
            self._known |= dict(zip(new, self._t5(new, ''), strict=True))
        return torch.stack([self._known[p] for p in prompts])


class CaptionEncoder(_Encoders):
    """FLUX's captions by T5 and CLIP, which read each but once.

    folder: holds ``tokenizer`` and ``text_encoder`` (CLIP), ``tokenizer_2`` and ``text_encoder_2`` (T5). CLIP reads as
    many tokens as it knows positions for. keep: the other way round, for training on many captions (one takes 4 MB):
    the encoders stay in memory and no caption does.
    """

    def __init__(self, folder: Path, length: int, memory: Memory, *, keep: bool = False) -> None:
        super().__init__(folder, length, memory, 0 if keep else math.inf)
        self._keep = keep
        self._known: dict[str, tuple[Tensor, Tensor]] = {}

    @torch.no_grad()
    def __call__(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """T5's tokens [B,length,D] and CLIP's vectors [B,P], on the model's device in its dtype."""
        known, new = dict(self._known), [c for c in dict.fromkeys(captions) if c not in self._known]
        if new:
            known |= dict(zip(new, zip(self._t5(new, '_2'), self._clip(new), strict=True), strict=True))
        if not self._keep:
            self._known = known
        device = self._memory.torch_device()
        rows = [known[c] for c in captions]
        return torch.stack([tokens for tokens, _ in rows]).to(device), torch.stack([row for _, row in rows]).to(device)

    def _clip(self, captions: list[str]) -> list[Tensor]:
        from transformers import CLIPTextModel, CLIPTokenizer

        tokenizer = CLIPTokenizer.from_pretrained(self._folder / 'tokenizer')
        return self._read(
            CLIPTextModel, 'text_encoder', _numbers(tokenizer, captions, tokenizer.model_max_length), 'pooler_output'
        )


def _release_cache(device: torch.device) -> None:
    """Give the device back what torch holds of it without using it."""
    if device.type == 'cuda':
        torch.cuda.empty_cache()


def _numbers(tokenizer: Any, texts: list[str], length: int) -> Tensor:
    return tokenizer(texts, padding='max_length', max_length=length, truncation=True, return_tensors='pt').input_ids


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
