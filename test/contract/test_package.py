"""What the package says of itself is true: versions, interfaces, requirements, licences, contents, style."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ElementTree.parse(ROOT / 'package.xml').getroot()
CMAKE = (ROOT / 'CMakeLists.txt').read_text()
FILES = ('requirements.txt', 'requirements-ros.txt', 'requirements-dev.txt')
DEPENDS = {tag.text for kind in ('depend', 'exec_depend') for tag in PACKAGE.findall(kind)}
ROS_MODULES = {'rclpy', 'launch', 'launch_ros', 'ament_index_python'} | {
    name for name in DEPENDS if name and name.endswith(('_msgs', '_interfaces'))
}


def requirements(*files: str) -> dict[str, str]:
    """Distribution name -> pinned version of requirement files."""
    lines = [
        line for file in files for line in (ROOT / file).read_text().splitlines() if line and not line.startswith('#')
    ]
    pins = [re.fullmatch(r'([A-Za-z0-9_.-]+)(?:\[[a-z]+\])?==([^ ;]+)(?:; .+)?', line) for line in lines]
    assert all(pins), f'not pinned exactly: {[line for line, pin in zip(lines, pins, strict=True) if not pin]}'
    return {plain(pin[1]): pin[2] for pin in pins if pin}


def plain(distribution: str) -> str:
    return re.sub(r'[-_.]+', '-', distribution).lower()


def imports(path: Path) -> Iterator[str]:
    """Top-level names of the modules that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split('.')[0]


def foreign_imports(folders: tuple[str, ...]) -> dict[str, str]:
    """Module -> one file that imports it, for all that is neither Python's own nor the project's."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob('*.py'))]
    own = {'hoigen'} | {path.stem for folder in ('test', 'bench') for path in (ROOT / folder).rglob('*.py')}
    return {
        module: str(path.relative_to(ROOT))
        for path in files
        for module in imports(path)
        if module not in own | set(sys.stdlib_module_names)
    }


def test_package_xml_is_what_ros_reads() -> None:
    """colcon and rosdep find format 3, the build type, the interface group and the licence's text."""
    assert (PACKAGE.get('format'), PACKAGE.findtext('name')) == ('3', 'hoigen')
    assert PACKAGE.findtext('export/build_type') == 'ament_cmake'
    assert PACKAGE.findtext('member_of_group') == 'rosidl_interface_packages'
    licence = PACKAGE.find('license')
    assert licence is not None
    assert licence.text == 'Apache-2.0'
    assert 'Apache License' in (ROOT / licence.get('file', '')).read_text()


def test_one_version() -> None:
    """pip and ROS install the same version."""
    in_setup = re.search(r"version='([^']+)'", (ROOT / 'setup.py').read_text())
    assert in_setup is not None
    assert in_setup[1] == PACKAGE.findtext('version')


def test_every_interface_is_built() -> None:
    """A message that is not listed in CMakeLists.txt is not there, however well it is documented."""
    listed = set(re.findall(r'"((?:msg|action)/\w+\.(?:msg|action))"', CMAKE))
    assert listed == {f'{path.parent.name}/{path.name}' for path in (*ROOT.glob('msg/*'), *ROOT.glob('action/*'))}
    assert not (ROOT / 'hoigen/msg').exists(), 'a source folder hoigen/msg hides the generated package'


def test_every_folder_of_tests_is_run() -> None:
    """Apart, or with all others in one session, which starts and collects once."""
    [apart] = re.findall(r'set\(APART ([a-z ]+)\)', CMAKE)
    assert all(any((ROOT / 'test' / name).glob('test_*.py')) for name in apart.split())
    assert CMAKE.count('foreach(FOLDER ${APART})') == 2
    assert 'string(APPEND ignored " --ignore=${CMAKE_CURRENT_SOURCE_DIR}/test/${FOLDER}")' in CMAKE
    assert re.search(r'ament_add_pytest_test\(core test .*\$\{ignored\}', CMAKE)
    assert 'ament_add_pytest_test(${FOLDER} test/${FOLDER} ' in CMAKE


def test_unit_tests_lie_as_the_package_does() -> None:
    """Who changes a room finds its tests under the same name."""
    rooms = {path.parent.relative_to(ROOT / 'test/unit') for path in (ROOT / 'test/unit').rglob('test_*.py')}
    assert [str(room) for room in rooms if not (ROOT / 'hoigen' / room).is_dir()] == []


