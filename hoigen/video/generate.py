"""Simulate and generate clips without ROS: pictures to look at, and arrays with the scene's true labels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions, pasted_baseline
from hoigen.conditioning.view import centre_view
from hoigen.episodes import provenance_to_json
from hoigen.records import Clip, GeneratedClip
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.video.generator import load_generator, with_source
from hoigen.video.sampling import DEFAULT, Sampling


@dataclass(frozen=True)
class GenerateConfig:
    """For each episode, EPISODE.mp4 (scene | coloured points | generated) and EPISODE.npz (frames, labels, provenance).

    An episode that is there already is kept, so a stopped run goes on where it was.
    """

    episodes: int = 3
    seed: int = 0
    model: str = 'tiny'
    task: str = 'any'
    shape: str = 'any'
    camera: str = 'front'
    out: Path = Path('out/clips')
    sampling: Sampling = DEFAULT


def generate(config: GenerateConfig) -> None:
    """Write the episodes that are not there yet."""
    generator = load_generator(config.model)
    config.out.mkdir(parents=True, exist_ok=True)
    source = MujocoSource(MujocoConfig(frames=generator.frames, task=config.task, shape=config.shape,
                                       camera=config.camera, depth=False))
    for number in track(range(config.episodes), description='episodes'):
        path = config.out / f'episode_{number:04d}.npz'
        if path.exists():
            continue
        seed = config.seed * 10_000 + number
        episode = source.episode(seed)
        clip = build_clip(episode.assets, episode.frames(), ConditioningConfig(seed=seed))
        conditions = build_conditions(clip, width=generator.width, height=generator.height)
        made = with_source(generator.generate(conditions, clip.labels, seed=seed, sampling=config.sampling),
                           f'mujoco {episode.task} {episode.shape} seed {seed}')
        scene = scene_pictures(clip, conditions.image.shape[:2])
        _write_mp4(path.with_suffix('.mp4'), np.concatenate([scene, pasted_baseline(conditions), made.frames], axis=2),
                   clip.stamps_ns)
        _write_arrays(path, made)
    print(f'{config.episodes} episodes in {config.out}')


def scene_pictures(clip: Clip, size: tuple[int, int]) -> np.ndarray:
    """The source's frames at the generator's size (height, width)."""
    view = centre_view(clip.cameras[0], size[1], size[0])
    return np.stack([view.picture(rgb) for rgb in clip.rgb])


def _write_mp4(path: Path, frames: np.ndarray, stamps_ns: np.ndarray) -> None:
    """H.264 of [T,H,W,3] uint8, enlarged twice; each frame is shown at its own stamp."""
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=Fraction(1000, 1), options={'crf': '16'})
        stream.height, stream.width, stream.pix_fmt = 2 * frames.shape[1], 2 * frames.shape[2], 'yuv420p'
        stream.time_base = Fraction(1, 1000)
        for frame, stamp in zip(frames, stamps_ns, strict=True):
            picture = av.VideoFrame.from_ndarray(frame.repeat(2, 0).repeat(2, 1), format='rgb24')
            picture.pts, picture.time_base = int(stamp - stamps_ns[0]) // 1_000_000, Fraction(1, 1000)
            file.mux(stream.encode(picture))
        file.mux(stream.encode())


def _write_arrays(path: Path, made: GeneratedClip) -> None:
    """Everything that is true of the generated frames; the file appears whole or not at all."""
    labels = made.labels
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        np.savez_compressed(
            file, frames=made.frames, fidelity=made.fidelity, stamps_ns=made.stamps_ns,
            K=np.stack([c.K for c in made.cameras]), T_world_cam=np.stack([c.T_world_cam for c in made.cameras]),
            joint_names=np.array(labels[0].joint_names), joint_positions=np.stack([x.joint_positions for x in labels]),
            action=np.stack([x.action for x in labels]), T_world_object=np.stack([x.T_world_object for x in labels]),
            contact_force_n=np.array([x.contacts.forces_n.sum() for x in labels], np.float32),
            task=np.array(labels[0].task), provenance=np.array(provenance_to_json(made.provenance)))
    partial.rename(path)
