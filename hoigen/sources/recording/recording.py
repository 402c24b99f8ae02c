"""A recording as the rest of hoigen sees it: stretches of footage, decoded by a child process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hoigen.records import Footage
from hoigen.sources.recording.options import RecordingError, RecordingOptions
from hoigen.untrusted.child import LAST_WORDS, command, environment, last_words
from hoigen.untrusted.pipe import PipeClosed, PipeSlow, receive_head, receive_into, widen

__all__ = ['Recording', 'open_recording', 'read_still']

MODULE = 'hoigen.sources.recording.child'
SLOWEST_DISK = 20e6
"""Bytes a second at which a file is read, at least."""
FIRST_FRAMES = 64
"""Frames for which there is room at first: no more is taken for a stretch than twice what comes."""


def open_recording(path: Path, options: RecordingOptions | None = None) -> Recording:
    """Open a video file, a folder of frames, an RGB-D folder or a ROS bag; see :class:`Recording`.

    Raises :class:`RecordingError` for what is none of these, is damaged, or holds no frame.
    """
    return Recording(Path(path), options or RecordingOptions())


def read_still(path: Path) -> np.ndarray:
    """[H,W,3] uint8 RGB of an image file, decoded as a recording is; raises :class:`RecordingError`."""
    with Recording(path, RecordingOptions(), still=True) as recording:
        return next(recording.stretches(1)).rgb[0]


class Recording:
    """An opened recording; its frames are read once, from the front. Not for several threads.

    count: about how many frames :meth:`stretches` gives in all, None where that is not known. faults: what was wrong
    with the recording without ending it, and what was left out; complete when the stretches are all read. still:
    whether it is an image at its own size.
    """

    def __init__(self, path: Path, options: RecordingOptions, *, still: bool = False) -> None:
        self.path, self.options, self._still = path, options, still
        self.faults: tuple[str, ...] = ()
        self._ended = self._begun = False
        self._next: dict[str, Any] | None = None
        self._open = ExitStack()
        self._words = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._child = self._start()
        self._reader = ThreadPoolExecutor(1, 'recording')
        self._open.callback(self._end)
        assert self._child.stdout is not None
        self._pipe = self._child.stdout.fileno()
        widen(self._pipe)
        try:
            head = self._head(options.limits.timeout_s + self._scan_s())
            self._size, self._depth = (int(head['height']), int(head['width'])), bool(head['depth'])
            self._K = None if head['K'] is None else np.array(head['K'], np.float64)
            self.count: int | None = head['count']
            self._says = str(head['opened'])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child; what was not read is not read any more."""
        self._open.close()

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()
        self._reader.shutdown()  # at the pipe's end at the latest, now that the child is gone
        assert self._child.stdout is not None
        self._child.stdout.close()

    def describe(self) -> str:
        """What the recording is, how it is read, its size and what it has, in one sentence."""
        has = [what for what, there in (('depth', self._depth), ('calibration', self._K is not None)) if there]
        count = 'an unknown number of' if self.count is None else f'about {self.count}'
        return f'{self.path.name}: {self._says}; {count} frames; {" and ".join(has) or "no depth, no calibration"}'

    def stretches(self, frames: int) -> Iterator[Footage]:
        """Consecutive stretches of ``frames`` instants, shorter at the end and before damaged frames.

        What damages a recording ends it and is told in ``faults``. Where the child dies or overruns its limits, what
        it had decoded is given first; then :class:`RecordingError` is raised. The next stretch is decoded while the
        caller works on one: two are held in memory.
        """
        if frames < 1:
            raise RecordingError(f'frames: expected at least 1 for a stretch, got {frames}')
        if self._begun:
            raise RecordingError(f'{self.path}: expected to be read once, got a second reading; open it again')
        self._begun = True
        coming = self._reader.submit(self._stretch, frames)
        while True:
            footage, error = coming.result()
            more = not self._ended
            if more:  # while the caller works on this one
                coming = self._reader.submit(self._stretch, frames)
            if footage is not None:
                yield footage
            if error is not None:
                raise error
            if not more:
                return

    def _stretch(self, frames: int) -> tuple[Footage | None, RecordingError | None]:
        stamps, error, timeout_s = list[int](), None, self.options.limits.timeout_s
        rgb = np.empty((min(frames, FIRST_FRAMES), *self._size, 3), np.uint8)
        depth = np.empty(rgb.shape[:3], np.float32) if self._depth else None
        try:
            while len(stamps) < frames and not self._ended:
                head, self._next = self._next or self._head(timeout_s), None
                if head.get('gap') and stamps:
                    self._next = head  # of the next stretch: none has frames missing within it
                    break
                if 'ended' in head:
                    self._ended, self.faults = True, tuple(map(str, head['ended']))
                    break
                if len(stamps) == len(rgb):
                    _grow(rgb, frames)
                    if depth is not None:
                        _grow(depth, frames)
                receive_into(self._pipe, rgb[len(stamps)], timeout_s)
                if depth is not None:
                    receive_into(self._pipe, depth[len(stamps)], timeout_s)
                stamps.append(int(head['frame']))
        except RecordingError as raised:
            error = raised
        except (PipeClosed, PipeSlow) as raised:
            error = self._death(raised)
        except MemoryError:
            self._ended = True
            error = RecordingError(
                f'{self.path}: expected stretches that fit into memory, got {len(stamps)} frames of '
                f'{self._size[1]}x{self._size[0]} and more: ask for fewer (frames)'
            )
        if not stamps:
            return None, error
        count = len(stamps)
        known = None if depth is None else depth[:count]
        return Footage(np.array(stamps, np.int64), rgb[:count], known, self._K), error

    def _start(self) -> subprocess.Popen[bytes]:
        request = {'path': str(self.path.absolute()), 'options': self.options.to_json(), 'still': self._still}
        child = subprocess.Popen(
            command(MODULE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=environment(),
            start_new_session=True,
            bufsize=0,
        )
        assert child.stdin is not None
        try:
            with child.stdin as pipe:
                pipe.write(json.dumps(request).encode())
        except BrokenPipeError:
            pass  # it died at once: reading from it tells why
        return child

    def _scan_s(self) -> float:
        """Time to read a file once, for its stamps."""
        return self.path.stat().st_size / SLOWEST_DISK if self.path.is_file() else 0.0

    def _head(self, timeout_s: float) -> dict[str, Any]:
        try:
            head = receive_head(self._pipe, timeout_s)
        except (PipeClosed, PipeSlow) as error:
            raise self._death(error) from None
        if 'failed' in head:
            self._ended = True
            raise RecordingError(f'{self.path}: {head["failed"]}')
        return head

    def _death(self, error: PipeClosed | PipeSlow) -> RecordingError:
        """What to say of a child that does not answer any more; it is ended."""
        self._ended = True
        limits = self.options.limits
        if isinstance(error, PipeSlow):
            self._child.kill()
            return RecordingError(
                f'{self.path}: one frame took longer than {limits.timeout_s:g} s to decode; the decoder was ended'
            )
        status = self._child.wait()
        if status == -signal.SIGXCPU:
            return RecordingError(
                f'{self.path}: one frame took more than {limits.timeout_s:g} s of processor time; the decoder was ended'
            )
        how = f'by signal {signal.Signals(-status).name}' if status < 0 else f'with status {status}'
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - LAST_WORDS))
        return RecordingError(
            f'{self.path}: the decoder died {how} (it may use {limits.memory_mb} MB){last_words(self._words.read())}'
        )


def _grow(array: np.ndarray, most: int) -> None:
    """Make room for twice as many frames, at most ``most``; those that are there stay."""
    array.resize((min(most, 2 * len(array)), *array.shape[1:]), refcheck=False)
