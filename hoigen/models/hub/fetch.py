"""``hoigen models fetch`` and ``hoigen models list``: get published weights, verified, and tell what is there."""

from __future__ import annotations

import errno
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hoigen.models.hub import origins
from hoigen.models.hub.catalogue import Entry, ModelError, catalogue, entry
from hoigen.models.hub.origins import Origin
from hoigen.models.hub.published import fingerprint
from hoigen.models.hub.store import MANIFEST, Manifest, home, read_manifest, stored

HUB_NOTES = '.cache'
"""Where the hub's library keeps, in the folder that it downloads to, what it needs to go on after a break."""
COMMERCIAL = {'yes': 'commercial use', 'no': 'no commercial use', 'terms': 'commercial use on terms'}
ROOM_ENDS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class FetchConfig:
    """Get published weights from the hub, or from a folder where another machine's fetch left them."""

    names: tyro.conf.Positional[tuple[str, ...]]
    """As `hoigen models list` tells them."""
    commercial_only: bool = False
    """Refuse weights whose licence forbids commercial use."""
    from_folder: Annotated[Path | None, tyro.conf.arg(name='from')] = None
    """A folder with the weights, or with a folder per name, for machines without a network."""


@dataclass(frozen=True)
class ListConfig:
    """Tell which published weights there are, which of them are on this machine, and their licences."""


def fetch(config: FetchConfig) -> None:
    """Get every named entry, each checked before it counts as there; nothing is got if one of them is refused."""
    entries = [entry(name) for name in dict.fromkeys(config.names)]
    if not entries:
        raise ModelError(f'models fetch: expected names of weights, got none; there are {", ".join(catalogue())}')
    if len(entries) > 1 and config.from_folder is not None:
        absent = [e.name for e in entries if not (config.from_folder / e.name).is_dir()]
        if absent:
            raise ModelError(f'{config.from_folder}: expected a folder per name, missing {", ".join(absent)}')
    refused = [e for e in entries if e.commercial == 'no']
    if config.commercial_only and refused:
        raise ModelError(
            'models fetch --commercial-only: refused, not for commercial use: '
            + '; '.join(f'{e.name} ({e.repository}): {e.licence}' for e in refused)
            + '; nothing was fetched'
        )
    for one in entries:
        print(f'{one.name}: {one.repository}, licence: {one.licence}')
        print(f'{one.name}: {fetch_entry(one, config.from_folder)}')


def fetch_entry(one: Entry, folder: Path | None) -> Path:
    """The whole and verified folder of an entry; files are got from ``folder`` or, without one, from the hub."""
    final, growing = home() / one.name, home() / '.partial' / one.name
    try:
        whole = stored(one.name)
    except ModelError:
        if not growing.exists():  # files that are right are not got again
            growing.parent.mkdir(parents=True, exist_ok=True)
            final.rename(growing)
        whole = None
    if whole is not None:
        return whole
    origin = origins.hub(one) if folder is None else origins.local(one, folder.expanduser())
    try:
        growing.mkdir(parents=True, exist_ok=True)
        _bring(one, origin, growing)
    except OSError as error:
        if error.errno not in ROOM_ENDS:
            raise
        raise ModelError(
            f'weights {one.name}: no room left in {home()} ({error.strerror}); what has come stays, make '
            'room and the same command goes on, or choose another place with HOIGEN_MODELS'
        ) from error
    shutil.rmtree(final, ignore_errors=True)
    growing.rename(final)
    return final


def _bring(one: Entry, origin: Origin, growing: Path) -> None:
    """Every file, each verified; then the keys; then the manifest, which says that all is well."""
    from hoigen.models.hub import fit  # torch takes seconds: not for --help and the list

    (growing / MANIFEST).unlink(missing_ok=True)
    there = sum(f.stat().st_size for f in growing.rglob('*') if f.is_file())
    needed = sum(item.size * (2 if item.file.endswith('.pt') else 1) for item in origin.items) - there
    free = shutil.disk_usage(growing).free
    if needed > free:
        raise ModelError(
            f'weights {one.name}: expected {needed / 1e9:.1f} GB of room in {home()}, got '
            f'{free / 1e9:.1f} GB; choose another place with HOIGEN_MODELS'
        )
    for item in origin.items:
        origin.bring(item, growing)
        origins.verify(item, growing / item.file, origin.place)
    fit.convert_pickles(growing)
    shutil.rmtree(growing / HUB_NOTES, ignore_errors=True)
    wanted = sorted(
        (growing / i.file).with_name(fit.CONVERTED) if i.file.endswith('.pt') else growing / i.file
        for i in origin.items
    )
    for left_over in {f for f in growing.rglob('*') if f.is_file()} - set(wanted):
        left_over.unlink()  # of a fetch that ended early, or of an older revision
    fit.refuse_unfit(one, growing)
    Manifest(
        one.name,
        one.repository,
        origin.revision,
        one.licence,
        {str(f.relative_to(growing)): (f.stat().st_size, fingerprint(f)) for f in wanted},
    ).write(growing)


def list_models(config: ListConfig) -> None:
    """Print two lines per entry."""
    for one in catalogue().values():
        state, size = _state(one.name)
        print(
            f'{one.name:16} {state:9} {size:5.1f} GB  {COMMERCIAL[one.commercial]}: {one.licence}\n'
            f'{"":17}{one.repository}: {one.purpose}'
        )
    print(f'\nhere means in {home()}; hoigen models fetch NAME gets one')


def _state(name: str) -> tuple[str, float]:
    """Whether an entry is on this machine, and how many GB it has or would have."""
    try:
        folder = stored(name)
    except ModelError:
        return 'broken', entry(name).gigabytes
    manifest = None if folder is None else read_manifest(folder)
    if manifest is None:
        return 'not here', entry(name).gigabytes
    return 'here', sum(size for size, _ in manifest.files.values()) / 1e9
