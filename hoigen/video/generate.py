"""Generate clips without ROS, of simulated scenes or recorded ones: pictures to look at, and arrays with the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip, pasted_baseline, window
from hoigen.episodes import EpisodeError, find_bags, load_clip
from hoigen.geometry.view import centre_view
from hoigen.look.movies import write_movie
from hoigen.provenance import provenance_to_json
from hoigen.records import Clip, GeneratedClip
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.video.configuration import read_config
from hoigen.video.faithful import FidelityTooLow, first_accepted
from hoigen.video.sampling import ACCEPTANCE, DEFAULT, Acceptance, Sampling
from hoigen.video.views import consistency, view_conditions
from hoigen.whole_files import whole_file

if TYPE_CHECKING:
    from hoigen.video.generator import Generator


@dataclass(frozen=True)
class GenerateConfig:
    """For each episode, EPISODE.mp4 (scene | coloured points | generated) and EPISODE.npz (frames, labels, provenance).

    An episode that is there already is kept, so a stopped run goes on where it was. An episode of which no seed gives
    clips that may be kept is not written, and the exit status is 1 when none is; so it is when a bag cannot be read.
    """

    episodes: int = 3
    """Simulated episodes to generate; each bag of `--clips` is one episode instead."""
    seed: int = 0
    """Base of the seeds: episode N of seed S is drawn with 10000 S + N."""
    model: str = 'tiny'
    """Model that generates; a name in config/models or the folder of a trained one."""
    frames: int | None = None
    """Frames of a clip, 4k+1; none: the model's. Longer clips are made in windows."""
    task: str = 'any'
    """Task of the simulated episodes; a name, or 'any', drawn for each."""
    shape: str = 'any'
    """Shape of the simulated object; a name, or 'any', drawn for each episode."""
    camera: tuple[str, ...] = ('front',)
    """Simulated cameras; several see the same episode, write EPISODE_CAMERA files and are compared."""
    clips: tuple[Path, ...] = ()
    """Recorded clips to render instead of simulated ones: bags, .mcap files, or folders with bags at any depth."""
    out: Path = Path('out/clips')
    """Folder of the videos and arrays."""
    sampling: Sampling = DEFAULT
    """How to sample."""
    acceptance: Acceptance = ACCEPTANCE
    """Which clips are kept."""

    def __post_init__(self) -> None:
        if self.frames is not None and self.frames % 4 != 1:
            raise ValueError(f'frames: expected 4k+1, got {self.frames}')
        if not self.camera or len(set(self.camera)) != len(self.camera):
            raise ValueError(f'camera: expected one or several names, each once, got {self.camera}')


@dataclass(frozen=True, eq=False)
class _Episode:
    """One scene. make: its clips, one for each file of ``paths``, and what they are of."""

    name: str
    paths: list[Path]
    seed: int
    make: Callable[[], tuple[list[Clip], str]]


def generate(config: GenerateConfig) -> int:
    """Write the episodes that are not there yet; 0, or 1 when every one was rejected."""
    frames = read_config(config.model).frames
    episodes = _recorded(config) if config.clips else _simulated(config, config.frames or frames)
    from hoigen.video.generator import load_generator  # torch takes seconds: not for --help and wrong arguments

    generator = load_generator(config.model)
    config.out.mkdir(parents=True, exist_ok=True)
    rejected, unread = 0, 0
    for episode in track(episodes, description='episodes'):
        if all(path.exists() for path in episode.paths):
            continue
        try:
            _generate_views(generator, config, episode)
        except FidelityTooLow as error:
            print(f'{episode.name} rejected: {error}')
            rejected += 1
        except EpisodeError as error:
            print(f'{episode.name} not generated: {error}')
            unread += 1
    print(
        f'{len(episodes) - rejected - unread} episodes in {config.out}'
        + (f', {rejected} rejected' if rejected else '')
        + (f', {unread} not readable' if unread else '')
    )
    return 1 if unread or rejected == len(episodes) else 0


def _simulated(config: GenerateConfig, frames: int) -> list[_Episode]:
    source = MujocoSource(
        MujocoConfig(frames=frames, task=config.task, shape=config.shape, camera=config.camera[0], depth=False)
    )

    def make(seed: int) -> tuple[list[Clip], str]:
        views = source.views(seed, config.camera)
        return (
            [build_clip(view.assets, view.frames(), ConditioningConfig(seed=seed)) for view in views],
            f'mujoco {views[0].task} {views[0].shape} seed {seed}',
        )

    episodes = []
    for number in range(config.episodes):
        name, seed = f'episode_{number:04d}', config.seed * 10_000 + number
        paths = [config.out / f'{name}{f"_{camera}" if len(config.camera) > 1 else ""}.npz' for camera in config.camera]
        episodes.append(_Episode(name, paths, seed, partial(make, seed)))
    return episodes


