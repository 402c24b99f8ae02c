"""Which kind of recording a path is."""

from __future__ import annotations

from pathlib import Path

from hoigen.sources.recording.content import refuse_placeholder
from hoigen.sources.recording.instants import Source
from hoigen.sources.recording.layouts import refuse_packed
from hoigen.sources.recording.options import RecordingError, RecordingOptions
from hoigen.sources.recording.stills import PICTURES

__all__ = ['open_source']

BAGS = ('.bag', '.mcap', '.db3')
VIDEOS = ('.mp4', '.mov', '.mkv', '.webm', '.avi', '.m4v', '.ts')
"""Names by which a video is known in a folder; a file that is named itself is opened whatever it is called."""


def open_source(path: Path, options: RecordingOptions) -> Source:
    """The source that reads ``path``; its libraries are loaded only now. A folder around one recording is that one."""
    if not path.exists():
        raise RecordingError('expected a video, a folder or a bag, got nothing: there is no such file')
    if path.is_file():
        refuse_placeholder(path)
        return _bag(path, options) if path.suffix.lower() in BAGS else _video(path, options)
    if not path.is_dir():
        raise RecordingError('expected a video, a folder or a bag, got what is neither a file nor a folder')
    refuse_packed(path)
    inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith('.'))
    folders = [entry for entry in inside if entry.is_dir()]
    files = {entry.suffix.lower() for entry in inside if entry.is_file()}
    if (path / 'metadata.yaml').is_file() or files & {'.mcap', '.db3'}:
        return _bag(path, options)
    if len(folders) > 1 or files & set(PICTURES):
        from hoigen.sources.recording.folder import open_folder

        return open_folder(path, options)
    if len(folders) == 1:
        return open_source(folders[0], options)
    recordings = [entry.name for entry in inside if entry.suffix.lower() in (*VIDEOS, *BAGS)]
    if len(recordings) == 1:
        return open_source(path / recordings[0], options)
    raise RecordingError(
        'expected a folder of frames, an RGB-D folder or a bag, got one with '
        + (f'several recordings, name one: {", ".join(recordings)}' if recordings else 'none of them')
    )


def _video(path: Path, options: RecordingOptions) -> Source:
    from hoigen.sources.recording.video import open_video

    return open_video(path, options)


def _bag(path: Path, options: RecordingOptions) -> Source:
    from hoigen.sources.recording.bag import open_bag

    return open_bag(path, options)
