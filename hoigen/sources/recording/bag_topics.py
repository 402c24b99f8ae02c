"""Which topics of a bag are the images, their depth and their calibration: by type, encoding and camera_info.

Names only rule topics out, and tell apart what comes of one camera. Where two cameras could be meant, none is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from io import BytesIO
from itertools import takewhile
from typing import Any

import numpy as np
from PIL import Image

from hoigen.messages.decode import COLOURS, DEPTHS, GREYS
from hoigen.sources.recording.bag_files import Topic
from hoigen.sources.recording.bag_storage import FFMPEG, FOXGLOVE
from hoigen.sources.recording.bag_video import codec_of
from hoigen.sources.recording.calibration import Calibration
from hoigen.sources.recording.options import NO_DEPTH, RecordingError

RAW, COMPRESSED, INFO = (f'sensor_msgs/msg/{name}' for name in ('Image', 'CompressedImage', 'CameraInfo'))
NOT_IMAGE = re.compile(
    r'depth|mask|infra|(^|[/_])ir([/_]|$)|disparity|confidence|condition/|synth/|edit/|theora|'
    r'segment|semantic|instance|label|colou?red_map|normals|flow|heat_?map',
    re.IGNORECASE,
)
NOT_DEPTH = re.compile(
    r'condition/|edit/|confidence|mask|infra|(^|[/_])ir([/_]|$)|disparity|segment|semantic|instance|'
    r'label',
    re.IGNORECASE,
)
DEPTH = re.compile('depth', re.IGNORECASE)
RECTIFIED = re.compile(r'(^|[/_])rect', re.IGNORECASE)
_OF_ONE_CAMERA = re.compile(
    r'/(compressed\w*|ffmpeg|h26[45])$|(^|[/_])(raw|rect\w*|colou?r|mono)(?=[/_]|$)', re.IGNORECASE
)
VIDEO = 'video'
SAME_PIXELS = 0.5
"""Pixels by which two calibrations of one camera may differ."""


@dataclass(frozen=True)
class Seen:
    """A topic with images, and what its first message shows. form: VIDEO, colour, grey, depth, or another encoding."""

    topic: Topic
    form: str
    frame: str

    @property
    def name(self) -> str:
        return self.topic.name


def images(topics: Collection[Topic], first: Callable[[str], Any]) -> list[Seen]:
    """The topics with images; ``first`` gives a topic's first message."""
    found = []
    for topic in topics:
        if topic.count and topic.msgtype in (RAW, COMPRESSED, FOXGLOVE, FFMPEG):
            message = first(topic.name)
            if message is not None:
                header = getattr(message, 'header', message)
                found.append(Seen(topic, _form(message, topic), header.frame_id))
    return found


def _form(message: Any, topic: Topic) -> str:
    if topic.msgtype in (FOXGLOVE, FFMPEG) or (topic.msgtype == COMPRESSED and codec_of(message)):
        return VIDEO
    encoding = message.encoding if topic.msgtype == RAW else message.format.split(';')[0].strip()
    if topic.msgtype == COMPRESSED and 'compressedDepth' in message.format:
        return 'depth'
    if encoding == 'mono16':
        return 'depth' if DEPTH.search(topic.name) else 'grey'
    for form, encodings in (('depth', DEPTHS), ('colour', COLOURS), ('grey', GREYS)):
        if encoding in encodings:
            return form
    return encoding if topic.msgtype == RAW else _form_of_file(bytes(message.data))


def _form_of_file(data: bytes) -> str:
    try:
        with Image.open(BytesIO(data)) as image:
            return 'depth' if image.mode.startswith('I') else 'grey' if image.mode in ('L', 'LA', '1') else 'colour'
    except Exception:  # damage: said when it is decoded
        return 'colour'


def image_topic(seen: Collection[Seen], topics: Collection[Topic], named: str) -> Seen:
    """The images: of a camera with camera_info before others, colour before grey, left before right."""
    if named:
        return _named('image', seen, named)
    found = [one for one in seen if one.form in (VIDEO, 'colour', 'grey') and not NOT_IMAGE.search(one.name)]
    best = _best(
        found,
        lambda one: (
            info_beside(topics, one.name) is not None,
            one.form in (VIDEO, 'colour'),
            bool(re.search(r'(^|[/_])left', one.name)),
        ),
    )
    if len({_OF_ONE_CAMERA.sub('', one.name) for one in best}) == 1:
        best = _best(best, lambda one: (bool(RECTIFIED.search(one.name)), one.topic.msgtype == RAW, one.form != VIDEO))
    return _only('image', best, seen)


