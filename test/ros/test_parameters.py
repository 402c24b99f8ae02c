"""Parameters: declared from a dataclass, refused by constructing it, swapped as a whole."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

import rclpy
from rclpy.parameter import Parameter
from ros_bench import Bench

from hoigen.ros.declare import NodeOptions, param
from hoigen.ros.parameters import Parameters


@dataclass(frozen=True)
class Config(NodeOptions):
    """A node's configuration with every kind of parameter."""

    distance: float = param(0.5, 'How far.', unit='m', low=0.1, high=2.0)
    count: int = param(3, 'How many.', low=1, high=9)
    mode: str = param('slow', 'How.', choices=('slow', 'fast'))
    device: str = param('cpu', 'Where.', read_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode == 'fast' and self.count > 5:
            raise ValueError('count: expected at most 5 when fast')


@pytest.fixture
def live(bench: Bench) -> Parameters[Config]:
    return Parameters(bench.io, Config)


def change(bench: Bench, **values: Any) -> list[Any]:
    return bench.io.set_parameters([Parameter(name, value=value) for name, value in values.items()])


def test_descriptions_carry_unit_range_and_choices(bench: Bench, live: Parameters[Config]) -> None:
    """`ros2 param describe` tells what a user may set."""
    distance, count, mode, device = (bench.io.describe_parameter(n) for n in ('distance', 'count', 'mode', 'device'))
    assert distance.description == 'How far. [m]'
    assert (distance.floating_point_range[0].from_value, distance.floating_point_range[0].to_value) == (0.1, 2.0)
    assert (count.integer_range[0].from_value, count.integer_range[0].to_value) == (1, 9)
    assert mode.description == 'How. One of: slow, fast.'
    assert device.read_only


def test_an_accepted_change_reaches_the_configuration(bench: Bench, live: Parameters[Config]) -> None:
    """The frozen value is swapped after acceptance."""
    before = live.value
    assert change(bench, distance=1.5)[0].successful
    assert (before.distance, live.value.distance) == (0.5, 1.5)


@pytest.mark.parametrize(
    'values', [{'distance': 3.0}, {'count': 0}, {'mode': 'loud'}, {'device': 'cuda'}, {'count': 'many'}]
)
def test_a_wrong_value_is_refused_and_changes_nothing(
    bench: Bench, live: Parameters[Config], values: dict[str, Any]
) -> None:
    """Outside its range or choices, of another type, or read-only."""
    assert not change(bench, **values)[0].successful
    assert live.value == Config()


def test_the_dataclass_own_rule_refuses_a_parameter_with_its_words(bench: Bench, live: Parameters[Config]) -> None:
    """A rule between fields is a rule between parameters."""
    change(bench, mode='fast')
    assert change(bench, count=6)[0].reason == 'count: expected at most 5 when fast'


def test_a_whole_number_is_a_float_where_one_is_expected(bench: Bench) -> None:
    """`-p distance:=1` is what users write; the parameter is a float all the same."""
    node = rclpy.create_node('given', parameter_overrides=[Parameter('distance', value=1)])
    config = Parameters(node, Config).value
    assert (config.distance, type(config.distance)) == (1.0, float)
    assert node.get_parameter('distance').type_ == Parameter.Type.DOUBLE
    node.destroy_node()


def test_wrong_parameters_at_the_start_are_one_line() -> None:
    """Every one of them by its name, and status 1; no traceback."""
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'hoigen.ros.nodes',
            'condition_builder',
            '--ros-args',
            '-p',
            'points:=0',
            '-p',
            'tracks:=many',
            '-p',
            'contact_distance:=.nan',
        ],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr == (
        "condition_builder: points: expected [1, 1000000], got 0; tracks: expected int, got 'many'; "
        'contact_distance: expected [0.0001, 0.1], got nan\n'
    )


def test_all_faults_are_named_at_once() -> None:
    """One error tells everything that is wrong."""
    with pytest.raises(ValueError, match=r'distance: expected \[0.1, 2.0\], got 9.0; count: .*; mode: expected one of'):
        Config(distance=9.0, count=0, mode='loud')


@dataclass(frozen=True)
class Arrays(NodeOptions):
    """Options that are arrays, empty by default: ROS cannot tell the type of one from its value."""

    position: tuple[float, ...] = param((), 'Where.', unit='m', items='X Y Z')
    names: tuple[str, ...] = param((), 'Who.', choices=('ann', 'bob'))


def test_an_empty_array_has_its_type(bench: Bench) -> None:
    """DOUBLE_ARRAY and STRING_ARRAY, described as such, and set to numbers and strings later."""
    live = Parameters(bench.io, Arrays)
    assert live.value == Arrays((), ())
    types = [bench.io.describe_parameter(name).type for name in ('position', 'names')]
    assert types == [Parameter.Type.DOUBLE_ARRAY.value, Parameter.Type.STRING_ARRAY.value]
    assert bench.io.describe_parameter('position').description == 'Where. [m]'
    assert all(done.successful for done in change(bench, position=[1.0, 2.0, 3.0], names=['bob']))
    assert live.value == Arrays((1.0, 2.0, 3.0), ('bob',))


@pytest.mark.parametrize(
    ('given', 'match'),
    [
        ({'position': [1.0, 2.0]}, r'position: expected 3 numbers X Y Z, got 2: \(1.0, 2.0\)'),
        ({'position': '1 2 3'}, "position: expected an array of float, got '1 2 3'"),
        ({'position': ['1', '2', '3']}, 'position: expected an array of float'),
        ({'names': ['eve']}, r"names: expected some of \('ann', 'bob'\), got \('eve',\)"),
    ],
)
def test_a_wrong_array_is_refused(bench: Bench, given: dict[str, Any], match: str) -> None:
    """At the start, with the name."""
    node = rclpy.create_node('given', parameter_overrides=[Parameter(name, value=it) for name, it in given.items()])
    with pytest.raises(ValueError, match=match):
        Parameters(node, Arrays)
    node.destroy_node()


def test_arrays_are_read_from_a_file_of_parameters(bench: Bench, tmp_path: Path) -> None:
    """As `hoigen up` writes it; whole numbers are floats, an empty list is none."""
    file = tmp_path / 'parameters.yaml'
    file.write_text('/**:\n  ros__parameters: {position: [1, 2, 3], names: []}\n')
    node = rclpy.create_node('from_file', cli_args=['--ros-args', '--params-file', str(file)])
    assert Parameters(node, Arrays).value == Arrays((1.0, 2.0, 3.0), ())
    node.destroy_node()
