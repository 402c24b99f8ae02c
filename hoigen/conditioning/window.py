"""A stretch of a clip as a clip of its own."""

from __future__ import annotations

from dataclasses import replace

from hoigen.conditioning.lookup import picture_of, point_colours
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Clip

__all__ = ['window']


def window(clip: Clip, start: int, stop: int) -> Clip:
    """Frames ``start:stop`` of a clip; its points take the colours that they have in the new first frame."""
    rows, rgb, known = slice(start, stop), clip.point_rgb, clip.point_rgb_known
    if start:
        camera = clip.cameras[start]
        first = picture_of(clip.rgb[start], clip.mask[start], clip.depth_m[start], camera)
        places = apply(invert(camera.T_world_cam), clip.points[start])
        rgb, known = point_colours(first, places, clip.point_role, clip.point_visible[start])
    return replace(
        clip,
        point_rgb=rgb,
        point_rgb_known=known,
        cameras=clip.cameras[rows],
        labels=clip.labels[rows],
        **{
            name: getattr(clip, name)[rows]
            for name in (
                'stamps_ns',
                'rgb',
                'depth_m',
                'mask',
                'points',
                'point_visible',
                'point_contact',
                'tracks',
                'track_visible',
            )
        },
    )
