"""Evaluate a video model on held-out simulated clips against baselines that need no learning."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions, pasted_baseline
from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.metrics.image import psnr, region_mean, ssim_map
from hoigen.records import Clip, Conditions
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.sources.mujoco.objects import SHAPES as SHAPE_TABLE
from hoigen.video.generator import Generator, load_generator
from hoigen.video.sampling import Sampling

MEASURES = tuple(f'{measure} {region}' for measure in ('PSNR', 'SSIM') for region in ('full', 'hand-object', 'object'))
FIRST, PASTED, MODEL, OTHER, NO_LATENT, NO_CONTROL = (
    'first frame repeated', 'coloured points pasted', 'model', "model, another clip's condition",
    'decoder alone (no diffusion)', 'backbone alone (no control)')
HELDOUT_SEED = 1_000_000
SHAPES = tuple(SHAPE_TABLE)
CAMERAS = ('front', 'side', 'over', 'ego')


@dataclass(frozen=True)
class EvaluateConfig:
    """Measure a model on held-out clips: seeds, sizes, textures and proportions that no training clip has.

    Exits with status 1 when the model misses one of its bounds. Writes table.md, results.json and sheet.png to ``out``.
    """

    model: str = 'tiny'
    clips: int = 36
    steps: int | None = None
    seed: int = 0
    out: Path = Path('out/evaluate')


@dataclass(frozen=True)
class HeldOut:
    """One held-out clip: its truth at the model's size, its conditions and its shape."""

    truth: np.ndarray
    clip: Clip
    conditions: Conditions
    shape: str


def evaluate(config: EvaluateConfig) -> int:
    """Run the evaluation; 0 when every bound holds."""
    generator = load_generator(config.model)
    steps = config.steps or generator.steps
    clips = [heldout_clip(generator, index) for index in track(range(config.clips), description='held-out clips')]
    rows: dict[str, list[dict[str, float]]] = {}
    pictures: list[tuple[HeldOut, np.ndarray]] = []
    for index in track(range(len(clips)), description='generating'):
        made = _render_all(generator, clips, index, config.seed + index, steps)
        pictures.append((clips[index], made[MODEL]))
        for name, frames in made.items():
            rows.setdefault(name, []).append(measure(frames, clips[index]))
    means = {name: {m: float(np.mean([r[m] for r in of])) for m in MEASURES} for name, of in rows.items()}
    faults = missed_bounds(means)
    _write(config, means, rows, pictures, faults)
    return 1 if faults else 0


def heldout_clip(generator: Generator, index: int) -> HeldOut:
    """Held-out clip ``index``: shapes in turn, so that any number of clips covers them evenly."""
    shape, camera = SHAPES[index % len(SHAPES)], CAMERAS[(index + index // len(SHAPES)) % len(CAMERAS)]
    source = MujocoSource(MujocoConfig(width=generator.width, height=generator.height, frames=generator.frames,
                                       shape=shape, camera=camera, split='heldout', depth=False))
    episode = source.episode(HELDOUT_SEED + index)
    clip = build_clip(episode.assets, episode.frames(), ConditioningConfig())
    conditions = build_conditions(clip, width=generator.width, height=generator.height)
    return HeldOut(clip.rgb, clip, conditions, shape)


def _render_all(generator: Generator, clips: list[HeldOut], index: int, seed: int, steps: int) -> dict[str, np.ndarray]:
    c = clips[index].conditions
    other = replace(clips[(index + len(SHAPES) + 1) % len(clips)].conditions, image=c.image, background=c.background,
                    background_known=c.background_known)
    return {FIRST: np.repeat(c.image[None], len(c.stamps_ns), 0), PASTED: pasted_baseline(c),
            MODEL: generator.render(c, seed=seed, sampling=Sampling(steps=steps)),
            OTHER: generator.render(other, seed=seed, sampling=Sampling(steps=steps)),
            NO_LATENT: generator.decode_without_latents(c)}


def measure(frames: np.ndarray, clip: HeldOut) -> dict[str, float]:
    """The six measures of a generated video, without frame 0, which every method is given."""
    made, truth, mask = frames[1:], clip.truth[1:], clip.conditions.mask[1:]
    regions = {'full': None, 'hand-object': mask > 0, 'object': mask == ROLE_CODE[OBJECT]}
    similarity = ssim_map(made, truth)
    return ({f'PSNR {name}': psnr(made, truth, region) for name, region in regions.items()}
            | {f'SSIM {name}': region_mean(similarity, region) for name, region in regions.items()})


def missed_bounds(means: dict[str, dict[str, float]]) -> list[str]:
    """The bounds a shipped model must keep, as sentences, for those that it misses."""
    model, ho = means[MODEL], 'PSNR hand-object'
    faults = [f'{m}: {model[m]:.3f} is not above {means[baseline][m]:.3f} of "{baseline}"'
              for baseline in (FIRST, PASTED) for m in MEASURES if model[m] <= means[baseline][m]]
    faults += [f'{ho}: {model[ho]:.2f} dB is not {margin} dB above {means[other][ho]:.2f} dB of "{other}"'
               for other, margin in ((FIRST, 4), (OTHER, 3), (NO_LATENT, 0.3)) if model[ho] < means[other][ho] + margin]
    return faults


def _write(config: EvaluateConfig, means: dict, rows: dict, pictures: list, faults: list[str]) -> None:
    config.out.mkdir(parents=True, exist_ok=True)
    table = Table('', *MEASURES, title=f'{config.model}: {config.clips} held-out clips, without frame 0')
    lines = ['| | ' + ' | '.join(MEASURES) + ' |', '|---' * (len(MEASURES) + 1) + '|']
    for name, values in means.items():
        cells = [f'{values[m]:.2f}' if m.startswith('PSNR') else f'{values[m]:.3f}' for m in MEASURES]
        table.add_row(name, *cells)
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    console = Console()
    console.print(table)
    for fault in faults:
        console.print(f'[red]missed:[/] {fault}')
    (config.out / 'table.md').write_text('\n'.join(lines) + '\n')
    (config.out / 'results.json').write_text(json.dumps({'means': means, 'clips': rows, 'missed': faults}, indent=1))
    cv2.imwrite(str(config.out / 'sheet.png'), sheet(pictures[:12])[..., ::-1])
    console.print(f'table, results and picture sheet: {config.out}')


def sheet(pictures: list[tuple[HeldOut, np.ndarray]], frames: tuple[int, ...] = (0, 5, 10, 16)) -> np.ndarray:
    """Truth over generated at a few frames, one pair of rows per clip, two clips side by side."""
    cells: Callable[[np.ndarray], np.ndarray] = lambda video: np.concatenate([video[t] for t in frames], axis=1)  # noqa: E731
    pairs = [np.concatenate([cells(clip.truth), cells(made)]) for clip, made in pictures]
    pairs = [np.pad(p, ((0, 6), (0, 6), (0, 0)), constant_values=255) for p in pairs]
    if len(pairs) % 2:
        pairs.append(np.full_like(pairs[0], 255))
    return np.concatenate([np.concatenate(pairs[i:i + 2], axis=1) for i in range(0, len(pairs), 2)])
