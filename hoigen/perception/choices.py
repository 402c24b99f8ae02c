"""The back-ends of perception, by name."""

from typing import Literal

MaskSource = Literal['auto', 'keypoints', 'motion', 'sam2']
BoxSource = Literal['motion', 'rtdetr', 'dfine', 'grounding-dino']
GeometrySource = Literal['auto', 'depth', 'vggt', 'none']
TrackSource = Literal['flow', 'vggt']
