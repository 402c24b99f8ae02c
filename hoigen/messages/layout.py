"""Layouts of what messages hold as bytes: points and pixels, written and read alike."""

from __future__ import annotations

POINT_TYPES = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 8: 'f8'}
"""Types by their code in a sensor_msgs/PointField."""

CLOUD_FIELDS = {
    'x': 'f4',
    'y': 'f4',
    'z': 'f4',
    'rgb': 'u4',
    'role': 'u1',
    'visible': 'u1',
    'known': 'u1',
    'contact': 'u1',
    'id': 'u4',
}
"""The fields of condition/points; ``rgb`` is 0x00RRGGBB, which PointCloud2 by custom calls a float."""

ENCODINGS = {('uint8', 3): 'rgb8', ('uint8', 2): 'mono8', ('float32', 2): '32FC1'}
"""The image encoding that is written, by dtype and number of axes."""

IMAGE_FILE = 'webp'
"""The format of small images for the eye."""

IMAGE_LAYOUTS = {
    'rgb8': ('u1', 3),
    'bgr8': ('u1', 3),
    '8UC3': ('u1', 3),
    'rgba8': ('u1', 4),
    'bgra8': ('u1', 4),
    '8UC4': ('u1', 4),
    'rgb16': ('u2', 3),
    'bgr16': ('u2', 3),
    'rgba16': ('u2', 4),
    'bgra16': ('u2', 4),
    'yuv422': ('u1', 2),
    'uyvy': ('u1', 2),
    'yuv422_yuy2': ('u1', 2),
    'yuyv': ('u1', 2),
    'mono8': ('u1', 1),
    '8UC1': ('u1', 1),
    'mono16': ('u2', 1),
    '16UC1': ('u2', 1),
    '32FC1': ('f4', 1),
    '64FC1': ('f8', 1),
} | {
    f'bayer_{order}{bits}': (kind, 1)
    for order in ('rggb', 'bggr', 'gbrg', 'grbg')
    for bits, kind in ((8, 'u1'), (16, 'u2'))
}
"""The type of a value and the values of a pixel, of each encoding that is read."""
