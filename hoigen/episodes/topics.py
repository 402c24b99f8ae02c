"""What an episode's bag holds: the topics, and which of them carry one message per frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hoigen.messages import topics
from hoigen.messages.topics import Topic


def in_bag(topic: str) -> str:
    """The name under which ``topic`` is recorded: absolute, as a ROS graph without namespace names it."""
    return '/' + topic.strip('/')


REFERENCE = in_bag(topics.LABELS.name)
TF = '/tf'

EDIT_IMAGE, EDIT_MASK = in_bag(topics.EDIT_IMAGE.name), in_bag(topics.EDIT_MASK.name)
"""The pose-edited frames in place of generated ones, and their object."""
EDIT_PROVENANCE = in_bag(topics.EDIT_PROVENANCE.name)

CONDITION_IMAGES = in_bag(topics.SYNTH_CONDITIONS.name)
"""Small images of what the generator read."""

EPISODE_STATUS = in_bag(topics.EPISODE_STATUS.name)
"""What became of the episode, by the node that made its frames."""

CONDITION_PROVENANCE, MESH_ASSETS = in_bag(topics.CONDITION_PROVENANCE.name), in_bag(topics.MESH_ASSETS.name)
"""How the conditions were made, of an episode that need not have generated frames; and the meshes that they were made
of, or none: then they were found in a recording."""

_ROWS = (*(topic for topic in topics.TOPICS if topic.kind == 'frame'), *topics.EDITED_CONDITIONS)
PER_FRAME = (*(in_bag(topic.name) for topic in _ROWS), TF)
"""One message per frame, all of a frame with one header stamp."""

OPTIONAL = tuple(in_bag(topic.name) for topic in _ROWS if topic.optional)
"""Per-frame topics that may be left out altogether."""


def required_of(recorded: Collection[str], made: Collection[Topic]) -> tuple[str, ...]:
    """The per-frame topics that a bag must have in which the topics ``recorded`` are.

    made: the topics of the frames that a generator should have made: GENERATED or REJECTED; none of conditions alone
    or an edit.
    """
    unmade = {in_bag(topic.name) for topic in {*topics.GENERATED, *topics.REJECTED} - {*made}}
    return tuple(
        topic
        for topic in PER_FRAME
        if topic not in OPTIONAL
        and topic not in unmade
        and not (topic == '/mesh_frame' and CONDITION_PROVENANCE in recorded and MESH_ASSETS not in recorded)
        and not (topic.startswith('/edit/') and EDIT_PROVENANCE not in recorded)
    )


@dataclass(frozen=True)
class Fault:
    """One topic whose messages are not one for each frame of the episode."""

    topic: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f'{self.topic}: expected {self.expected}, got {self.got}'


def _seconds(stamps_ns: Collection[int]) -> str:
    shown = [f'{stamp / 1e9:.6f}' for stamp in sorted(stamps_ns)[:3]]
    return ', '.join(shown) + (', ...' if len(stamps_ns) > 3 else '') + ' s'


def compare_streams(stamps_ns: Mapping[str, Sequence[int]], required: Collection[str]) -> tuple[Fault, ...]:
    """Check that every per-frame topic has exactly the stamps of the labels, each once.

    ``stamps_ns``: header stamps by topic, in any order. A topic that is absent counts as empty and is a fault only if
    it is ``required``. Without labels the longest topic is the measure.
    """
    present = {topic for topic in PER_FRAME if stamps_ns.get(topic)}
    if not present:
        return (Fault(REFERENCE, 'at least one frame', 'none on any per-frame topic'),)
    reference = REFERENCE if REFERENCE in present else max(present, key=lambda topic: (len(stamps_ns[topic]), topic))
    wanted = set(stamps_ns[reference])
    faults = []
    for topic in PER_FRAME:
        if topic not in present and topic not in required:
            continue
        got = stamps_ns.get(topic, ())
        missing, foreign, repeated = wanted - set(got), set(got) - wanted, len(got) - len(set(got))
        if missing or foreign or repeated:
            detail = [f'{len(missing)} missing ({_seconds(missing)})'] if missing else []
            detail += [f'{len(foreign)} that no label has ({_seconds(foreign)})'] if foreign else []
            detail += [f'{repeated} repeated'] if repeated else []
            faults.append(
                Fault(
                    topic, f'{len(wanted)} messages with the stamps of {reference}', f'{len(got)}: ' + ', '.join(detail)
                )
            )
    return tuple(faults)
