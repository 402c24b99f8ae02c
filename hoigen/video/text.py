"""Prompts to embeddings with the published T5, as CogVideoX was trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hoigen.models.hub.pretrained import pretrained

if TYPE_CHECKING:
    from transformers import T5EncoderModel


class PromptEncoder:
    """Embeds prompts; T5 is in memory only while it reads one that it has not read before.

    folder: holds ``tokenizer`` and ``text_encoder``. length: tokens per prompt, padded or cut. The padding is read
    like any token, without a mask: CogVideoX learned on that.
    """

    def __init__(self, folder: Path, length: int, device: torch.device, dtype: torch.dtype) -> None:
        self._folder, self._length = folder, length
        self._device, self._dtype = device, dtype
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def embed(self, prompts: list[str]) -> Tensor:
        """``[B, length, D]`` on the CPU, in the encoder's dtype."""
        new = [p for p in dict.fromkeys(prompts) if p not in self._known]
        if new:
            from transformers import T5Tokenizer  # takes seconds; models without text never wait for it

            tokenizer = T5Tokenizer.from_pretrained(self._folder / 'tokenizer')
            encoder = self._load()
            ids = tokenizer(new, padding='max_length', max_length=self._length, truncation=True, return_tensors='pt')
            for prompt, row in zip(new, ids.input_ids, strict=True):
                self._known[prompt] = encoder(row[None].to(self._device))[0][0].cpu()
            del encoder
            if self._device.type == 'cuda':
                torch.cuda.empty_cache()
        return torch.stack([self._known[p] for p in prompts])

    def _load(self) -> T5EncoderModel:
        from transformers import T5EncoderModel

        return pretrained(T5EncoderModel, self._folder / 'text_encoder', dtype=self._dtype).to(self._device)
