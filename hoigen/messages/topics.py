"""Every topic of hoigen, in the graph and in bags: name, message type, and what its messages are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal['frame', 'table', 'status', 'command', 'clock', 'diagnostics']


@dataclass(frozen=True, eq=False)
class Topic:
    """One topic. type_name: as in ``sensor_msgs/msg/Image``.

    kind: ``frame``, one message per frame, all of a frame with one header stamp; ``table``, latched, once per episode;
    ``status``, latched, of several nodes; ``command``, the user's to write. optional: whoever makes frames may
    leave it out.
    """

    name: str
    type_name: str
    kind: Kind = 'frame'
    optional: bool = False


IMAGE_TYPE, TEXT_TYPE, LABELS_TYPE = 'sensor_msgs/msg/Image', 'std_msgs/msg/String', 'hoigen/msg/Labels'

MESH_ASSETS = Topic('mesh_assets', 'hoigen/msg/MeshAssets', 'table')
MESH_FRAME = Topic('mesh_frame', 'hoigen/msg/MeshFrame')
DEPTH = Topic('camera/depth', IMAGE_TYPE, optional=True)
CAMERA_INFO = Topic('camera/camera_info', 'sensor_msgs/msg/CameraInfo')
IMAGE = Topic('camera/image', IMAGE_TYPE)
CAMERA_POSE = Topic('camera/pose', 'geometry_msgs/msg/PoseStamped')
LABELS = Topic('labels', LABELS_TYPE)
CLOCK = Topic('/clock', 'rosgraph_msgs/msg/Clock', 'clock')
POINTS = Topic('condition/points', 'sensor_msgs/msg/PointCloud2')
TRACKS = Topic('condition/tracks', 'hoigen/msg/PointTracks')
MASK = Topic('condition/mask', IMAGE_TYPE)
CONDITION_DEPTH = Topic('condition/depth', IMAGE_TYPE)
CONDITION_PROVENANCE = Topic('condition/provenance', TEXT_TYPE, 'table')
SYNTH_IMAGE = Topic('synth/image', IMAGE_TYPE)
SYNTH_CAMERA_INFO = Topic('synth/camera_info', 'sensor_msgs/msg/CameraInfo')
SYNTH_FIDELITY = Topic('synth/fidelity', 'hoigen/msg/Fidelity')
SYNTH_LABELS = Topic('synth/labels', LABELS_TYPE)
SYNTH_CONDITIONS = Topic('synth/conditions', 'hoigen/msg/ConditionImages', 'table')
REJECTED_IMAGE = Topic('rejected/image', IMAGE_TYPE)
REJECTED_CAMERA_INFO = Topic('rejected/camera_info', 'sensor_msgs/msg/CameraInfo')
REJECTED_FIDELITY = Topic('rejected/fidelity', 'hoigen/msg/Fidelity')
REJECTED_LABELS = Topic('rejected/labels', LABELS_TYPE)
PROVENANCE = Topic('provenance', TEXT_TYPE, 'table')
EDIT_POSE = Topic('edit/pose', 'geometry_msgs/msg/PoseStamped', 'command')
EDIT_IMAGE = Topic('edit/image', IMAGE_TYPE)
EDIT_DEPTH = Topic('edit/depth', IMAGE_TYPE)
EDIT_MASK = Topic('edit/mask', IMAGE_TYPE)
EDIT_OBJECT = Topic('edit/object', 'hoigen/msg/EditedObject', optional=True)
EDIT_LABELS = Topic('edit/labels', LABELS_TYPE)
EDIT_MESH_ASSETS = Topic('edit/mesh_assets', 'hoigen/msg/MeshAssets', 'table')
EDIT_PROVENANCE = Topic('edit/provenance', TEXT_TYPE, 'table')
EPISODE_STATUS = Topic('episode_status', 'hoigen/msg/EpisodeStatus', 'status')
DIAGNOSTICS = Topic('diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', 'diagnostics')

TOPICS = tuple(value for value in globals().values() if isinstance(value, Topic))
"""In the order in which a node advertises them: who knows of the image knows what comes with it."""

SCENE_PARTS = (MESH_FRAME, IMAGE, CAMERA_INFO, CAMERA_POSE, LABELS)
"""What makes a scene frame, with the mesh_assets of its episode."""

CONDITIONS = (POINTS, TRACKS, MASK, CONDITION_DEPTH)
"""What is made from a scene frame, of which condition/tracks names the labels."""

CLIP_PARTS = (IMAGE, CAMERA_INFO, CAMERA_POSE, LABELS, *CONDITIONS)
"""What makes a row of a clip."""

GENERATED = (SYNTH_IMAGE, SYNTH_CAMERA_INFO, SYNTH_FIDELITY, SYNTH_LABELS)
"""What makes a generated frame."""

REJECTED = (REJECTED_IMAGE, REJECTED_CAMERA_INFO, REJECTED_FIDELITY, REJECTED_LABELS)
"""The same of a frame that may not be kept, for the eye: no reader of generated frames takes it for one."""

EDITED_CONDITIONS = tuple(Topic(f'edit/{topic.name}', topic.type_name, optional=True) for topic in CONDITIONS)
"""The conditions as they are after an edit; in bags of whole clips only: pose_editor edits frames as they come."""

EDITED = (EDIT_IMAGE, EDIT_DEPTH, EDIT_MASK, EDIT_OBJECT, EDIT_LABELS)
"""What makes an edited frame."""
