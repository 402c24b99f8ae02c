"""Scene frames -> clip -> conditions, without ROS and without knowing any simulator."""

from hoigen.conditioning.builder import ClipBuilder, build_clip, build_episode
from hoigen.conditioning.conditions import build_conditions, draw_points, pasted_baseline, scene_images
from hoigen.conditioning.config import ConditioningConfig, ConditioningError
from hoigen.conditioning.source_check import SourceMismatch
from hoigen.conditioning.window import window

__all__ = [
    'ClipBuilder',
    'ConditioningConfig',
    'ConditioningError',
    'SourceMismatch',
    'build_clip',
    'build_conditions',
    'build_episode',
    'draw_points',
    'pasted_baseline',
    'scene_images',
    'window',
]
