"""``hoigen up``: run a graph of nodes as processes until its episodes are recorded, then make the report."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
import yaml
from rich.console import Console

from hoigen.episodes.report import write_report
from hoigen.ros import dds
from hoigen.ros.graph import Value, load_graph
from hoigen.ros.processes import NODE_COMMAND, NodeFailed, NodeProcesses
from hoigen.ros.progress import ProgressDisplay
from hoigen.video.faithful import ACCEPTANCE
from hoigen.video.sampling import CONDITIONS

INTERRUPTED = 130


@dataclass(frozen=True)
class UpConfig:
    """A job. The settings between ``episodes`` and ``out`` are the arguments of the graph's description."""

    graph: Annotated[str, tyro.conf.Positional]
    """Graph to run: a name in config/graphs."""
    episodes: int = 3
    """Episodes to make."""
    seed: int = 0
    """Everything random is derived from it and the episode's number."""
    model: str = 'tiny'
    """Model that generates the video; a name in config/models or the folder of a trained one."""
    task: str = 'any'
    """Interaction to simulate, or any."""
    camera: str = 'front'
    """Camera to render from."""
    conditions: str = ' '.join(CONDITIONS)
    """What the model reads of the scene beside its first picture; none at all is the backbone alone."""
    strength: float = 1.0
    """Scale of what the conditions add."""
    min_fidelity: float = ACCEPTANCE.min_fidelity
    """A clip whose mean fidelity is below it is rejected and the next seed drawn; 0 keeps every clip."""
    tries: int = ACCEPTANCE.tries
    """Seeds that are drawn before an episode is given up; it is then recorded without generated frames."""
    rate: float = 0.0
    """Pace relative to real time; 0 is as fast as the simulator can."""
    out: Path = Path('out/demo')
    """Folder for bags, report and logs; episodes that are in it stay, new ones are numbered on."""
    namespace: str = ''
    """ROS namespace of the nodes."""
    log_level: Literal['debug', 'info', 'warn', 'error'] = 'info'
    """Least severity of what the nodes log."""
    use_sim_time: bool = True
    """Whether the nodes take the time from /clock."""

    def arguments(self) -> dict[str, Any]:
        """The values of the graph's arguments."""
        return {'episodes': self.episodes, 'seed': self.seed, 'model': self.model, 'task': self.task,
                'camera': self.camera, 'conditions': self.conditions, 'strength': self.strength,
                'min_fidelity': self.min_fidelity, 'tries': self.tries, 'rate': self.rate, 'output': str(self.out)}


def run(config: UpConfig, node_command: Sequence[str] = NODE_COMMAND) -> int:
    """Run the job; 0 when it is done, 1 when a node failed or every clip was rejected, 130 when interrupted."""
    console = Console(highlight=False)
    parameters = load_graph(config.graph).parameters(config.arguments())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # a shell's background jobs inherit an ignored SIGINT
    os.environ.update(dds.environment(len(parameters) + 1))
    logs = config.out / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    nodes = NodeProcesses(logs, node_command)
    finished = False
    try:
        _start(nodes, parameters, config)
        recorded = _conduct(nodes, list(parameters), config, console)
    except NodeFailed as error:
        _explain(error, nodes, console)
        status = 1
    except KeyboardInterrupt:
        console.print('interrupted: stopping the nodes, closing the bags')
        status = INTERRUPTED
    else:
        status, finished = 0 if recorded else 1, True
    finally:
        _stop(nodes, console)
    if finished:
        write_report(config.out)
    _print_results(config.out, console)
    return status


def _start(nodes: NodeProcesses, parameters: Mapping[str, Mapping[str, Value]], config: UpConfig) -> None:
    """Start every node with its parameters, which stay to be read in the folder of the logs."""
    file = config.out / 'logs' / 'parameters.yaml'
    file.write_text(yaml.safe_dump({
        f'/**/{node}': {'ros__parameters': {**values, 'use_sim_time': _simulated(node, config)}}
        for node, values in parameters.items()}))
    arguments = ['--ros-args', '-r', f'__ns:=/{config.namespace.strip("/")}', '--params-file', str(file),
                 '--log-level', config.log_level, '--disable-external-lib-logs']
    environment = os.environ | {'RCUTILS_COLORIZED_OUTPUT': '0', 'RCUTILS_LOGGING_BUFFERED_STREAM': '0'}
    for node in parameters:
        nodes.start(node, arguments, environment)


def _simulated(node: str, config: UpConfig) -> bool:
    """The node that publishes the time cannot take it from itself."""
    return config.use_sim_time and node != 'sim_source'


def _conduct(nodes: NodeProcesses, names: Sequence[str], config: UpConfig, console: Console) -> int:
    """The number of episodes recorded."""
    from hoigen.ros.conductor import Conductor  # rclpy: only a running job needs it, `hoigen up --help` does not

    console.print(f'starting {", ".join(names)}; logs in {config.out / "logs"}', markup=False, soft_wrap=True)
    with Conductor(names, config.namespace, nodes.check) as conductor:
        conductor.bring_up()
        with ProgressDisplay(console, config.episodes) as display:
            return conductor.follow(config.episodes, display.show).recorded


def _explain(error: NodeFailed, nodes: NodeProcesses, console: Console) -> None:
    console.print(f'hoigen up: {error}', style='bold red', markup=False, soft_wrap=True)
    if nodes.log(error.node).is_file():
        console.print(f'the last lines of {nodes.log(error.node)}:\n{nodes.last_lines(error.node)}', markup=False,
                      soft_wrap=True)


def _stop(nodes: NodeProcesses, console: Console) -> None:
    """End the nodes; nothing may interrupt that, it has a deadline of its own."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    for node in nodes.stop():
        console.print(f'{node} did not end when asked and was killed', markup=False, soft_wrap=True)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _print_results(out: Path, console: Console) -> None:
    bags = sorted(path for path in out.glob('episode_*') if path.is_dir())
    for path in (*bags, out / 'report.html', out / 'preview.mp4'):
        if path.exists():
            console.print(str(path), markup=False, soft_wrap=True)
