"""Where published weights lie: one folder with a folder per name, each with a manifest of what was verified."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from hoigen.models.hub.catalogue import MissingWeights, ModelError, catalogue, entry
from hoigen.whole_files import write_text

MANIFEST = 'manifest.json'
"""Lies beside the files and is written last: a folder without it is not whole."""


@dataclass(frozen=True)
class Manifest:
    """What lies in a fetched folder. revision: the repository's commit, or none of a copied folder without one.
    files: path in the folder -> [bytes, SHA-256]."""

    name: str
    repository: str
    revision: str
    licence: str
    files: dict[str, tuple[int, str]]

    def write(self, folder: Path) -> None:
        write_text(folder / MANIFEST, json.dumps(asdict(self), indent=2))


def home() -> Path:
    """The folder of all fetched weights: ``HOIGEN_MODELS``, or ``hoigen/models`` in the user's cache."""
    chosen = os.environ.get('HOIGEN_MODELS')
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    return Path(chosen).expanduser() if chosen else cache / 'hoigen' / 'models'


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where there is none."""
    try:
        fields = json.loads((folder / MANIFEST).read_text())
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in fields.pop('files').items()}
        return Manifest(**fields, files=files)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ModelError(
            f'{folder / MANIFEST}: expected the manifest that hoigen models fetch wrote, got another file: {error}'
        ) from error


def stored(name: str) -> Path | None:
    """The whole folder of a catalogue's name or repository; None where it was not fetched, ModelError where broken."""
    known = next((e for e in catalogue().values() if name in (e.name, e.repository)), None)
    folder = home() / known.name if known else None
    if known is None or folder is None or not folder.is_dir():
        return None
    manifest = read_manifest(folder)
    broken = (
        ['its manifest']
        if manifest is None
        else [
            file
            for file, (size, _) in manifest.files.items()
            if not (folder / file).is_file() or (folder / file).stat().st_size != size
        ]
    )
    if broken:
        raise MissingWeights(
            f'weights {known.name}: in {folder}, missing or of another size than when they were '
            f'fetched: {", ".join(broken[:5])}; fetch them again: {command(known.name)} (licence: '
            f'{known.licence})'
        )
    return folder


def weights_of(name: str) -> Path:
    """The folder of fetched weights, by the catalogue's name, or a folder of one's own; MissingWeights says how to
    fetch them."""
    own = Path(name).expanduser()
    return own if own.is_dir() and name not in catalogue() else Source(name, entry(name).licence).folder()


def command(name: str) -> str:
    """What to type to fetch weights."""
    return f'hoigen models fetch {name}'


@dataclass(frozen=True)
class Source:
    """Where weights come from: what ``hoigen models fetch`` fetched under this name, a local folder, what was fetched
    of this repository, or the repository in the hub's own cache."""

    name: str
    licence: str

    def folder(self) -> Path:
        """The folder that holds the files; nothing is fetched from here."""
        local = Path(self.name).expanduser()
        if local.is_dir() and self.name not in catalogue():
            return local
        fetched = stored(self.name)
        if fetched is not None:
            return fetched
        repository = next((e.repository for e in catalogue().values() if e.name == self.name), self.name)
        cached = _in_hub_cache(repository)
        if cached is None:
            raise self.missing('neither a folder of this name nor a download of it')
        return cached

    def missing(self, found: str) -> MissingWeights:
        known = next((e.name for e in catalogue().values() if self.name in (e.name, e.repository)), None)
        hub_id = self.name.count('/') == 1 and not self.name.startswith(('.', '/', '~'))
        fetch = (
            command(known)
            if known
            else f'hf download {self.name}'
            if hub_id
            else f'hf download REPOSITORY --local-dir {self.name}'
        )
        return MissingWeights(
            f'weights of {self.name}: found {found}; fetch them: {fetch} (licence: {self.licence})'
            + ('' if known else '; if they lie in a folder already: hoigen link --help')
        )

    def label(self) -> str:
        """What provenance calls it: the repository, or the folder's last name."""
        return Path(self.name).name if Path(self.name).expanduser().is_dir() else self.name


def refuse_missing(*sources: Source) -> None:
    """ModelError that names all sources whose weights are not there."""
    faults = []
    for source in sources:
        try:
            source.folder()
        except ModelError as error:
            faults.append(str(error))
    if faults:
        raise ModelError('; '.join(faults))


def _in_hub_cache(repository: str) -> Path | None:
    from huggingface_hub import snapshot_download  # takes a second; who has a folder does not wait for it
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
