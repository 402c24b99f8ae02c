"""One graph description: `hoigen up`, the launch file and the nodes agree with it; wrong ones are refused in words."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

import hoigen.ros.graph
from hoigen.episodes import episode_folder
from hoigen.ros import options, topics
from hoigen.ros.declare import describe, kinds_of, options_of
from hoigen.ros.graph import COMMON, CONDUCTOR, GraphError, compose, load_graph, next_episode, pairs
from hoigen.ros.prepare import prepared
from hoigen.ros.up import job_of

NODES = {
    'sim_to_video': ['episode_recorder', 'synthesizer', 'condition_builder', 'sim_source'],
    'video_to_video': ['episode_recorder', 'synthesizer', 'perception', 'video_source'],
    'conditions': ['episode_recorder', 'condition_builder', 'sim_source'],
    'own_source': ['episode_recorder', 'synthesizer', 'condition_builder'],
    'pose_edit': ['episode_recorder', 'pose_editor', 'condition_builder', 'sim_source'],
    'pose_edit_video': ['episode_recorder', 'pose_editor', 'perception', 'video_source'],
}
LAUNCH = Path(__file__).parents[2] / 'launch'
CONFIG = hoigen.ros.graph.find('config/graphs')
each = pytest.mark.parametrize('name', NODES)


def given(name: str, **more: Any) -> dict[str, Any]:
    """What a user must give, and more."""
    return ({'video': '.'} if 'video' in load_graph(name).options else {}) | more


@each
def test_the_nodes_are_activated_readers_first_and_wait_for_all_that_hear_them(tmp_path: Path, name: str) -> None:
    """Nothing is published before everybody who reads it listens, but statuses, which late readers get too; nobody
    waits for who is not in the graph."""
    job, nodes = prepared(load_graph(name), given(name, out=str(tmp_path)))
    assert list(nodes) == list(job.nodes) == NODES[name]
    for number, (node, parameters) in enumerate(nodes.items()):
        written = set(topics.written_by(node)) - {topics.EPISODE_STATUS}
        heard_by = {reader for topic in written for reader in topic.readers} & nodes.keys() - {node}
        assert set(parameters.get('wait_for', ())) == heard_by, node  # type: ignore[arg-type]
        assert heard_by <= set(NODES[name][:number]), node
        assert parameters['use_sim_time'] == (name != 'own_source' and node not in topics.SOURCES)


@each
def test_an_option_is_set_in_every_node_that_has_it(tmp_path: Path, name: str) -> None:
    """And its nodes declare it alike: it means the same to each of them."""
    graph = load_graph(name)
    parameters = graph.parameters({})
    for option in graph.options.values():
        having = [node for node in graph.nodes if option.name in kinds_of(options_of(node))]
        assert [node for node in option.nodes if node != CONDUCTOR] == having
        assert having or option.nodes == (CONDUCTOR,)
        assert {repr(parameters[node][option.name]) for node in option.nodes} == {repr(option.default)}
        for node in option.nodes:
            [declared] = (it for it in dataclasses.fields(options_of(node)) if it.name == option.name)
            assert (declared.type, declared.metadata) == (option.field.type, option.field.metadata), node


def test_what_the_descriptions_set_is_of_use() -> None:
    """Every default and every fixed parameter of config/graphs reaches a node of some pair."""
    graphs = {(pair.source, pair.maker): load_graph(name) for name, pair in pairs().items()}
    for role, place in (('sources', 0), ('makers', 1)):
        for path in (CONFIG / role).glob('*.yaml'):
            part = yaml.safe_load(path.read_text())
            mine = [graph for pair, graph in graphs.items() if pair[place] == path.stem]
            for name in part.get('defaults', {}):
                assert any(name in graph.options for graph in mine), f'{path}: {name}'
            for node, values in part.get('sets', {}).items():
                assert any(values.keys() <= graph.nodes.get(node, {}).keys() for graph in mine), f'{path}: {node}'


@each
def test_up_offers_the_options_of_the_graph_with_its_defaults(name: str) -> None:
    """`hoigen up NAME`, `hoigen up --source S --maker M` and `ros2 launch` have the same options."""
    graph, job = load_graph(name), job_of(['up', name])
    assert {field.name: getattr(job, field.name) for field in dataclasses.fields(job)} == {
        option.name: option.default for option in graph.options.values()
    }
    pair = pairs()[name]
    composed = job_of(['up', '--source', pair.source, '--maker', pair.maker, '--seed', '3'])
    assert {field.name for field in dataclasses.fields(composed)} == {*graph.options, 'source', 'maker'}


def test_text_of_a_launch_argument_becomes_a_value_of_its_type() -> None:
    """Arrays are YAML lists; a whole number is a float where one is expected."""
    parameters = load_graph('pose_edit').parameters({'episodes': '5', 'rate': '2', 'position': '[0, 0.1, 0.5]'})
    assert parameters['sim_source']['episodes'] == 5
    assert type(parameters['sim_source']['rate']) is float
    assert parameters['pose_editor']['position'] == (0.0, 0.1, 0.5)


@pytest.mark.parametrize(
    ('graph', 'values', 'match'),
    [
        ('sim_to_video', {'epsiodes': 3}, "option 'epsiodes': .* did you mean 'episodes'"),
        ('sim_to_video', {'episodes': 'many'}, "sim_source: episodes: expected int, got 'many'"),
        ('sim_to_video', {'episodes': True}, 'sim_source: episodes: expected int, got True'),
        ('pose_edit', {'position': '0 0 1'}, r"option 'position': expected a list like \[a, b, c\], got '0 0 1'"),
        ('pose_edit', {'position': '[0, 0'}, "option 'position': expected YAML"),
        ('pose_edit', {'position': (0.0, 1.0)}, 'pose_editor: position: expected 3 numbers X Y Z, got 2'),
        ('pose_edit', {'position': '[a, b, c]'}, 'pose_editor: position: expected an array of float'),
        ('sim_to_video', {'conditions': ('pionts',)}, "synthesizer: conditions: expected some of .*, got \\('pionts',"),
        ('video_to_video', {'video': ''}, 'video_source: video: expected the path of a recording, got none'),
        ('video_to_video', {'video': 'none.mp4'}, 'source: video: expected a file or folder, got nothing at none.mp4'),
        ('video_to_video', {'frames': 16}, r'perception: frames: expected 4k\+1, at least 5, got 16'),
        ('sim_to_video', {'episodes': 0}, r'sim_source: episodes: expected \[1, 1000000\], got 0'),
        ('sim_to_video', {'camera': 'fornt'}, "sim_source: .*camera: expected one of front.* did you mean 'front'"),
        ('sim_to_video', {'model': 'huge'}, r"synthesizer: model: expected one of \['cogvideox-5b', 'tiny'"),
        ('sim_to_video', {'namespace': 'a-b'}, "namespace: expected a ROS name, got 'a-b': Invalid namespace"),
        ('own_source', {'episodes': -1}, 'conductor: episodes: expected'),
        ('pose_edit', {'model': 'huge'}, 'pose_editor: model: expected one of'),
        ('pose_edit', {'object': 'none.glb'}, 'pose_editor: object: expected a file or folder, got nothing'),
        ('pose_edit', {'object': 'mugg'}, "pose_editor: object: expected a mesh file .* did you mean 'mug'"),
        ('pose_edit', {'images': ('a.png', 'b.png')}, 'images: expected a file or folder, got nothing at a.png'),
        ('pose_edit', {'trajectory': 'none.csv'}, 'trajectory: expected a file or folder, got nothing at none.csv'),
    ],
)
def test_what_a_node_would_refuse_is_refused_before_any_is_started(
    tmp_path: Path, graph: str, values: dict[str, Any], match: str
) -> None:
    """With the node's own words: a job of four processes takes ten seconds to say the same."""
    with pytest.raises(GraphError, match=match):
        prepared(load_graph(graph), given(graph, out=str(tmp_path)) | values)


