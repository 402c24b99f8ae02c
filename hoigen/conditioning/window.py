"""A segment of a clip as a clip of its own."""

from __future__ import annotations

from dataclasses import replace

from hoigen.conditioning.lookup import picture_of, point_colours
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Clip

__all__ = ['window']


def window(clip: Clip, start: int, stop: int) -> Clip:
    """Frames ``start:stop`` of a clip; its points take the colours that they have in the new first frame."""
    part = clip.frames(start, stop)
    if not start:
        return part
    first = picture_of(part.rgb[0], part.mask[0], part.depth_m[0], part.cameras[0])
    positions = apply(invert(part.cameras[0].T_world_cam), part.points[0])
    rgb, known = point_colours(first, positions, part.point_role, part.point_visible[0])
    return replace(part, point_rgb=rgb, point_rgb_known=known)
