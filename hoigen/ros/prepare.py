"""What the nodes of a graph are started with; what they would refuse is refused before any of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rclpy.exceptions import InvalidNamespaceException
from rclpy.validate_namespace import validate_namespace

from hoigen.ros import topics
from hoigen.ros.declare import Value, options_of
from hoigen.ros.graph import CONDUCTOR, Graph, GraphError
from hoigen.ros.options.conductor import ConductorOptions


def prepared(graph: Graph, given: Mapping[str, Any]) -> tuple[ConductorOptions, dict[str, dict[str, Value]]]:
    """The job, and the parameters of every node, in the order of activation, with ``given`` values of options.

    Raises GraphError for the first node whose parameters cannot be, or name a file or a model that is not there.
    """
    parameters = graph.parameters(given)
    job = _checked(CONDUCTOR, parameters.pop(CONDUCTOR))
    assert isinstance(job, ConductorOptions)
    for node, values in parameters.items():
        _checked(node, values)
    namespace = job.namespace.strip('/')
    try:
        validate_namespace(f'/{namespace}')
    except InvalidNamespaceException as error:
        raise GraphError(
            f'namespace: expected a ROS name, got {job.namespace!r}: {str(error).splitlines()[0]}'
        ) from error
    readers, source = topics.readers_in(parameters), topics.source_in(parameters)
    return replace(job, nodes=tuple(readers), namespace=namespace), {
        node: {name: it for name, it in parameters[node].items() if it != getattr(options_of(node), name) or it != ()}
        | {'use_sim_time': job.use_sim_time and node != source}
        | ({'wait_for': heard_by} if heard_by else {})
        for node, heard_by in readers.items()
    }


def _checked(node: str, values: Mapping[str, Any]) -> Any:
    """The options of a node, whose files and models are there."""
    try:
        options = options_of(node)(**values)
        options.check()
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise GraphError(f'{node}: {error}') from error
    return options
