"""Every topic of the project in one table: name, type, quality of service, who writes it and who reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import String

from hoigen.msg import EditedObject, Fidelity, Labels, MeshAssets, MeshFrame, PointTracks
from hoigen.ros import qos
from hoigen.ros.graph import SOURCES

BUILDER, PERCEPTION, RECORDER = 'condition_builder', 'perception', 'episode_recorder'
SYNTHESIZER, EDITOR = 'synthesizer', 'pose_editor'
SOURCE, VIDEO = SOURCES


@dataclass(frozen=True, eq=False)
class Topic:
    """One topic: a writer offers ``qos``; ``readers`` are the nodes that must hear it where they are in the graph.

    No graph has two of its ``writers``, but for camera/camera_info: perception tells it where video_source cannot.
    edit/pose is the user's to write.
    """

    name: str
    type: type[Any]
    qos: QoSProfile
    writers: tuple[str, ...]
    readers: tuple[str, ...]

    @property
    def type_name(self) -> str:
        """As bags name it: ``sensor_msgs/msg/Image``."""
        return f'{self.type.__module__.split(".")[0]}/msg/{self.type.__name__}'

    @property
    def latched(self) -> bool:
        return self.qos is qos.LATCHED

    def reader_qos(self, reliability: str) -> QoSProfile:
        """What a subscription asks for; ``best_effort`` also connects to a publisher that offers no more."""
        if self.latched:
            return qos.LATCHED_READER
        return qos.STREAM_BEST_EFFORT if reliability == 'best_effort' and self.qos is qos.STREAM else self.qos


def _stream(name: str, kind: type[Any], writers: tuple[str, ...], *readers: str) -> Topic:
    return Topic(name, kind, qos.STREAM, writers, readers)


MESH_ASSETS = Topic('mesh_assets', MeshAssets, qos.LATCHED, (SOURCE,), (BUILDER, RECORDER))
MESH_FRAME = _stream('mesh_frame', MeshFrame, (SOURCE,), BUILDER, RECORDER)
IMAGE = _stream('camera/image', Image, SOURCES, BUILDER, PERCEPTION, SYNTHESIZER, EDITOR, RECORDER)
DEPTH = _stream('camera/depth', Image, SOURCES, BUILDER, PERCEPTION, EDITOR, RECORDER)
CAMERA_INFO = _stream(
    'camera/camera_info', CameraInfo, (*SOURCES, PERCEPTION), BUILDER, PERCEPTION, SYNTHESIZER, EDITOR, RECORDER
)
CAMERA_POSE = _stream('camera/pose', PoseStamped, (SOURCE, PERCEPTION), BUILDER, SYNTHESIZER, EDITOR, RECORDER)
LABELS = _stream('labels', Labels, (SOURCE, PERCEPTION), BUILDER, SYNTHESIZER, EDITOR, RECORDER)
CLOCK = Topic('/clock', Clock, qos.CLOCK, SOURCES, ())
POINTS = _stream('condition/points', PointCloud2, (BUILDER, PERCEPTION), SYNTHESIZER, RECORDER)
TRACKS = _stream('condition/tracks', PointTracks, (BUILDER, PERCEPTION), SYNTHESIZER, EDITOR, RECORDER)
MASK = _stream('condition/mask', Image, (BUILDER, PERCEPTION), SYNTHESIZER, RECORDER)
CONDITION_DEPTH = _stream('condition/depth', Image, (BUILDER, PERCEPTION), SYNTHESIZER, EDITOR, RECORDER)
CONDITION_PROVENANCE = Topic(
    'condition/provenance', String, qos.LATCHED, (BUILDER, PERCEPTION), (*SOURCES, SYNTHESIZER, RECORDER)
)
SYNTH_IMAGE = _stream('synth/image', Image, (SYNTHESIZER,), RECORDER)
SYNTH_CAMERA_INFO = _stream('synth/camera_info', CameraInfo, (SYNTHESIZER,), RECORDER)
SYNTH_FIDELITY = _stream('synth/fidelity', Fidelity, (SYNTHESIZER,), RECORDER)
SYNTH_LABELS = _stream('synth/labels', Labels, (SYNTHESIZER,), *SOURCES, RECORDER)
PROVENANCE = Topic('provenance', String, qos.LATCHED, (SYNTHESIZER,), (*SOURCES, RECORDER))
EDIT_POSE = _stream('edit/pose', PoseStamped, (), EDITOR)
EDIT_IMAGE = _stream('edit/image', Image, (EDITOR,), RECORDER)
EDIT_DEPTH = _stream('edit/depth', Image, (EDITOR,), RECORDER)
EDIT_MASK = _stream('edit/mask', Image, (EDITOR,), RECORDER)
EDIT_OBJECT = _stream('edit/object', EditedObject, (EDITOR,), RECORDER)
EDIT_LABELS = _stream('edit/labels', Labels, (EDITOR,), *SOURCES, RECORDER)
EDIT_PROVENANCE = Topic('edit/provenance', String, qos.LATCHED, (EDITOR,), (RECORDER,))

TOPICS = (
    MESH_ASSETS,
    MESH_FRAME,
    DEPTH,
    CAMERA_INFO,
    IMAGE,
    CAMERA_POSE,
    LABELS,
    CLOCK,
    POINTS,
    TRACKS,
    MASK,
    CONDITION_DEPTH,
    CONDITION_PROVENANCE,
    SYNTH_IMAGE,
    SYNTH_CAMERA_INFO,
    SYNTH_FIDELITY,
    SYNTH_LABELS,
    PROVENANCE,
    EDIT_POSE,
    EDIT_IMAGE,
    EDIT_DEPTH,
    EDIT_MASK,
    EDIT_OBJECT,
    EDIT_LABELS,
    EDIT_PROVENANCE,
)
"""In the order in which a node advertises them: who knows of the image knows what comes with it."""

SCENE_PARTS = (MESH_FRAME, IMAGE, CAMERA_INFO, CAMERA_POSE, LABELS)
"""What makes a scene frame, with the mesh_assets of its episode."""

CONDITIONS = (POINTS, TRACKS, MASK, CONDITION_DEPTH)
"""What is made from a scene frame, of which condition/tracks names the labels."""

CLIP_PARTS = (IMAGE, CAMERA_INFO, CAMERA_POSE, LABELS, *CONDITIONS)
"""What makes a row of a clip."""

DIAGNOSTICS = Topic('diagnostics', DiagnosticArray, qos.DIAGNOSTICS, (), ())
"""Every node writes them."""


def written_by(node: str) -> tuple[Topic, ...]:
    """The topics that a node publishes, where it has what they tell."""
    return tuple(topic for topic in TOPICS if node in topic.writers)


def read_by(node: str) -> tuple[Topic, ...]:
    """The topics that a node hears in the graph."""
    return tuple(topic for topic in TOPICS if node in topic.readers)
