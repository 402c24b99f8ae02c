"""Damaged files end in a clean error or in what is left of them: never in a traceback, a death, a hang or silence."""

from __future__ import annotations

import os
import re
from pathlib import Path

import forked
import pytest
from loaders import LOADERS, copied
from mutations import mutate

CASES = int(os.environ.get('HOIGEN_FUZZ', '8'))
"""Mutations of each input, by default one of each kind; ``HOIGEN_FUZZ=500 python -m pytest test/fuzz`` makes more."""
CLEAN = {'ValueError', 'RuntimeError', 'OSError'}
"""What the command line shows as one line; anything else is a traceback."""
UNCLEAN = re.compile(r'\n|Traceback|decoder died|ended with status|\w+Error\b|\w+Exception\b|has no attribute|<class')
LONGEST = 600


def complaint(outcome: forked.Outcome, path: Path, expected: str | None) -> str:
    """What is wrong with how a damaged input ended; '' for nothing. expected: what it must be read as."""
    if not outcome.error:
        return '' if expected in (None, outcome.says) else f'read as other data: {outcome.says[:200]}'
    if not CLEAN & set(outcome.kinds):
        return f'{outcome.error} at {outcome.where}: {outcome.says[:200]}'
    if found := UNCLEAN.search(outcome.says.replace(str(path), '')):
        return f'{found[0]!r} in the message: {outcome.says[:400]!r}'
    if path.name not in outcome.says and path.parent.name not in outcome.says:
        return f'the message names no file: {outcome.says[:200]!r}'
    return '' if len(outcome.says) <= LONGEST else f'{len(outcome.says)} characters: {outcome.says[:200]!r}'


@pytest.fixture(scope='module', autouse=True)
def fork_server() -> None:
    forked.start(
        'loaders',
        'hoigen.editing.meshes.files',
        'hoigen.episodes.view',
        'hoigen.sources.recording.bag',
        'hoigen.sources.recording.child',
        'hoigen.sources.recording.folder',
        'hoigen.sources.recording.video',
    )


@pytest.mark.parametrize('name', LOADERS)
def test_a_damaged_input_is_refused_with_a_clean_error(name: str, tmp_path: Path) -> None:
    loader, good = LOADERS[name], tmp_path / 'good'
    good.mkdir()
    file = loader.make(good)
    whole = forked.run(loader.call, loader.given(copied(good, file, tmp_path / 'whole')))
    assert not whole.error, f'the good input is refused: {whole.says} at {whole.where}'
    wrong = []
    for seed in range(CASES):
        damaged = copied(good, file, tmp_path / f'{name.replace(" ", "_")}_{seed}')
        damaged.write_bytes(mutate(file.read_bytes(), seed))
        outcome = forked.run(loader.call, loader.given(damaged))
        if found := complaint(outcome, damaged, whole.says if loader.checked else None):
            wrong.append(f'seed {seed}: {found}')
    assert not wrong, '\n'.join(wrong)
