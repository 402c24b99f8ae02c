"""conductor: for launch files, what `hoigen up` does beside starting processes: lifecycle, progress, report."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from rclpy.utilities import remove_ros_args
from rich.console import Console

from hoigen.ros.conductor import Conductor
from hoigen.ros.graph import load_graph
from hoigen.ros.processes import NodeFailed, interrupt_once
from hoigen.ros.progress import ProgressDisplay, conclude


@dataclass(frozen=True)
class ConductorConfig:
    """A job whose nodes somebody else has started."""

    graph: str
    """Graph that runs: a name in config/graphs."""
    output: Path
    """Folder of the bags; gets the report."""
    namespace: str = ''
    """ROS namespace of the nodes."""
    episodes: int = 0
    """Episodes of a source of the user's own; 0 goes on until it is interrupted."""


def conduct(config: ConductorConfig) -> int:
    """Bring the nodes up, follow the job and report; 0 when it is done, 1 when nothing was recorded."""
    console = Console(highlight=False, markup=False)
    try:
        with Conductor(list(load_graph(config.graph).nodes), config.namespace, lambda: None) as conductor:
            conductor.bring_up()
            with ProgressDisplay(console) as display:
                progress = conductor.follow(display.show, config.episodes)
        return conclude(progress, config.output, console)
    except NodeFailed as error:
        console.print(f'conductor: {error}', style='bold red', markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def main() -> int:
    interrupt_once()
    return conduct(tyro.cli(ConductorConfig, args=remove_ros_args(sys.argv)[1:], prog='conductor'))
