"""What the launch files share: a graph of config/graphs as a launch description. For real ROS installations alone."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from hoigen.ros import dds
from hoigen.ros.graph import SOURCES, Graph, load_graph
from hoigen.ros.refusals import refuse_wrong

STOP_S = '30'
"""How long a node may take to end an episode or a bag after SIGINT; launch's own 5 s cut both off."""


def describe(name: str) -> LaunchDescription:
    """Nodes of the graph, their arguments, and a conductor that drives them through their lifecycle and reports."""
    graph = load_graph(name)
    dds.remove_leftovers()
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=str(argument.default), description=argument.description)
                for name, argument in graph.arguments.items()
            ),
            DeclareLaunchArgument('namespace', default_value='', description='ROS namespace of the nodes.'),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value=str(graph.has_source).lower(),
                choices=['true', 'false'],
                description='Whether the nodes take the time from /clock.',
            ),
            DeclareLaunchArgument(
                'log_level',
                default_value='info',
                choices=['debug', 'info', 'warn', 'error'],
                description='Least severity of what the nodes log.',
            ),
            *(SetEnvironmentVariable(name, value) for name, value in dds.environment(len(graph.nodes) + 1).items()),
            OpaqueFunction(function=start, args=[graph]),
        ]
    )


def start(context: LaunchContext, graph: Graph) -> list[Node]:
    """The nodes with the values of the arguments."""
    given = {name: LaunchConfiguration(name).perform(context) for name in graph.arguments}
    namespace, level = (LaunchConfiguration(name).perform(context) for name in ('namespace', 'log_level'))
    simulated = LaunchConfiguration('use_sim_time').perform(context) == 'true'
    parameters = graph.parameters(given)
    refuse_wrong(parameters, namespace)
    nodes: list[Node] = [
        LifecycleNode(
            package='hoigen',
            executable=node,
            name=node,
            namespace=namespace,
            output='both',
            parameters=[{**values, 'use_sim_time': simulated and node not in SOURCES}],
            ros_arguments=['--log-level', level],
            sigterm_timeout=STOP_S,
            on_exit=died,
        )
        for node, values in parameters.items()
    ]
    own = [] if graph.has_source else ['--episodes', given['episodes']]
    conductor = Node(
        package='hoigen',
        executable='conductor',
        output='both',
        on_exit=finished,
        arguments=['--graph', graph.name, '--output', given['output'], '--namespace', namespace, *own],
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
