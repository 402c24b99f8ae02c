"""``hoigen train asset``: the stages that make an asset-referenced model, each resumable (RefAny3D, 4.1)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.editing.asset_reference.aligned import perceptual
from hoigen.editing.asset_reference.conditions import AssetViews
from hoigen.editing.asset_reference.loading import FILES, Parts, build_parts
from hoigen.editing.asset_reference.look import AssetRefiner
from hoigen.editing.asset_reference.options import STAGES, Stage, TrainAssetConfig
from hoigen.editing.asset_reference.training.objective import AssetExamples, AssetObjective
from hoigen.editing.asset_reference.training.scenes import ScenesConfig, make_scenes
from hoigen.editing.conditions import as_uint8
from hoigen.editing.flux.configuration import EditConfig, read_config
from hoigen.editing.flux.training import dissimilarity, load_stage, save_weights, train_autoencoder
from hoigen.editing.flux_insertion.loading import FILES as INSERTION_FILES
from hoigen.editing.flux_insertion.options import RefinerLoss
from hoigen.learning.loop import Batch, Objective, train
from hoigen.models.configuration import save_config
from hoigen.models.flux import PatchAutoencoder, decode
from hoigen.models.hub import ModelError
from hoigen.models.hub.published import read_tensors, refuse_misfits
from hoigen.models.tensors import load_strictly

TAKEN = {'insertion.transformer.': 'asset.transformer.', 'words.': 'words.'}
"""Parts of an insertion model, and what they are here. Its projectors have no use."""


def start_from(parts: Parts, autoencoder: PatchAutoencoder, folder: Path) -> None:
    """Take an insertion model's transformer, words and autoencoder; adapters and domain switcher stay as they are.

    ModelError where any are missing or of other sizes.
    """
    missing = [name for name in INSERTION_FILES[:2] if not (folder / name).is_file()]
    if missing:
        raise ModelError(f'{folder}: expected an insertion model to start from, missing {missing}')
    load_strictly(autoencoder, folder / INSERTION_FILES[1])
    own = {
        key.replace('.base_layer.', '.'): key
        for key in parts.state_dict()
        if '.lora_' not in key and '.domain_embedder.' not in key
    }
    given = {
        here + key.removeprefix(there): value.float()
        for key, value in read_tensors(folder / INSERTION_FILES[0]).items()
        for there, here in TAKEN.items()
        if key.startswith(there)
    }
    shapes = parts.state_dict()
    refuse_misfits(
        folder / INSERTION_FILES[0],
        {name: tuple(shapes[key].shape) for name, key in own.items()},
        {name: tuple(value.shape) for name, value in given.items()},
    )
    parts.load_state_dict({own[name]: value for name, value in given.items()}, strict=False)


TIMES = (0.2, 0.8)
"""How noisy the examples are: what the model makes of them is as blurred as its own pictures, and shows the same pose
as the example."""


class AssetRefinerObjective(Objective):
    """The example's picture and point map, from the model's."""

    def __init__(self, refiner: AssetRefiner, source: AssetObjective, loss: RefinerLoss) -> None:
        super().__init__()
        self.refiner, self.clips = refiner, source.clips
        self._source, self._loss = (source,), loss  # in a tuple: no part of what is trained

    def example(self, index: int, generator: torch.Generator) -> Batch:
        return self._source[0].example(index, generator)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        painted = self._painted(batch).unbind(1)
        views = [AssetViews(*as_uint8(of.movedim(-3, -1).float().cpu().numpy())) for of in batch['views']]
        shows = (batch['targets'][:, 1] < 1).any(1, keepdim=True).float()
        weight = 1 + self._loss.paint * F.max_pool2d(shows, 5, 1, 2)
        weight = weight / weight.mean((1, 2, 3), keepdim=True)
        terms = {'loss': torch.zeros(len(shows), device=shows.device)}
        for name, before, after, target in zip(
            ('picture', 'points'), painted, self.refiner(*painted, views), batch['targets'].unbind(1), strict=True
        ):
            l1 = ((after.float() - target).abs() * weight).mean((1, 2, 3))
            dssim = (dissimilarity(after.float(), target) * weight).mean((1, 2, 3))
            terms['loss'] = terms['loss'] + l1 + self._loss.ssim * dssim
            terms |= {name: l1, f'{name}_before': ((before - target).abs() * weight).mean((1, 2, 3))}
        return terms

    @torch.no_grad()
    def _painted(self, batch: Batch) -> Tensor:
        """What the model makes of the example with some noise: pictures and point maps [B,2,3,S,S]."""
        source = self._source[0]
        target, velocity = source.prepared(batch)
        t = TIMES[0] + (TIMES[1] - TIMES[0]) * batch['t']
        noisy = (1 - t[:, None, None]) * target + t[:, None, None] * batch['noise']
        clean = noisy - t[:, None, None] * velocity(noisy, t).float()
        side = round((clean.shape[1] // 2) ** 0.5)
        both = decode(source.autoencoder, clean.unflatten(1, (2, -1)).flatten(0, 1), side, side).float()
        return both.unflatten(0, (-1, 2))


def run(config: TrainAssetConfig) -> None:
    """Run the asked stages."""
    model = read_config(config.model)
    if model.words is None:
        raise ModelError(f'model: expected one that is trained from nothing (with a word table), got {model.name}')
    torch.manual_seed(config.seed)
    stages = STAGES if config.stage == 'all' else (config.stage,)
    if 'scenes' in stages:
        sizes = ScenesConfig(model.size, model.references, model.reference_side)
        distance = None if config.lpips is None else perceptual(config.lpips)
        make_scenes(sizes, config.data, config.scenes, config.seed, distance)
    if config.hardware.accelerator().is_main_process:
        save_config(model, config.out)
    if set(stages) - {'scenes'}:
        _train(config, model, stages)


def _train(config: TrainAssetConfig, model: EditConfig, stages: tuple[Stage, ...]) -> None:
    examples, hardware = AssetExamples(config.data), config.hardware
    parts, autoencoder, refiner = build_parts(model)
    if config.start is not None:
        start_from(parts, autoencoder, config.start)
        save_weights(autoencoder, config.out / FILES[1], hardware)
    elif 'autoencoder' in stages:
        loop = replace(config.autoencoder, seed=config.seed)
        train_autoencoder(autoencoder, examples, config.out, loop, config.autoencoder_loss, hardware)
        save_weights(autoencoder, config.out / FILES[1], hardware)
    load_stage(autoencoder, config.out / FILES[1], 'hoigen train asset --stage autoencoder')
    objective = AssetObjective(parts, autoencoder.requires_grad_(False).eval(), examples, config.loss)
    if 'asset' in stages:
        train('asset', objective, config.out, replace(config.asset, seed=config.seed), hardware)
        save_weights(parts, config.out / FILES[0], hardware)
    if 'refiner' in stages:
        load_stage(parts, config.out / FILES[0], 'hoigen train asset --stage asset')
        parts.requires_grad_(False).eval()
        mending = AssetRefinerObjective(refiner, objective, config.refiner_loss)
        train('refiner', mending, config.out, replace(config.refiner, seed=config.seed), hardware)
        save_weights(refiner, config.out / FILES[2], hardware)
