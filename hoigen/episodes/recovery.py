"""Makes a proper bag of a recording whose writer died, or of what is whole of a damaged one."""

from __future__ import annotations

from pathlib import Path

from rosbags.interfaces import Qos
from rosbags.rosbag2.metadata import parse_qos

from hoigen.episodes.bags import recovered_folder
from hoigen.episodes.errors import EpisodeDamaged, EpisodeError, EpisodeExists
from hoigen.episodes.recording import Recording, open_recording, schema_version_of, types_of
from hoigen.episodes.storage import BagWriter
from hoigen.episodes.writer import whole_folder


def is_whole(bag: Path) -> bool:
    """Whether a bag was closed and nothing of it was lost or changed."""
    recording = open_recording(bag)
    recording.close()
    return not recording.damage


def recover(bag: Path) -> Path:
    """Copy what an unfinished or damaged bag holds in whole chunks into a new bag beside it; it is left as it is.

    Returns the new folder, ``<name>_recovered``, which any rosbag2 reader opens; it appears whole or not at all.
    A topic whose own definition cannot be read is left out; the episode schema version stays.
    """
    bag = Path(bag)
    recording = open_recording(bag)
    if not recording.damage:
        recording.close()
        raise EpisodeError(f'{bag}: expected an unfinished or damaged recording, got a bag that opens as it is')
    if not recording.topics:
        raise EpisodeDamaged(f'{bag}: expected at least one whole chunk, got none: nothing to recover')
    target = recovered_folder(bag)
    if target.exists():
        raise EpisodeExists(f'{target}: expected no folder of that name, got one: it was recovered before')
    with whole_folder(target) as unfinished:
        _copy(recording, BagWriter(unfinished, schema_version_of(recording)))
    return target


def _copy(recording: Recording, bag: BagWriter) -> None:
    types = types_of(recording)
    connections = {
        topic.name: bag.add_connection(topic.name, topic.msgtype, typestore=types, offered_qos_profiles=_qos(topic.qos))
        for topic in recording.topics
        if topic.msgtype in types.fielddefs
    }
    for message in recording.messages(connections):
        bag.write(connections[message.topic.name], message.log_ns, message.cdr)
    bag.close()


def _qos(text: str) -> list[Qos]:
    """Qualities of service as a bag tells them; none where they cannot be read: messages matter more."""
    try:
        return parse_qos(text)
    except Exception:  # whatever bytes make of it
        return []
