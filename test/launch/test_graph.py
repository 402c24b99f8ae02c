"""One graph description: `hoigen up`, the launch file and the nodes agree with it; wrong ones are refused in words."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

import hoigen.ros.graph
from hoigen.ros import topics
from hoigen.ros.graph import SOURCES, GraphError, episode_folder, load_graph, next_episode
from hoigen.ros.refusals import CONFIGS, refuse_wrong
from hoigen.ros.up import (
    ConditionsConfig,
    OwnSourceConfig,
    PoseEditConfig,
    PoseEditVideoConfig,
    SimToVideoConfig,
    VideoToVideoConfig,
)

NODES = {
    'sim_to_video': {'sim_source', 'condition_builder', 'synthesizer', 'episode_recorder'},
    'video_to_video': {'video_source', 'perception', 'synthesizer', 'episode_recorder'},
    'conditions': {'sim_source', 'condition_builder', 'episode_recorder'},
    'own_source': {'condition_builder', 'synthesizer', 'episode_recorder'},
    'pose_edit': {'sim_source', 'condition_builder', 'pose_editor', 'episode_recorder'},
    'pose_edit_video': {'video_source', 'perception', 'pose_editor', 'episode_recorder'},
}
JOBS = {
    'sim_to_video': SimToVideoConfig(),
    'video_to_video': VideoToVideoConfig(video=Path()),
    'conditions': ConditionsConfig(),
    'own_source': OwnSourceConfig(),
    'pose_edit': PoseEditConfig(),
    'pose_edit_video': PoseEditVideoConfig(video=Path()),
}
LAUNCH = Path(__file__).parents[2] / 'launch'
both = pytest.mark.parametrize('name', NODES)


@both
def test_every_parameter_that_the_graph_sets_is_one_of_its_node(tmp_path: Path, name: str) -> None:
    """A node's configuration can be made of what the graph gives it; a misspelt name or a wrong type cannot."""
    graph = load_graph(name)
    parameters = graph.parameters({'output': str(tmp_path)})
    assert parameters.keys() == NODES[name]
    for node, values in parameters.items():
        config = CONFIGS[node](**values)
        for parameter, value in values.items():
            assert type(getattr(config, parameter)) is type(value), f'{node}.{parameter}'


@both
def test_a_node_waits_for_all_that_hear_it(name: str) -> None:
    """Nothing is published before everybody who reads it listens; nobody waits for who is not in the graph."""
    nodes = load_graph(name).nodes
    for node, parameters in nodes.items():
        heard_by = {reader for topic in topics.written_by(node) for reader in topic.readers} & nodes.keys() - {node}
        assert set(str(parameters.get('wait_for', '')).split()) == heard_by, node


def test_every_node_that_takes_the_time_is_known() -> None:
    """The others of a graph get use_sim_time."""
    assert set(topics.CLOCK.writers) == set(SOURCES)


@both
def test_up_offers_the_arguments_of_the_graph_with_its_defaults(name: str) -> None:
    """`hoigen up` and `ros2 launch` start the same job when nothing is given but the recording."""
    given, defaults = JOBS[name].arguments(), {key: it.default for key, it in load_graph(name).arguments.items()}
    if 'video' in given:
        assert (given.pop('video'), defaults.pop('video')) == ('.', '')
    assert given == defaults
    assert {type(value) for value in given.values()} <= {bool, int, float, str}


def test_values_come_typed_or_as_text() -> None:
    """Launch gives text, `up` values: both become the type of the default."""
    graph = load_graph('sim_to_video')
    for given in ({'episodes': 5, 'rate': 2, 'task': 'push'}, {'episodes': '5', 'rate': '2', 'task': 'push'}):
        source = graph.parameters(given)['sim_source']
        assert (source['episodes'], source['rate'], source['task']) == (5, 2.0, 'push')
        assert type(source['rate']) is float


@pytest.mark.parametrize(
    ('given', 'match'),
    [
        ({'episodes': 'many'}, "argument 'episodes': expected int, got 'many'"),
        ({'episodes': True}, "argument 'episodes': expected int, got True"),
        ({'epsiodes': 3}, "did you mean 'episodes'"),
    ],
)
def test_a_wrong_argument_is_refused(given: dict[str, Any], match: str) -> None:
    """By name, with what was expected."""
    with pytest.raises(GraphError, match=match):
        load_graph('sim_to_video').parameters(given)


