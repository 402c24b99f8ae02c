"""ROS parameters from a node's options: declared with description, unit and bounds, checked by constructing them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from hoigen.ros.declare import NodeOptions, as_declared, describe, kinds_of

C = TypeVar('C', bound=NodeOptions)
TYPES: dict[Any, Parameter.Type] = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple[float, ...]: Parameter.Type.DOUBLE_ARRAY,
    tuple[str, ...]: Parameter.Type.STRING_ARRAY,
}


def descriptor_of(field: dataclasses.Field[Any], kind: Any) -> ParameterDescriptor:
    """The parameter descriptor of an option."""
    meta, text = field.metadata, describe(field)
    if meta['choices']:
        text += f' One of: {", ".join(meta["choices"])}.'
    descriptor = ParameterDescriptor(type=TYPES[kind].value, description=text, read_only=meta['read_only'])
    if meta['low'] is not None and kind is int:
        descriptor.integer_range = [IntegerRange(from_value=meta['low'], to_value=meta['high'])]
    elif meta['low'] is not None:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(meta['low']), to_value=float(meta['high']))
        ]
    return descriptor


class Parameters(Generic[C]):
    """The options of a node, kept equal to the parameters that it has accepted.

    The node's first ones and every change are refused if the options cannot be constructed with them, the first
    ones by their ValueError; ``value`` is swapped as a whole after all changes of a request are accepted, so a reader
    on any thread sees a consistent one.
    """

    def __init__(self, node: Node, kind: type[C]) -> None:
        self._kinds = kinds_of(kind)
        # Untyped at first: rclpy would name the first fault alone, in words of its own, and refuse 1 for 1.0.
        values = {
            field.name: node.declare_parameter(
                field.name, field.default, ParameterDescriptor(dynamic_typing=True)
            ).value
            for field in dataclasses.fields(kind)
        }
        self.value: C = kind(**{name: as_declared(self._kinds[name], value) for name, value in values.items()})
        for field in dataclasses.fields(kind):
            of = self._kinds[field.name]  # the type of an empty array cannot be told from its value
            parameter = Parameter(field.name, TYPES[of], getattr(self.value, field.name))
            node.set_descriptor(field.name, descriptor_of(field, of), parameter.get_parameter_value())
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._swap)

    def _with(self, changes: Sequence[Parameter]) -> C:
        return dataclasses.replace(
            self.value,
            **{
                change.name: as_declared(self._kinds[change.name], change.value)
                for change in changes
                if change.name in self._kinds
            },
        )

    def _check(self, changes: Sequence[Parameter]) -> SetParametersResult:
        try:
            self._with(changes)
        except (TypeError, ValueError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _swap(self, changes: Sequence[Parameter]) -> None:
        self.value = self._with(changes)
