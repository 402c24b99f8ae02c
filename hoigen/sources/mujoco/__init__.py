"""A simulated hand that handles objects on a table, by MuJoCo's contact physics."""

from hoigen.sources.mujoco.gl import RenderError  # first: it tells what is missing where MuJoCo cannot be imported

# isort: split
from hoigen.sources.mujoco.cameras import CAMERAS
from hoigen.sources.mujoco.config import ConfigError, MujocoConfig, first_stamp_ns
from hoigen.sources.mujoco.looks import look_of
from hoigen.sources.mujoco.objects import SHAPES
from hoigen.sources.mujoco.source import EpisodeError, MujocoSource, SimulatedEpisode
from hoigen.sources.mujoco.tasks import TASKS

__all__ = [
    'CAMERAS',
    'SHAPES',
    'TASKS',
    'ConfigError',
    'EpisodeError',
    'MujocoConfig',
    'MujocoSource',
    'RenderError',
    'SimulatedEpisode',
    'first_stamp_ns',
    'look_of',
]
