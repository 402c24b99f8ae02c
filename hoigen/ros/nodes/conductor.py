"""conductor: for launch files, what `hoigen up` does beside starting processes: lifecycle, progress, report."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import tyro
from rclpy.utilities import remove_ros_args
from rich.console import Console

from hoigen.ros.command_line import CommandOption, command_of
from hoigen.ros.conductor import conduct
from hoigen.ros.declare import kinds_of
from hoigen.ros.options.conductor import ConductorOptions
from hoigen.ros.processes import NodeFailed, interrupt_once
from hoigen.ros.progress import conclude


def run(job: ConductorOptions) -> int:
    """Bring the nodes up, follow the job and report; 0 when it is done, 1 when nothing was recorded."""
    console = Console(highlight=False, markup=False)
    try:
        return conclude(conduct(job, lambda: None, console), Path(job.out), console)
    except NodeFailed as error:
        console.print(f'conductor: {error}', style='bold red', markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def main() -> int:
    interrupt_once()
    kinds = kinds_of(ConductorOptions)
    options = [CommandOption(it.name, it, kinds[it.name], it.default) for it in dataclasses.fields(ConductorOptions)]
    given: Any = tyro.cli(
        command_of('Command', 'Conducts nodes that are started already.', options),
        args=remove_ros_args(sys.argv)[1:],
        prog='conductor',
    )
    return run(ConductorOptions(**dataclasses.asdict(given)))
