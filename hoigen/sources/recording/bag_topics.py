"""Which topics of a bag are the colour pictures, their depth and their calibration."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import takewhile

from rosbags.interfaces import Connection

from hoigen.sources.recording.options import RecordingError

__all__ = ['RAW', 'RECTIFIED', 'depth_topic', 'image_topic', 'info_topic']

RAW, COMPRESSED, INFO = (f'sensor_msgs/msg/{name}' for name in ('Image', 'CompressedImage', 'CameraInfo'))
NOT_COLOUR = re.compile(r'depth|mask|infra|/ir/|disparity|confidence|condition/|synth/|theora', re.IGNORECASE)
NOT_DEPTH = re.compile(r'condition/|confidence|mask', re.IGNORECASE)
RECTIFIED = re.compile(r'(^|[/_])rect', re.IGNORECASE)


def image_topic(connections: Sequence[Connection], named: str) -> Connection:
    """The colour pictures: rgb or colour before others, left before right, rectified before raw."""
    found = [c for c in _pictures(connections) if not NOT_COLOUR.search(c.topic)]
    return _one('image', connections, named, found, lambda c: (
        bool(re.search('rgb|colou?r', c.topic)), 'left' in c.topic, bool(RECTIFIED.search(c.topic)), c.msgtype == RAW))


def depth_topic(connections: Sequence[Connection], named: str, image: Connection) -> Connection | None:
    """The depth of those pictures: what is called aligned or registered first, then what is named most like them."""
    found = [c for c in _pictures(connections) if 'depth' in c.topic and not NOT_DEPTH.search(c.topic) and c != image]
    if not found and not named:
        return None
    return _one('depth', connections, named, found, lambda c: (
        bool(re.search('aligned|registered', c.topic)), _shared(c.topic, image.topic),
        c.msgtype == RAW))


def info_topic(connections: Sequence[Connection], image: Connection) -> Connection | None:
    """The camera_info beside those pictures, or the only one of the bag."""
    infos = {c.topic: c for c in connections if c.msgtype == INFO}
    folder = image.topic
    while '/' in folder.strip('/'):
        folder = folder.rsplit('/', 1)[0]
        if f'{folder}/camera_info' in infos:
            return infos[f'{folder}/camera_info']
    return next(iter(infos.values())) if len(infos) == 1 else None


def _shared(topic: str, other: str) -> int:
    """How many parts of their names two topics have in common, from the front."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1],
                                    zip(topic.split('/'), other.split('/'), strict=False)))


def _pictures(connections: Sequence[Connection]) -> list[Connection]:
    """One connection of each topic with pictures: ROS 1 has one for each publisher."""
    return list({c.topic: c for c in connections if c.msgtype in (RAW, COMPRESSED) and c.msgcount}.values())


def _one(option: str, connections: Sequence[Connection], named: str, found: list[Connection],
         rank: Callable[[Connection], tuple]) -> Connection:
    topics = {c.topic: c for c in _pictures(connections)}
    if named:
        whole = f'/{named.removeprefix("/")}'
        if whole not in topics:
            raise RecordingError(f'{option}: expected one of the topics {sorted(topics)}, got {named!r}')
        return topics[whole]
    best = [c for c in found if rank(c) == max(map(rank, found))]
    if len(best) != 1:
        got = ', '.join(c.topic for c in best) or f'none among {sorted(topics) or "no pictures"}'
        raise RecordingError(f'expected one topic for {option}, got {got}: name one with the option {option}')
    return best[0]
