"""Episodes as files: one rosbag2 (MCAP) folder each, read and written without ROS; recovery, report."""

from hoigen.episodes.bags import episode_folder, find_bags, one_bag
from hoigen.episodes.cut import cut_episode
from hoigen.episodes.errors import (
    EpisodeDamaged,
    EpisodeError,
    EpisodeExists,
    EpisodeMismatch,
    EpisodeWriteFailed,
)
from hoigen.episodes.reader import EpisodeReader
from hoigen.episodes.recovery import recover
from hoigen.episodes.whole import load_clip, write_episode
from hoigen.episodes.writer import EpisodeSummary, EpisodeWriter

__all__ = [
    'EpisodeDamaged',
    'EpisodeError',
    'EpisodeExists',
    'EpisodeMismatch',
    'EpisodeReader',
    'EpisodeSummary',
    'EpisodeWriteFailed',
    'EpisodeWriter',
    'cut_episode',
    'episode_folder',
    'find_bags',
    'load_clip',
    'one_bag',
    'recover',
    'write_episode',
]
