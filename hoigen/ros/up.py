"""``hoigen up``: run a graph of nodes as processes until its episodes are recorded, then make the report."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import yaml
from rich.console import Console

from hoigen.ros import dds
from hoigen.ros.graph import SOURCES, Value, load_graph
from hoigen.ros.processes import NODE_COMMAND, NodeFailed, NodeProcesses, interrupt_once
from hoigen.ros.progress import ProgressDisplay, conclude
from hoigen.video.faithful import ACCEPTANCE
from hoigen.video.sampling import CONDITIONS

if TYPE_CHECKING:
    from hoigen.ros.conductor import Progress

INTERRUPTED = 130


@dataclass(frozen=True)
class UpConfig:
    """A job. Its settings are the arguments of the graph's description, but for those after ``out``."""

    graph: ClassVar[str]
    """The graph that runs: a name in config/graphs."""

    seed: int = 0
    """Everything random is derived from it and the episode's number."""
    out: Path = Path('out/demo')
    """Folder for bags, report and logs; episodes that are in it stay, new ones are numbered on."""
    namespace: str = ''
    """ROS namespace of the nodes."""
    log_level: Literal['debug', 'info', 'warn', 'error'] = 'info'
    """Least severity of what the nodes log."""
    use_sim_time: bool = True
    """Whether the nodes take the time from /clock."""

    def arguments(self) -> dict[str, Any]:
        """The values of the graph's arguments."""
        names = load_graph(self.graph).arguments.keys() - {'output'}
        values = {name: getattr(self, name) for name in names} | {'output': self.out}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


@dataclass(frozen=True, kw_only=True)
class GeneratedConfig(UpConfig):
    """How video is generated."""

    model: str = 'tiny'
    """Model that generates the video; a name in config/models or the folder of a trained one."""
    conditions: str = ' '.join(CONDITIONS)
    """What the model reads of the scene beside its first picture; none at all is the backbone alone."""
    strength: float = 1.0
    """Scale of what the conditions add."""
    min_fidelity: float = ACCEPTANCE.min_fidelity
    """A clip whose mean fidelity is below it is rejected and the next seed drawn; 0 keeps every clip."""
    tries: int = ACCEPTANCE.tries
    """Seeds that are drawn before an episode is given up; it is then recorded without generated frames."""


@dataclass(frozen=True, kw_only=True)
class EditedConfig(UpConfig):
    """What is put into the frames, and where; its frame has its front along +x and up along +z."""

    object: str = 'mug'
    """What is put in: a mesh file (GLB, OBJ, PLY, STL) or one of the simulator's shapes."""
    scale: float = 1.0
    """Metres for one unit of the mesh file; millimetres: 0.001."""
    size: str = ''
    """In place of a mesh, how large the object is along its x, y and z, in metres; then pictures are needed."""
    pictures: str = ''
    """Pictures of the object alone on white, separated by colons; of a mesh, its look is drawn where there are none."""
    caption: str = ''
    """The object in a few words; one of the simulator's shapes says its own."""
    at: str = ''
    """Place of the object's origin, x y z in metres in FRAME; edit/pose moves it on."""
    turn: str = ''
    """Its rotation about z, y and x in FRAME: yaw pitch roll in degrees."""
    look: str = ''
    """In place of turn, how the camera sees it: azimuth, elevation and clockwise rotation in degrees."""
    frame: Literal['world', 'camera'] = 'world'
    """World, or the optical frame of an episode's first camera: x right, y down, z forward."""
    trajectory: str = ''
    """In place of at, turn and look, a file of poses over the time of an episode: CSV (t x y z qw qx qy qz) or TUM."""
    model: str = 'insertion-tiny'
    """Model that edits; a name in config/editing or the folder of a trained one."""
    steps: int = 0
    """Denoising steps; 0 takes what the model says."""


@dataclass(frozen=True, kw_only=True)
class PacedConfig(UpConfig):
    """How fast a source of hoigen's own goes."""

    rate: float = 0.0
    """Pace relative to real time; 0 is as fast as the source can."""


@dataclass(frozen=True, kw_only=True)
class SimulatedConfig(PacedConfig):
    """What is simulated."""

    episodes: int = 3
    """Episodes to make."""
    task: str = 'any'
    """Interaction to simulate, or any."""
    camera: str = 'front'
    """Camera to render from."""


