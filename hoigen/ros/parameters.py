"""ROS parameters from a frozen dataclass: declared with description, unit and range, checked by constructing it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

C = TypeVar('C')


def param(
    default: Any,
    doc: str,
    *,
    unit: str = '',
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    read_only: bool = False,
) -> Any:
    """Describe a field of a node's configuration.

    ``low`` and ``high`` are both given or both left out, and are inclusive. ``read_only``: fixed when the node
    starts; other parameters take effect at the next configure, or at once where the node reads them anew.
    """
    return dataclasses.field(
        default=default,
        metadata={
            'doc': doc,
            'unit': unit,
            'low': low,
            'high': high,
            'choices': tuple(choices),
            'read_only': read_only,
        },
    )


def validate(config: Any) -> None:
    """Raise one ValueError that names every field of another type or outside its range or choices."""
    faults = []
    for field in dataclasses.fields(config):
        value, low, choices = getattr(config, field.name), field.metadata['low'], field.metadata['choices']
        kind = type(field.default)
        if type(value) not in ((int, float) if kind is float else (kind,)):
            faults.append(f'{field.name}: expected {kind.__name__}, got {value!r}')
        elif low is not None and not low <= value <= field.metadata['high']:
            faults.append(f'{field.name}: expected [{low}, {field.metadata["high"]}], got {value!r}')
        elif choices and value not in choices:
            faults.append(f'{field.name}: expected one of {choices}, got {value!r}')
    if faults:
        raise ValueError('; '.join(faults))


def describe(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    """The parameter descriptor of a field made with :func:`param`."""
    meta = field.metadata
    text = f'{meta["doc"]} [{meta["unit"]}]' if meta['unit'] else meta['doc']
    if meta['choices']:
        text += f' One of: {", ".join(meta["choices"])}.'
    kind = Parameter.Type.from_parameter_value(field.default)
    descriptor = ParameterDescriptor(type=kind.value, description=text, read_only=meta['read_only'])
    if meta['low'] is not None and isinstance(field.default, int):
        descriptor.integer_range = [IntegerRange(from_value=meta['low'], to_value=meta['high'])]
    elif meta['low'] is not None:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(meta['low']), to_value=float(meta['high']))
        ]
    return descriptor


def _as_declared(value: Any, field: dataclasses.Field[Any]) -> Any:
    """A whole number is a float where one is expected: users write rate:=1."""
    return float(value) if type(field.default) is float and type(value) is int else value


class Parameters(Generic[C]):
    """A frozen configuration, kept equal to the parameters that a node has accepted.

    The node's first ones and every change are refused if the configuration cannot be constructed with them, the first
    ones by the configuration's ValueError; ``value`` is swapped as a whole after all changes of a request are accepted,
    so a reader on any thread sees a consistent one.
    """

    def __init__(self, node: Node, kind: type[C]) -> None:
        fields = dataclasses.fields(kind)  # type: ignore[arg-type]
        # Untyped at first: rclpy would tell of the first fault alone, in words of its own, and refuse 1 for 1.0.
        values = {
            field.name: node.declare_parameter(
                field.name, field.default, ParameterDescriptor(dynamic_typing=True)
            ).value
            for field in fields
        }
        self.value: C = kind(**{field.name: _as_declared(values[field.name], field) for field in fields})
        for field in fields:
            node.set_descriptor(
                field.name,
                describe(field),
                Parameter(field.name, value=getattr(self.value, field.name)).get_parameter_value(),
            )
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._swap)

    def _with(self, changes: Sequence[Parameter]) -> C:
        names = {field.name for field in dataclasses.fields(self.value)}  # type: ignore[arg-type]
        return dataclasses.replace(  # type: ignore[type-var]
            self.value, **{change.name: change.value for change in changes if change.name in names}
        )

    def _check(self, changes: Sequence[Parameter]) -> SetParametersResult:
        try:
            self._with(changes)
        except (TypeError, ValueError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _swap(self, changes: Sequence[Parameter]) -> None:
        self.value = self._with(changes)
