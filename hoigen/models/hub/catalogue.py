"""Which published weights there are: ``config/weights.yaml``."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal

import yaml

from hoigen.resources import find


class ModelError(RuntimeError):
    """A model cannot be built or loaded; the message says what to do."""


class MissingWeights(ModelError):
    """Published weights are not on this machine; the message names the command that fetches them and their licence."""


@dataclass(frozen=True)
class Entry:
    """Weights that ``hoigen models fetch`` gets.

    files: patterns of the files to take. parts: folder, or one of several files in it -> ``module:name`` of the class,
    or of the function that makes an empty module of a folder, that must fit its keys. gigabytes: about, to download.
    """

    name: str
    repository: str
    purpose: str
    licence: str
    commercial: Literal['yes', 'no', 'terms']
    gigabytes: float
    files: tuple[str, ...]
    parts: dict[str, str]

    def wants(self, file: str) -> bool:
        """Whether a file of the repository is one to take."""
        return any(matches(file, pattern) for pattern in self.files)


def matches(file: str, pattern: str) -> bool:
    """A pattern's ``*`` stands for anything but a ``/``."""
    names, wants = file.split('/'), pattern.split('/')
    return len(names) == len(wants) and all(map(fnmatchcase, names, wants))


@cache
def catalogue() -> dict[str, Entry]:
    """Every entry by its name."""
    listed = yaml.load(find('config/weights.yaml').read_text(), Loader=yaml.BaseLoader)  # 'no' stays a word
    return {
        name: Entry(
            name,
            e['repository'],
            e['purpose'],
            e['licence'],
            e['commercial'],
            float(e['gigabytes']),
            tuple(e['files']),
            e['parts'],
        )
        for name, e in listed.items()
    }


def entry(name: str) -> Entry:
    """The entry of a name or of a repository; ModelError names those there are, the nearest first."""
    known = catalogue()
    found = known.get(name) or next((e for e in known.values() if e.repository == name), None)
    if found is None:
        near = difflib.get_close_matches(name, known, n=1)
        raise ModelError(
            f'weights: expected one of {", ".join(known)}, got {name!r}'
            + (f'; did you mean {near[0]!r}?' if near else '')
        )
    return found
