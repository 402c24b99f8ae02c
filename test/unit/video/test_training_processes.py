"""Training as a lab starts it, in processes of its own: several at once, and killed."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from forked_training import start, train_in_two
from safetensors.torch import load_file
from small_training import write_clips, write_model

from hoigen.cli import main
from hoigen.learning.checkpoint import last_checkpoint
from hoigen.learning.curves import read_curves
from hoigen.learning.options import Hardware
from hoigen.video.model import load
from hoigen.video.options import STAGES, DecoderLoss, TrainConfig, recipe
from hoigen.video.training.stages import run

STEPS, BATCH = 8, 2


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Clips, a model's configuration, and what one process leaves that is never stopped."""
    folder = tmp_path_factory.mktemp('training')
    write_clips(folder / 'clips')
    write_model(folder / 'model')
    run(config_of(folder, 'whole'))
    return folder


def config_of(folder: Path, out: str) -> TrainConfig:
    config = recipe(
        str(folder / 'model'),
        clips=(folder / 'clips',),
        out=folder / out,
        hardware=Hardware(precision='no'),
        decoder_loss=DecoderLoss(window=2),
    )
    return replace(
        config,
        **{
            name: replace(getattr(config, name), steps=STEPS, batch=BATCH, warmup=2, checkpoint_every=2)
            for name in STAGES
        },
    )


def command(folder: Path, out: str) -> list[str]:
    """The same configuration as arguments of a command line."""
    loops = [
        f'--{name}.{key}={value}'
        for name in STAGES
        for key, value in (('steps', STEPS), ('batch', BATCH), ('warmup', 2), ('checkpoint-every', 2))
    ]
    return [
        '--clips',
        str(folder / 'clips'),
        '--out',
        str(folder / out),
        '--model',
        str(folder / 'model'),
        '--hardware.precision',
        'no',
        '--decoder-loss.window',
        '2',
        *loops,
    ]


def same_run(folder: Path, out: str, stages: tuple[str, ...] = STAGES) -> None:
    """Curves of the stages and the weights that are left are those of the one whole run."""
    for stage in stages:
        got, want = (read_curves(folder / name / stage) for name in (out, 'whole'))
        assert [row['step'] for row in got] == list(range(1, STEPS + 1))
        np.testing.assert_allclose([r['loss'] for r in got], [r['loss'] for r in want], rtol=2e-5)
    for file in ('transformer.safetensors', 'autoencoder.safetensors')[: len(stages)]:
        got, want = (load_file(folder / name / file) for name in (out, 'whole'))
        for key, tensor in want.items():
            np.testing.assert_allclose(got[key].float(), tensor.float(), rtol=5e-3, atol=2e-3, err_msg=key)


def test_two_processes_train_what_one_does(folder):
    """2 processes with 1 clip each are 1 process with 2 clips: results must not depend on the machine's size."""
    train_in_two(command(folder, 'two'), folder)
    same_run(folder, 'two')


def fsdp_environment() -> dict[str, str]:
    """What `accelerate launch` makes of the shipped file for eight GPUs."""
    config = yaml.safe_load((Path(__file__).parents[3] / 'config/accelerate/fsdp_8gpu.yaml').read_text())['fsdp_config']
    names = {'fsdp_transformer_layer_cls_to_wrap': 'FSDP_TRANSFORMER_CLS_TO_WRAP'}
    return {'ACCELERATE_USE_FSDP': 'true'} | {
        names.get(k, k.upper()): str(v).lower() if isinstance(v, bool) else str(v) for k, v in config.items()
    }


def test_two_sharded_processes_train_what_one_does(folder):
    """FSDP as on 8 GPUs: every weight in two parts, the same curve, and whole weights in the end."""
    (folder / 'sharded').mkdir()
    shutil.copy(folder / 'whole' / 'autoencoder.safetensors', folder / 'sharded')
    train_in_two([*command(folder, 'sharded'), '--stage', 'diffusion'], folder, **fsdp_environment())
    same_run(folder, 'sharded', ('diffusion',))


def test_a_run_that_is_killed_goes_on_as_if_nothing_had_happened(folder):
    """kill -9 in the middle of the diffusion stage; the same command then gives the same curves and weights."""
    process = start(command(folder, 'killed'), folder / 'said', killed_at=5)
    process.join()
    assert process.exitcode == -signal.SIGKILL, (folder / 'said').read_text()
    assert last_checkpoint(folder / 'killed' / 'diffusion').name.endswith('4')
    run(config_of(folder, 'killed'))
    same_run(folder, 'killed')


def test_what_training_leaves_is_a_model(folder):
    model = load(str(folder / 'whole'))
    assert model.config.name == 'small'
    assert set(model.weights) == {'small/transformer.safetensors', 'small/autoencoder.safetensors'}


def test_bad_input_is_one_sentence(folder, capsys):
    """A file that is cut off costs no traceback."""
    bad = write_clips(folder / 'bad', 1)
    (bad / 'cut.safetensors').write_bytes(b'half')
    assert main(['train', 'video', *command(folder, 'never'), '--clips', str(bad)]) == 1
    said = capsys.readouterr().err.replace('\n', ' ')
    assert 'hoigen train video: 1 clips cannot be used:' in said
    assert 'cut.safetensors: expected a whole safetensors file' in said
