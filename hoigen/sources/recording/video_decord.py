"""decord: pictures of well-formed files, held against PyAV's at every key frame."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from hoigen.sources.recording.instants import NS
from hoigen.sources.recording.video_av import Display, Scan, open_file

FAR = 60
"""Frames that are decoded and thrown away rather than sought."""
SAME_GREY = 2.0
"""Mean difference in grey levels below which two decoders gave the same picture."""
SAME_S = 1e-3
"""Difference of stamps that decord's float32 seconds may have, besides their last digit."""


class DecordFailed(Exception):
    """decord cannot give this file's frames as they are."""


class DecordPictures:
    """Pictures by number, asked for in rising order.

    Sizes change, and errors begin to be carried on, at key frames only: there the picture must be PyAV's. Between
    them, a decoder that is in trouble says so on the standard error, which must be a file for this to be noticed.
    """

    def __init__(self, path: Path, found: Scan) -> None:
        if not stat.S_ISREG(os.fstat(2).st_mode):
            raise DecordFailed('the standard error is no file')
        try:
            import decord

            decord.logging.set_level(decord.logging.ERROR)
            self._reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1, fault_tol=1e-9)
            told = self._reader.get_frame_timestamp(np.arange(len(self._reader)))[:, 0].astype(float)
        except Exception as error:  # decord raises whatever its C++ throws; where there is no wheel it is not there
            raise DecordFailed from error
        true = (found.stamps_ns - found.stamps_ns[0]) / NS
        if len(told) != len(true) or (np.abs(told - true) > SAME_S + true * np.finfo(np.float32).eps).any():
            raise DecordFailed('other frames than PyAV')
        self._pts, self._next, self._display = found.pts, 0, Display()
        self._keys = _key_frames(path)
        self._key = next(self._keys, None)
        self._said = _said()

    def picture(self, index: int) -> np.ndarray:
        """[H,W,3] uint8."""
        try:
            if index - self._next > FAR:
                self._reader.seek_accurate(index)
            elif index > self._next:
                self._reader.skip_frames(index - self._next)
            picture = self._reader.next().asnumpy()
        except Exception as error:
            raise DecordFailed from error
        self._next = index + 1
        if _said() != self._said or not self._agrees(index, picture):
            raise DecordFailed
        return picture

    def _agrees(self, index: int, picture: np.ndarray) -> bool:
        """Whether the key frames up to this one are as large as it, and this one, if it is one, is PyAV's."""
        while self._key is not None and self._key.pts is not None and self._key.pts <= self._pts[index]:
            key, self._key = self._key, next(self._keys, None)
            if {key.width, key.height} != set(picture.shape[:2]) or self._display.mirrors(key):  # decord does not
                return False
            if key.pts == self._pts[index]:
                true = self._display.rgb(key)
                return true.shape == picture.shape and float(np.abs(true.astype(np.int16) - picture).mean()) < SAME_GREY
        return True


def _key_frames(path: Path) -> Iterator[av.VideoFrame]:
    try:
        with open_file(path) as container:
            context = container.streams.video[0].codec_context
            context.skip_frame, context.thread_count = 'NONKEY', 1
            yield from container.decode(video=0)
    except av.error.FFmpegError:
        return


def _said() -> int:
    return os.fstat(2).st_size
