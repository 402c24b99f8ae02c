"""What nodes report of an episode -> records."""

from __future__ import annotations

from typing import Any

from hoigen.messages.decode.fields import MessageError, stamp_ns, time_ns
from hoigen.records import EpisodeState, EpisodeStatus

__all__ = ['episode_status']


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
