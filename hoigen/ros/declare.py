"""How a node's options are declared: a frozen dataclass whose fields say type, default, help, unit, bounds, choices."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

Value = bool | int | float | str | tuple[float, ...] | tuple[str, ...]


def param(
    default: Any,
    doc: str,
    *,
    unit: str = '',
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    items: str = '',
    read_only: bool = False,
) -> Any:
    """Declare an option of a node.

    low, high: inclusive, both or neither. choices: of a string, or of each string of an array. items: names of the
    numbers of an array ('X Y Z'), which has as many or, if not given, none. read_only: fixed when the node starts;
    other parameters take effect at the next configure, or at once where the node reads them anew.
    """
    return dataclasses.field(
        default=default,
        metadata={
            'doc': doc,
            'unit': unit,
            'low': low,
            'high': high,
            'choices': tuple(choices),
            'items': items,
            'read_only': read_only,
        },
    )


@dataclass(frozen=True)
class NodeOptions:
    """The options of a node, checked at construction."""

    def __post_init__(self) -> None:
        """Raise one ValueError that names every option of another type or outside its bounds or choices."""
        kinds = kinds_of(type(self))
        faults = [
            f'{field.name}: {fault}'
            for field in dataclasses.fields(self)
            if (fault := _fault(field, kinds[field.name], getattr(self, field.name)))
        ]
        if faults:
            raise ValueError('; '.join(faults))

    def check(self) -> None:
        """Raise for a file, a folder or a model that is not there; called before any node of a graph is started."""


@dataclass(frozen=True)
class Seeded(NodeOptions):
    """Options of a node that draws random numbers."""

    seed: int = param(
        0,
        "Seed that everything random is derived from, together with the episode's number.",
        low=0,
        high=2**31 - 1,
    )


@dataclass(frozen=True)
class ReadsStreams(NodeOptions):
    """Options of a node that reads sensor streams."""

    input_reliability: str = param(
        'reliable',
        'Asked of the publishers of its inputs; best_effort hears any, and may lose frames.',
        choices=('reliable', 'best_effort'),
        read_only=True,
    )


@dataclass(frozen=True)
class AwaitsReaders(NodeOptions):
    """Options of a node whose first messages must not be lost."""

    wait_for: tuple[str, ...] = param((), 'Nodes that must listen before it publishes; a graph names its own.')


@dataclass(frozen=True)
class OfRecording(NodeOptions):
    """Options that the source of a recording and its perception share."""

    video: str = param('', 'Recording: a video file, a folder of frames, an RGB-D folder or a ROS bag.')
    frames: int = param(17, 'Frames of a segment, which becomes one clip; 4k+1.', low=1, high=1000)


def writes_bags() -> Any:
    """The option of where bags lie."""
    return param(
        'out/demo',
        'Folder for bags, report and logs; episodes of a run with the same settings are kept, new ones numbered on.',
    )


def options_of(node: str) -> type[NodeOptions]:
    """The options of a node, from the module of its name; raises ValueError if there is none."""
    name = f'hoigen.ros.options.{node}'
    try:
        module: ModuleType = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ValueError(f'node {node!r}: expected its options in {name}, got no such module') from error
    kind: type[NodeOptions] = getattr(module, f'{node.title().replace("_", "")}Options')
    return kind


def kinds_of(kind: type[NodeOptions]) -> dict[str, Any]:
    """The type of every option: bool, int, float, str, or a tuple of floats or strings."""
    return get_type_hints(kind)


def item_of(kind: Any) -> type[Any] | None:
    """The type of the items of an array; None for a single value."""
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def describe(field: dataclasses.Field[Any]) -> str:
    """What an option means, with its unit: a line of help."""
    return f'{field.metadata["doc"]} [{field.metadata["unit"]}]' if field.metadata['unit'] else field.metadata['doc']


def as_declared(kind: Any, value: Any) -> Any:
    """A value as its option has it: arrays are tuples, and a whole number is a float where one is expected."""
    item = item_of(kind)
    if item is not None and not isinstance(value, str):
        return tuple(as_declared(item, each) for each in value or ())  # an empty list in YAML is None to ROS
    return float(value) if kind is float and type(value) is int else value


def _fault(field: dataclasses.Field[Any], kind: Any, value: Any) -> str:
    """What is wrong with a value; '' for a good one."""
    low, high, choices = (field.metadata[name] for name in ('low', 'high', 'choices'))
    item, names = item_of(kind), field.metadata['items']
    each = value if item is not None and isinstance(value, tuple) else (value,)
    if (item is not None and not isinstance(value, tuple)) or any(
        type(one) not in ((int, float) if (item or kind) is float else (item or kind,)) for one in each
    ):
        return f'expected {kind.__name__ if item is None else f"an array of {item.__name__}"}, got {value!r}'
    if names and value and len(value) != len(names.split()):
        return f'expected {len(names.split())} numbers {names}, got {len(value)}: {value}'
    if low is not None and not all(low <= one <= high for one in each):
        return f'expected [{low}, {high}], got {value!r}'
    if choices and not set(each) <= set(choices):
        return f'expected {"one" if item is None else "some"} of {choices}, got {value!r}'
    return ''


def refuse_missing(**paths: str) -> None:
    """Raise ValueError for a path, by the name of its option, at which nothing is; an empty one names nothing."""
    for name, path in paths.items():
        if path and not Path(path).exists():
            raise ValueError(f'{name}: expected a file or folder, got nothing at {path}')
