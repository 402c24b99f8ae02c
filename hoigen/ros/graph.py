"""A graph of nodes, composed of a source and a maker of config/graphs: one description for `hoigen up` and launch."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hoigen.resources import find
from hoigen.ros.declare import Value, as_declared, item_of, kinds_of, options_of
from hoigen.run_settings import RUN_FILE, begin

CONDUCTOR = 'conductor'
"""Starts and follows the nodes of every graph."""
WHICH = ('episodes', 'video', 'start', 'duration')
"""Options that say which episodes a run adds to its folder."""
HOW = ('out', 'rate', 'input_reliability', 'namespace', 'log_level', 'use_sim_time')
"""Options that say how it goes; all others change what is made of a scene."""
COMMON = ('seed', 'out', 'namespace', 'log_level', 'use_sim_time')
"""Options of every graph."""


class GraphError(ValueError):
    """A graph description, or a value for one of its options, is wrong."""


@dataclass(frozen=True)
class Option:
    """What a user may set in a graph: an option of the first of ``nodes``, which all take the value."""

    name: str
    nodes: tuple[str, ...]
    kind: Any
    field: dataclasses.Field[Any]
    default: Value

    def value(self, given: Any) -> Value:
        """``given`` (typed, or YAML as from ros2 launch) as a value of the option's type."""
        if isinstance(given, str) and self.kind is not str:
            try:
                given = yaml.safe_load(given)
            except yaml.YAMLError as error:
                raise GraphError(f'option {self.name!r}: expected YAML, got {given!r}') from error
            if item_of(self.kind) is not None and not isinstance(given, list):
                raise GraphError(f'option {self.name!r}: expected a list like [a, b, c], got {given!r}')
        value: Value = as_declared(self.kind, given)
        return value


@dataclass(frozen=True)
class Graph:
    """Nodes with their fixed parameters, and the options that set further ones."""

    name: str
    description: str
    nodes: dict[str, dict[str, Value]]
    options: dict[str, Option]

    def begin(self, given: Mapping[str, Any], out: Path) -> None:
        """Begin a run in ``out`` or continue the one there; ValueError if that had other settings."""
        values = {name: option.value(given.get(name, option.default)) for name, option in self.options.items()}
        kept = {name: value for name, value in values.items() if name not in (*WHICH, *HOW)}
        begin(out / RUN_FILE, {'job': f'up {self.name}'} | kept, made=next_episode(out) > 0)

    def parameters(self, given: Mapping[str, Any]) -> dict[str, dict[str, Value]]:
        """The parameters of the conductor and of every node, with ``given`` values of options, defaults for the rest.

        Episodes are numbered on after those that the folder ``out`` holds.
        """
        for name in given:
            if name not in self.options:
                raise GraphError(f'option {name!r}: {_expected(name, self.options)}')
        result: dict[str, dict[str, Value]] = {CONDUCTOR: {}} | {node: dict(it) for node, it in self.nodes.items()}
        for name, option in self.options.items():
            for node in option.nodes:
                result[node][name] = option.value(given.get(name, option.default))
        first = next_episode(Path(str(result[CONDUCTOR]['out'])))
        for node in _having('first_episode', self.nodes):
            result[node]['first_episode'] = first
        return result


@dataclass(frozen=True)
class Pair:
    """A source and a maker that have a name of their own. out: default folder. example: arguments."""

    source: str
    maker: str
    out: str
    example: str

    @property
    def description(self) -> str:
        return _description(_part('sources', self.source), _part('makers', self.maker))


def pairs() -> dict[str, Pair]:
    """The named pairs, config/graphs/<name>.yaml."""
    return {path.stem: Pair(**_read(path)) for path in sorted(find('config/graphs').glob('*.yaml'))}


def load_graph(name: str) -> Graph:
    """The graph of the pair called ``name``."""
    known = pairs()
    if name not in known:
        raise GraphError(f'graph {name!r}: {_expected(name, known)}, in {find("config/graphs")}')
    pair = known[name]
    return compose(pair.source, pair.maker, name, pair.out)


