"""Makes a proper bag of a recording whose writer died."""

from __future__ import annotations

from pathlib import Path

from rosbags.interfaces import Connection, ConnectionExtRosbag2

from hoigen.episodes.errors import EpisodeDamaged, EpisodeError, EpisodeExists
from hoigen.episodes.recording import open_recording, types_of
from hoigen.episodes.storage import BagWriter

__all__ = ['recover', 'recovered_folder']


def recovered_folder(folder: Path) -> Path:
    """Where :func:`recover` puts the bag that it makes of ``folder``."""
    return folder.with_name(f'{folder.name}_recovered')


def recover(folder: Path) -> Path:
    """Copy what an unfinished recording holds into a finished bag beside it; the recording is left as it is.

    Returns the new folder, ``<name>_recovered``, which any rosbag2 reader opens.
    """
    recording = open_recording(folder)
    if recording.complete:
        recording.close()
        raise EpisodeError(f'{folder}: expected an unfinished recording, got a bag that opens as it is')
    if not recording.connections:
        raise EpisodeDamaged(f'{folder}: expected at least one whole chunk, got none: nothing to recover')
    target = recovered_folder(folder)
    if target.exists():
        raise EpisodeExists(f'{target}: expected no folder of that name, got one: it was recovered before')
    types, bag = types_of(recording.connections), BagWriter(target)
    connections: dict[str, Connection] = {}
    for known in recording.connections:
        assert isinstance(known.ext, ConnectionExtRosbag2)
        connections[known.topic] = bag.add_connection(known.topic, known.msgtype, typestore=types,
                                                      offered_qos_profiles=known.ext.offered_qos_profiles)
    for connection, log_ns, cdr in recording.messages():
        bag.write(connections[connection.topic], log_ns, cdr)
    bag.close()
    return target
