"""How an output was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """How an output was made: enough to make it again.

    weights: file name -> SHA-256. versions: package -> version. licences: what was used -> its licence.
    """

    seed: int
    config: dict[str, Any]
    source: str
    weights: dict[str, str]
    versions: dict[str, str]
    licences: dict[str, str]
