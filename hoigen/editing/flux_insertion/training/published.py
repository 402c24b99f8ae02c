"""Stages 1 and 2 on the published FLUX: its adapter, from UNO's on, and the projectors (SpatialHand, key design 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from hoigen.editing.flux.configuration import EditConfig
from hoigen.editing.flux.published import load_autoencoder, load_text
from hoigen.editing.flux_insertion.model import InsertionTransformer
from hoigen.editing.flux_insertion.options import InsertionLoss
from hoigen.editing.flux_insertion.published import (
    TRAINED,
    save_trained,
    start_from,
    trained,
)
from hoigen.editing.flux_insertion.training.examples import ExampleSet
from hoigen.editing.flux_insertion.training.objective import InsertionObjective
from hoigen.learning.checkpoint import whole
from hoigen.learning.loop import train
from hoigen.learning.options import Hardware, LoopConfig
from hoigen.models.text import CaptionEncoder


class PublishedLearner(nn.Module):
    """FLUX with what is trained beside it, and the encoders of captions, which are not."""

    def __init__(self, insertion: InsertionTransformer, captions: CaptionEncoder) -> None:
        super().__init__()
        self.insertion = insertion
        self._captions = captions

    def text(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        device = self.insertion.target.inner.weight.device
        tokens, pooled = self._captions(captions)
        return tokens.to(device), pooled.to(device)


def train_published(
    model: EditConfig,
    examples: ExampleSet,
    folder: Path,
    loss: InsertionLoss,
    hardware: Hardware,
    stages: Sequence[tuple[Literal[1, 2], str, LoopConfig]],
) -> None:
    """Run stages (number, name, length) one after the other; each goes on from its last checkpoint.

    What they leave in ``folder`` is where the next stage starts; the first one starts from the model's ``lora``.
    """
    accelerator = hardware.accelerator()
    insertion = start_from(replace(model, lora=str(folder)) if (folder / TRAINED).is_file() else model)
    if hardware.checkpointing:
        insertion.transformer.enable_gradient_checkpointing()
    exact = replace(model, memory=replace(model.memory, weights='float32', offload='none'))
    autoencoder = load_autoencoder(exact).to(accelerator.device)
    learner = PublishedLearner(insertion, load_text(model, keep=True))
    for number, name, length in stages:
        objective = InsertionObjective(learner, autoencoder, examples, loss, number, model.references)
        train(name, objective, folder, length, hardware)
        tensors = {key: whole(value) for key, value in trained(insertion).items()}
        if accelerator.is_main_process:
            save_trained(tensors, folder)
        accelerator.wait_for_everyone()