def _recorded(config: GenerateConfig) -> list[_Episode]:
    """Recorded clips, each cut to the most frames, 4k+1, that it has."""

    def make(folder: Path) -> tuple[list[Clip], str]:
        clip = load_clip(folder)
        frames = min(config.frames or len(clip.stamps_ns), len(clip.stamps_ns))
        return [window(clip, 0, frames - (frames - 1) % 4)], f'recorded {folder.name}'

    try:
        found = find_bags(config.clips)
    except EpisodeError as error:
        raise ValueError(f'clips: {error}{"".join(map(_without_clips, config.clips))}') from error
    return [
        _Episode(bag.label, [config.out / f'{bag.name}.npz'], config.seed * 10_000 + n, partial(make, bag.path))
        for n, bag in enumerate(found)
    ]


def _without_clips(given: Path) -> str:
    """Of an extraction without bags, why its stretches are no clips."""
    from hoigen.perception.extract import reason_of

    why = Counter(filter(None, map(reason_of, given.glob('clip_*.npz'))))
    return ''.join(
        f'; {given}: an extraction without a clip of {number} stretches: {reason}' for reason, number in why.items()
    )


def _generate_views(generator: Generator, config: GenerateConfig, episode: _Episode) -> None:
    """Write one episode, a pair of files for each view; with several, print and record how well they agree."""
    from hoigen.video.generator import with_source

    clips, origin = episode.make()
    views = view_conditions(clips, width=generator.width, height=generator.height)

    def draw(drawn: int, _: int) -> list[GeneratedClip]:
        return [
            with_source(generator.generate(conditions, clip.labels, seed=drawn, sampling=config.sampling), origin)
            for conditions, clip in zip(views, clips, strict=True)
        ]

    made = first_accepted(draw, views, episode.seed, config.acceptance)
    scenes = [scene_pictures(clip, (generator.height, generator.width)) for clip in clips]
    if len(views) > 1:
        found = consistency([clip.frames for clip in made], scenes, views)
        print(f'{episode.name}: {found}')
        noted = {'cameras': list(config.camera), 'consistency': asdict(found)}
        made = [
            replace(clip, provenance=replace(clip.provenance, config=clip.provenance.config | noted)) for clip in made
        ]
    for path, scene, conditions, clip in zip(episode.paths, scenes, views, made, strict=True):
        pictures = np.concatenate([scene, pasted_baseline(conditions), clip.frames], axis=2)
        write_movie(path.with_suffix('.mp4'), pictures.repeat(2, 1).repeat(2, 2), clip.stamps_ns)
        _write_arrays(path, clip)


def scene_pictures(clip: Clip, size: tuple[int, int]) -> np.ndarray:
    """The source's frames at the generator's size (height, width)."""
    view = centre_view(clip.cameras[0], size[1], size[0])
    return np.stack([view.picture(rgb) for rgb in clip.rgb])


def _write_arrays(path: Path, made: GeneratedClip) -> None:
    """Everything that is true of the generated frames; the file appears whole or not at all."""
    labels = made.labels
    with whole_file(path) as file:
        np.savez_compressed(
            file,
            frames=made.frames,
            fidelity=made.fidelity.value,
            mask_fidelity=made.fidelity.mask,
            motion_fidelity=made.fidelity.motion,
            stamps_ns=made.stamps_ns,
            K=np.stack([c.K for c in made.cameras]),
            T_world_cam=np.stack([c.T_world_cam for c in made.cameras]),
            joint_names=np.array(labels[0].joint_names),
            joint_positions=np.stack([x.joint_positions for x in labels]),
            action=np.stack([x.action for x in labels]),
            T_world_object=np.stack([_known(x.T_world_object) for x in labels]),
            contact_force_n=np.array([x.contacts.forces_n.sum() for x in labels], np.float32),
            task=np.array(labels[0].task),
            provenance=np.array(provenance_to_json(made.provenance)),
        )


def _known(pose: np.ndarray | None) -> np.ndarray:
    """[4,4] float64, NaN where the pose is unknown."""
    return np.full((4, 4), np.nan) if pose is None else pose
