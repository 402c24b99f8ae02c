"""Options of nodes as the options of a command: a dataclass that tyro reads, made of their declarations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from hoigen.ros.declare import describe, item_of


class CommandOption(NamedTuple):
    """An option of a command: as a node declares it (:func:`hoigen.ros.declare.param`), with a default of its own."""

    name: str
    field: dataclasses.Field[Any]
    kind: Any
    default: Any


def command_of(name: str, doc: str, options: Iterable[CommandOption], **more: object) -> type[Any]:
    """A frozen dataclass ``name`` of options, with ``more`` class attributes."""
    fields = [(it.name, _typed(it), dataclasses.field(default=it.default)) for it in options]
    return dataclasses.make_dataclass(name, fields, frozen=True, kw_only=True, namespace={'__doc__': doc, **more})


def _typed(option: CommandOption) -> Any:
    """The type of an option as a command line has it, with its help."""
    choices, items = option.field.metadata['choices'], option.field.metadata['items']
    one: Any = Literal[tuple(choices)] if choices else item_of(option.kind) or option.kind
    shown = tyro.conf.arg(help=describe(option.field), metavar=items or None)
    return Annotated[one if item_of(option.kind) is None else tuple[one, ...], shown]
