"""Messages -> arrays and records, strictly, whichever library deserialized them: rclpy in the graph, rosbags in bags.

Messages are read by their fields only, so that this needs no ROS. Big arrays share the message's memory: a message
must not be changed afterwards. What is not as its definition says raises :class:`MessageError`; what the record then
finds wrong raises :class:`~hoigen.records.RecordError`; both name the field, what was expected and what came.
"""

from hoigen.messages.decode.conditions import clip, cloud, edited, generated, tracks
from hoigen.messages.decode.fields import MessageError, pose, stamp_ns
from hoigen.messages.decode.images import COLOURS, DEPTHS, GREYS, EncodingError, depth, mask, picture, rgb
from hoigen.messages.decode.outcome import condition_images, episode_status
from hoigen.messages.decode.scene import assets, camera, intrinsics, labels, mesh_frame, scene_frame

__all__ = [
    'COLOURS',
    'DEPTHS',
    'GREYS',
    'EncodingError',
    'MessageError',
    'assets',
    'camera',
    'clip',
    'cloud',
    'condition_images',
    'depth',
    'edited',
    'episode_status',
    'generated',
    'intrinsics',
    'labels',
    'mask',
    'mesh_frame',
    'picture',
    'pose',
    'rgb',
    'scene_frame',
    'stamp_ns',
    'tracks',
]
