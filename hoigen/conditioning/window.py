"""A segment of a clip as a clip of its own."""

from __future__ import annotations

from dataclasses import replace

from hoigen.conditioning.lookup import picture_of, point_colours
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Clip

__all__ = ['recoloured', 'window']


def window(clip: Clip, start: int, stop: int) -> Clip:
    """Frames ``start:stop`` of a clip; its points take the colours that they have in the new first frame."""
    part = clip.frames(start, stop)
    return recoloured(part) if start else part


def recoloured(clip: Clip) -> Clip:
    """The clip whose points have the colours of its first frame."""
    first = picture_of(clip.rgb[0], clip.mask[0], clip.depth_m[0], clip.cameras[0])
    positions = apply(invert(clip.cameras[0].T_world_cam), clip.points[0])
    rgb, known = point_colours(first, positions, clip.point_role, clip.point_visible[0])
    return replace(clip, point_rgb=rgb, point_rgb_known=known)
