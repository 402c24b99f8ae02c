"""What a file is that is not what its name promises: what copying and downloading leave behind."""

from __future__ import annotations

import re
from pathlib import Path

from hoigen.sources.recording.options import RecordingError

HEAD = 512
"""Bytes at the beginning of a file that are looked at."""
BOXES = (b'ftyp', b'mdat', b'free', b'skip', b'wide', b'moov')
"""With which an mp4 or mov file begins."""
LFS = b'version https://git-lfs'
MARKUP = (b'<!doctype', b'<html', b'<?xml')
SIGNATURES = {
    b'\x89MCAP0': 'an MCAP bag: give it the ending .mcap',
    b'#ROSBAG': 'a ROS 1 bag: give it the ending .bag',
    b'SQLite format 3': 'a sqlite3 bag: give it the ending .db3',
    b'PK\x03\x04': 'a zip archive: unpack it',
    b'\x1f\x8b': 'a gzip archive: unpack it',
    b'\x28\xb5\x2f\xfd': 'a zstd archive: unpack it',
    b'\x89PNG': 'a PNG image',
    b'\xff\xd8\xff': 'a JPEG image',
}


def foreign(source: Path | bytes) -> str:
    """What a file or its bytes are by their beginning, with what to do; '' where that says nothing."""
    head = source[:HEAD] if isinstance(source, bytes) else _head(source)
    if head is None:
        return ''
    signed = _placeholder(head) or next((what for begin, what in SIGNATURES.items() if head.startswith(begin)), '')
    return signed or (_unindexed(source) if isinstance(source, Path) and head[4:8] in BOXES else '')


def refuse_placeholder(path: Path) -> None:
    """RecordingError for what a copy or a download left in the place of a recording."""
    if (head := _head(path)) is not None and (what := _placeholder(head)):
        raise RecordingError(f'{path.name}: expected a video or a bag, got {what}')


def _placeholder(head: bytes) -> str:
    if not head:
        return 'an empty file'
    if not any(head):
        return 'a file of zeros: copying or downloading it did not finish'
    if head.startswith(LFS):
        return 'a note of Git LFS in place of the file: get it with `git lfs pull`'
    return 'a web page in place of the file: download it again' if head.lstrip().lower().startswith(MARKUP) else ''


def _head(path: Path) -> bytes | None:
    try:
        with path.open('rb') as file:
            return file.read(HEAD)
    except OSError:
        return None


def _unindexed(path: Path) -> str:
    """Of an mp4 or mov file without its index, or with one that the file ends in, that it is so."""
    size, at = path.stat().st_size, 0
    with path.open('rb') as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4]) if head[:4] != b'\0\0\0\1' else int.from_bytes(head[8:16])
            if head[4:8] == b'moov' and at + length <= size:
                return ''
            if length < 8:
                break
            at += length
    return 'an mp4 file without its index (moov): its recording or copying did not finish'


def refuse_packed(path: Path) -> None:
    """RecordingError for a folder whose colour is a video beside depth, with how to unpack it."""
    if all((path / name).exists() for name in ('rgb.mp4', 'camera_matrix.csv', 'depth')):
        raise RecordingError(
            'expected images beside depth, got a recording of Stray Scanner, whose video is larger than its depth: '
            'mkdir rgb; ffmpeg -i rgb.mp4 -vf scale=256:192 -fps_mode passthrough -start_number 0 rgb/%06d.png; write '
            'camera_matrix.csv, its first two rows times 256 over the width of the video, into K.txt; then say '
            '--frame-rate-hz 60'
        )
    colour = path / 'align_rgb'
    if (colour / 'image.mp4').is_file() and not any(colour.glob('*[0-9].*g')):
        raise RecordingError(
            'expected images beside depth, got a recording of HOI4D, packed as videos: '
            'ffmpeg -i align_rgb/image.mp4 -start_number 0 align_rgb/%05d.png; '
            'ffmpeg -i align_depth/depth_video.avi -start_number 0 align_depth/%05d.png; write K of its camera '
            '(camera_params) into K.txt; then say --frame-rate-hz 15'
        )


def calibration_hint(image: Path) -> str:
    """Where a data set has its intrinsics, by the name of an image of it; '' for one that is not known."""
    if re.fullmatch(r'\d{7}-\d{12}', image.stem):
        return "; Redwood's scans have 525 525 319.5 239.5, as K.txt takes it"
    if re.fullmatch(r'color_\d{6}', image.stem):
        return f'; DexYCB has it in calibration/intrinsics/{image.parent.name}_640x480.yml'
    return ''