def names_of(role: str) -> list[str]:
    """The 'sources' or 'makers' that there are."""
    return sorted(path.stem for path in (find('config/graphs') / role).glob('*.yaml'))


def compose(source: str, maker: str, name: str = '', out: str = '') -> Graph:
    """The graph of a source and a maker, called ``name``; raises :class:`GraphError` that names what is wrong.

    An option sets the parameter of its name in every node that has it, the conductor's where no node has it.
    """
    parts = [_part('sources', source), _part('makers', maker)]
    nodes: dict[str, dict[str, Value]] = {node: {} for part in parts for node in part['nodes']}
    name = name or f'{source}_{maker}'
    for role, part in zip(('source', 'maker'), parts, strict=True):
        for node, values in part.get('sets', {}).items():
            options = _options(node)
            if node in nodes:
                nodes[node] |= {key: as_declared(options[key], value) for key, value in values.items()}
            elif role == 'maker':
                raise GraphError(f'maker {maker!r}: expected a source with {node}, got {source!r} with {list(nodes)}')
    defaults: dict[str, Any] = {'out': out or f'out/{name}'}
    for part in reversed(parts):
        defaults |= part.get('defaults', {})
    wanted = dict.fromkeys([*parts[0]['options'], *parts[1]['options'], *COMMON])
    return Graph(
        name,
        _description(*parts),
        nodes,
        {it: _option(it, nodes, defaults) for it in wanted if it != 'seed' or _having(it, nodes)},
    )


def _description(source: Mapping[str, Any], maker: Mapping[str, Any]) -> str:
    return f'from {source["description"]} to {maker["description"]}, one bag per episode'


def _part(role: str, name: str) -> dict[str, Any]:
    """The description of a source or a maker, checked for its keys."""
    path = find('config/graphs') / role / f'{name}.yaml'
    if not path.is_file():
        raise GraphError(f'{role[:-1]} {name!r}: {_expected(name, names_of(role))}')
    raw = _read(path)
    needed, optional = {'description', 'nodes', 'options'}, {'defaults', 'sets'}
    if not needed <= raw.keys() <= needed | optional:
        raise GraphError(f'{path}: expected {sorted(needed)} and maybe {sorted(optional)}, got {sorted(raw)}')
    return raw


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise GraphError(f'{path}: expected YAML, got {error}') from error
    if not isinstance(raw, dict):
        raise GraphError(f'{path}: expected a mapping, got {raw!r}')
    return raw


def _option(name: str, nodes: Iterable[str], defaults: Mapping[str, Any]) -> Option:
    owners = _having(name, nodes) or _having(name, [CONDUCTOR])
    if not owners:
        raise GraphError(f'option {name!r}: expected one of the nodes {list(nodes)}, which have none of that name')
    declared = options_of(owners[0])
    kind = kinds_of(declared)[name]
    field = next(field for field in dataclasses.fields(declared) if field.name == name)
    if name == 'out':
        owners = (*owners, CONDUCTOR)
    return Option(name, owners, kind, field, as_declared(kind, defaults.get(name, field.default)))


def _having(name: str, nodes: Iterable[str]) -> tuple[str, ...]:
    return tuple(node for node in nodes if name in _options(node))


def _options(node: str) -> dict[str, Any]:
    try:
        return kinds_of(options_of(node))
    except ValueError as error:
        raise GraphError(str(error)) from error


def _expected(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known := list(known), n=1)
    return f'expected one of {known}' + (f'; did you mean {near[0]!r}?' if near else '')


def next_episode(output: Path) -> int:
    """The number after the highest one of the episodes that ``output`` holds, rejected ones too; 0 for a new folder."""
    names = [path.name.removeprefix('episode_').partition('.')[0] for path in output.glob('episode_*')]
    return max((int(name) for name in names if name.isdecimal()), default=-1) + 1