def test_an_array_that_is_emptied_is_set(tmp_path: Path) -> None:
    """Only one that is empty by default is left out: no conditions are none, not those of the default."""
    nodes = prepared(load_graph('sim_to_video'), {'out': str(tmp_path), 'conditions': '[]'})[1]
    assert nodes['synthesizer']['conditions'] == ()
    assert 'size' not in prepared(load_graph('pose_edit'), {'out': str(tmp_path)})[1]['pose_editor']


def test_a_namespace_is_taken_with_and_without_slashes(tmp_path: Path) -> None:
    assert prepared(load_graph('conditions'), {'out': str(tmp_path), 'namespace': '/a/b/'})[0].namespace == 'a/b'


@pytest.mark.parametrize(
    ('names', 'match'),
    [
        (('smi', 'video'), r"source 'smi': expected one of \['own', 'sim', 'video'\]; did you mean 'sim'"),
        (('sim', 'edits'), "maker 'edits': expected one of .* did you mean 'edit'"),
        (('video', 'conditions'), "maker 'conditions': expected a source with condition_builder, got 'video'"),
    ],
)
def test_a_pair_that_cannot_be_is_refused(names: tuple[str, str], match: str) -> None:
    with pytest.raises(GraphError, match=match):
        compose(*names)


def test_an_unknown_graph_is_refused_with_the_known_ones() -> None:
    """A wrong name shows the right ones."""
    with pytest.raises(GraphError, match=r"graph 'sim_2_video': expected one of \[.*did you mean 'sim_to_video'"):
        load_graph('sim_2_video')


