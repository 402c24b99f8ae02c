"""The records that pass between rooms: frozen, checked at construction, never changed afterwards.

Frames, units and orders are those of :mod:`hoigen.conventions`. A record that does not hold what it says
raises :class:`RecordError`, which names every wrong field, what was expected and what came.
"""

from hoigen.records.camera import Camera
from hoigen.records.check import Check, RecordError
from hoigen.records.clip import Clip, ClipFrame
from hoigen.records.conditions import Conditions
from hoigen.records.edited_clip import EditedClip, EditedFrame, EditedObject
from hoigen.records.episode import ConditionImages, Episode
from hoigen.records.episode_status import EpisodeState, EpisodeStatus
from hoigen.records.footage import Footage
from hoigen.records.generated_clip import Fidelity, GeneratedClip
from hoigen.records.labels import Action, Contacts, Hands, Joints, Labels, Objects
from hoigen.records.mesh_asset import MeshAsset
from hoigen.records.mesh_frame import MeshFrame
from hoigen.records.provenance import Provenance
from hoigen.records.scene_frame import SceneFrame

__all__ = [
    'Action',
    'Camera',
    'Check',
    'Clip',
    'ClipFrame',
    'ConditionImages',
    'Conditions',
    'Contacts',
    'EditedClip',
    'EditedFrame',
    'EditedObject',
    'Episode',
    'EpisodeState',
    'EpisodeStatus',
    'Fidelity',
    'Footage',
    'GeneratedClip',
    'Hands',
    'Joints',
    'Labels',
    'MeshAsset',
    'MeshFrame',
    'Objects',
    'Provenance',
    'RecordError',
    'SceneFrame',
]
