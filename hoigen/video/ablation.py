"""The paper's ablation, made small: the same branch trained equally long, each time without one thing.

As in the paper the backbone is a trained one and frozen, and the branch starts as its copy behind layers of zeros; the
autoencoder is the trained model's too. Without coloured points neither the branch nor the decoder's reference has them,
so that the latents alone must make hand and object.

Beside them stands the trained model itself, given only some of the conditions that it has learnt with.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from rich.console import Console

from hoigen.metrics.measures import CONTACT_PX, higher_is_better
from hoigen.metrics.statistics import Summary, differences, summarise
from hoigen.metrics.tables import Rows, digits, markdown, said
from hoigen.models.configuration import save_config
from hoigen.models.tensors import save
from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.evaluate import evaluate_generator
from hoigen.video.generator import Generator, load_generator
from hoigen.video.heldout import HeldOut, heldout_clips
from hoigen.video.model import FILES, WEIGHTS, build, load_backbone
from hoigen.video.options import AblateConfig, recipe
from hoigen.video.sampling import CONDITIONS, Sampling
from hoigen.video.training.latents import latent_mask
from hoigen.video.training.stages import run as train
from hoigen.whole_files import write_text

MODEL = 'tiny'

Conditions = tuple[Literal['points', 'tracking', 'coloured'], ...]

LATENT_ERROR = 'latent error hand-object'
SHOWN = (
    LATENT_ERROR,
    'PSNR full',
    'PSNR hand-object',
    'SSIM full',
    'SSIM hand-object',
    'GMSD hand-object',
    'ST-SSIM hand-object',
    'GMSD-T hand-object',
    CONTACT_PX,
)


@dataclass(frozen=True)
class Variant:
    """What one training run has and has not."""

    name: str
    conditions: Conditions = CONDITIONS
    mask_weight: float = 1.0
    resampling: Literal['nearest', 'interpolate'] = 'nearest'

    @property
    def folder(self) -> str:
        return self.name.replace('w/o', 'without').replace(',', '').replace(' ', '-')


VARIANTS = (
    Variant('full'),
    Variant('w/o point cloud', ('tracking', 'coloured')),
    Variant('w/o tracking', ('points', 'coloured')),
    Variant('w/o mask loss', mask_weight=0.0),
    Variant('points interpolated', resampling='interpolate'),
    Variant('w/o coloured points', ('points', 'tracking')),
    Variant('w/o coloured points, w/o point cloud', ('tracking',)),
    Variant('w/o coloured points, w/o tracking', ('points',)),
    Variant('w/o coloured points, points interpolated', ('points', 'tracking'), resampling='interpolate'),
)

GIVEN: dict[str, Conditions] = {
    f'{MODEL}, all conditions': CONDITIONS,
    'w/o point cloud': ('tracking', 'coloured'),
    'w/o tracking': ('points', 'coloured'),
    'w/o coloured points': ('points', 'tracking'),
    'point cloud alone': ('points',),
    'tracking alone': ('tracking',),
    'no condition': (),
}


def ablate(config: AblateConfig) -> None:
    """Train, measure, write the table."""
    for variant in VARIANTS:
        train_variant(config, variant)
    shipped = load_generator(MODEL)
    clips = heldout_clips(shipped, config.heldout)
    trained = {
        v.name: measured(load_generator(str(config.out / v.folder)), v.name, v.conditions, clips, config.seed)
        for v in VARIANTS
    }
    given = {name: measured(shipped, name, conditions, clips, config.seed) for name, conditions in GIVEN.items()}
    text = told(config, trained, given)
    config.table.parent.mkdir(parents=True, exist_ok=True)
    write_text(config.table, text)
    Console(markup=False).print(text, highlight=False)


def train_variant(config: AblateConfig, variant: Variant) -> None:
    """Leave the variant as a model in its folder."""
    folder, base = config.out / variant.folder, read_config(MODEL)
    model = replace(
        base,
        transformer=base.transformer | {'point_resampling': variant.resampling},
        conditions=list(variant.conditions),
    )
    save_config(model, folder)
    shutil.copy(WEIGHTS / MODEL / FILES[1], folder)
    if (folder / FILES[0]).is_file():
        return
    given = recipe(
        str(folder),
        clips=config.clips,
        out=folder,
        stage='diffusion',
        seed=config.seed,
        start=str(_untrained(model, folder / 'start', config.seed)),
    )
    train(
        replace(
            given,
            diffusion=replace(given.diffusion, steps=config.steps, batch=4),
            diffusion_loss=replace(
                given.diffusion_loss,
                conditions=variant.conditions,
                mask_weight=variant.mask_weight,
                train_backbone=False,
            ),
        )
    )


def _untrained(config: ModelConfig, folder: Path, seed: int) -> Path:
    """A model folder: the trained backbone and autoencoder, and a branch that copies the backbone and adds nothing."""
    save_config(config, folder)
    shutil.copy(WEIGHTS / MODEL / FILES[1], folder)
    torch.manual_seed(seed)
    transformer = build(config).transformer
    load_backbone(transformer, WEIGHTS / MODEL / FILES[0])
    save(transformer, folder / FILES[0])
    return folder


def measured(
    generator: Generator, name: str, conditions: Conditions, clips: Sequence[HeldOut], seed: int
) -> list[dict[str, float]]:
    """The measures under these conditions, a row for each held-out clip."""
    if 'coloured' not in conditions:
        clips = [
            replace(
                c,
                conditions=replace(
                    c.conditions,
                    coloured=np.zeros_like(c.conditions.coloured),
                    coloured_state=np.zeros_like(c.conditions.coloured_state),
                ),
            )
            for c in clips
        ]
    sampling = Sampling(conditions=conditions)
    rows = evaluate_generator(generator, clips, seed=seed, sampling=sampling, name=name).rows
    return [
        {LATENT_ERROR: latent_error(generator, clip, seed + i, sampling), **row}
        for i, (clip, row) in enumerate(zip(clips, rows, strict=True))
    ]


def latent_error(generator: Generator, clip: HeldOut, seed: int, sampling: Sampling) -> float:
    """Squared error of the generated latents at hand and object, as a share of the true ones' variance there.

    The decoder has no part in it. Frame 0 does not count.
    """
    made = generator.latents(clip.conditions, seed=seed, sampling=sampling)[:, 1:].float()
    true = generator.encode(clip.truth)[:, 1:].float()
    mask = torch.from_numpy(clip.conditions.mask > 0)[None, :, None].float()
    there = (latent_mask(mask)[:, 1:] > 0).expand_as(true).to(true.device)
    return float((made - true)[there].square().mean() / true[there].var())


def told(
    config: AblateConfig, trained: dict[str, list[dict[str, float]]], given: dict[str, list[dict[str, float]]]
) -> str:
    """The tables, and the command that makes them."""
    command = f'hoigen ablate --clips {" ".join(map(str, config.clips))} --steps {config.steps}'
    return '\n'.join(
        [
            '# Ablation of the tiny model',
            '',
            f'`{command} --heldout {config.heldout} --seed {config.seed}`: {config.heldout} held-out clips, mean and '
            '95 % bootstrap interval over clips. What it shows is in [hvg3d.md](hvg3d.md). Latent error: squared error '
            "of the generated latents at hand and object, as a share of the true ones' variance; the decoder has no "
            'part in it.',
            '',
            '## A branch trained without it',
            '',
            f'{config.steps} training steps of 4 clips each for the branch, beside the frozen backbone of `{MODEL}`.',
            '',
            *_tables(trained),
            '## The shipped model without it',
            '',
            'Trained on all conditions, each left out for one clip in ten.',
            '',
            *_tables(given),
        ]
    )


def _tables(rows: dict[str, list[dict[str, float]]]) -> list[str]:
    """The measures, and what they differ by from those of the first row, clip by clip."""
    base = next(iter(rows))
    apart = {name: summarise(differences(of, rows[base])) for name, of in rows.items() if name != base}
    return [
        markdown(_table({name: summarise(of) for name, of in rows.items()})),
        f'Difference to "{base}", clip by clip:',
        '',
        markdown(_table(apart, '+')),
    ]


def _table(summaries: dict[str, dict[str, Summary]], sign: str = '') -> Rows:
    """A row for each variant."""
    arrows = [f'{name} {"↑" if higher_is_better(name) else "↓"}' for name in SHOWN]
    return [['', *arrows], *([name, *(said(of[m], digits(m), sign) for m in SHOWN)] for name, of in summaries.items())]
