"""How an output was made, as a record, as JSON, and from what is installed here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hoigen.records import Provenance

PACKAGES = ('hoigen', 'numpy', 'torch', 'diffusers', 'mujoco', 'rosbags')


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with Path(path).open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def versions_of(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Installed versions by package; one that is not installed is left out."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def provenance_to_json(provenance: Provenance) -> str:
    """One JSON object with the record's fields, keys in order: equal records give equal texts."""
    return strict_json(asdict(provenance), sort_keys=True)


def strict_json(value: Any, **options: Any) -> str:
    """``json.dumps`` with null for NaN and infinities, which JSON does not have."""
    return json.dumps(json.loads(json.dumps(value), parse_constant=lambda _: None), allow_nan=False, **options)


def provenance_from_json(text: str) -> Provenance:
    """The record of :func:`provenance_to_json`'s text; a text that is anything else is refused."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f'provenance: expected a JSON object, got {text[:60]!r}') from error
    wanted = {field.name for field in fields(Provenance)}
    got = set(content) if isinstance(content, dict) else set()
    if got != wanted:
        raise ValueError(f'provenance: expected the fields {sorted(wanted)}, got {sorted(got)}')
    return Provenance(**content)
