"""What the branch's form and the tracking colours are worth: python bench/bench_conditions.py [--help]

Each variant is the tiny model's frozen backbone with a new branch, trained equally long on the same clips. The measure
is the latent error of held-out clips at hand and object (:func:`hoigen.video.ablation.latent_error`), generated under
the tracking video alone: the squared error as a fraction of the true latents' variance. Differences are paired, clip by
clip. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions, scene_images
from hoigen.conditioning.metric_colours import metric_tracking
from hoigen.metrics.statistics import differences, summarise
from hoigen.metrics.tables import Rows, markdown, said
from hoigen.models.configuration import save_config
from hoigen.models.tensors import load_strictly, save
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.video import load_generator
from hoigen.video.ablation import LATENT_ERROR, latent_error
from hoigen.video.clips import CAMERAS
from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.data import ClipSet, write_clip
from hoigen.video.heldout import HeldOut, heldout_clips
from hoigen.video.model import FILES, WEIGHTS, build, load_backbone
from hoigen.video.options import recipe
from hoigen.video.sampling import Sampling
from hoigen.video.training.diffusion import train_diffusion
from hoigen.video.training.latents import LatentSet

TINY = WEIGHTS / 'tiny'
TRACKING = Sampling(conditions=('tracking',))


@dataclass(frozen=True)
class Config:
    """Train the variants and print their table."""

    out: Path = Path('runs/conditions')
    """Folder of the clips and of the variants."""
    clips: int = 64
    """Clips to train on."""
    steps: int = 120
    """Training steps of each variant."""
    batch: int = 4
    """Clips in a step."""
    heldout: int = 12
    """Held-out clips to measure on."""


@dataclass(frozen=True)
class Variant:
    form: Literal['das', 'controlnet']
    colours: Literal['metric', 'image']

    @property
    def name(self) -> str:
        return f'{self.form}, {self.colours} colours'


BEFORE, AFTER = Variant('das', 'metric'), Variant('controlnet', 'image')
VARIANTS = (BEFORE, AFTER, Variant('controlnet', 'metric'), Variant('das', 'image'))


def write_clips(config: Config, model: ModelConfig) -> None:
    """The same clips with both kinds of tracking colours, a folder each."""
    for seed in track(range(config.clips), description='clips'):
        paths = {
            colours: config.out / f'clips-{colours}' / f'{seed:07d}.safetensors' for colours in ('metric', 'image')
        }
        if all(path.is_file() for path in paths.values()):
            continue
        width, height, camera = model.width, model.height, CAMERAS[seed % len(CAMERAS)]
        scene = MujocoConfig(width=width, height=height, frames=model.frames, camera=camera, depth=False)
        episode = MujocoSource(scene).episode(seed)
        clip = build_clip(episode.assets, episode.frames(), ConditioningConfig(seed=seed))
        image = build_conditions(clip, width=width, height=height)
        for colours, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = image if colours == 'image' else replace(image, tracking=metric_tracking(image))
            write_clip(path, scene_images(clip, width, height), made, {'seed': seed, 'prompt': made.prompt})


def train_variant(config: Config, variant: Variant, model: ModelConfig) -> Path:
    """The folder of the variant as a model."""
    folder = config.out / variant.name.replace(', ', '-').replace(' ', '-')
    form = {'control_form': variant.form}
    model = replace(model, transformer=model.transformer | form, tracking_colours=variant.colours)
    save_config(model, folder)
    if not (folder / FILES[0]).is_file():
        torch.manual_seed(0)
        parts = build(model)
        load_backbone(parts.transformer, TINY / FILES[0])
        load_strictly(parts.autoencoder, TINY / FILES[1])
        given = recipe('tiny')
        latents = LatentSet(ClipSet([config.out / f'clips-{variant.colours}']), parts, given.hardware.accelerator())
        loop = replace(given.diffusion, steps=config.steps, batch=config.batch, checkpoint_every=20)
        loss = replace(given.diffusion_loss, conditions=('tracking',), train_backbone=False)
        train_diffusion(parts, latents, folder, loop, loss, given.hardware)
        shutil.copy(TINY / FILES[1], folder)
        save(parts.transformer, folder / FILES[0])
    return folder


def errors(model: str, clips: Iterable[HeldOut]) -> list[dict[str, float]]:
    """A row for each clip."""
    generator = load_generator(model)
    return [{LATENT_ERROR: latent_error(generator, clip, seed, TRACKING)} for seed, clip in enumerate(clips)]


def main(config: Config) -> None:
    model = read_config('tiny')
    write_clips(config, model)
    heldout = heldout_clips(load_generator('tiny'), config.heldout)
    rows = {'shipped': errors('tiny', heldout)}
    for variant in VARIANTS:
        rows[variant.name] = errors(str(train_variant(config, variant, model)), heldout)
        print(markdown(table(rows)), flush=True)


def table(rows: dict[str, list[dict[str, float]]]) -> Rows:
    """Means, and differences to what it was before, with 95 % bootstrap intervals over clips."""
    first = rows[BEFORE.name]
    cells = [['tracking alone', LATENT_ERROR, f'against {BEFORE.name}']]
    for name, values in rows.items():
        mean, difference = (summarise(of)[LATENT_ERROR] for of in (values, differences(values, first)))
        cells.append([name, said(mean, 3), said(difference, 3, '+')])
    return cells


if __name__ == '__main__':
    main(tyro.cli(Config))