@pytest.fixture
def graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of config/graphs that is read in its place."""
    folder = tmp_path / 'graphs'
    shutil.copytree(CONFIG, folder)
    monkeypatch.setattr(hoigen.ros.graph, 'find', lambda name: folder)
    return folder


@pytest.mark.parametrize(
    ('old', 'new', 'match'),
    [
        ('sim_source', 'sim_sauce', "node 'sim_sauce': expected its options in hoigen.ros.options.sim_sauce"),
        ('nodes:', 'nodez:', r"sim.yaml: expected \['description', 'nodes', 'options'\] and maybe .*, got .*nodez"),
        ('episodes', 'epsiodes', "option 'epsiodes': expected one of the nodes .*, which have none of that name"),
        ('[episodes', '[[episodes', 'sim.yaml: expected YAML'),
    ],
)
def test_a_broken_description_is_refused(graphs: Path, old: str, new: str, match: str) -> None:
    """The error names what is wrong, not a line of ours."""
    text = (graphs / 'sources/sim.yaml').read_text()
    assert old in text
    (graphs / 'sources/sim.yaml').write_text(text.replace(old, new))
    with pytest.raises(GraphError, match=match):
        load_graph('sim_to_video')


DUMMY_OPTIONS = """
from dataclasses import dataclass

from hoigen.ros.declare import AwaitsReaders, Seeded, param


@dataclass(frozen=True)
class DummySourceOptions(AwaitsReaders, Seeded):
    height: float = param(0.5, 'How high it flies.', unit='m', low=0.0, high=9.0)
    first_episode: int = param(0, 'Number of the first episode.', low=0, high=9)
"""


def test_a_new_source_is_three_files_of_its_own(graphs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options, node and description: composed with every maker, it is seeded, numbered and awaited as ours are."""
    (tmp_path / 'dummy_source.py').write_text(DUMMY_OPTIONS)
    monkeypatch.setattr(options, '__path__', [*options.__path__, str(tmp_path)])
    (graphs / 'sources/dummy.yaml').write_text(
        'description: a dummy\nnodes: [condition_builder, dummy_source]\noptions: [height]\ndefaults: {height: 1}\n'
    )
    (tmp_path / 'out/episode_0002').mkdir(parents=True)
    for maker in ('video', 'edit', 'conditions'):
        position = {'position': (0.0, 0.0, 1.0)} if maker == 'edit' else {}
        job, nodes = prepared(compose('dummy', maker), {'out': str(tmp_path / 'out'), 'seed': 7} | position)
        assert list(nodes)[-1] == 'dummy_source'
        others = set(nodes) - {'dummy_source'}
        assert nodes.pop('dummy_source') == {
            'seed': 7,
            'height': 1.0,
            'first_episode': 3,
            'use_sim_time': False,
            'wait_for': tuple(sorted(others)),
        }
        assert topics.source_in(job.nodes) == 'dummy_source'
    assert job_of(['up', '--source', 'dummy']).height == 1.0


def test_a_run_continues_one_with_the_same_settings_alone(tmp_path: Path) -> None:
    """More episodes are the same run; another model, seed or graph would be mixed with what is there."""
    graph, out = load_graph('sim_to_video'), tmp_path / 'out'
    graph.begin({'model': 'other'}, out)  # of which nothing was made
    graph.begin({'episodes': 3, 'seed': 7}, out)
    (out / 'episode_0000').mkdir()
    graph.begin({'episodes': '5', 'seed': '7', 'rate': 1.0}, out)
    with pytest.raises(ValueError, match='out was begun with other settings: seed: expected 7, got 0; remove it or'):
        graph.begin({}, out)
    (out / 'run.json').rename(out / 'other.json')
    with pytest.raises(ValueError, match=r'run\.json: expected the settings with which what is there was begun'):
        graph.begin({'seed': 7}, out)
    (out / 'other.json').rename(out / 'run.json')
    with pytest.raises(ValueError, match="job: expected 'up sim_to_video', got 'up pose_edit'; "):
        load_graph('pose_edit').begin({'seed': 7}, out)


