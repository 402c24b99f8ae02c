"""Options of the conductor, and of a job as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from hoigen.ros.declare import NodeOptions, param, writes_bags


@dataclass(frozen=True)
class ConductorOptions(NodeOptions):
    """A job whose nodes are started by `hoigen up` or by launch."""

    nodes: tuple[str, ...] = param((), 'Nodes of the graph, in the order of their activation.')
    out: str = writes_bags()
    episodes: int = param(
        0, 'Episodes to record before the job ends; 0 goes on until it is interrupted.', low=0, high=1_000_000
    )
    namespace: str = param('', 'ROS namespace of the nodes.')
    log_level: str = param('info', 'Least severity of what the nodes log.', choices=('debug', 'info', 'warn', 'error'))
    use_sim_time: bool = param(True, 'Let the nodes take the time from /clock, which the source publishes.')
