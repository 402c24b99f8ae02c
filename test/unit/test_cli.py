"""The ``hoigen`` command: verbs of one and of two words, and what it says of wrong ones."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from textwrap import dedent
from typing import get_args, get_type_hints

import pytest

from hoigen.cli import VERBS, configuration_of, main, verb_of


@pytest.mark.parametrize(
    ('arguments', 'verb'),
    [
        (['train', 'video', '--out', 'x'], 'train video'),
        (['clips', '--out', 'video'], 'clips'),
        (['evaluate', '--model', 'tiny'], 'evaluate'),
        (['train'], None),
        (['train', 'film'], None),
        (['film'], None),
    ],
)
def test_a_verb_has_one_or_two_words(arguments, verb):
    assert verb_of(arguments) == verb


def test_a_longer_verb_does_not_hide_the_shorter_one(monkeypatch):
    """`hoigen evaluate` stays what it is when there is a `hoigen evaluate edit` too."""
    monkeypatch.setitem(VERBS, 'evaluate edit', VERBS['evaluate'])
    assert verb_of(['evaluate', 'edit', '--clips', '3']) == 'evaluate edit'
    assert verb_of(['evaluate', '--clips', '3']) == 'evaluate'


def test_half_a_verb_says_what_exists(capsys):
    assert main(['train']) == 2
    assert "expected one of train video, train asset, train insertion, got 'train'" in capsys.readouterr().err
    assert main(['film']) == 2
    assert f"expected one of {', '.join(VERBS)}, got 'film'" in capsys.readouterr().err


def test_half_a_verb_with_help_shows_its_verbs(capsys):
    assert main(['edit', '--help']) == 0
    shown = capsys.readouterr().out
    assert 'edit insert' in shown
    assert 'hoigen extract' not in shown


def without_help(kind: type, group: str = '') -> Iterator[str]:
    """Options of a configuration, and of those nested in it, of which neither field docstring nor tyro says a word."""
    kinds = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        of, *notes = get_args(kinds[field.name]) if hasattr(kinds[field.name], '__metadata__') else [kinds[field.name]]
        if is_dataclass(of):
            yield from without_help(of, f'{group}{field.name}.')
        elif not any(getattr(note, 'help', None) for note in notes) and field.name not in documented(kind):
            yield f'{group}{field.name}'


def documented(kind: type) -> set[str]:
    """Fields of a dataclass, its bases' among them, on which a string follows in the source."""
    bodies = [ast.parse(dedent(inspect.getsource(base))).body[0].body for base in kind.__mro__ if is_dataclass(base)]
    return {
        field.target.id
        for body in bodies
        for field, after in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }


@pytest.mark.parametrize('verb', VERBS)
def test_every_option_has_help(verb):
    """An option without a line of help can only be used by whoever reads the source."""
    assert not list(without_help(configuration_of(verb, verb.split())[0]))


@dataclass
class _Inner:
    said: int = 0
    """What it is."""
    bare: int = 0


@dataclass
class _Outer:
    inner: _Inner
    bare: int = 0


def test_an_option_without_help_is_found():
    assert list(without_help(_Outer)) == ['inner.bare', 'bare']


AT_ONCE = """
import contextlib, os, sys
from hoigen.cli import VERBS, main

def check(*arguments, status):
    with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            got = main(list(arguments))
        except SystemExit as end:
            got = end.code
    heavy = sorted({'torch', 'diffusers', 'transformers', 'accelerate', 'matplotlib'} & sys.modules.keys())
    assert got == status and not heavy, (arguments, got, heavy)

check('--help', status=0)
for group in ('up', 'edit', 'models'):
    check(group, '--help', status=0)
for name in VERBS:
    check(*name.split(), '--help', status=0)
check('generate', '--episodes', 'many', status=2)
check('generate', '--model', 'none', status=1)
check('generate', '--clips', 'none', status=1)
check('edit', 'insert', 'none.png', '--position', '0', '0', '1', '--mesh', 'none.glb', status=1)
check('edit', 'move', 'none', '--by', '0', '0', '1', status=1)
check('edit', 'reference', 'none.glb', '--caption', 'a mug', status=1)
"""


def test_help_and_wrong_arguments_wait_for_no_heavy_library():
    """Help, wrong use and missing files are answered before torch and its kin are imported, which takes seconds."""
    done = subprocess.run([sys.executable, '-c', AT_ONCE], capture_output=True, text=True)
    assert not done.returncode, done.stderr


def test_a_run_out_of_memory_says_what_to_do(monkeypatch, capsys):
    def too_large(config):
        raise MemoryError('Unable to allocate 3 TiB')

    monkeypatch.setattr('hoigen.episodes.commands.report', too_large)
    assert main(['report', 'out']) == 1
    said = capsys.readouterr().err
    assert said.startswith('hoigen report: the machine has too little memory for this; choose smaller images or fewer')
    assert said.count('\n') == 1
