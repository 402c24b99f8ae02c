"""One training loop for every stage: resumable at any checkpoint, with progress, curves and an averaged model."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

CURVES = 'curves.jsonl'


class TrainingError(RuntimeError):
    """Training cannot go on; the last good checkpoint is kept."""


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train, for any stage.

    The learning rate rises over the first ``warmup`` steps and falls to zero on a half cosine at ``steps``.
    """

    steps: int
    batch: int = 4
    learning_rate: float = 1e-4
    warmup: int = 100
    weight_decay: float = 1e-3
    gradient_clip: float = 1.0
    ema: float = 0.999
    checkpoint_every: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.steps > 0 and self.batch > 0 and self.learning_rate > 0 and 0 <= self.ema < 1):
            raise ValueError(f'LoopConfig: expected steps, batch, learning_rate > 0 and ema in [0, 1), got {self}')


def train(name: str, module: nn.Module, parameters: Iterable[nn.Parameter],
          loss: Callable[[int, torch.Generator], dict[str, Tensor]], folder: Path, config: LoopConfig) -> None:
    """Minimise ``loss(step, generator)['loss']`` and leave the averaged weights in ``module``.

    A step's randomness comes from ``generator``, seeded from (seed, step) alone, so that a run resumed from its last
    checkpoint in ``folder / name`` goes the same way as one that was never stopped.
    """
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(mixed_precision='bf16', cpu=not torch.cuda.is_available())
    parameters = list(parameters)
    optimiser = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    ema = EMAModel(parameters, decay=config.ema, use_ema_warmup=True, power=0.75)
    optimiser = accelerator.prepare(optimiser)
    step = _resume(folder, module, optimiser, ema)
    module.train()
    writer = SummaryWriter(str(folder))
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TextColumn('{task.fields[say]}'),
               TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, refresh_per_second=1) as progress, (folder / CURVES).open('a') as curves:
        bar = progress.add_task(name, total=config.steps, completed=step, say='')
        sums: dict[str, float] = {}
        since, began = step, time.monotonic()
        while step < config.steps:
            for group in optimiser.param_groups:
                group['lr'] = config.learning_rate * _schedule(step, config)
            generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
            with accelerator.autocast():
                terms = loss(step, generator)
            value = terms['loss'].item()
            if not math.isfinite(value):
                raise TrainingError(f'{name}: step {step}: expected a finite loss, got {value}; '
                                    f'the last good checkpoint is in {folder}')
            accelerator.backward(terms['loss'])
            accelerator.clip_grad_norm_(parameters, config.gradient_clip)
            optimiser.step()
            optimiser.zero_grad()
            ema.step(parameters)
            step += 1
            for key, term in terms.items():
                sums[key] = sums.get(key, 0.0) + term.item()
            if step % 25 == 0 or step == config.steps:
                row = {key: total / (step - since) for key, total in sums.items()}
                pace = (time.monotonic() - began) / (step - since)
                curves.write(json.dumps({'step': step, 'seconds_per_step': round(pace, 3), **row}) + '\n')
                curves.flush()
                for key, mean in row.items():
                    writer.add_scalar(key, mean, step)
                sums, since, began = {}, step, time.monotonic()
                progress.update(bar, say=' '.join(f'{k} {v:.4f}' for k, v in row.items()))
            progress.update(bar, completed=step)
            if step % config.checkpoint_every == 0 or step == config.steps:
                _save(folder, step, module, optimiser, ema)
    writer.close()
    ema.copy_to(parameters)
    module.eval()


def _schedule(step: int, config: LoopConfig) -> float:
    rise = min(1.0, (step + 1) / max(1, config.warmup))
    return rise * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def _save(folder: Path, step: int, module: nn.Module, optimiser, ema: EMAModel) -> None:
    """Write a checkpoint beside the last one and only then take its place."""
    partial = folder / 'checkpoint.partial'
    partial.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, partial / 'module.safetensors')
    save_file({str(i): p for i, p in enumerate(ema.shadow_params)}, partial / 'ema.safetensors')
    torch.save({'step': step, 'optimiser': optimiser.state_dict(), 'ema_steps': ema.optimization_step},
               partial / 'state.pt')
    old = folder / 'checkpoint.old'
    if (folder / 'checkpoint').exists():
        (folder / 'checkpoint').rename(old)
    partial.rename(folder / 'checkpoint')
    if old.exists():
        for file in old.iterdir():
            file.unlink()
        old.rmdir()


def _resume(folder: Path, module: nn.Module, optimiser, ema: EMAModel) -> int:
    """Load the last checkpoint, if there is one, and return the step that it ends."""
    found = next((folder / n for n in ('checkpoint', 'checkpoint.old') if (folder / n / 'state.pt').exists()), None)
    if found is None:
        return 0
    module.load_state_dict(load_file(found / 'module.safetensors'))
    state = torch.load(found / 'state.pt', weights_only=True)
    optimiser.load_state_dict(state['optimiser'])
    shadow = load_file(found / 'ema.safetensors')
    ema.shadow_params = [shadow[str(i)] for i in range(len(shadow))]
    ema.optimization_step = state['ema_steps']
    return state['step']