def depth_topic(seen: Collection[Seen], image: Seen, named: str, fault: Callable[[Seen], str]) -> Seen | None:
    """The depth of those images; ``fault`` says why a depth map's pixels are not theirs, '' where they are."""
    if named == NO_DEPTH:
        return None
    if named:
        return _named('depth', seen, named)
    found = [one for one in _depths(seen, image) if DEPTH.search(one.name)]
    faults = {one.name: fault(one) for one in found}
    fitting = [one for one in found if not faults[one.name]]
    if found and not fitting:
        raise RecordingError(
            f'{faults[found[0].name]}: register it to the images (depth_image_proc, or align_depth of '
            f'RealSense) and record it again, or say --depth {NO_DEPTH} to read the images alone, or '
            f'--depth {found[0].name} if it is registered'
        )
    if not fitting:
        return None
    best = _best(
        fitting,
        lambda one: (bool(re.search('aligned|registered', one.name, re.IGNORECASE)), _shared(one.name, image.name)),
    )
    if len({_OF_ONE_CAMERA.sub('', one.name) for one in best}) == 1:
        best = _best(best, lambda one: (bool(RECTIFIED.search(one.name)), one.topic.msgtype == RAW))
    return _only('depth', best, seen)


def unused_depth(seen: Collection[Seen], image: Seen) -> list[str]:
    """Topics of values that may be depth, and are not called so: they are not taken for it."""
    return [one.name for one in _depths(seen, image) if not DEPTH.search(one.name)]


def _depths(seen: Collection[Seen], image: Seen) -> list[Seen]:
    return [one for one in seen if one.form == 'depth' and not NOT_DEPTH.search(one.name) and one != image]


def depth_fault(depth: Seen, image: Seen, own: Calibration | None, camera: Calibration | None) -> str:
    """Why a depth map's pixels are not the images', by its frame and its ``own`` camera_info; '' where they may be."""
    if depth.frame != image.frame:
        return f'{depth.name}: expected depth in the frame of the images, {image.frame!r}, got {depth.frame!r}'
    if (
        own is None
        or camera is None
        or (camera.size in (None, own.size) and np.allclose(own.K, camera.K, rtol=0, atol=SAME_PIXELS))
    ):
        return ''
    expected, got = (
        f'{one.size} pixels, fx {one.K[0, 0]:.6g}, cx {one.K[0, 2]:.6g} by {one.file}' for one in (camera, own)
    )
    return f'{depth.name}: expected depth of the camera of the images, {expected}, got {got}'


def info_topic(topics: Collection[Topic], image: Seen, first: Callable[[str], Any]) -> str | None:
    """The camera_info beside those images, or the only one of the bag unless it is of another frame."""
    beside, infos = info_beside(topics, image.name), _infos(topics)
    if beside is not None or len(infos) != 1:
        return beside
    (name,) = infos
    info = first(name)
    return name if info is not None and len({info.header.frame_id, image.frame} - {''}) < 2 else None


def info_beside(topics: Iterable[Topic], name: str) -> str | None:
    infos, folder = _infos(topics), name
    while folder:
        folder = folder.rpartition('/')[0]
        for info in (f'{folder}/camera_info', f'{folder}/info/camera_info'):
            if info in infos:
                return info
    return None


def _infos(topics: Iterable[Topic]) -> set[str]:
    return {topic.name for topic in topics if topic.msgtype == INFO and topic.count}


def _shared(name: str, other: str) -> int:
    """How many parts of their names two topics have in common, from the front."""
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(name.split('/'), other.split('/'), strict=False))
    )


def _best(found: Collection[Seen], rank: Callable[[Seen], tuple]) -> list[Seen]:
    return [one for one in found if rank(one) == max(map(rank, found))]


def _named(option: str, seen: Collection[Seen], named: str) -> Seen:
    whole = f'/{named.removeprefix("/")}'
    for one in seen:
        if one.name == whole:
            return one
    raise RecordingError(f'{option}: expected one of the topics {sorted(one.name for one in seen)}, got {named!r}')


def _only(option: str, best: Collection[Seen], seen: Collection[Seen]) -> Seen:
    if len(best) == 1:
        return next(iter(best))
    got = (
        ', '.join(one.name for one in best)
        or f'none among {sorted(f"{one.name} ({one.form})" for one in seen) or "no images"}'
    )
    raise RecordingError(f'expected one topic for {option}, got {got}: name one with the option {option}')