def test_every_node_executable_has_its_main() -> None:
    """`ros2 run hoigen <node>` starts the node, for each one that has options."""
    assert 'file(GLOB OPTIONS CONFIGURE_DEPENDS hoigen/ros/options/[a-z]*.py)' in CMAKE
    for options in (ROOT / 'hoigen/ros/options').glob('[a-z]*.py'):
        source = (ROOT / f'hoigen/ros/nodes/{options.name}').read_text()
        assert re.search(r'^def main\(', source, re.MULTILINE), options


@pytest.mark.parametrize(
    ('folders', 'files'), [(('hoigen',), FILES[:1]), (('bench',), FILES[:1]), (('test', 'launch'), FILES)]
)
def test_every_import_is_required(folders: tuple[str, ...], files: tuple[str, ...]) -> None:
    """What is imported is installed: by package.xml's dependencies if it is ROS's, else by a requirements file."""
    distributions = packages_distributions()
    required = requirements(*files)
    missing = {}
    for module, file in foreign_imports(folders).items():
        if module in ROS_MODULES:
            continue
        if not {plain(name) for name in distributions.get(module, [])} & required.keys():
            missing[module] = file
    assert not missing, f'imported, but neither in {files} nor a dependency in package.xml: {missing}'


def test_ros_imports_are_dependencies() -> None:
    """rosdep installs every ROS package that the code imports."""
    used = {
        module for module in foreign_imports(('hoigen', 'launch')) if module in ROS_MODULES or module.endswith('_msgs')
    }
    assert used <= DEPENDS


def test_no_requirement_is_under_gpl() -> None:
    """The project is Apache-2.0 and stays so: no direct requirement under the GPL or AGPL (the LGPL may be)."""
    checked, wrong = 0, {}
    for name in requirements(*FILES):
        try:
            about = metadata(name)
        except PackageNotFoundError:
            continue  # with a ROS installation its packages are not pip's
        licence = ' '.join(
            [
                about.get('License-Expression') or about.get('License') or '',
                *(c for c in about.get_all('Classifier') or [] if c.startswith('License')),
            ]
        )
        checked += 1
        if re.search(r'\bA?GPL|(?<!Lesser )General Public', licence.splitlines()[0] if licence else ''):
            wrong[name] = licence
    assert checked > 15
    assert not wrong


@pytest.mark.skipif(find_spec('setuptools') is None, reason='needs setuptools')
def test_wheel_holds_the_package_and_its_data(tmp_path: Path) -> None:
    """`pip install .` brings every module, the configuration, the message definitions and the weights."""
    for name in ('hoigen', 'config', 'msg', 'action'):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / 'hoigen/geometry/__pycache__').mkdir(exist_ok=True)
    (tmp_path / 'hoigen/geometry/__pycache__/raster.py311.nbc').touch()
    for name in ('setup.py', 'requirements.txt', 'LICENSE'):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run([sys.executable, 'setup.py', '-q', 'bdist_wheel'], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / 'dist').glob('hoigen-*.whl')
    inside = set(zipfile.ZipFile(wheel).namelist())
    shared = [
        f'hoigen/share/{path.relative_to(ROOT)}'
        for folder in ('config', 'msg', 'action')
        for path in (ROOT / folder).rglob('*')
        if path.is_file()
    ]
    source = [
        str(path.relative_to(ROOT))
        for path in (ROOT / 'hoigen').rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    ]
    missing = {*shared, *source} - inside
    assert not missing
    assert not [name for name in inside if name.startswith('hoigen/msg/') or '__pycache__' in name]


@pytest.mark.parametrize('script', [*ROOT.glob('scripts/*.sh'), ROOT / '.ci/run'], ids=lambda path: path.name)
def test_scripts_can_run(script: Path) -> None:
    """A script without its bit or with a syntax error stops a new user at the first command."""
    assert script.stat().st_mode & 0o111
    subprocess.run(['bash', '-n', script], check=True)


def test_set_up_knows_whether_the_simulator_can_draw() -> None:
    """The set-up installs OpenGL only where this check asks for it, and it follows the simulator's own code."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        [sys.executable, ROOT / 'scripts/check_opengl.py'],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env=os.environ | {'MUJOCO_GL': '', 'PYTHONPATH': path},
    )
    assert done.returncode in (0, 3), done.stderr
    assert done.returncode == 0 or 'libegl1' in done.stderr


@pytest.mark.parametrize('command', [('check', '--no-cache', '--output-format=concise'), ('format', '--check')])
def test_ruff_has_nothing_to_say(command: tuple[str, ...]) -> None:
    """The style that pyproject.toml sets holds for the whole tree."""
    pytest.importorskip('ruff', reason='pip install -r requirements-dev.txt')
    done = subprocess.run([sys.executable, '-m', 'ruff', *command, ROOT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
