"""The ``hoigen`` command: verbs of one and of two words, and what it says of wrong ones."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hoigen.cli import VERBS, main, verb_of


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


AT_ONCE = """
import contextlib, os, sys
from hoigen.cli import VERBS, main

def check(*arguments, status):
    with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            got = main(list(arguments))
        except SystemExit as end:
            got = end.code
    heavy = sorted({'torch', 'diffusers', 'transformers', 'matplotlib'} & sys.modules.keys())
    assert got == status and not heavy, (arguments, got, heavy)

check('--help', status=0)
for group in ('up', 'edit', 'models'):
    check(group, '--help', status=0)
for name, verb in VERBS.items():
    if not verb.function.startswith(('make_', 'evaluate', 'ablate', 'plan')) and not name.startswith('train'):
        check(*name.split(), '--help', status=0)
check('generate', '--episodes', 'many', status=2)
check('generate', '--model', 'none', status=1)
check('generate', '--clips', 'none', status=1)
check('edit', 'insert', 'none.png', '--position', '0', '0', '1', '--mesh', 'none.glb', status=1)
check('edit', 'move', 'none', '--by', '0', '0', '1', status=1)
check('edit', 'reference', 'none.glb', '--caption', 'a mug', status=1)
"""


def test_help_and_wrong_arguments_wait_for_no_heavy_library():
    """Verbs at which a person waits answer wrong use and missing files before torch and its kin are imported."""
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
