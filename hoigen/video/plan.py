"""``hoigen plan``: what a model needs, printed before anything is loaded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import torch
from rich.console import Console
from rich.table import Table

from hoigen.models.configuration import Memory
from hoigen.models.hub.published import ModelError
from hoigen.models.memory import THRIFT, Needs, gigabytes
from hoigen.video.assembly import with_branch
from hoigen.video.configuration import read_config
from hoigen.video.memory import TrainingNeeds, advice, label, needs, training_needs
from hoigen.video.options import PlanConfig


def plan(config: PlanConfig) -> int:
    """Print the tables; 0 when something fits or no memory is given."""
    console, model = Console(markup=False), read_config(config.model)
    used, has = model, _memory(config.memory)
    with suppress(ModelError):  # a branch that is not fetched has as many blocks as the configuration says
        used = with_branch(model)
    with console.status('counting one generation ...'):
        need = needs(used)
    console.print(_parts(need, used.transformer['control_blocks']))
    console.print(_generation(need, (model.memory, *THRIFT), has))
    fits = has is None or any(need.peak(memory) <= has for memory in THRIFT)
    if has is not None:
        console.print(f'in {gigabytes(has)}: {advice(need, model.memory, has)}')
    if config.training:
        with console.status('counting one step of training, about half a minute ...'):
            train = training_needs(model, config.batch)
        console.print(_training(train, config.gpus, has))
        fits = fits and (has is None or train.stored(config.gpus) + train.checkpointed <= has)
    return 0 if fits else 1


def _memory(asked: float | None) -> float | None:
    if asked is not None:
        return asked * 1e9
    return float(torch.cuda.mem_get_info()[1]) if torch.cuda.is_available() else None


def _parts(need: Needs, blocks: int) -> Table:
    table = Table('part', 'bfloat16', 'int8', title='weights')
    table.add_row(
        f'transformer, {blocks} blocks in its branch', gigabytes(need.transformer), gigabytes(need.transformer_int8)
    )
    table.add_row('autoencoder', gigabytes(need.autoencoder), '')
    table.add_row('text encoder, while it reads a prompt', gigabytes(need.text), '')
    return table


def _generation(need: Needs, uses: tuple[Memory, ...], has: float | None) -> Table:
    ratio = need.step_flops / need.backbone_flops
    table = Table(
        'memory of the device',
        'embed prompt',
        'encode',
        'denoise',
        'decode',
        'peak',
        '',
        title='generation: weights + activations by stage, peak with 10 % reserve',
    )
    for use in dict.fromkeys(replace(use, device='auto') for use in uses):
        stages = {s.name.split()[0]: f'{gigabytes(s.weights)} + {gigabytes(s.activations)}' for s in need.stages(use)}
        table.add_row(
            label(use),
            stages.get('embed', 'on the CPU'),
            stages['encode'],
            stages['denoise'],
            stages['decode'],
            gigabytes(need.peak(use)),
            '' if has is None else 'fits' if need.peak(use) <= has else 'does not fit',
        )
    table.caption = (
        f'one pass of a step: {need.step_flops / 1e12:.0f} TFLOP, {ratio:.2f} times the backbone alone '
        f'({need.backbone_flops / 1e12:.0f} TFLOP)'
    )
    return table


def _training(need: TrainingNeeds, gpus: int, has: float | None) -> Table:
    table = Table('activations', 'stored', 'activations', 'peak', '', title=f'training on {gpus} GPU(s), for each')
    for name, made in (('gradient checkpointing', need.checkpointed), ('all kept', need.kept)):
        peak = need.stored(gpus) + made
        table.add_row(
            name,
            gigabytes(need.stored(gpus)),
            gigabytes(made),
            gigabytes(peak),
            '' if has is None else 'fits' if peak <= has else 'does not fit',
        )
    table.caption = (
        f'stored: backbone {gigabytes(need.backbone)} in bfloat16; branch {gigabytes(need.branch)} in '
        f'float32, as much again for gradients and for the average, twice for Adam; one step of a clip: '
        f'{need.flops / 1e15:.2f} PFLOP with checkpointing'
    )
    return table
