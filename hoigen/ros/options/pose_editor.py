"""Options of pose_editor."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hoigen.messages import topics
from hoigen.ros.declare import AwaitsReaders, ReadsStreams, Seeded, param, refuse_missing

if TYPE_CHECKING:
    from hoigen.geometry.trajectory import PoseOptions

NEEDED = (topics.CAMERA_INFO.name, topics.IMAGE.name)
DEPTHS = (topics.DEPTH.name, topics.CONDITION_DEPTH.name)
"""Where depth comes from: the first of them that is there."""
TRACKS = topics.TRACKS.name
"""Its points name the frame that condition/depth is of."""
OPTIONAL = (topics.CAMERA_POSE.name, topics.LABELS.name)
INPUTS = (*DEPTHS, TRACKS, *NEEDED, *OPTIONAL)
"""What a frame may consist of."""


def choose_inputs(published: Set[str]) -> tuple[str, ...]:
    """What a frame consists of when these topics are published; () where that is not enough for one."""
    depth = next((name for name in DEPTHS if name in published), None)
    if depth is None:
        return ()
    more = (TRACKS, *OPTIONAL) if depth == DEPTHS[1] else OPTIONAL
    return (depth, *NEEDED, *(name for name in more if name in published))


@dataclass(frozen=True)
class PoseEditorOptions(AwaitsReaders, ReadsStreams, Seeded):
    """Which object is put into the frames, at which pose, and by which model."""

    object: str = param(
        'mug',
        "What is put in: a mesh file (GLB, glTF, OBJ, PLY, STL; front +x, up +z) or one of the simulator's shapes.",
    )
    scale: float = param(1.0, 'Metres per unit of the mesh file; millimetres: 0.001.', low=1e-6, high=1000.0)
    size: tuple[float, ...] = param(
        (), 'In place of a mesh, extent of the object along its axes; then images are needed.', unit='m', items='X Y Z'
    )
    images: tuple[str, ...] = param((), 'Images of the object alone on white; without any a mesh is rendered.')
    caption: str = param('', "The object in a few words; one of the simulator's shapes has its own.")
    position: tuple[float, ...] = param(
        (),
        "Position of the object's origin in FRAME; edit/pose moves it on. On the simulator's table z is 0.",
        unit='m',
        items='X Y Z',
    )
    rotation_ypr: tuple[float, ...] = param(
        (), 'Its rotation about the z, y and x axes of FRAME.', unit='degrees', items='YAW PITCH ROLL'
    )
    view_angles: tuple[float, ...] = param(
        (),
        'In place of rotation-ypr, how the camera sees it; ROTATION is clockwise.',
        unit='degrees',
        items='AZIMUTH ELEVATION ROTATION',
    )
    frame: str = param(
        'world',
        "Of position, rotation-ypr and trajectory; camera is an episode's first (x right, y down, z forward).",
        choices=('world', 'camera'),
    )
    trajectory: str = param(
        '',
        'In place of a pose, a file of poses over an episode: CSV (t x y z qw qx qy qz) or TUM.',
        read_only=True,
    )
    model: str = param('insertion-tiny', 'Model that edits; a name in config/editing or the folder of a trained one.')
    steps: int = param(0, 'Denoising steps; 0 takes what the model says.', low=0, high=1000)
    automatic: bool = param(True, 'Edit every frame for which there is a pose.')
    unedited: bool = param(
        False,
        'Publish a frame in which the object cannot be placed as it is, with visibility 0; else it is left out; true '
        'asks for a pose by parameters.',
    )
    inputs: tuple[str, ...] = param(
        ('auto',),
        'Topics of which a frame consists; auto takes those that are published, topics named beside auto are expected '
        'before their publisher is discovered.',
        choices=('auto', *INPUTS),
    )
    keep: int = param(16, 'Frames that are kept for the edit_pose action.', low=1, high=1000)
    queue: int = param(
        1, 'Frames that may wait; when one more comes the oldest is dropped.', low=1, high=10_000, read_only=True
    )
    waiting: int = param(512, 'Frames that may wait for their parts; further ones are refused.', low=1, high=100_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pose()
        if 'auto' not in self.inputs and set(choose_inputs(set(self.inputs))) != set(self.inputs):
            raise ValueError(
                f'inputs: expected auto or {" and ".join(NEEDED)}, one depth of {DEPTHS}, and what else there is, '
                f'got {self.inputs}'
            )

    def pose(self) -> PoseOptions | None:
        """The pose that the parameters give, None if none."""
        from hoigen.geometry.trajectory import PoseOptions  # scipy: not for help

        frame: Any = self.frame
        if self.trajectory:
            return PoseOptions(frame=frame, trajectory=Path(self.trajectory))
        given: dict[str, Any] = {
            name: value for name in ('position', 'rotation_ypr', 'view_angles') if (value := getattr(self, name))
        }
        return PoseOptions(**given, frame=frame) if given else None

    def check(self) -> None:
        from hoigen.editing.flux.configuration import read_config  # not for help
        from hoigen.editing.meshes.things import made_thing

        read_config(self.model)
        if not self.size and not Path(self.object).suffix:
            made_thing(self.object, self.seed)
        refuse_missing(trajectory=self.trajectory, object=self.object if Path(self.object).suffix else '')
        for image in self.images:
            refuse_missing(images=image)
