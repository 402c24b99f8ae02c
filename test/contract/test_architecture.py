"""Rooms import only downwards, and only the ROS room knows ROS. Read from the source, so that no import is missed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / 'hoigen'
TEXT = (ROOT / 'ARCHITECTURE.md').read_text()
ROOT_MODULES = {
    'conventions',
    'notices',
    'resources',
    'whole_files',
    'compiling',
    'provenance',
    'run_settings',
    '__init__',
}
OF_ROOT = {'compiling': {'notices'}, 'provenance': {'records'}, 'run_settings': {'whole_files'}}
"""What root modules may import; every room may import them."""
ENTRY = {'cli', '__main__'}
"""They may import every room."""


def arrows(name: str = '') -> dict[str, set[str]]:
    """The allowed arrows of ARCHITECTURE.md, between rooms or inside the one called ``name``."""
    [block] = re.findall(rf'^```{f"arrows {name}".strip()}\n(.*?)^```', TEXT, re.DOTALL | re.MULTILINE)
    return {part: set(others.split()) for part, _, others in (line.partition(':') for line in block.splitlines())}


ROOMS = arrows()
INSIDE = {name: arrows(name) for name in ('models', 'editing', 'perception')}
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


def faults(path: str, source: str) -> list[str]:
    """What a file, named by its path in the package without suffix, imports that it must not."""
    room, *inner = path.split('/')
    wrong = []
    for line, module in imported(source):
        if ROS.match(module):
            if room != 'ros':
                wrong.append(f'line {line}: {module} is ROS, outside hoigen/ros')
            continue
        if module.split('.')[0] == 'numba' and room != 'compiling':
            wrong.append(f'line {line}: numba is imported from hoigen.compiling, which announces what it compiles')
        package, *parts = module.split('.')
        if package != 'hoigen' or not parts or room in ENTRY:
            continue
        if parts[0] == room and room in INSIDE and len(parts) > 1 and inner and parts[1] in INSIDE[room]:
            if inner[0] not in ('__init__', parts[1]) and parts[1] not in INSIDE[room][inner[0]]:
                wrong.append(f'line {line}: {room}/{inner[0]} must not import {module}')
        elif parts[0] != room and parts[0] not in (
            OF_ROOT.get(room, set()) if room in ROOT_MODULES else ROOMS[room] | ROOT_MODULES
        ):
            wrong.append(f'line {line}: {room} must not import {module}')
    return wrong


def files() -> list[Path]:
    return sorted(HOUSE.rglob('*.py'))


@pytest.mark.parametrize('path', files(), ids=lambda path: str(path.relative_to(HOUSE)))
def test_imports(path: Path) -> None:
    """Only arrows of ARCHITECTURE.md, no rclpy or messages outside ``ros``: the core runs where there is no ROS."""
    name = path.relative_to(HOUSE).with_suffix('').as_posix()
    room, *inner = name.split('/')
    assert room in ROOMS.keys() | ROOT_MODULES | ENTRY, f'{room}: a new room, give it its arrows in ARCHITECTURE.md'
    if room in INSIDE and inner[0] != '__init__':
        assert inner[0] in INSIDE[room], f'{name}: a new part, give it its arrows in ARCHITECTURE.md'
    assert not faults(name, path.read_text())


@pytest.mark.parametrize('rooms', [ROOMS, *INSIDE.values()], ids=['rooms', *INSIDE])
def test_the_arrows_go_down_only(rooms: dict[str, set[str]]) -> None:
    """A line names only what stands above it in the list: there is no circle."""
    known: set[str] = set()
    for room, others in rooms.items():
        assert others <= known, f'{room}: {others - known}'
        known.add(room)


def test_every_arrow_is_used() -> None:
    """An arrow that no import needs would let one in unseen."""
    used: dict[str, set[str]] = {room: set() for room in ROOMS}
    inside = {name: {part: set[str]() for part in parts} for name, parts in INSIDE.items()}
    for path in files():
        room, *inner = path.relative_to(HOUSE).with_suffix('').as_posix().split('/')
        for _, module in imported(path.read_text()):
            package, *parts = module.split('.')
            if package == 'hoigen' and parts and room in ROOMS and parts[0] in ROOMS and parts[0] != room:
                used[room].add(parts[0])
            if package == 'hoigen' and len(parts) > 1 and parts[0] == room in INSIDE and inner[0] in INSIDE[room]:
                inside[room][inner[0]].add(parts[1])
    assert {room: others - used[room] for room, others in ROOMS.items() if others - used[room]} == {}
    for name, parts in INSIDE.items():
        assert {
            part: others - inside[name][part] for part, others in parts.items() if others - inside[name][part]
        } == {}


@pytest.mark.parametrize(
    ('path', 'line'),
    [
        ('geometry/camera', 'from hoigen.conditioning import build_clip'),
        ('video/model', 'import rclpy'),
        ('episodes/reader', 'def f():\n    from sensor_msgs.msg import Image'),
        ('sources/mujoco/scene', 'from hoigen.msg import MeshFrame'),
        ('geometry/raster', 'import numba'),
        ('conditioning/builder', 'from hoigen import video'),
        ('metrics/image', 'import hoigen.ros.convert'),
        ('whole_files', 'from hoigen.records import Clip'),
        ('editing/clips/edit', 'from hoigen.editing.flux_insertion.inserter import load_inserter'),
        ('perception/masks/motion', 'import hoigen.perception.tracking.tracks'),
        ('models/hub/store', 'from hoigen.models.configuration import CONFIG'),
    ],
)
def test_the_lint_fires(path: str, line: str) -> None:
    """The check sees what it must refuse, also inside a function."""
    assert faults(path, line)


@pytest.mark.parametrize(
    ('path', 'line'),
    [
        ('ros/convert', 'from sensor_msgs.msg import Image'),
        ('video/model', 'from hoigen.conditioning import build_clip'),
        ('video/model', 'from hoigen.video.generator import Generator'),
        ('geometry/raster', 'from hoigen.compiling import numba'),
        ('editing/commands/verbs', 'from hoigen.editing.clips.edit import edit_clip'),
    ],
)
def test_the_lint_lets_through(path: str, line: str) -> None:
    assert not faults(path, line)
