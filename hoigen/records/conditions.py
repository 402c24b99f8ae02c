"""What a generator reads."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hoigen.records.camera import Camera
from hoigen.records.check import Check, array


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a generator reads, at the generator's size [H,W]; derived from a :class:`Clip` only.

    image: [H,W,3] uint8, the first frame. points: [T,N,3] float32 in the first camera's frame, normalised:
    ``X_cam0 = points * scale_m + centre_m``. point_pixels: [T,N,2] float32 (u, v) in the frame's own camera and
    point_depth_m: [T,N] float32 along its optical axis; point_visible: [T,N] bool; point_role: [N] uint8.
    tracking: [T,H,W,3] uint8, points coloured by their pixel and inverse depth in frame 0, black where they are outside
    that frame. background: [T,H,W,3] uint8, the first frame's static scene carried to frame t's camera, and
    background_known: [T,H,W] bool. coloured: [T,H,W,3] uint8, points of hand and object with the colour they had in
    frame 0, or a guess from those around them; coloured_state: [T,H,W] uint8, 0 no point, 1 guessed, 2 known.
    shadow: [T,H,W] uint8, 1 where hand and object threw a shadow on this place of the scene in frame 0, plus 2 where
    they do now; shadow_gain: [3] float32 in (0, 1], the share of each channel's light that a shadow leaves. mask:
    [T,H,W] uint8 role codes. depth_m: [T,H,W] float32, infinite where nothing is, NaN unknown. detail: the same at the
    size of the source, for a model that draws there; None where that is no larger.
    """

    stamps_ns: np.ndarray = field(metadata=array('int64', 'T'))
    cameras: tuple[Camera, ...]
    prompt: str
    image: np.ndarray = field(metadata=array('uint8', 'H', 'W', 3))
    points: np.ndarray = field(metadata=array('float32', 'T', 'N', 3))
    centre_m: np.ndarray = field(metadata=array('float64', 3))
    scale_m: float
    point_pixels: np.ndarray = field(metadata=array('float32', 'T', 'N', 2))
    point_depth_m: np.ndarray = field(metadata=array('float32', 'T', 'N'))
    point_visible: np.ndarray = field(metadata=array('bool', 'T', 'N'))
    point_role: np.ndarray = field(metadata=array('uint8', 'N'))
    tracking: np.ndarray = field(metadata=array('uint8', 'T', 'H', 'W', 3))
    background: np.ndarray = field(metadata=array('uint8', 'T', 'H', 'W', 3))
    background_known: np.ndarray = field(metadata=array('bool', 'T', 'H', 'W'))
    coloured: np.ndarray = field(metadata=array('uint8', 'T', 'H', 'W', 3))
    coloured_state: np.ndarray = field(metadata=array('uint8', 'T', 'H', 'W'))
    shadow: np.ndarray = field(metadata=array('uint8', 'T', 'H', 'W'))
    shadow_gain: np.ndarray = field(metadata=array('float32', 3))
    mask: np.ndarray = field(metadata=array('uint8', 'T', 'H', 'W'))
    depth_m: np.ndarray = field(metadata=array('float32', 'T', 'H', 'W', finite=False))
    detail: Conditions | None = None

    def __post_init__(self) -> None:
        check, sizes = Check('Conditions'), {'T': len(self.cameras)}
        if self.cameras:
            sizes |= {'H': self.cameras[0].height, 'W': self.cameras[0].width}
        check.arrays(self, sizes)
        check.that(self.scale_m > 0, 'scale_m', '> 0', self.scale_m)
        check.that(
            bool(((self.shadow_gain > 0) & (self.shadow_gain <= 1)).all()), 'shadow_gain', 'in (0, 1]', self.shadow_gain
        )
        check.done()

    @property
    def drawn(self) -> Conditions:
        """At the size at which a model that draws details draws."""
        return self.detail or self
