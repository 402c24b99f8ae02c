"""Captions to embeddings with FLUX's own text encoders: T5's tokens and CLIP's pooled vector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hoigen.models.configuration import Memory
from hoigen.models.hub.pretrained import pretrained

__all__ = ['CaptionEncoder']


class CaptionEncoder:
    """Embeds captions; an encoder is in memory only while it reads one that it has not read before.

    folder: holds ``tokenizer`` and ``text_encoder`` (CLIP), ``tokenizer_2`` and ``text_encoder_2`` (T5). length: tokens
    of a caption for T5, padded or cut; CLIP reads as many as it knows places for. Padding is read like any token,
    without a mask: FLUX learned on that. keep: the other way round, for training on many captions (one takes 4 MB):
    the encoders stay in memory and no caption does.
    """

    def __init__(self, folder: Path, length: int, memory: Memory, *, keep: bool = False) -> None:
        self._folder, self._length, self._memory, self._keep = folder, length, memory, keep
        self._known: dict[str, tuple[Tensor, Tensor]] = {}
        self._encoders: dict[str, Any] = {}

    @torch.no_grad()
    def __call__(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """T5's tokens [B,length,D] and CLIP's vectors [B,P], on the model's device in its dtype."""
        known, new = dict(self._known), [c for c in dict.fromkeys(captions) if c not in self._known]
        if new:
            known |= dict(zip(new, zip(self._tokens(new), self._pooled(new), strict=True), strict=True))
        if not self._keep:
            self._known = known
        device = self._memory.torch_device()
        rows = [known[c] for c in captions]
        return torch.stack([tokens for tokens, _ in rows]).to(device), torch.stack([row for _, row in rows]).to(device)

    def _tokens(self, captions: list[str]) -> list[Tensor]:
        from transformers import T5EncoderModel, T5Tokenizer  # takes seconds; models without text never wait for it

        tokenizer = T5Tokenizer.from_pretrained(self._folder / 'tokenizer_2')
        return self._read(
            T5EncoderModel, 'text_encoder_2', _numbers(tokenizer, captions, self._length), 'last_hidden_state'
        )

    def _pooled(self, captions: list[str]) -> list[Tensor]:
        from transformers import CLIPTextModel, CLIPTokenizer

        tokenizer = CLIPTokenizer.from_pretrained(self._folder / 'tokenizer')
        return self._read(
            CLIPTextModel, 'text_encoder', _numbers(tokenizer, captions, tokenizer.model_max_length), 'pooler_output'
        )

    def _read(self, made: Any, part: str, ids: Tensor, output: str) -> list[Tensor]:
        """That output of an encoder for each row of ids, on the CPU."""
        device = self._memory.text_device()
        encoder = self._encoders.get(part)
        if encoder is None:
            encoder = pretrained(made, self._folder / part, dtype=self._memory.dtype()).to(device)
        rows = [getattr(encoder(row[None].to(device)), output)[0].cpu() for row in ids]
        if self._keep:
            self._encoders[part] = encoder
        elif device.type == 'cuda':
            del encoder
            torch.cuda.empty_cache()
        return rows


def _numbers(tokenizer: Any, captions: list[str], length: int) -> Tensor:
    return tokenizer(captions, padding='max_length', max_length=length, truncation=True, return_tensors='pt').input_ids
