"""Checkpoints of a training run: safetensors only, whole or not at all, the same for any number of processes."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from hoigen.whole_files import whole_file

STATE = 'state.json'


class TrainingError(RuntimeError):
    """Training cannot go on; the last good checkpoint is kept."""


@dataclass(frozen=True)
class State:
    """What training changes: the trained parameters by name, their optimiser's state and their average, if any."""

    parameters: dict[str, nn.Parameter]
    optimiser: torch.optim.Optimizer
    average: EMAModel | None

    def gathered(self) -> dict[str, dict[str, Tensor]]:
        """By file, whole tensors on the CPU; every process must call it where parameters are sharded."""
        files = {
            'trained': {name: whole(p) for name, p in self.parameters.items()},
            'optimiser': {
                f'{name}:{field}': whole(value)
                for name, p in self.parameters.items()
                for field, value in self.optimiser.state[p].items()
            },
        }
        if self.average is not None:
            files['average'] = {
                name: whole(p) for name, p in zip(self.parameters, self.average.shadow_params, strict=True)
            }
        return files

    def load(self, folder: Path) -> int:
        """Take the state of a checkpoint; returns the step that it ends. TrainingError if it is damaged or another
        model's."""
        try:
            return self._load(folder)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f'{folder}: expected a whole checkpoint, got: {error}; remove it to train from the beginning'
            ) from error

    @torch.no_grad()
    def _load(self, folder: Path) -> int:
        facts = json.loads((folder / STATE).read_text())
        with safe_open(folder / 'trained.safetensors', framework='pt') as file:
            want = {name: list(p.shape) for name, p in self.parameters.items()}
            got = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118, not a dict
            if got != want:
                other = sorted(name for name in want.keys() | got.keys() if want.get(name) != got.get(name))
                raise TrainingError(
                    f'{folder}: expected the trained parameters of this model, {len(other)} do not '
                    f'fit, the first: {other[:10]}; train into another folder or remove this one'
                )
            for name, p in self.parameters.items():
                p.copy_(placed(file.get_tensor(name), p))
        with safe_open(folder / 'optimiser.safetensors', framework='pt') as file:
            for key in file.keys():  # noqa: SIM118, not a dict
                name, field = key.rsplit(':', 1)
                p, value = self.parameters[name], file.get_tensor(key)
                self.optimiser.state[p][field] = placed(value, p) if value.shape == p.shape else value
        if self.average is not None and (folder / 'average.safetensors').is_file():
            with safe_open(folder / 'average.safetensors', framework='pt') as file:
                self.average.shadow_params = [placed(file.get_tensor(name), p) for name, p in self.parameters.items()]
            self.average.optimization_step = facts['average_steps']
        return facts['step']


def whole(tensor: Tensor) -> Tensor:
    """A detached tensor on the CPU, gathered where it is sharded."""
    tensor = tensor.detach()
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).cpu().contiguous()


def placed(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor on the device of ``like``, this process's part of it where ``like`` is sharded."""
    tensor = tensor.to(like.device, like.dtype)
    if isinstance(like, DTensor):
        return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)
    return tensor


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run's folder."""
    return max((p.parent for p in folder.glob(f'checkpoint-????????/{STATE}')), default=None)


def save_checkpoint(folder: Path, step: int, files: dict[str, dict[str, Tensor]], average_steps: int) -> None:
    """Write a checkpoint beside the last one and only then remove that. OSError if it fails."""
    partial, done = folder / 'checkpoint.partial', folder / f'checkpoint-{step:08d}'
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for name, tensors in files.items():
            with whole_file(partial / f'{name}.safetensors') as file:
                save_file(tensors, file)
        (partial / STATE).write_text(json.dumps({'step': step, 'average_steps': average_steps}))
        for path in (*partial.iterdir(), partial):
            _to_disk(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(done, ignore_errors=True)
    partial.rename(done)
    _to_disk(folder)
    for old in folder.glob('checkpoint-????????'):
        if old != done:
            shutil.rmtree(old)


def _to_disk(path: Path) -> None:
    """Wait until the disk has it, so that a power cut cannot leave a whole name on half a file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
