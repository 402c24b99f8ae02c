"""Every topic in a graph: its row of :mod:`hoigen.messages.topics`, quality of service, who writes and who reads it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from rclpy.qos import QoSProfile

from hoigen.messages import topics as rows
from hoigen.ros import qos
from hoigen.ros.convert import message_class

SOURCES = SOURCE, VIDEO = 'sim_source', 'video_source'
"""The nodes of hoigen's own that frames and time come from."""
BUILDER, PERCEPTION, RECORDER = 'condition_builder', 'perception', 'episode_recorder'
SYNTHESIZER, EDITOR = 'synthesizer', 'pose_editor'
NODES = (*SOURCES, BUILDER, PERCEPTION, RECORDER, SYNTHESIZER, EDITOR)


@dataclass(frozen=True, eq=False)
class Topic:
    """One topic: a writer offers ``qos``; ``readers`` are the nodes that must hear it where they are in the graph.

    No graph has two of its ``writers``, but for episode_status and camera/camera_info, which perception publishes where
    video_source cannot. edit/pose is the user's to write.
    """

    row: rows.Topic
    writers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def type_name(self) -> str:
        return self.row.type_name

    @property
    def type(self) -> type[Any]:
        return message_class(self.row.type_name)

    @property
    def latched(self) -> bool:
        return self.row.kind in ('table', 'status')

    @property
    def qos(self) -> QoSProfile:
        return qos.OFFERED[self.row.kind]

    def reader_qos(self, reliability: str) -> QoSProfile:
        """What a subscription asks for; ``best_effort`` also connects to a publisher that offers no more."""
        if self.row.kind == 'table':
            return qos.LATCHED_READER
        return qos.STREAM_BEST_EFFORT if reliability == 'best_effort' and self.qos is qos.STREAM else self.qos


MESH_ASSETS = Topic(rows.MESH_ASSETS, (SOURCE,), (BUILDER, RECORDER))
MESH_FRAME = Topic(rows.MESH_FRAME, (SOURCE,), (BUILDER, RECORDER))
IMAGE = Topic(rows.IMAGE, SOURCES, (BUILDER, PERCEPTION, SYNTHESIZER, EDITOR, RECORDER))
DEPTH = Topic(rows.DEPTH, SOURCES, (BUILDER, PERCEPTION, EDITOR, RECORDER))
CAMERA_INFO = Topic(rows.CAMERA_INFO, (*SOURCES, PERCEPTION), (BUILDER, PERCEPTION, SYNTHESIZER, EDITOR, RECORDER))
CAMERA_POSE = Topic(rows.CAMERA_POSE, (SOURCE, PERCEPTION), (BUILDER, SYNTHESIZER, EDITOR, RECORDER))
LABELS = Topic(rows.LABELS, (SOURCE, PERCEPTION), (BUILDER, SYNTHESIZER, EDITOR, RECORDER))
CLOCK = Topic(rows.CLOCK, SOURCES, ())
POINTS = Topic(rows.POINTS, (BUILDER, PERCEPTION), (SYNTHESIZER, RECORDER))
TRACKS = Topic(rows.TRACKS, (BUILDER, PERCEPTION), (SYNTHESIZER, EDITOR, RECORDER))
MASK = Topic(rows.MASK, (BUILDER, PERCEPTION), (SYNTHESIZER, RECORDER))
CONDITION_DEPTH = Topic(rows.CONDITION_DEPTH, (BUILDER, PERCEPTION), (SYNTHESIZER, EDITOR, RECORDER))
CONDITION_PROVENANCE = Topic(rows.CONDITION_PROVENANCE, (BUILDER, PERCEPTION), (RECORDER,))
SYNTH_IMAGE = Topic(rows.SYNTH_IMAGE, (SYNTHESIZER,), (RECORDER,))
SYNTH_CAMERA_INFO = Topic(rows.SYNTH_CAMERA_INFO, (SYNTHESIZER,), (RECORDER,))
SYNTH_FIDELITY = Topic(rows.SYNTH_FIDELITY, (SYNTHESIZER,), (RECORDER,))
SYNTH_LABELS = Topic(rows.SYNTH_LABELS, (SYNTHESIZER,), (RECORDER,))
SYNTH_CONDITIONS = Topic(rows.SYNTH_CONDITIONS, (SYNTHESIZER,), (RECORDER,))
REJECTED_IMAGE = Topic(rows.REJECTED_IMAGE, (SYNTHESIZER,), (RECORDER,))
REJECTED_CAMERA_INFO = Topic(rows.REJECTED_CAMERA_INFO, (SYNTHESIZER,), (RECORDER,))
REJECTED_FIDELITY = Topic(rows.REJECTED_FIDELITY, (SYNTHESIZER,), (RECORDER,))
REJECTED_LABELS = Topic(rows.REJECTED_LABELS, (SYNTHESIZER,), (RECORDER,))
PROVENANCE = Topic(rows.PROVENANCE, (SYNTHESIZER,), (RECORDER,))
EDIT_POSE = Topic(rows.EDIT_POSE, (), (EDITOR,))
EDIT_IMAGE = Topic(rows.EDIT_IMAGE, (EDITOR,), (RECORDER,))
EDIT_DEPTH = Topic(rows.EDIT_DEPTH, (EDITOR,), (RECORDER,))
EDIT_MASK = Topic(rows.EDIT_MASK, (EDITOR,), (RECORDER,))
EDIT_OBJECT = Topic(rows.EDIT_OBJECT, (EDITOR,), (RECORDER,))
EDIT_LABELS = Topic(rows.EDIT_LABELS, (EDITOR,), (RECORDER,))
EDIT_MESH_ASSETS = Topic(rows.EDIT_MESH_ASSETS, (EDITOR,), (RECORDER,))
EDIT_PROVENANCE = Topic(rows.EDIT_PROVENANCE, (EDITOR,), (RECORDER,))
EPISODE_STATUS = Topic(
    rows.EPISODE_STATUS,
    (BUILDER, PERCEPTION, SYNTHESIZER, EDITOR, RECORDER),
    (*SOURCES, SYNTHESIZER, RECORDER),
)

