"""Files that stand in the place of a recording."""

from __future__ import annotations

from pathlib import Path

from hoigen.sources.recording.options import RecordingError

__all__ = ['refuse_placeholder']


def refuse_placeholder(path: Path) -> None:
    """Raise RecordingError for an empty file, and for the page or the note that a download left in its place."""
    with path.open('rb') as file:
        head = file.read(512).lstrip().lower()
    if not head:
        got = 'an empty file'
    elif head.startswith(b'version https://git-lfs'):
        got = 'a note of Git LFS in its place: `git lfs pull` fetches the file'
    elif head.startswith((b'<!doctype html', b'<html')):
        got = 'a web page: the download asks for something first'
    else:
        return
    raise RecordingError(f'{path.name}: expected a video or a bag, got {got}')
