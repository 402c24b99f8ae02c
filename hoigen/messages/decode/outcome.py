"""What nodes report of an episode as a whole -> records."""

from __future__ import annotations

from typing import Any

from hoigen.messages.decode.fields import MessageError, stamp_ns, time_ns
from hoigen.messages.layout import IMAGE_FILE
from hoigen.records import ConditionImages, EpisodeState, EpisodeStatus


def condition_images(message: Any) -> ConditionImages:
    """What a generator read of an episode, of a hoigen/ConditionImages."""
    if len(message.names) != len(message.images):
        raise MessageError('condition_images.names', f'{len(message.images)}, one for each image', len(message.names))
    found: dict[str, dict[int, bytes]] = {}
    for name, image in zip(message.names, message.images, strict=True):
        column, at_ns = found.setdefault(name, {}), stamp_ns(image.header)
        if image.format != IMAGE_FILE or at_ns in column:
            raise MessageError('condition_images.images', f'one {IMAGE_FILE} of {name!r} at {at_ns} ns', image.format)
        column[at_ns] = bytes(image.data)
    return found


def episode_status(message: Any) -> EpisodeStatus:
    """What became of an episode, of a hoigen/EpisodeStatus."""
    if message.state not in set(EpisodeState):
        raise MessageError('episode_status.state', f'one of {[int(state) for state in EpisodeState]}', message.state)
    return EpisodeStatus(
        message.node,
        message.episode,
        EpisodeState(message.state),
        (stamp_ns(message.header), time_ns(message.last)),
        message.frames or None,
        message.reason,
    )