DIAGNOSTICS = Topic(rows.DIAGNOSTICS)
"""Every node writes them."""

_IN_GRAPH = {value.row: value for value in list(globals().values()) if isinstance(value, Topic)}
TOPICS = tuple(_IN_GRAPH[row] for row in rows.TOPICS if row is not rows.DIAGNOSTICS)

SCENE_PARTS, CONDITIONS, CLIP_PARTS, GENERATED, REJECTED, EDITED = (
    tuple(_IN_GRAPH[row] for row in parts)
    for parts in (rows.SCENE_PARTS, rows.CONDITIONS, rows.CLIP_PARTS, rows.GENERATED, rows.REJECTED, rows.EDITED)
)


def role_of(node: str) -> str:
    """The node whose topics a node has; one that the table does not name is a source like sim_source."""
    return node if node in NODES else SOURCE


def source_in(nodes: Collection[str]) -> str | None:
    """The node of a graph that frames and time come from; None if the source is the user's own."""
    return next((node for node in nodes if role_of(node) in SOURCES), None)


def written_by(node: str) -> tuple[Topic, ...]:
    """The topics that a node publishes, where it has what they report."""
    return tuple(topic for topic in TOPICS if role_of(node) in topic.writers)


def read_by(node: str) -> tuple[Topic, ...]:
    """The topics that a node hears in the graph."""
    return tuple(topic for topic in TOPICS if role_of(node) in topic.readers)


def readers_of(topic: Topic, nodes: Collection[str]) -> set[str]:
    """Those of ``nodes`` that hear a topic."""
    return {node for node in nodes if role_of(node) in topic.readers}


def readers_in(nodes: Collection[str]) -> dict[str, tuple[str, ...]]:
    """For each node of a graph the others that hear it; in the order of activation, who listens before who speaks.

    Nobody waits for the readers of episode_status: they hear late what was published before.
    """
    readers = {
        node: tuple(
            sorted(
                {it for topic in written_by(node) if topic is not EPISODE_STATUS for it in readers_of(topic, nodes)}
                - {node}
            )
        )
        for node in nodes
    }
    source = source_in(nodes)
    before: dict[str, Sequence[str]] = dict(readers)
    if source is not None:
        before[source] = [node for node in nodes if node != source]
    return {node: readers[node] for node in TopologicalSorter(before).static_order()}
