"""``python -m hoigen train video`` in processes forked from a server that has the libraries loaded.

A new interpreter needs seconds for torch and diffusers, a fork milliseconds; what runs in it is the same.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from torch.distributed import TCPStore

from hoigen.cli import main

_server = multiprocessing.get_context('forkserver')
_server.set_forkserver_preload(['hoigen.video.training.stages'])


def start(arguments: list[str], said: Path, killed_at: int = 0, **environment: str) -> BaseProcess:
    """A process with these arguments; what it prints goes to ``said``. killed_at: the step of the diffusion stage in
    which it gets kill -9, 0 for none."""
    process = _server.Process(target=_train, args=(arguments, said, killed_at, environment))
    process.start()
    return process


def train_in_two(arguments: list[str], folder: Path, **environment: str) -> None:
    """Two processes that train together, with what ``torchrun`` would tell each; both must end well."""
    store = TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
    together = {
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(store.port),
        'TORCHELASTIC_USE_AGENT_STORE': 'True',
        'WORLD_SIZE': '2',
        'LOCAL_WORLD_SIZE': '2',
    }
    files = [folder / f'said_{rank}' for rank in range(2)]
    processes = [
        start(arguments, file, **together, **environment, RANK=str(rank), LOCAL_RANK=str(rank))
        for rank, file in enumerate(files)
    ]
    for process in processes:
        process.join(600)
        process.kill()  # one that waits for another that died
    assert [process.exitcode for process in processes] == [0, 0], '\n'.join(file.read_text() for file in files)


def _train(arguments: list[str], said: Path, killed_at: int, environment: dict[str, str]) -> None:
    with said.open('w') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environment)
    if 'ACCELERATE_USE_FSDP' in environment:
        _shard_on_cpu()
    if killed_at:
        _die_at(killed_at)
    sys.exit(main(['train', 'video', *arguments]))


def _die_at(last: int) -> None:
    from hoigen.learning.curves import Curves

    add = Curves.add

    def add_and_die(self, step, *terms):
        add(self, step, *terms)
        if self._folder.name == 'diffusion' and step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    Curves.add = add_and_die


def _shard_on_cpu() -> None:
    """FSDP 2 on CPUs, as accelerate has it on GPUs only: its state is told otherwise."""
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DistributedType

    init = AcceleratorState.__init__

    def with_fsdp(self, *arguments, fsdp_plugin=None, **named):
        init(self, *arguments, fsdp_plugin=fsdp_plugin, **named)
        if fsdp_plugin is not None:
            self.fsdp_plugin = fsdp_plugin
            self.distributed_type = PartialState._shared_state['distributed_type'] = DistributedType.FSDP

    AcceleratorState.__init__ = with_fsdp
