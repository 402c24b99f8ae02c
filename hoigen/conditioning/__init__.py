"""Scene frames -> clip -> conditions, without ROS and without knowing any simulator."""

from hoigen.conditioning.builder import ClipBuilder, build_clip, build_episode
from hoigen.conditioning.conditions import build_conditions, draw_points, pasted_baseline, scene_images
from hoigen.conditioning.config import ConditioningConfig, ConditioningError
from hoigen.conditioning.first_image import FirstImageError, checked_background, with_first_image
from hoigen.conditioning.source_check import SourceMismatch
from hoigen.conditioning.window import window

__all__ = [
    'ClipBuilder',
    'ConditioningConfig',
    'ConditioningError',
    'FirstImageError',
    'SourceMismatch',
    'build_clip',
    'build_conditions',
    'build_episode',
    'checked_background',
    'draw_points',
    'pasted_baseline',
    'scene_images',
    'window',
    'with_first_image',
]