@dataclass(frozen=True, kw_only=True)
class RecordedConfig(PacedConfig):
    """What is read, and how its geometry is found."""

    video: Path
    """Recording: a video file, a folder of frames, an RGB-D folder or a ROS bag."""
    frames: int = 17
    """Frames of a stretch, which becomes one clip; 4k+1."""
    frame_rate: float = 8.0
    """Frames taken for a second of the recording; 0 takes every one."""
    start: float = 0.0
    """Where to begin, in seconds after the first frame."""
    duration: float = 0.0
    """Seconds to take; 0 goes to the end."""
    width: int = 0
    """Width of the pictures that are looked at; 0 leaves the recording its aspect, at most 640 wide."""
    height: int = 0
    """Height of the pictures; 0 where width is."""
    calibration: str = ''
    """File with the camera's K; empty takes the recording's own."""
    task: str = ''
    """What is done in the recording, in a sentence."""
    masks: str = 'auto'
    """What finds hand and object: motion, sam2, or auto, which is sam2 where its weights have been fetched."""
    boxes: str = 'motion'
    """What sam2 starts from: motion, rtdetr, dfine or grounding-dino."""
    geometry: str = 'auto'
    """Where point maps come from: depth, vggt, or auto, which is depth where the recording has any, else vggt."""
    tracker: str = 'flow'
    """What follows points: flow or vggt."""


@dataclass(frozen=True, kw_only=True)
class SimToVideoConfig(GeneratedConfig, SimulatedConfig):
    """Simulated hand-object scenes, and generated video of them with their labels, one bag for each episode."""

    graph: ClassVar[str] = 'sim_to_video'


@dataclass(frozen=True, kw_only=True)
class VideoToVideoConfig(GeneratedConfig, RecordedConfig):
    """A recording, the 3D conditions that are found in it, and generated video of them, one bag for each stretch."""

    graph: ClassVar[str] = 'video_to_video'
    out: Path = Path('out/video')
    """Folder for bags, report and logs; episodes that are in it stay, new ones are numbered on."""


@dataclass(frozen=True, kw_only=True)
class PoseEditConfig(EditedConfig, SimulatedConfig):
    """Simulated hand-object scenes with an object put into every frame at a 6DoF pose, and labels that are true of the
    edited frames, one bag for each episode."""

    graph: ClassVar[str] = 'pose_edit'
    at: str = '0.13 0.03 0.05'
    """Place of the object's origin, x y z in metres in FRAME (the table's top is z = 0); edit/pose moves it on."""
    out: Path = Path('out/edit')
    """Folder for bags, report and logs; episodes that are in it stay, new ones are numbered on."""


@dataclass(frozen=True, kw_only=True)
class PoseEditVideoConfig(EditedConfig, RecordedConfig):
    """A recording with an object put into every frame at a 6DoF pose, and labels that are true of the edited frames,
    one bag for each stretch."""

    graph: ClassVar[str] = 'pose_edit_video'
    frame: Literal['world', 'camera'] = 'camera'
    """World, or the optical frame of a stretch's first camera: x right, y down, z forward."""
    out: Path = Path('out/edit_video')
    """Folder for bags, report and logs; episodes that are in it stay, new ones are numbered on."""


@dataclass(frozen=True, kw_only=True)
class ConditionsConfig(SimulatedConfig):
    """Simulated hand-object scenes with their 3D conditions and labels, one bag for each episode, without generated
    video."""

    graph: ClassVar[str] = 'conditions'
    out: Path = Path('out/conditions')
    """Folder for bags, report and logs; episodes that are in it stay, new ones are numbered on."""


@dataclass(frozen=True, kw_only=True)
class OwnSourceConfig(GeneratedConfig):
    """A scene that a source of your own publishes (docs/your_source.md), and generated video of it with its labels, one
    bag for each episode."""

    graph: ClassVar[str] = 'own_source'
    episodes: int = 0
    """Episodes to record before the job ends; 0 goes on until it is interrupted."""
    input_reliability: Literal['reliable', 'best_effort'] = 'reliable'
    """What the nodes ask of the source's publishers; best effort may lose frames."""
    use_sim_time: bool = False
    """Whether the nodes take the time from /clock; then your source must publish it."""
    out: Path = Path('out/own')
    """Folder for bags, report and logs; episodes that are in it stay, yours need other numbers."""


