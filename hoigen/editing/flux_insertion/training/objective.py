"""What the two stages learn: novel views of things alone (stage 1), then things in scenes (stage 2)."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.editing.conditions import as_signed
from hoigen.editing.flux_insertion.model import FEATURES, InsertionTransformer, sequence_ids
from hoigen.editing.flux_insertion.options import InsertionLoss
from hoigen.editing.flux_insertion.training.examples import ExampleSet, Given, channels_first
from hoigen.editing.synthesis import GREY, filled
from hoigen.learning.loop import Batch, Objective
from hoigen.models.flux import Autoencoder, Velocity, encode

WHITE = 250
"""Darker pixels of a view belong to the thing."""


class Learner(Protocol):
    """What is trained: a module with the transformer and what embeds captions."""

    insertion: InsertionTransformer

    def text(self, captions: list[str]) -> tuple[Tensor, Tensor]: ...


class InsertionObjective(Objective):
    """Flow matching: predict the velocity (noise minus picture) of noisy tokens of the target picture."""

    clips: ExampleSet

    def __init__(
        self,
        parts: Learner,
        autoencoder: Autoencoder,
        examples: ExampleSet,
        loss: InsertionLoss,
        stage: Literal[1, 2],
        references: int,
    ) -> None:
        super().__init__()
        self.parts, self.clips, self._loss, self._stage, self._references = parts, examples, loss, stage, references
        self._autoencoder = (autoencoder,)  # in a tuple: no part of what is trained
        side = examples.views.shape[2] // (2 * autoencoder.pixels)
        self._side, self._ids = side, sequence_ids(side, [side] * references)
        self._turns = examples.turns()

    def example(self, index: int, generator: torch.Generator) -> Batch:
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        batch, caption = self._novel_view(index, rng) if self._stage == 1 else self._insertion(index, rng)
        loss = self._loss
        if rng.random() < loss.recolour:
            order, caption = rng.permutation(3), caption.split(' ')[-1]  # the colour's name is no longer true
            batch |= {name: batch[name][..., order, :, :] for name in ('target', 'masked', 'references')}
        caption = '' if rng.random() < loss.drop_text else caption
        t = rng.random() if loss.times == 'uniform' else 1 / (1 + np.exp(-rng.normal()))
        t = 1.0 if rng.random() < loss.terminal else t
        return {
            **batch,
            'caption': caption,
            't': torch.tensor(t, dtype=torch.float32),
            'noise': torch.randn(
                self._side**2, self.parts.insertion.transformer.config.in_channels, generator=generator
            ),
        }

    def _novel_view(self, index: int, rng: np.random.Generator) -> tuple[Batch, str]:
        """One view of a thing of others: on white, sometimes with its outline, or with nothing but its orientation."""
        clips, thing = self.clips, self.clips.thing[index]
        chosen = rng.choice(clips.views.shape[1], 1 + self._references, replace=False)
        target = clips.views[thing, chosen[0]]
        outline = (target < WHITE).any(-1) if rng.random() < self._loss.outline else np.ones(target.shape[:2], bool)
        masked = np.where(outline[..., None], np.uint8(GREY), target)
        depth = np.where(outline, 0, -1).astype(np.float32)
        return self._batch(
            target, masked, depth, outline, (thing, chosen[1:]), clips.view_features[thing, chosen[0]]
        ), clips.captions[thing]

    def _insertion(self, index: int, rng: np.random.Generator) -> tuple[Batch, str]:
        clips, thing, loss = self.clips, self.clips.thing[index], self._loss
        removal, box = rng.random() < loss.removal * clips.without_known[index], rng.random() < loss.box
        guided = not removal and not box and rng.random() < loss.guided
        given = clips.given(index, box=bool(box), guided=bool(guided))
        if removal:
            without = clips.arrays['without'][index]
            batch = self._batch(
                without, filled(without, given.paint), given.depth, given.paint, None, np.zeros(FEATURES, np.float32)
            )
            return batch, ''
        if guided and rng.random() < loss.erased:
            _erase(given, rng)
        chosen = rng.choice(clips.views.shape[1], self._references, replace=False)
        if rng.random() < loss.nearest:
            alike = np.einsum('vxy,xy->v', self._turns[1][thing], self._turns[0][index])
            chosen[0] = alike.argmax()
        return self._batch(
            given.target, given.masked, given.depth, given.paint, (thing, chosen), clips.features[index]
        ), clips.captions[thing]

    def _batch(
        self,
        target: np.ndarray,
        masked: np.ndarray,
        depth: np.ndarray,
        paint: np.ndarray,
        views: tuple[int, np.ndarray] | None,
        features: np.ndarray,
    ) -> Batch:
        """views: a thing and which views of it are the references; None for blank ones."""
        size = target.shape[0]
        pictures = (
            blank(self._references, size)
            if views is None
            else torch.stack([channels_first(as_signed(self.clips.views[views[0], view])) for view in views[1]])
        )
        own = (
            torch.zeros(self._references, FEATURES)
            if views is None
            else torch.from_numpy(self.clips.view_features[views[0], views[1]])
        )
        weight = 1 + self._loss.paint * F.adaptive_avg_pool2d(torch.from_numpy(paint)[None].float(), self._side)[0]
        return {
            'target': channels_first(as_signed(target)),
            'masked': channels_first(as_signed(masked)),
            'depth': torch.from_numpy(depth)[None].expand(3, -1, -1).clone(),
            'references': pictures,
            'features': torch.from_numpy(features),
            'own': own,
            'weight': weight.flatten(),
            'paint': torch.from_numpy(paint)[None].float(),
        }

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        t = batch['t'][:, None, None]
        target, velocity = self.prepared(batch)
        predicted = velocity((1 - t) * target + t * batch['noise'], batch['t'])
        error = (predicted.float() - (batch['noise'] - target)).square().mean(-1)
        weight = batch['weight'] / batch['weight'].mean(1, keepdim=True)
        plain = error.mean(1)
        return {'loss': (error * weight).mean(1), 'terminal': torch.where(batch['t'] == 1, plain, torch.nan)}

    def prepared(self, batch: Batch) -> tuple[Tensor, Velocity]:
        """Tokens of the target, and the model with everything but noisy tokens and time given."""
        with torch.no_grad():
            pictures = torch.stack([batch['target'], batch['masked'], batch['depth'], *batch['references'].unbind(1)])
            tokens = encode(self._autoencoder[0], pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2]).float()
        scene, references = tokens[1:3].transpose(0, 1).flatten(1, 2), tokens[3:].transpose(0, 1)
        text, pooled = self.parts.text(batch['caption'])
        guidance = torch.ones_like(batch['t']) if self.parts.insertion.distilled else None
        ids = self._ids.to(text.device)

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            return self.parts.insertion(
                x, scene, references, batch['features'], batch['own'], t, text, pooled, ids, guidance
            )

        return tokens[0], velocity


def _erase(given: Given, rng: np.random.Generator) -> None:
    """Grey out what lies on one side of a random line through the painted area."""
    rows, columns = np.nonzero(given.paint)
    if not len(rows):
        return
    angle, through = rng.uniform(0, 2 * np.pi), rng.integers(len(rows))
    beyond = (rows - rows[through]) * np.sin(angle) + (columns - columns[through]) * np.cos(angle) > 0
    given.masked[rows[beyond], columns[beyond]] = GREY


def blank(count: int, size: int) -> Tensor:
    """References that show nothing: [count,3,size,size]."""
    return torch.full((count, 3, size, size), GREY / 127.5 - 1)
