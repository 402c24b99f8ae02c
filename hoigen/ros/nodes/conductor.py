"""conductor: for launch files, what `hoigen up` does beside starting processes: lifecycle, progress, report."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from rclpy.utilities import remove_ros_args
from rich.console import Console

from hoigen.episodes.report import write_report
from hoigen.ros.conductor import Conductor
from hoigen.ros.graph import load_graph
from hoigen.ros.processes import NodeFailed
from hoigen.ros.progress import ProgressDisplay


@dataclass(frozen=True)
class ConductorConfig:
    """A job whose nodes somebody else has started."""

    graph: str
    """Graph that runs: a name in config/graphs."""
    episodes: int
    """End when so many are recorded or rejected."""
    output: Path
    """Folder of the bags; gets the report."""
    namespace: str = ''
    """ROS namespace of the nodes."""


def conduct(config: ConductorConfig) -> int:
    """Bring the nodes up, follow the job and report; 0 when it is done, 1 when every clip was rejected."""
    console = Console(highlight=False)
    try:
        with Conductor(list(load_graph(config.graph).nodes), config.namespace, lambda: None) as conductor:
            conductor.bring_up()
            with ProgressDisplay(console, config.episodes) as display:
                recorded = conductor.follow(config.episodes, display.show).recorded
    except NodeFailed as error:
        console.print(f'conductor: {error}', style='bold red', markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    write_report(config.output)
    return 0 if recorded else 1


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return conduct(tyro.cli(ConductorConfig, args=remove_ros_args(sys.argv)[1:], prog='conductor'))
