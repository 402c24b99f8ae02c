"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """The path under which to write what becomes ``path`` at the end, of the same suffix; hidden until then.

    A write that fails (a full disk) raises OSError that names ``path``; what was there before stays.
    """
    partial = path.with_name(f'.{path.stem}.{os.getpid()}.partial{path.suffix}')
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, f'cannot be written: {error.strerror or error}', str(path)) from error
    except SafetensorError as error:  # no OSError, and without a file
        raise OSError(f'{path}: cannot be written: {error}') from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    with whole_file(path) as file:
        file.write_text(text, encoding='utf-8')
