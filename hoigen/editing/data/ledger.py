"""What is there already of a set, and the manifest that tells how it was made. A killed run goes on from here."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from hoigen.editing.data.records import DataError, Outcome
from hoigen.provenance import provenance_to_json
from hoigen.records import Provenance
from hoigen.whole_files import whole_file

MANIFEST, SCENES = 'manifest.json', 'scenes.jsonl'


class Ledger:
    """The outcomes of a set's scenes in ``scenes.jsonl``, one line each as they come, and ``manifest.json``.

    Opening it claims the folder: DataError where another run writes there, or where scenes were made with other
    settings. A line cut short, or of a file that is no longer there, counts for nothing.
    """

    def __init__(self, folder: Path, provenance: Provenance) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._provenance = folder, provenance
        self._lines = (folder / SCENES).open('a+', encoding='utf-8')
        try:
            fcntl.flock(self._lines, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it when the run is killed
        except OSError as error:
            self._lines.close()
            raise DataError(f'{folder}: another run is writing here') from error
        try:
            self._claim()
            self.outcomes = self._read()
        except (ValueError, OSError):
            self._lines.close()
            raise
        self._write_manifest()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write_manifest()
        self._lines.close()

    def add(self, outcome: Outcome) -> None:
        """Note a scene that is through."""
        self.outcomes[outcome.number] = outcome
        self._lines.write(json.dumps(outcome.as_dict()) + '\n')
        self._lines.flush()

    @property
    def files(self) -> list[Path]:
        """The scene files, in order."""
        return [self._folder / o.file for _, o in sorted(self.outcomes.items()) if o.file]

    def totals(self) -> dict[str, Any]:
        """How much there is, and why the rest was left out."""
        dropped = sum((Counter(o.dropped) for o in self.outcomes.values()), Counter[str]())
        kinds = {caption for o in self.outcomes.values() if o.file for caption in o.captions}
        return {
            'scenes': len(self.files),
            'examples': sum(o.examples for o in self.outcomes.values()),
            'captions': len(kinds),
            'dropped': dict(sorted(dropped.items())),
        }

    def _claim(self) -> None:
        path, mine = self._folder / MANIFEST, json.loads(provenance_to_json(self._provenance))['config']
        if not path.is_file():
            if any(self._folder.glob('scene_*.npz')):
                raise DataError(f'{self._folder}: expected a new folder or one with {MANIFEST}, got scenes without it')
            return
        try:
            theirs = json.loads(path.read_text(encoding='utf-8'))['provenance']['config']
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f'{path}: expected the manifest of a set, got something else: {error}') from error
        other = [
            f'{name} {theirs.get(name)}, now {mine.get(name)}'
            for name in sorted(mine.keys() | theirs.keys())
            if theirs.get(name) != mine.get(name)
        ]
        if other:
            raise DataError(
                f'{self._folder}: holds scenes made with other settings: {"; ".join(other)}; choose another folder'
            )

    def _read(self) -> dict[int, Outcome]:
        self._lines.seek(0)
        found: dict[int, Outcome] = {}
        for line in self._lines:
            outcome = _outcome(line)
            if outcome is not None and (not outcome.file or (self._folder / outcome.file).is_file()):
                found[outcome.number] = outcome
        self._lines.seek(0)
        self._lines.truncate()
        self._lines.writelines(json.dumps(outcome.as_dict()) + '\n' for outcome in found.values())
        self._lines.flush()
        for partial in self._folder.glob('.scene_*.partial.npz'):
            partial.unlink()
        return found

    def _write_manifest(self) -> None:
        made: Mapping[str, Any] = {
            'provenance': json.loads(provenance_to_json(self._provenance)),
            'made': self.totals(),
        }
        with whole_file(self._folder / MANIFEST) as file:
            file.write_text(json.dumps(made, indent=1), encoding='utf-8')


def _outcome(line: str) -> Outcome | None:
    """What a line tells; None for one that was cut short."""
    try:
        told = json.loads(line)
        return Outcome(**{**told, 'captions': tuple(told['captions']), 'notes': tuple(told['notes'])})
    except (ValueError, KeyError, TypeError):
        return None
