"""``hoigen generate``: simulated or recorded scenes -> episodes with generated video, without ROS."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.progress import track

from hoigen.episodes import EpisodeError, episode_folder, find_bags, write_episode
from hoigen.episodes.bags import REJECTED, made_folder
from hoigen.episodes.report import write_report
from hoigen.records import Episode
from hoigen.run_settings import RUN_FILE, begin, settings_of
from hoigen.sources.mujoco import MujocoConfig
from hoigen.video.configuration import read_config
from hoigen.video.faithful import NothingInView
from hoigen.video.make import EpisodeSpec, make_episodes
from hoigen.video.sampling import ACCEPTANCE, DEFAULT, Acceptance, Sampling
from hoigen.video.style import Style, StyleError
from hoigen.video.views import Consistency


@dataclass(frozen=True)
class GenerateConfig:
    """Writes one bag per episode, as `hoigen up sim_to_video` does, and report.html with preview.mp4 of them.

    An episode that is there already is kept, so a stopped run continues where it was; with other settings (run.json)
    it is refused. One of which no seed gives frames that may be kept is written as episode_NNNN.rejected, with the best
    try's, their fidelity and the reason: the report shows it, other verbs leave it out unless it is named. The exit
    status is 1 when every one is rejected, or one cannot be made. `hoigen episode export` makes arrays and videos.
    """

    episodes: int = 3
    """Simulated episodes to make."""
    seed: int = 0
    """Everything random is derived from it and the episode's number."""
    model: str = 'tiny'
    """Model that generates; a name in config/models or the folder of a trained one."""
    frames: int | None = None
    """Frames of an episode, 4k+1; none: the model's, of a recorded clip all. Longer ones are made in windows."""
    task: str = 'any'
    """Interaction to simulate, or any."""
    shape: str = 'any'
    """Object to simulate, or any."""
    camera: tuple[str, ...] = ('front',)
    """Camera to render from; several see the same scene, give an episode_NNNN_CAMERA each and are compared."""
    clips: tuple[Path, ...] = ()
    """In place of simulated scenes, recorded ones: bags, their .mcap files, or folders that hold bags at any depth."""
    out: Path = Path('out/clips')
    """Folder for bags and report."""
    sampling: Sampling = DEFAULT
    """How to sample."""
    acceptance: Acceptance = ACCEPTANCE
    """Which clips are kept."""
    style: Annotated[Style, tyro.conf.arg(name='')] = field(default_factory=Style)
    """How the video looks."""

    def __post_init__(self) -> None:
        if self.frames is not None and self.frames % 4 != 1:
            raise ValueError(f'frames: expected 4k+1, got {self.frames}')
        if not self.camera or len(set(self.camera)) != len(self.camera):
            raise ValueError(f'camera: expected one or several names, each once, got {self.camera}')


def generate(config: GenerateConfig) -> int:
    """Write the episodes that are not there yet, and the report; 0, or 1 when every one is rejected."""
    jobs = _recorded(config) if config.clips else _simulated(config)
    settings = {'job': 'generate'} | settings_of(config, without=('out', 'episodes', 'clips'))
    begin(config.out / RUN_FILE, settings, made=any(config.out.glob('*/*.mcap')))
    not_made = 0
    for folders, spec in track(jobs, description='episodes'):
        if all(map(made_folder, folders)):
            continue
        try:
            episodes = make_episodes(spec)
        except (EpisodeError, StyleError, NothingInView) as error:
            print(f'{folders[0].name} not generated: {error}')
            not_made += 1
            continue
        for folder, episode in zip(folders, episodes, strict=True):
            if not made_folder(folder):  # that of another camera, before the run was stopped
                write_episode(folder, episode)
        _print_result(folders[0].name, episodes[0])
    made = [there for folders, _ in jobs if (there := made_folder(folders[0]))]
    rejected = sum(there.name.endswith(REJECTED) for there in made)
    if made:
        print(write_report(config.out))
    print(
        f'{len(made) - rejected} episodes in {config.out}'
        + (f', {rejected} rejected' if rejected else '')
        + (f', {not_made} not generated' if not_made else '')
    )
    return 1 if not_made or rejected == len(made) else 0


def _print_result(name: str, episode: Episode) -> None:
    if episode.rejected is not None and episode.status is not None:
        print(f'{name} rejected: {episode.status.reason}')
    elif episode.generated is not None and (found := episode.generated.provenance.config.get('consistency')):
        print(f'{name}: {Consistency(**found)}')


def _simulated(config: GenerateConfig) -> list[tuple[list[Path], EpisodeSpec]]:
    """The folders of each episode, and what it is."""
    scene = MujocoConfig(
        frames=config.frames or read_config(config.model).frames,
        task=config.task,
        shape=config.shape,
        camera=config.camera[0],
    )
    jobs = []
    for number in range(config.episodes):
        folder = episode_folder(config.out, number)
        several = len(config.camera) > 1
        folders = [folder.with_name(f'{folder.name}_{camera}') if several else folder for camera in config.camera]
        spec = EpisodeSpec(
            scene,
            number,
            config.seed,
            config.camera,
            model=config.model,
            sampling=config.sampling,
            acceptance=config.acceptance,
            styles=tuple(config.style.of(folder.name) for folder in folders),
        )
        jobs.append((folders, spec))
    return jobs


def _recorded(config: GenerateConfig) -> list[tuple[list[Path], EpisodeSpec]]:
    try:
        found = find_bags(config.clips)
    except EpisodeError as error:
        raise ValueError(f'clips: {error}{"".join(map(_without_clips, config.clips))}') from error
    read_config(config.model)
    return [
        (
            [config.out / bag.name],
            EpisodeSpec(
                bag.path,
                seed=config.seed,
                frames=config.frames,
                model=config.model,
                sampling=config.sampling,
                acceptance=config.acceptance,
                styles=(config.style.of(bag.label),),
            ),
        )
        for bag in found
    ]


def _without_clips(given: Path) -> str:
    """Of an extraction without bags, why its stretches are no clips."""
    from hoigen.perception.extract import reason_of

    why = Counter(filter(None, map(reason_of, given.glob('clip_*.npz'))))
    return ''.join(
        f'; {given}: an extraction without a clip of {number} stretches: {reason}' for reason, number in why.items()
    )
