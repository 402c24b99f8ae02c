"""One function makes the episodes of a specification: commands and tests call it, ``hoigen up`` streams its parts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hoigen.conditioning import build_episode, scene_images
from hoigen.episodes import EpisodeReader
from hoigen.episodes.bags import bag_name
from hoigen.records import Conditions, Episode, EpisodeState, EpisodeStatus, GeneratedClip
from hoigen.sources.mujoco import MujocoConfig, MujocoSource, first_stamp_ns
from hoigen.video.configuration import refuse_prompt
from hoigen.video.faithful import FidelityTooLow, clip_seed, first_accepted
from hoigen.video.sampling import ACCEPTANCE, DEFAULT, Acceptance, Sampling
from hoigen.video.style import Style
from hoigen.video.styled import Styled, styled
from hoigen.video.views import consistency, view_conditions

if TYPE_CHECKING:
    from hoigen.video.generator import Generator

__all__ = ['EpisodeSpec', 'make_episodes']


@dataclass(frozen=True)
class EpisodeSpec:
    """What an episode is made of, and how; equal specifications give equal frames.

    scene: the simulator's settings, or the bag of a recorded episode or clip. number: the simulated episode's, from 0.
    cameras: several names of a simulated scene's give an episode each; none is the one in ``scene``. frames: of a
    recorded scene, at most; it is cut to 4k+1. model: a name in config/models or a folder. styles: one for each camera,
    with files in place of folders (:meth:`Style.of`); none is the source's own.
    """

    scene: MujocoConfig | Path = field(default_factory=MujocoConfig)
    number: int = 0
    seed: int = 0
    cameras: tuple[str, ...] = ()
    frames: int | None = None
    model: str = 'tiny'
    sampling: Sampling = DEFAULT
    acceptance: Acceptance = ACCEPTANCE
    styles: tuple[Style, ...] = ()


def make_episodes(spec: EpisodeSpec) -> tuple[Episode, ...]:
    """One episode, or one for each camera, all of them accepted or rejected together.

    Of several tries that were rejected the best one is kept. Raises :class:`hoigen.episodes.EpisodeError` for a bag
    that cannot be read, :class:`NothingInView` for a scene that never shows hand or object, ``StyleError`` for a style
    that does not fit, and ``ModelError`` where weights are missing or text is not read.
    """
    for style in spec.styles:
        refuse_prompt(spec.model, style.prompt)
    generator = _generator(spec.model)
    scenes, source = _recorded(spec) if isinstance(spec.scene, Path) else _simulated(spec, spec.scene)
    clips = [scene.clip for scene in scenes]
    looks = [styled(clip, style) for clip, style in zip(clips, spec.styles or [Style()] * len(clips), strict=True)]
    views = view_conditions(looks, width=generator.width, height=generator.height, detail=generator.detailed)
    number = clips[0].labels[0].episode
    known: dict[str, Any] = {'episode': number, 'seed': spec.seed}

    def draw(drawn: int, _: int) -> list[GeneratedClip]:
        return [
            generator.generate(conditions, clip.labels, seed=drawn, sampling=spec.sampling)
            for conditions, clip in zip(views, clips, strict=True)
        ]

    reason = ''
    try:
        made = first_accepted(draw, views, clip_seed(spec.seed, number), spec.acceptance)
    except FidelityTooLow as error:
        made, reason = error.clips, str(error)
    if len(views) > 1:
        drawn = [view.drawn for view in views]
        true = [scene_images(clip, *view.image.shape[1::-1]) for clip, view in zip(clips, drawn, strict=True)]
        found = consistency([clip.frames for clip in made], true, drawn)
        known |= {'cameras': list(spec.cameras), 'consistency': asdict(found)}
    stamps = clips[0].stamps_ns
    state = EpisodeState.REJECTED if reason else EpisodeState.ACCEPTED
    status = EpisodeStatus('generate', number, state, (int(stamps[0]), int(stamps[-1])), len(stamps), reason)

    def episode(scene: Episode, look: Styled, made: GeneratedClip, conditions: Conditions) -> Episode:
        config = made.provenance.config | known | look.provenance
        told = replace(made.provenance, config=config, source=source)
        clip = replace(made, provenance=told)
        return replace(
            scene,
            generated=None if reason else clip,
            rejected=clip if reason else None,
            status=status,
            condition_images=generator.condition_images(conditions, spec.sampling),
        )

    return tuple(map(episode, scenes, looks, made, views))


@lru_cache(maxsize=1)
def _generator(model: str) -> Generator:
    from hoigen.video.generator import load_generator  # torch takes seconds: not for --help and wrong arguments

    return load_generator(model)


_source = lru_cache(maxsize=1)(MujocoSource)


def _simulated(spec: EpisodeSpec, scene: MujocoConfig) -> tuple[list[Episode], str]:
    """The scene as each camera sees it, and its name."""
    views = _source(scene).views(spec.seed, spec.cameras or (scene.camera,), spec.number)
    begin_ns = first_stamp_ns(spec.number, scene.frames, scene.rate_hz)
    episodes = [
        build_episode(view.assets, [replace(f, stamp_ns=begin_ns + f.stamp_ns) for f in view.frames()])
        for view in views
    ]
    return episodes, f'mujoco {views[0].task} {views[0].shape} seed {spec.seed}'


def _recorded(spec: EpisodeSpec) -> tuple[list[Episode], str]:
    """The recorded scene, cut to the most frames, 4k+1, that it has."""
    assert isinstance(spec.scene, Path)
    with EpisodeReader(spec.scene) as reader:
        whole = reader.scene()
    most = len(whole.clip.stamps_ns)
    frames = min(spec.frames or most, most)
    frames -= (frames - 1) % 4
    scene = replace(
        whole,
        clip=whole.clip.frames(0, frames),
        mesh_frames=whole.mesh_frames[:frames],
        depth_m=None if whole.depth_m is None else whole.depth_m[:frames],
    )
    return [scene], f'recorded {bag_name(spec.scene)}'
