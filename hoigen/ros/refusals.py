"""What the nodes of a graph would refuse when they start or configure, refused before any of them is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rclpy.exceptions import InvalidNamespaceException
from rclpy.validate_namespace import validate_namespace

from hoigen.editing.flux.configuration import read_config as read_editing_config
from hoigen.editing.meshes.things import made_thing
from hoigen.ros.graph import GraphError, Value
from hoigen.ros.nodes.condition_builder import ConditionBuilderConfig
from hoigen.ros.nodes.episode_recorder import EpisodeRecorderConfig
from hoigen.ros.nodes.perception import PerceptionNodeConfig
from hoigen.ros.nodes.pose_editor import PoseEditorConfig
from hoigen.ros.nodes.sim_source import SimSourceConfig
from hoigen.ros.nodes.synthesizer import SynthesizerConfig
from hoigen.ros.nodes.video_source import VideoSourceConfig
from hoigen.video.configuration import read_config

__all__ = ['CONFIGS', 'refuse_wrong']

CONFIGS: dict[str, type[Any]] = {
    'sim_source': SimSourceConfig,
    'video_source': VideoSourceConfig,
    'condition_builder': ConditionBuilderConfig,
    'perception': PerceptionNodeConfig,
    'synthesizer': SynthesizerConfig,
    'pose_editor': PoseEditorConfig,
    'episode_recorder': EpisodeRecorderConfig,
}
"""The parameters of each node."""


def refuse_wrong(parameters: Mapping[str, Mapping[str, Value]], namespace: str) -> None:
    """Raise GraphError for the first node whose parameters cannot be, or name a file or a model that is not there."""
    for node, values in parameters.items():
        try:
            config = CONFIGS[node](**values)
            _NEEDS.get(node, lambda config: None)(config)
        except (ValueError, OSError, RuntimeError) as error:
            raise GraphError(f'{node}: {error}') from error
    try:
        validate_namespace(f'/{namespace.strip("/")}')
    except InvalidNamespaceException as error:
        raise GraphError(f'namespace: expected a ROS name, got {namespace!r}: {str(error).splitlines()[0]}') from error


def _video_source(config: VideoSourceConfig) -> None:
    if not config.video:
        raise GraphError('video: expected the path of a recording, got none')
    _refuse_missing(video=config.video, calibration=config.calibration)


def _pose_editor(config: PoseEditorConfig) -> None:
    read_editing_config(config.model)
    if not config.size and not Path(config.object).suffix:
        made_thing(config.object, config.seed)
    _refuse_missing(trajectory=config.trajectory, object=config.object if Path(config.object).suffix else '')
    for picture in filter(None, config.pictures.split(':')):
        _refuse_missing(pictures=picture)


def _refuse_missing(**paths: str) -> None:
    """By parameter; an empty one names nothing."""
    for name, path in paths.items():
        if path and not Path(path).exists():
            raise GraphError(f'{name}: expected a file or folder, got nothing at {path}')


_NEEDS: dict[str, Callable[[Any], object]] = {
    'sim_source': SimSourceConfig.simulation,
    'video_source': _video_source,
    'pose_editor': _pose_editor,
    'synthesizer': lambda config: read_config(config.model),
}
"""What beside its own parameters a node needs."""