@pytest.mark.parametrize(
    ('graph', 'given', 'match'),
    [
        ('video_to_video', {}, 'video_source: video: expected the path of a recording, got none'),
        ('video_to_video', {'video': 'none.mp4'}, 'source: video: expected a file or folder, got nothing at none.mp4'),
        ('video_to_video', {'video': '.', 'frames': 16}, r'perception: frames: expected 4k\+1, got 16'),
        ('sim_to_video', {'episodes': 0}, r'sim_source: episodes: expected \[1, 1000000\], got 0'),
        ('sim_to_video', {'camera': 'fornt'}, "sim_source: .*camera: expected one of front.* did you mean 'front'"),
        ('sim_to_video', {'model': 'huge'}, r"synthesizer: model: expected one of \['cogvideox-5b', 'tiny'\]"),
        ('pose_edit', {'model': 'huge'}, 'pose_editor: model: expected one of'),
        (
            'pose_edit',
            {'object': 'none.glb'},
            'pose_editor: object: expected a file or folder, got nothing at none.glb',
        ),
        ('pose_edit', {'object': 'mugg'}, "pose_editor: object: expected a mesh file .* did you mean 'mug'"),
        ('pose_edit', {'pictures': 'a.png:b.png'}, 'pictures: expected a file or folder, got nothing at a.png'),
        ('pose_edit', {'trajectory': 'none.csv'}, 'trajectory: expected a file or folder, got nothing at none.csv'),
    ],
)
def test_what_a_node_would_refuse_is_refused_before_any_is_started(
    graph: str, given: dict[str, Any], match: str
) -> None:
    """With the node's own words: a job of four processes takes ten seconds to say the same."""
    with pytest.raises(GraphError, match=match):
        refuse_wrong(load_graph(graph).parameters(given), '')


def test_a_namespace_that_ros_does_not_take_is_refused() -> None:
    parameters = load_graph('sim_to_video').parameters({})
    with pytest.raises(GraphError, match=r"namespace: expected a ROS name, got 'a-b': Invalid namespace"):
        refuse_wrong(parameters, 'a-b')
    refuse_wrong(parameters, '/lab/cell_1/')


def test_an_unknown_graph_is_refused_with_the_known_ones() -> None:
    """A wrong name shows the right ones."""
    with pytest.raises(GraphError, match=r"graph 'sim_2_video': expected one of \[.*'sim_to_video'"):
        load_graph('sim_2_video')


@pytest.mark.parametrize(
    ('old', 'new', 'match'),
    [
        ('sim_source.seed', 'sim_sauce.seed', "parameter 'sim_sauce.seed': expected <node>.<parameter>"),
        ('nodes:', 'nodez:', 'expected description, nodes, arguments and numbering, got KeyError'),
        ('default: 3', 'defualt: 3', 'expected description, nodes, arguments and numbering'),
        ('default: 3', 'default: "3', 'expected description, nodes, arguments and numbering'),
    ],
)
def test_a_broken_description_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, match: str
) -> None:
    """The error names what is wrong, not a line of ours."""
    text = (hoigen.ros.graph.find('config/graphs') / 'sim_to_video.yaml').read_text()
    assert old in text
    (tmp_path / 'sim_to_video.yaml').write_text(text.replace(old, new, 1))
    monkeypatch.setattr(hoigen.ros.graph, 'find', lambda name: tmp_path)
    with pytest.raises(GraphError, match=match):
        load_graph('sim_to_video')


def test_episodes_are_numbered_on_after_those_in_the_folder(tmp_path: Path) -> None:
    """Also after a gap, and past other things that lie there."""
    assert next_episode(tmp_path / 'new') == 0
    for name in ('episode_0002', 'episode_0010', 'episode_old', 'logs'):
        (tmp_path / name).mkdir()
    assert next_episode(tmp_path) == 11
    assert load_graph('sim_to_video').parameters({'output': str(tmp_path)})['sim_source']['first_episode'] == 11
    assert episode_folder(tmp_path, 11).name == 'episode_0011'


def description_of(name: str) -> Any:
    """What the launch file of a graph gives, where launch is installed."""
    pytest.importorskip('launch_ros', reason='launch is not among the wheels: needs a ROS installation')
    spec = importlib.util.spec_from_file_location(f'{name}_launch', LAUNCH / f'{name}.launch.py')
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


@both
def test_the_launch_file_declares_the_arguments_of_the_graph(name: str) -> None:
    """Each with its description and default, and those of every graph; no other."""
    declared = {argument.name: argument for argument in description_of(name).get_launch_arguments()}
    graph = load_graph(name)
    assert declared.keys() == graph.arguments.keys() | {'namespace', 'use_sim_time', 'log_level'}
    assert all(argument.description for argument in declared.values())
    for key, argument in graph.arguments.items():
        assert ''.join(part.text for part in declared[key].default_value) == str(argument.default)


@both
def test_the_launch_file_starts_the_nodes_of_the_graph(name: str, tmp_path: Path) -> None:
    """Every node, and the conductor that brings them up; they take the same parameters as under `hoigen up`."""
    pytest.importorskip('launch_ros', reason='launch is not among the wheels: needs a ROS installation')
    from launch import LaunchContext

    from hoigen.ros.launching import start

    context = LaunchContext()
    graph = load_graph(name)
    values = {key: str(argument.default) for key, argument in graph.arguments.items()}
    context.launch_configurations.update(
        values | {'output': str(tmp_path), 'namespace': 'lab', 'use_sim_time': 'true', 'log_level': 'info'}
    )
    started = start(context, graph)
    assert [node.node_executable for node in started] == [*graph.nodes, 'conductor']


def test_configurations_are_described_for_users() -> None:
    """Every parameter of every node says what it is."""
    for config in CONFIGS.values():
        assert all(field.metadata['doc'].endswith('.') for field in dataclasses.fields(config))
