"""One training loop for every stage, from one CPU to sharded GPUs: resumable, watched, and with an averaged model."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, send_to_device
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.utils.data import default_collate

from hoigen.learning.checkpoint import State, TrainingError, last_checkpoint, save_checkpoint
from hoigen.learning.curves import Curves
from hoigen.learning.options import Hardware, LoopConfig
from hoigen.whole_files import write_text

CLIPS = 'clips.json'
"""In a run's folder: how many clips it learns from, and a digest of their names."""

Batch = dict[str, Tensor]


class Clips(Protocol):
    """What the loop asks of a set of clips."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str: ...

    def order(self, seed: int, count: int) -> np.ndarray: ...


class Objective(torch.nn.Module):
    """What a stage minimises: the trained module and its loss in one, so that every wrapper of accelerate sees it.

    ``forward`` takes a batch and gives terms ``[B]``, one value for each clip: ``loss`` and others to be watched, NaN
    where a clip has no such value.
    """

    clips: Clips

    def example(self, index: int, generator: torch.Generator) -> Batch:
        """One clip's tensors on the CPU, without a batch axis; all randomness comes from ``generator``."""
        raise NotImplementedError


def train(name: str, objective: Objective, folder: Path, config: LoopConfig, hardware: Hardware) -> None:
    """Minimise the objective's loss over its parameters that require gradients; leaves the averaged weights in it.

    Clip j of step s and its randomness follow from (seed, s, j) alone. So the number of processes, the micro batch and
    a killed run's resuming at its last checkpoint in ``folder / name`` change nothing but the time it takes.
    """
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(name, objective, folder, config, hardware)
    first = run.resume()
    objective.train()
    with Curves(folder, name, first, run.steps) if run.main else nullcontext() as curves:
        for step, batches in run.batches(first):
            terms = run.step(step, batches)
            if curves is not None:
                curves.add(step + 1, terms)
            if (step + 1) % config.checkpoint_every == 0 or step + 1 == run.steps:
                run.save(step + 1)
                if curves is not None:
                    curves.draw(step + 1)
    run.finish()


