"""``hoigen up``: run a graph of nodes as processes until its episodes are recorded, then make the report."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from hoigen.ros import dds
from hoigen.ros.command_line import CommandOption, command_of
from hoigen.ros.declare import Value, param
from hoigen.ros.graph import compose, load_graph, names_of, pairs
from hoigen.ros.options.conductor import ConductorOptions
from hoigen.ros.processes import NODE_COMMAND, NodeFailed, NodeProcesses, interrupt_once

INTERRUPTED = 130


def job_of(arguments: Sequence[str]) -> Any:
    """The options of the graph that a command line names (`up sim_to_video`, `up --source sim --maker video`): a
    dataclass of the options that the graph exposes, with the graph itself as ``graph``."""
    if len(arguments) > 1 and not arguments[1].startswith('-'):
        graph, doc, chosen = load_graph(arguments[1]), 'Other pairs of a source and a maker: hoigen up --help.', []
    else:
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument('--source', default='sim')
        parser.add_argument('--maker', default='video')
        asked = parser.parse_known_args(arguments)[0]
        graph = compose(asked.source, asked.maker)
        sources = param(asked.source, 'Where scenes come from.', choices=names_of('sources'))
        makers = param(asked.maker, 'What is made of them.', choices=names_of('makers'))
        chosen = [
            CommandOption('source', sources, str, asked.source),
            CommandOption('maker', makers, str, asked.maker),
        ]
        named = ', '.join(f'{name} ({pair.source}, {pair.maker})' for name, pair in pairs().items())
        doc = f'Here: {graph.description}. Pairs that have a name: {named}.'
    options = [CommandOption(it.name, it.field, it.kind, it.default) for it in graph.options.values()]
    return command_of('Job', doc, [*chosen, *options], graph=graph)()


def run(config: Any, node_command: Sequence[str] = NODE_COMMAND) -> int:
    """Run a job of :func:`job_of`; 0 when it is done, 1 when a node failed or nothing was recorded, 130 when
    interrupted."""
    console = Console(highlight=False, markup=False)
    try:
        from hoigen.ros.conductor import conduct  # rclpy: only a job needs it, `hoigen up --help` does not
        from hoigen.ros.prepare import prepared
        from hoigen.ros.progress import conclude
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f'expected ROS 2 and the built messages of hoigen, got {error}; source install/setup.bash, '
            'in a ROS 2 workspace where hoigen is built'
        ) from error
    given = {name: getattr(config, name) for name in config.graph.options}
    job, parameters = prepared(config.graph, given)
    config.graph.begin(given, Path(job.out))
    interrupt_once()
    dds.remove_leftovers()
    os.environ.update(dds.environment(len(parameters) + 1))
    out = Path(job.out)
    logs = out / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    nodes = NodeProcesses(logs, node_command)
    progress = None
    try:
        _start(nodes, parameters, job, logs)
        console.print(f'starting {", ".join(job.nodes)}; logs in {logs}', markup=False, soft_wrap=True)
        progress = conduct(job, nodes.check, console)
    except NodeFailed as error:
        _explain(error, nodes, console)
        status = 1
    except KeyboardInterrupt:
        console.print('interrupted: stopping the nodes, closing the bags')
        status = INTERRUPTED
    finally:
        _stop(nodes, console)
    if progress is not None:
        try:
            status = conclude(progress, out, console)
        except KeyboardInterrupt:
            console.print(f'interrupted: hoigen report {out} makes the report', markup=False, soft_wrap=True)
            status = INTERRUPTED
    _print_results(out, console)
    return status


def _start(
    nodes: NodeProcesses, parameters: Mapping[str, Mapping[str, Value]], job: ConductorOptions, logs: Path
) -> None:
    """Start every node with its parameters, which stay to be read in the folder of the logs."""
    file = logs / 'parameters.yaml'
    file.write_text(
        yaml.safe_dump({f'/**/{node}': {'ros__parameters': dict(values)} for node, values in parameters.items()})
    )
    arguments = [
        '--ros-args',
        '-r',
        f'__ns:=/{job.namespace}',
        '--params-file',
        str(file),
        '--log-level',
        job.log_level,
        '--disable-external-lib-logs',
    ]
    environment = os.environ | {'RCUTILS_COLORIZED_OUTPUT': '0', 'RCUTILS_LOGGING_BUFFERED_STREAM': '0'}
    for node in parameters:
        nodes.start(node, arguments, environment)


def _explain(error: NodeFailed, nodes: NodeProcesses, console: Console) -> None:
    console.print(f'hoigen up: {error}', style='bold red', markup=False, soft_wrap=True)
    if nodes.log(error.node).is_file():
        console.print(
            f'the last lines of {nodes.log(error.node)}:\n{nodes.last_lines(error.node)}', markup=False, soft_wrap=True
        )


def _stop(nodes: NodeProcesses, console: Console) -> None:
    """End the nodes; nothing may interrupt that, it has a deadline of its own."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    for node in nodes.stop():
        console.print(f'{node} did not end when asked and was killed', markup=False, soft_wrap=True)
    dds.remove_leftovers()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _print_results(out: Path, console: Console) -> None:
    bags = sorted(path for path in out.glob('episode_*') if path.is_dir())
    for path in (*bags, out / 'report.html', out / 'preview.mp4'):
        if path.exists():
            console.print(str(path), markup=False, soft_wrap=True)
