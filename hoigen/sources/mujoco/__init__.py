"""A simulated hand that handles objects on a table, by MuJoCo's contact physics."""

from hoigen.sources.mujoco.config import ConfigError, MujocoConfig
from hoigen.sources.mujoco.gl import RenderError
from hoigen.sources.mujoco.source import Episode, EpisodeError, MujocoSource

__all__ = ['ConfigError', 'Episode', 'EpisodeError', 'MujocoConfig', 'MujocoSource', 'RenderError']
