"""Rooms import only downwards, and only the ROS room knows ROS. Read from the source, so that no import is missed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2] / 'hoigen'
FLOOR = {
    'conventions': 0,
    'records': 0,
    'geometry': 0,
    'resources': 0,
    'whole_files': 0,
    'provenance': 0,
    'messages': 0,
    'untrusted': 0,
    'weights': 0,
    'notices': 0,
    'compiling': 0,
    '__init__': 0,
    'training': 1,
    'models': 1,
    'look': 1,
    'sources': 1,
    'perception': 1,
    'conditioning': 1,
    'engines': 1,
    'metrics': 1,
    'episodes': 1,
    'video': 2,
    'editing': 2,
    'cli': 3,
    '__main__': 3,
    'ros': 3,
}
ROS = re.compile(
    r'^(rclpy|rcl_interfaces|builtin_interfaces|tf2_ros|rosidl_\w+|\w+_msgs|'
    r'hoigen\.(msg|action|srv))(\.|$)'
)


def imported(source: str) -> list[tuple[int, str]]:
    """(line, module) of every import in a file, wherever it stands."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'line {node.lineno}: relative import'
            found += [(node.lineno, f'{node.module}.{alias.name}') for alias in node.names]
    return found


def faults(room: str, source: str) -> list[str]:
    """What a file of ``room`` imports that it must not."""
    wrong = []
    for line, module in imported(source):
        if ROS.match(module) and room != 'ros':
            wrong.append(f'line {line}: {module} is ROS, outside hoigen/ros')
        if module.split('.')[0] == 'numba' and room != 'compiling':
            wrong.append(f'line {line}: numba is imported from hoigen.compiling, which announces what it compiles')
        parts = module.split('.')
        if (
            parts[0] == 'hoigen'
            and len(parts) > 1
            and not ROS.match(module)
            and (parts[1] in FLOOR and FLOOR[parts[1]] > FLOOR[room])
        ):
            wrong.append(f'line {line}: {module} is a floor above {room}')
    return wrong


def files() -> list[Path]:
    return sorted(HOUSE.rglob('*.py'))


@pytest.mark.parametrize('path', files(), ids=lambda path: str(path.relative_to(HOUSE)))
def test_imports(path: Path) -> None:
    """No upward import, no rclpy or messages outside ``ros``: the core runs where there is no ROS."""
    room = path.relative_to(HOUSE).parts[0].removesuffix('.py')
    assert room in FLOOR, f'{room}: a new room, give it a floor'
    assert not faults(room, path.read_text())


@pytest.mark.parametrize(
    ('room', 'line'),
    [
        ('geometry', 'from hoigen.conditioning import build_clip'),
        ('video', 'import rclpy'),
        ('episodes', 'def f():\n    from sensor_msgs.msg import Image'),
        ('sources', 'from hoigen.msg import MeshFrame'),
        ('geometry', 'import numba'),
        ('conditioning', 'from hoigen import video'),
        ('metrics', 'import hoigen.ros.convert'),
    ],
)
def test_the_lint_fires(room: str, line: str) -> None:
    """The check sees what it must refuse, also inside a function."""
    assert faults(room, line)


@pytest.mark.parametrize(
    ('room', 'line'),
    [
        ('ros', 'from rclpy.node import Node'),
        ('conditioning', 'from hoigen.records import Clip'),
        ('video', 'from hoigen.conditioning import build_clip'),
        ('episodes', 'import numpy'),
    ],
)
def test_the_lint_lets_through(room: str, line: str) -> None:
    """Downward imports and ROS in its own room are right."""
    assert not faults(room, line)