class _Run:
    """One process's part of a run."""

    def __init__(self, name: str, objective: Objective, folder: Path, config: LoopConfig, hardware: Hardware) -> None:
        self.name, self.folder, self.config, self.objective = name, folder, config, objective
        self.accelerator = hardware.accelerator()
        self.main = self.accelerator.is_main_process
        clips = objective.clips
        self.steps = config.steps or max(1, math.ceil(config.epochs * len(clips) / config.batch))
        self._order = clips.order(config.seed, self.steps * config.batch)
        self._slots, self._micro = _share(config.batch, self.accelerator, hardware.micro_batch)
        trained = [p for p in objective.parameters() if p.requires_grad]
        fused = self.accelerator.device.type == 'cuda'  # the other kernels hold a copy of all parameters for a while
        optimiser = torch.optim.AdamW(
            trained, lr=config.learning_rate, weight_decay=config.weight_decay, fused=fused or None
        )
        self._module, self._optimiser = self.accelerator.prepare(objective, optimiser)
        parameters = {n: p for n, p in objective.named_parameters() if p.requires_grad}
        average = None
        if config.ema:
            average = EMAModel(list(parameters.values()), decay=config.ema, use_ema_warmup=True, power=0.75)
        self._state = State(parameters, self._optimiser.optimizer, average)

    def resume(self) -> int:
        """Load the last checkpoint, if there is one; the number of steps done."""
        found = last_checkpoint(self.folder)
        step = 0 if found is None else self._state.load(found)
        if self.main:
            self._note_clips(step)
        return step

    def _note_clips(self, step: int) -> None:
        """Say so where a run goes on with other clips than it had: no single run learns what it does."""
        clips, file = self.objective.clips, self.folder / CLIPS
        names = '\n'.join(Path(clips.name(i)).name for i in range(len(clips)))
        now = {'clips': len(clips), 'names_sha256': hashlib.sha256(names.encode()).hexdigest()}
        before = json.loads(file.read_text()) if step and file.is_file() else now
        if now != before:
            print(f'{self.name}: goes on at step {step} with other clips: {len(clips)} in place of {before["clips"]}')
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(now))

    def batches(self, first: int) -> Iterator[tuple[int, list[Batch]]]:
        """This process's part of every step from ``first`` on; the next one is read while one is worked on."""
        with ThreadPoolExecutor(1) as reader:
            waiting: Future | None = reader.submit(self._read, first) if first < self.steps else None
            for step in range(first, self.steps):
                assert waiting is not None
                batches = waiting.result()
                waiting = reader.submit(self._read, step + 1) if step + 1 < self.steps else None
                yield step, batches

    def _read(self, step: int) -> list[Batch]:
        examples = []
        for slot in self._slots:
            mixed = np.random.SeedSequence((self.config.seed, step, slot)).generate_state(1)[0]
            generator = torch.Generator().manual_seed(int(mixed))
            examples.append(self.objective.example(int(self._clip(step, slot)), generator))
        return [default_collate(examples[i : i + self._micro]) for i in range(0, len(examples), self._micro)]

    def _clip(self, step: int, slot: int) -> int:
        return self._order[step * self.config.batch + slot]

    def step(self, step: int, batches: list[Batch]) -> dict[str, float]:
        """One optimiser step; the means of the terms over the whole batch. TrainingError if the loss is not finite."""
        for group in self._optimiser.param_groups:
            group['lr'] = self.config.learning_rate * _schedule(step, self.steps, self.config)
        values = []
        for number, batch in enumerate(batches, start=1):
            waits = number < len(batches)
            with self.accelerator.no_sync(self._module) if waits else nullcontext():
                with self.accelerator.autocast():
                    terms = self._module(send_to_device(batch, self.accelerator.device))
                self.accelerator.backward(terms['loss'].mean() / len(batches))
            values.append(torch.stack([term.detach().float() for term in terms.values()], 1))
        table = self.accelerator.gather(torch.cat(values)).cpu().numpy()
        norm = float(self.accelerator.clip_grad_norm_(self._state.parameters.values(), self.config.gradient_clip))
        self._refuse_what_is_not_finite(step, table[:, list(terms).index('loss')], norm)
        self._optimiser.step()
        self._optimiser.zero_grad()
        if self._state.average is not None:
            self._state.average.step(list(self._state.parameters.values()))
        return {
            key: float(column[np.isfinite(column)].mean())
            for key, column in zip(terms, table.T, strict=True)
            if np.isfinite(column).any()
        }

    def _refuse_what_is_not_finite(self, step: int, losses: np.ndarray, norm: float) -> None:
        kept = last_checkpoint(self.folder)
        kept_is = 'there is no checkpoint yet' if kept is None else f'the last good checkpoint is {kept}'
        for slot in np.flatnonzero(~np.isfinite(losses)):
            clip = self.objective.clips.name(int(self._clip(step, int(slot))))
            raise TrainingError(
                f'{self.name}: step {step}: expected a finite loss, got {losses[slot]} for clip {clip}; {kept_is}'
            )
        if not math.isfinite(norm):
            raise TrainingError(
                f'{self.name}: step {step}: expected a finite gradient, got one of norm {norm}; {kept_is}'
            )

    def save(self, step: int) -> None:
        """Write a checkpoint; TrainingError on all processes if the first one cannot."""
        files = self._state.gathered()
        fault: list[str | None] = [None]
        if self.main:
            try:
                average = self._state.average
                save_checkpoint(self.folder, step, files, average.optimization_step if average else 0)
            except OSError as error:
                fault = [
                    f'{self.name}: checkpoint of step {step}: expected to write it, got: {error}; kept: '
                    f'{last_checkpoint(self.folder) or "none"}. Make room and run the same command again'
                ]
        if broadcast_object_list(fault)[0] is not None:
            raise TrainingError(fault[0])

    def finish(self) -> None:
        if self._state.average is not None:
            self._state.average.copy_to(list(self._state.parameters.values()))
        self.objective.eval()
        self.accelerator.wait_for_everyone()
        self.accelerator.free_memory()


def _share(batch: int, accelerator: Accelerator, micro: int | None) -> tuple[range, int]:
    """The places in a step's batch that this process works on, and how many of them at once."""
    processes = accelerator.num_processes
    micro = micro or max(1, batch // processes)
    if batch % (processes * micro):
        raise TrainingError(f'batch: expected a multiple of {processes} processes x {micro} clips at once, got {batch}')
    share = batch // processes
    return range(accelerator.process_index * share, (accelerator.process_index + 1) * share), micro


def _schedule(step: int, steps: int, config: LoopConfig) -> float:
    rise = min(1.0, (step + 1) / max(1, config.warmup))
    return rise if config.schedule == 'constant' else rise * 0.5 * (1 + math.cos(math.pi * step / steps))
