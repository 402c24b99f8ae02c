"""The ``hoigen`` command: verbs of one and of two words, and what it says of wrong ones."""

from __future__ import annotations

import pytest

from hoigen.cli import VERBS, main, verb_of


@pytest.mark.parametrize(('arguments', 'verb'), [
    (['train', 'video', '--out', 'x'], 'train video'), (['clips', '--out', 'video'], 'clips'),
    (['evaluate', '--model', 'tiny'], 'evaluate'), (['train'], None), (['train', 'film'], None), (['film'], None)])
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
