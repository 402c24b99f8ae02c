"""Published weights: whether they fit, and how they enter a model without being there twice.

Weights are read from the layout of diffusers' pipelines (a folder per part, sharded safetensors with an index), in a
local folder or in the hub's own cache. Only the headers are read to check keys and shapes; then the tensors are
assigned to a model that was built without storage.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

import rich.progress
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from safetensors import SafetensorError, safe_open

from hoigen.models.hub.catalogue import ModelError
from hoigen.models.hub.store import Source

if TYPE_CHECKING:
    import torch
    from torch import nn

TERMINAL = Console(stderr=True, markup=False)

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Checkpoint:
    """The safetensors files of a part, and which file holds which key; the tensors stay on the disk."""

    files: tuple[Path, ...]
    file_of: dict[str, Path]
    shapes: dict[str, tuple[int, ...]]

    def __or__(self, other: Checkpoint) -> Checkpoint:
        return Checkpoint(self.files + other.files, self.file_of | other.file_of, self.shapes | other.shapes)

    def only(self, wanted: Callable[[str], bool]) -> Checkpoint:
        """The keys that are wanted, and the files that hold them."""
        held = {key: path for key, path in self.file_of.items() if wanted(key)}
        return Checkpoint(tuple(dict.fromkeys(held.values())), held, {key: self.shapes[key] for key in held})


def read_checkpoint(folder: Path, source: Source) -> Checkpoint:
    """The headers of the safetensors files in ``folder``: the index's shards, or the only file there is."""
    indices = sorted(folder.glob('*.safetensors.index.json'))
    if indices:
        held = read_json(indices[0]).get('weight_map')
        if not isinstance(held, dict) or not all(isinstance(name, str) for name in held.values()):
            raise ModelError(f'{indices[0]}: expected weight_map, which file holds which tensor, got {held!r}')
        names = set(held.values())
        files = tuple(folder / name for name in sorted(names))
    else:
        files = tuple(sorted(folder.glob('*.safetensors')))
    absent = [file.name for file in files if not file.is_file()]
    if absent or not files or (not indices and len(files) > 1):
        raise source.missing(
            f'{absent} missing in {folder}'
            if absent
            else f'{len(files)} safetensors files without an index in {folder}'
        )
    return read_files(files)


def read_json(file: Path) -> dict[str, Any]:
    """The fields of a JSON file beside weights; ModelError names one that is damaged."""
    try:
        return dict(json.loads(file.read_text(encoding='utf-8')))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f'{file}: expected JSON with fields and their values, got: {error}') from error


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """All tensors by name, on the CPU, of a safetensors file or of a pickle that holds nothing else and whose code is
    not run; ModelError names a file that is damaged or another."""
    import torch  # takes seconds: not for --help
    from safetensors.torch import load_file

    try:
        tensors = (
            load_file(file)
            if file.suffix == '.safetensors'
            else torch.load(file, map_location='cpu', weights_only=True, mmap=is_zipfile(file))
        )
    except Exception as error:  # the format of .pt is a zip of a pickle: a damaged one fails in many ways
        what = 'a safetensors file' if file.suffix == '.safetensors' else 'tensors by name'
        raise ModelError(f'{file}: expected {what}, got: {str(error).splitlines()[0]}') from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise ModelError(f'{file}: expected tensors by name, got {type(tensors).__name__} of something else')
    return tensors


def read_files(files: Iterable[Path]) -> Checkpoint:
    """The headers of these files."""
    found, shapes = {}, {}
    for path in files:
        try:
            with safe_open(path, 'pt') as file:
                for key in file.keys():  # noqa: SIM118 - not a mapping
                    found[key], shapes[key] = path, tuple(file.get_slice(key).get_shape())
        except (SafetensorError, OSError) as error:
            raise ModelError(f'{path}: expected a safetensors file, got: {error}') from error
    return Checkpoint(tuple(dict.fromkeys(found.values())), found, shapes)


def refuse_misfits(
    where: object,
    want: Shapes,
    got: Shapes,
    may_lack: Callable[[str], bool] = lambda key: False,
) -> None:
    """Every key of ``got`` must be wanted and have its shape; of ``want`` only what ``may_lack`` names may miss."""
    faults = (
        [f'missing {k} {list(want[k])}' for k in want.keys() - got.keys() if not may_lack(k)]
        + [f'unexpected {k} {list(got[k])}' for k in got.keys() - want.keys()]
        + [f'{k}: expected {list(want[k])}, got {list(got[k])}' for k in want.keys() & got.keys() if want[k] != got[k]]
    )
    if faults:
        raise ModelError(f'{where}: {len(faults)} keys do not fit this model, the first: {sorted(faults)[:10]}')


def assign(
    module: nn.Module,
    checkpoint: Checkpoint,
    dtype: torch.dtype,
    device: str | torch.device = 'cpu',
    *,
    may_lack: Callable[[str], bool] = lambda key: False,
) -> None:
    """Give a module without storage (built on the meta device) its weights, file by file; fits are checked first.

    Floating-point tensors get ``dtype``. One that has it already and stays on the CPU is the mapped file itself.
    """
    where = checkpoint.files[0].parent
    refuse_misfits(where, {k: tuple(v.shape) for k, v in module.state_dict().items()}, checkpoint.shapes, may_lack)
    for path in track(
        checkpoint.files,
        escape(f'loading {where.name}'),
        console=TERMINAL,
        transient=True,
        disable=not TERMINAL.is_terminal,
    ):
        with safe_open(path, 'pt', device=str(device)) as file:
            tensors = {k: file.get_tensor(k) for k, held_by in checkpoint.file_of.items() if held_by == path}
        wrong = sorted(k for k, v in tensors.items() if v.is_floating_point() and not v.isfinite().all())
        if wrong:
            raise ModelError(f'{path}: expected finite values, got others in {len(wrong)} tensors: {wrong[:10]}')
        module.load_state_dict(
            {k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()}, assign=True, strict=False
        )


def refuse_other_config(want: Mapping[str, Any], file: Path, source: Source) -> None:
    """The published configuration must agree with ours in every field that both have."""
    if not file.is_file():
        raise source.missing(f'no {file.name} in {file.parent}')
    got = read_json(file)
    faults = [f'{k}: expected {want[k]}, got {got[k]}' for k in want.keys() & got.keys() if want[k] != got[k]]
    if faults:
        raise ModelError(
            f'{file}: expected the configuration of this model; {len(faults)} fields differ: {sorted(faults)[:10]}'
        )


def fingerprint(path: Path) -> str:
    """SHA-256 of a file; of one that was hashed before and has kept size and time of change, from a cache."""
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'hoigen' / 'sha256.json'
    try:
        known = json.loads(cache.read_text())
    except (OSError, ValueError):
        known = {}
    real = path.resolve()
    state = [real.stat().st_size, real.stat().st_mtime_ns]
    if known.get(str(real), [])[:2] != state:
        with rich.progress.open(
            real,
            'rb',
            description=f'SHA-256 of {path.name}',
            console=TERMINAL,
            transient=True,
            disable=not TERMINAL.is_terminal,
        ) as file:
            known[str(real)] = [*state, hashlib.file_digest(file, 'sha256').hexdigest()]  # type: ignore[arg-type]
        with contextlib.suppress(OSError):  # without a place to write it is only slower the next time
            cache.parent.mkdir(parents=True, exist_ok=True)
            partial = cache.with_suffix(f'.{os.getpid()}')
            partial.write_text(json.dumps(known))
            partial.rename(cache)
    return known[str(real)][2]