def test_episodes_are_numbered_on_after_those_in_the_folder(tmp_path: Path) -> None:
    """Also after a gap and one that was rejected, and past other things that lie there."""
    assert next_episode(tmp_path / 'new') == 0
    for name in ('episode_0002', 'episode_0010.rejected', 'episode_old', 'logs'):
        (tmp_path / name).mkdir()
    assert next_episode(tmp_path) == 11
    assert load_graph('sim_to_video').parameters({'out': str(tmp_path)})['sim_source']['first_episode'] == 11
    assert load_graph('video_to_video').parameters({'out': str(tmp_path)})['perception']['first_episode'] == 11
    assert episode_folder(tmp_path, 11).name == 'episode_0011'


HELP = """
import sys
from hoigen.cli import main
try:
    main(['up', *sys.argv[1:], '--help'])
except SystemExit:
    pass
print(sorted({'rclpy', 'torch', 'numba', 'scipy', 'cv2', 'mujoco'} & sys.modules.keys()))
"""


@pytest.mark.parametrize('arguments', [['pose_edit_video'], ['sim_to_video'], ['--source', 'own']])
def test_help_shows_every_option_with_unit_and_default_and_loads_nothing_heavy(arguments: list[str]) -> None:
    """What a person waits for is the text."""
    done = subprocess.run(
        [sys.executable, '-c', HELP, *arguments], capture_output=True, text=True, env=os.environ | {'COLUMNS': '200'}
    )
    assert done.stdout.splitlines()[-1] == '[]', done.stdout
    said = ' '.join(done.stdout.replace('│', ' ').split())
    for option in job_of(['up', *arguments]).graph.options.values():
        assert f'--{option.name.replace("_", "-")}' in said
        assert describe(option.field) in said
    if arguments == ['pose_edit_video']:
        assert '--position X Y Z' in done.stdout
        assert '[degrees]' in done.stdout
        assert '(default: camera)' in done.stdout


def description_of(name: str) -> Any:
    """What the launch file of a graph gives, where launch is installed."""
    pytest.importorskip('launch_ros', reason='launch is not among the wheels: needs a ROS installation')
    spec = importlib.util.spec_from_file_location(f'{name}_launch', LAUNCH / f'{name}.launch.py')
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def test_every_named_pair_has_a_launch_file() -> None:
    """Of one line that names it."""
    assert {path.name.removesuffix('.launch.py') for path in LAUNCH.glob('*.py')} == pairs().keys() == NODES.keys()
    for name in NODES:
        assert f"describe('{name}')" in (LAUNCH / f'{name}.launch.py').read_text()


@each
def test_the_launch_file_declares_the_options_of_the_graph(name: str) -> None:
    """Each with its description and default, and no other; the default is read back as the value that it is."""
    declared = {argument.name: argument for argument in description_of(name).get_launch_arguments()}
    graph = load_graph(name)
    assert declared.keys() == graph.options.keys() > set(COMMON) - {'seed'}
    assert all(argument.description for argument in declared.values())
    for key, option in graph.options.items():
        assert option.value(''.join(part.text for part in declared[key].default_value)) == option.default


@each
def test_the_launch_file_starts_the_nodes_of_the_graph(name: str, tmp_path: Path) -> None:
    """Every node, and the conductor that brings them up; they take the same parameters as under `hoigen up`."""
    pytest.importorskip('launch_ros', reason='launch is not among the wheels: needs a ROS installation')
    from launch import LaunchContext

    from hoigen.ros.launching import argument, start

    context = LaunchContext()
    graph = load_graph(name)
    for option in graph.options.values():
        argument(option).execute(context)
    context.launch_configurations.update(given(name, out=str(tmp_path), namespace='lab'))
    started = start(context, graph)
    assert [node.node_executable for node in started] == [*NODES[name], 'conductor']


def test_options_are_described_for_users() -> None:
    """Every option of every node says what it is, in one line of a description."""
    for path in Path(options.__file__).parent.glob('[a-z]*.py'):
        assert all(field.metadata['doc'].endswith('.') for field in dataclasses.fields(options_of(path.stem)))
