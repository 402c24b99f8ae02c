"""The process that decodes: ``python -m hoigen.sources.recording.child`` with the path and options on its input.

It sends one head ``opened``, then a head ``frame`` with the bytes of each instant, and ``ended`` or ``failed``. Its
limits are set before anything of the recording is read.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.sources.recording.content import refuse_packed, refuse_placeholder
from hoigen.sources.recording.fit import Fit, SizeChange, fit_of
from hoigen.sources.recording.instants import Faults, Instant, Source, chosen, estimate
from hoigen.sources.recording.options import Damaged, NotRead, RecordingError, RecordingOptions
from hoigen.sources.recording.stills import PICTURES, read_picture
from hoigen.untrusted.child import answers
from hoigen.untrusted.limits import Limits, allow_time, limit
from hoigen.untrusted.pipe import send

Decoded = tuple[int, bool, np.ndarray, np.ndarray | None]
"""Stamp, whether no stretch goes on from the frame before it, picture, depth."""


BAGS = ('.bag', '.mcap', '.db3')
VIDEOS = ('.mp4', '.mov', '.mkv', '.webm', '.avi', '.m4v', '.ts')
"""Names by which a video is known in a folder; a file that is named itself is opened whatever it is called."""


def main() -> None:
    pipe = answers()
    request = json.load(sys.stdin)
    path, options = Path(request['path']), RecordingOptions.from_json(request['options'])
    limit(options.limits)
    try:
        (_deliver_still if request['still'] else _deliver)(pipe, path, options)
    except RecordingError as error:
        send(pipe, {'failed': str(error)})
    except MemoryError:
        send(pipe, {'failed': f'decoding needs more than the {options.limits.memory_mb} MB it may use'})
    except BrokenPipeError:
        pass  # the parent wants no more
    except OSError as error:
        send(pipe, {'failed': f'cannot be read: {error}'})


def _deliver(pipe: int, path: Path, options: RecordingOptions) -> None:
    source = open_source(path, options)
    instants = chosen(source.instants(options.start_s), source.span.first_ns, options, source.faults)
    decoded = _decoded(instants, source.faults, options.limits)
    first = next(decoded, None)
    if first is None:
        raise RecordingError('; '.join(['expected at least one frame, got none', *source.faults.told]))
    fit = fit_of(first[2], source.calibration, options.size)
    if first[3] is not None:
        fit.depth(first[3])  # refuses depth of another size
    send(pipe, _opened(source, fit, first[3] is not None, options))
    _send_frames(pipe, itertools.chain([first], decoded), fit, source.faults)
    send(pipe, {'ended': source.faults.told})


def _deliver_still(pipe: int, path: Path, options: RecordingOptions) -> None:
    rgb = read_picture(path, 'image', options.limits.pixels)
    height, width = rgb.shape[:2]
    send(pipe, {'opened': 'image', 'width': width, 'height': height, 'depth': False, 'K': None, 'count': 1})
    send(pipe, {'frame': 0}, (rgb,))
    send(pipe, {'ended': []})


def _decoded(instants: Iterator[Instant], faults: Faults, limits: Limits) -> Iterator[Decoded]:
    """The instants that are whole; raises NotRead where the first that is whole is not read: the others will not be."""
    gap, read, segment = False, False, None
    for instant in instants:
        allow_time(limits.timeout_s)
        try:
            picture, depth_m = instant.picture(), None if instant.depth_m is None else instant.depth_m()
        except (Damaged, NotRead) as error:
            if isinstance(error, NotRead) and not read:
                raise
            faults.left_out(error)
            gap = True
        else:
            yield instant.stamp_ns, gap or instant.segment != segment, picture, depth_m
            gap, read, segment = False, True, instant.segment


def _opened(source: Source, fit: Fit, depth: bool, options: RecordingOptions) -> dict[str, Any]:
    shown = f'{fit.across}x{fit.down}'
    if (fit.view.width, fit.view.height) != (fit.across, fit.down):
        shown += f', shown at {fit.view.width}x{fit.view.height}'
    return {
        'opened': f'{source.says}; {shown}',
        'width': fit.view.width,
        'height': fit.view.height,
        'depth': depth,
        'K': None if fit.shown is None else fit.shown.K.tolist(),
        'count': estimate(source.span, options),
    }


def _send_frames(pipe: int, frames: Iterator[Decoded], fit: Fit, faults: Faults) -> None:
    for number, (stamp_ns, gap, rgb, depth_m) in enumerate(frames):
        try:
            arrays = (fit.picture(rgb),) if depth_m is None else (fit.picture(rgb), fit.depth(depth_m))
        except SizeChange as change:
            faults.tell(f'frame {number}: {change}; the recording is read up to there')
            return
        send(pipe, {'frame': stamp_ns, 'gap': gap}, arrays)


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


if __name__ == '__main__':
    main()
