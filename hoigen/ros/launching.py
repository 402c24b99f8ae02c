"""What the launch files share: a graph of config/graphs as a launch description. For real ROS installations alone."""

import json
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from hoigen.ros import dds
from hoigen.ros.declare import describe as described
from hoigen.ros.graph import Graph, Option, load_graph
from hoigen.ros.prepare import prepared
from hoigen.ros.processes import STOP_S

"""How long a node may take to end an episode or a bag after SIGINT; launch's own 5 s cut both off."""


def describe(name: str) -> LaunchDescription:
    """Nodes of the graph, their arguments, and a conductor that drives them through their lifecycle and reports."""
    graph = load_graph(name)
    dds.remove_leftovers()
    return LaunchDescription(
        [
            *(argument(option) for option in graph.options.values()),
            *(SetEnvironmentVariable(name, value) for name, value in dds.environment(len(graph.nodes) + 1).items()),
            OpaqueFunction(function=start, args=[graph]),
        ]
    )


def argument(option: Option) -> DeclareLaunchArgument:
    """An option as a launch argument; its value is YAML, arrays are [a, b, c]."""
    default, choices = option.default, option.field.metadata['choices']
    return DeclareLaunchArgument(
        option.name,
        default_value=default if isinstance(default, str) else json.dumps(default),
        choices=list(choices) if choices and isinstance(default, str) else None,
        description=described(option.field),
    )


def start(context: LaunchContext, graph: Graph) -> list[Node]:
    """The nodes with the values of the arguments."""
    given = {name: LaunchConfiguration(name).perform(context) for name in graph.options}
    job, parameters = prepared(graph, given)
    graph.begin(given, Path(job.out))
    nodes: list[Node] = [
        LifecycleNode(
            package='hoigen',
            executable=node,
            name=node,
            namespace=job.namespace,
            output='both',
            parameters=[{name: list(it) if isinstance(it, tuple) else it for name, it in values.items()}],
            ros_arguments=['--log-level', job.log_level],
            sigterm_timeout=str(STOP_S),
            on_exit=died,
        )
        for node, values in parameters.items()
    ]
    conductor = Node(
        package='hoigen',
        executable='conductor',
        output='both',
        on_exit=finished,
        arguments=[
            *('--nodes', *job.nodes),
            *('--out', job.out, '--namespace', job.namespace, '--episodes', str(job.episodes)),
        ],
    )
    return [*nodes, conductor]


def died(event: ProcessExited, context: LaunchContext) -> None:
    """A node has ended: before the job has, that is an error, and makes the status of ros2 launch 1."""
    if not context.is_shutdown:
        raise RuntimeError(f'{event.process_name} ended with status {event.returncode}')


def finished(event: ProcessExited, context: LaunchContext) -> Shutdown | None:
    """The job has ended, so everything does."""
    if event.returncode:
        died(event, context)
        return None
    return Shutdown(reason='the job is done')