def run(config: UpConfig, node_command: Sequence[str] = NODE_COMMAND) -> int:
    """Run the job; 0 when it is done, 1 when a node failed or nothing was recorded, 130 when interrupted."""
    console = Console(highlight=False, markup=False)
    parameters = load_graph(config.graph).parameters(config.arguments())
    try:
        from hoigen.ros.refusals import refuse_wrong  # rclpy: only a job needs it, `hoigen up --help` does not
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f'expected ROS 2 and the built messages of hoigen, got {error}; source install/setup.bash, '
            'in a ROS 2 workspace where hoigen is built'
        ) from error
    refuse_wrong(parameters, config.namespace)
    interrupt_once()
    dds.remove_leftovers()
    os.environ.update(dds.environment(len(parameters) + 1))
    logs = config.out / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    nodes = NodeProcesses(logs, node_command)
    progress = None
    try:
        _start(nodes, parameters, config)
        progress = _conduct(nodes, list(parameters), config, console)
    except NodeFailed as error:
        _explain(error, nodes, console)
        status = 1
    except KeyboardInterrupt:
        console.print('interrupted: stopping the nodes, closing the bags')
        status = INTERRUPTED
    finally:
        _stop(nodes, console)
    if progress is not None:
        try:
            status = conclude(progress, config.out, console)
        except KeyboardInterrupt:
            console.print(f'interrupted: hoigen report {config.out} makes the report', markup=False, soft_wrap=True)
            status = INTERRUPTED
    _print_results(config.out, console)
    return status


def _start(nodes: NodeProcesses, parameters: Mapping[str, Mapping[str, Value]], config: UpConfig) -> None:
    """Start every node with its parameters, which stay to be read in the folder of the logs."""
    file = config.out / 'logs' / 'parameters.yaml'
    file.write_text(
        yaml.safe_dump(
            {
                f'/**/{node}': {'ros__parameters': {**values, 'use_sim_time': _simulated(node, config)}}
                for node, values in parameters.items()
            }
        )
    )
    arguments = [
        '--ros-args',
        '-r',
        f'__ns:=/{config.namespace.strip("/")}',
        '--params-file',
        str(file),
        '--log-level',
        config.log_level,
        '--disable-external-lib-logs',
    ]
    environment = os.environ | {'RCUTILS_COLORIZED_OUTPUT': '0', 'RCUTILS_LOGGING_BUFFERED_STREAM': '0'}
    for node in parameters:
        nodes.start(node, arguments, environment)


def _simulated(node: str, config: UpConfig) -> bool:
    """The node that publishes the time cannot take it from itself."""
    return config.use_sim_time and node not in SOURCES


def _conduct(nodes: NodeProcesses, names: Sequence[str], config: UpConfig, console: Console) -> Progress:
    """Where the job stands at its end."""
    from hoigen.ros.conductor import Conductor

    console.print(f'starting {", ".join(names)}; logs in {config.out / "logs"}', markup=False, soft_wrap=True)
    with Conductor(names, config.namespace, nodes.check) as conductor:
        conductor.bring_up()
        with ProgressDisplay(console) as display:
            planned = config.episodes if isinstance(config, OwnSourceConfig) else 0  # other sources say so themselves
            return conductor.follow(display.show, planned)


def _explain(error: NodeFailed, nodes: NodeProcesses, console: Console) -> None:
    console.print(f'hoigen up: {error}', style='bold red', markup=False, soft_wrap=True)
    if nodes.log(error.node).is_file():
        console.print(
            f'the last lines of {nodes.log(error.node)}:\n{nodes.last_lines(error.node)}', markup=False, soft_wrap=True
        )


def _stop(nodes: NodeProcesses, console: Console) -> None:
    """End the nodes; nothing may interrupt that, it has a deadline of its own."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    for node in nodes.stop():
        console.print(f'{node} did not end when asked and was killed', markup=False, soft_wrap=True)
    dds.remove_leftovers()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _print_results(out: Path, console: Console) -> None:
    bags = sorted(path for path in out.glob('episode_*') if path.is_dir())
    for path in (*bags, out / 'report.html', out / 'preview.mp4'):
        if path.exists():
            console.print(str(path), markup=False, soft_wrap=True)
