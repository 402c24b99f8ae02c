"""A graph of nodes, read from config/graphs/<name>.yaml: one description for `hoigen up` and for launch files."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hoigen.resources import find

Value = bool | int | float | str

SOURCES = ('sim_source', 'video_source')
"""The nodes that frames and time come from; a graph has one of them, which cannot take the time from itself, or none:
then the source is the user's own."""


class Target(NamedTuple):
    """A parameter of a node."""

    node: str
    parameter: str


class GraphError(ValueError):
    """A graph description, or a value for one of its arguments, is wrong."""


@dataclass(frozen=True)
class Argument:
    """What a user may set: its meaning, default, and the node parameters that take the value."""

    description: str
    default: Value
    sets: tuple[Target, ...]

    def value(self, name: str, given: Any) -> Value:
        """``given`` (typed, or text as from a command line) as a value of the default's type."""
        kind = type(self.default)
        if isinstance(given, str) and kind is not str:
            given = yaml.safe_load(given)
        if kind is float and type(given) is int:
            given = float(given)
        if type(given) is not kind:
            raise GraphError(f'argument {name!r}: expected {kind.__name__}, got {given!r}')
        return given


@dataclass(frozen=True)
class Graph:
    """Nodes with their fixed parameters, in the order of activation, and the arguments that set further ones.

    ``numbering``: the node parameter that takes the number of the first episode, after those that the argument
    ``output`` holds already; None where the user's own source numbers them.
    """

    name: str
    description: str
    nodes: dict[str, dict[str, Value]]
    arguments: dict[str, Argument]
    numbering: Target | None

    @property
    def has_source(self) -> bool:
        """Whether one of its nodes is where frames come from."""
        return bool(self.nodes.keys() & set(SOURCES))

    def parameters(self, given: Mapping[str, Any]) -> dict[str, dict[str, Value]]:
        """The parameters of every node, with ``given`` values for arguments and defaults for the rest."""
        result = {node: dict(fixed) for node, fixed in self.nodes.items()}
        for name in given:
            if name not in self.arguments:
                near = difflib.get_close_matches(name, self.arguments, n=1)
                raise GraphError(
                    f'argument {name!r}: expected one of {list(self.arguments)}'
                    + (f'; did you mean {near[0]!r}?' if near else '')
                )
        for name, argument in self.arguments.items():
            value = argument.value(name, given.get(name, argument.default))
            for node, parameter in argument.sets:
                result[node][parameter] = value
            if name == 'output' and self.numbering is not None:
                result[self.numbering.node][self.numbering.parameter] = next_episode(Path(str(value)))
        return result


def load_graph(name: str) -> Graph:
    """Read the graph called ``name``; raises :class:`GraphError` that names what is wrong with it."""
    folder = find('config/graphs')
    path = folder / f'{name}.yaml'
    if not path.is_file():
        known = sorted(found.stem for found in folder.glob('*.yaml'))
        raise GraphError(f'graph {name!r}: expected one of {known}, in {folder}')
    try:
        raw = yaml.safe_load(path.read_text())
        nodes = {node: dict(parameters or {}) for node, parameters in raw['nodes'].items()}
        arguments = {
            key: Argument(it['description'], it['default'], tuple(_target(text, nodes) for text in it['sets']))
            for key, it in raw['arguments'].items()
        }
        numbering = _target(raw['numbering'], nodes) if nodes.keys() & set(SOURCES) else None
        return Graph(name, raw['description'], nodes, arguments, numbering)
    except (AttributeError, KeyError, TypeError, yaml.YAMLError) as error:
        raise GraphError(f'{path}: expected description, nodes, arguments and numbering, got {error!r}') from error


def _target(text: str, nodes: Mapping[str, Any]) -> Target:
    node, _, parameter = text.partition('.')
    if node not in nodes or not parameter:
        raise GraphError(f'parameter {text!r}: expected <node>.<parameter> of {list(nodes)}')
    return Target(node, parameter)


def next_episode(output: Path) -> int:
    """The number after the highest one of the episodes that ``output`` holds; 0 for a new folder."""
    numbers = [
        int(path.name.removeprefix('episode_'))
        for path in output.glob('episode_*')
        if path.name.removeprefix('episode_').isdecimal()
    ]
    return max(numbers, default=-1) + 1


def episode_folder(output: Path, episode: int) -> Path:
    """Where the bag of an episode lies."""
    return output / f'episode_{episode:04d}'
