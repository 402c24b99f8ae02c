"""Provenance says truly what made an output, and survives the bag's JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from hoigen.provenance import provenance_from_json, provenance_to_json, sha256_of, versions_of
from hoigen.records import Provenance


def test_hashes_and_versions_are_the_files_and_packages(tmp_path: Path) -> None:
    """The hash is SHA-256 of the content (of b'abc': FIPS 180 example); a missing package is left out."""
    (tmp_path / 'w.safetensors').write_bytes(b'abc')
    assert sha256_of(tmp_path / 'w.safetensors') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    assert set(versions_of(('numpy', 'no-such-package'))) == {'numpy'}


def test_json_is_the_same_for_equal_records() -> None:
    """Two runs with the same settings write the same text, whatever the order they were given in."""
    one, two = (Provenance(0, config, 's', {'w': 'ba78'}, {}, {}) for config in ({'a': 1, 'b': 2}, {'b': 2, 'a': 1}))
    assert provenance_to_json(one) == provenance_to_json(two)
    assert provenance_from_json(provenance_to_json(one)) == one


@pytest.mark.parametrize('text', ['', '[]', '{"seed": 1}', 'not json'])
def test_other_texts_are_refused(text: str) -> None:
    """A provenance that says less than the record is none."""
    with pytest.raises(ValueError, match='provenance: expected'):
        provenance_from_json(text)
