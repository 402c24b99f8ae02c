"""Arrays that a run left in a file: whole, or refused by the file's name."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

import numpy as np


@contextmanager
def opened(path: Path, holds: str) -> Iterator[np.lib.npyio.NpzFile]:
    """The arrays of an npz, read one by one; ValueError names a file that is damaged or lacks what is asked for.

    holds: what the file is, for the error. FileNotFoundError where there is none.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            yield held
    except FileNotFoundError:
        raise
    except (BadZipFile, zlib.error, ValueError, KeyError, TypeError, EOFError, OSError) as error:
        raise ValueError(f'{path}: expected {holds}, got a damaged one ({error}); remove it and run again') from None
