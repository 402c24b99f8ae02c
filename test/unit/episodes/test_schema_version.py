"""Bags say the version of what they hold: it must change with the messages."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hoigen.episodes.storage import SCHEMA_VERSION

MSG = Path(__file__).parents[3] / 'msg'
KNOWN = {'7': '03a777fd2126defe'}
"""The messages of each version. After a change of msg/ raise SCHEMA_VERSION and put its digest here."""


def test_the_version_changes_with_the_messages() -> None:
    """Comments are free; else an older bag would be read by definitions that are not its own."""
    lines = [
        f'{path.name}: {" ".join(field.split())}'
        for path in sorted(MSG.glob('*.msg'))
        for line in path.read_text().splitlines()
        if (field := line.partition('#')[0].strip())
    ]
    assert KNOWN[SCHEMA_VERSION] == hashlib.sha256('\n'.join(lines).encode()).hexdigest()[:16]
