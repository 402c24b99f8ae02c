"""Where weights are fetched from: the hub, or a folder that another machine's fetch left.

The hub's library downloads and resumes; it compares sizes, not hashes, and a full disk is a warning: both are checked
here, and copies from a folder, which it has not, go the same way.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rich.progress

from hoigen.models.hub.catalogue import Entry, ModelError, matches
from hoigen.models.hub.published import TERMINAL, fingerprint
from hoigen.models.hub.store import home, read_manifest

CHUNK = 1 << 22


@dataclass(frozen=True)
class Item:
    """One file to fetch. digest: its SHA-256, or ``git:`` and its object's SHA-1 where git keeps it; None unknown."""

    file: str
    size: int
    digest: str | None


@dataclass(frozen=True)
class Origin:
    """The files of one entry in one place, and how to bring one of them into a folder."""

    place: str
    revision: str
    items: tuple[Item, ...]
    bring: Callable[[Item, Path], None]


def hub(entry: Entry) -> Origin:
    """The entry's repository on the hub as it is now; ModelError tells how to get access or do without a network."""
    from huggingface_hub import HfApi, hf_hub_download

    with _reaching(entry):
        info = HfApi().model_info(entry.repository, files_metadata=True)
    items = tuple(
        Item(
            s.rfilename,
            s.lfs.size if s.lfs else s.size or 0,
            s.lfs.sha256 if s.lfs else f'git:{s.blob_id}' if s.blob_id else None,
        )
        for s in info.siblings or ()
        if entry.wants(s.rfilename)
    )

    def bring(item: Item, folder: Path) -> None:
        with _reaching(entry):
            hf_hub_download(entry.repository, item.file, revision=info.sha, local_dir=folder)

    return Origin(entry.repository, info.sha or '', _chosen(entry, items, entry.repository), bring)


def local(entry: Entry, folder: Path) -> Origin:
    """The entry's files in ``folder`` or in its subfolder of the entry's name; hashes are its manifest's, if any."""
    named = folder / entry.name
    folder = named if named.is_dir() else folder
    if not folder.is_dir():
        raise ModelError(f'weights {entry.name}: expected a folder with them, got {folder}')
    if folder.resolve() == (home() / entry.name).resolve():
        raise ModelError(f'weights {entry.name}: expected another folder than {folder}, where they are to lie')
    manifest = read_manifest(folder)
    if manifest is not None and manifest.name != entry.name:
        raise ModelError(f'{folder}: expected weights of {entry.name}, its manifest says {manifest.name}')
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())
    known = {} if manifest is None else manifest.files
    if absent := sorted(known.keys() - set(names)):
        raise ModelError(f'{folder}: missing {", ".join(absent[:5])}, which its manifest lists')
    items = tuple(
        Item(name, (folder / name).stat().st_size, known[name][1] if name in known else None)
        for name in names
        if (name in known if known else entry.wants(name))
    )
    chosen = items if known else _chosen(entry, items, str(folder))
    return Origin(str(folder), manifest.revision if manifest else '', chosen, partial(_copy, folder))


def verify(item: Item, path: Path, place: str) -> None:
    """ModelError unless the file has the size and hash that it should have; it is then removed, to be got again."""
    size, digest = path.stat().st_size, item.digest
    got = (
        None
        if size != item.size or digest is None
        else (_git_hash(path) if digest.startswith('git:') else fingerprint(path))
    )
    if size != item.size or got != digest:
        path.unlink()
        want, came = (f'{item.size} bytes', f'{size}') if size != item.size else (f'SHA {digest}', f'{got}')
        raise ModelError(f'{item.file} from {place}: expected {want}, got {came}; it was removed, fetch it again')


def _chosen(entry: Entry, items: tuple[Item, ...], place: str) -> tuple[Item, ...]:
    """A ``.pt`` only where its folder has no safetensors; every kind of file that the entry names must be there."""
    safe = {os.path.dirname(i.file) for i in items if i.file.endswith('.safetensors')}
    chosen = tuple(i for i in items if not i.file.endswith('.pt') or os.path.dirname(i.file) not in safe)
    weights = {os.path.dirname(i.file) or '.' for i in chosen if i.file.endswith(('.safetensors', '.pt'))}
    absent = [f'weights in {part}' for part in entry.parts if part not in weights]
    absent += [
        pattern
        for pattern in entry.files
        if not pattern.endswith(('.safetensors', '.pt')) and not any(matches(i.file, pattern) for i in chosen)
    ]
    if absent:
        raise ModelError(
            f'weights {entry.name}: expected {", ".join(entry.files)} in {place}, missing: {", ".join(absent)}'
        )
    return chosen


def _copy(source: Path, item: Item, folder: Path) -> None:
    """Copy a file under another name and rename it when it is whole; one that is there already is kept."""
    target = folder / item.file
    if (
        target.is_file()
        and target.stat().st_size == item.size
        and fingerprint(target) == (item.digest or fingerprint(source / item.file))
    ):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    growing = target.with_name(target.name + '.growing')
    with (
        rich.progress.open(
            source / item.file,
            'rb',
            description=item.file,
            console=TERMINAL,
            transient=True,
            disable=not TERMINAL.is_terminal,
        ) as reader,
        growing.open('wb') as writer,
    ):
        shutil.copyfileobj(reader, writer, CHUNK)
    growing.rename(target)


def _git_hash(path: Path) -> str:
    return 'git:' + hashlib.sha1(b'blob %d\0' % path.stat().st_size + path.read_bytes()).hexdigest()


@contextlib.contextmanager
def _reaching(entry: Entry) -> Iterator[None]:
    """What the hub's library says of no access and of no network, in one sentence that says what to do."""
    from huggingface_hub.errors import GatedRepoError, HTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        yield
    except (GatedRepoError, RepositoryNotFoundError) as error:
        page = f'https://huggingface.co/{entry.repository}'
        raise ModelError(
            f'weights {entry.name}: the hub gives no access to {entry.repository}; accept its licence '
            f'({entry.licence}) at {page}, then: hf auth login'
        ) from error
    except (HTTPError, LocalEntryNotFoundError) as error:
        raise ModelError(
            f'weights {entry.name}: the hub could not be reached for {entry.repository}: {error}; what '
            'has come stays, the same command goes on; without a network: hoigen models fetch '
            f"{entry.name} --from FOLDER, which another machine's fetch left"
        ) from error
