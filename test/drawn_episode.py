"""Whole episodes of the synthetic scene: as a graph records them, and as perception finds them in a recording."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from synthetic_scene import moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions, build_episode
from hoigen.geometry.transforms import apply, invert
from hoigen.look.images import webp
from hoigen.messages.definitions import typestore
from hoigen.messages.encode import Encoder
from hoigen.records import (
    Camera,
    Clip,
    EditedClip,
    EditedFrame,
    EditedObject,
    Episode,
    EpisodeState,
    EpisodeStatus,
    Fidelity,
    GeneratedClip,
    Labels,
    Objects,
    Provenance,
)

MADE = Provenance(3, {'masks': 'motion'}, 'kitchen.mp4', {}, {'hoigen': '0'}, {'video': 'unknown'})
"""How a clip of a recording was found."""

ENCODER = Encoder(lambda name, /, **fields: typestore().types[name](**fields))


@cache
def drawn_episode(
    frames: int = 5,
    size: tuple[int, int] = (96, 64),
    generated_size: tuple[int, int] = (48, 32),
    *,
    points: int = 200,
    number: int = 0,
    rejected: str = '',
) -> Episode:
    """Episode ``number`` of the scene with measured depth and a textured ball; the records are shared: change copies.

    Its generated frames show the scene with red and blue exchanged. rejected: why they may not be kept.
    """
    assets, shown = moving_scene(frames, 0.02 * (number + 1), *size)
    textured = replace(
        assets[-1],
        uv=assets[-1].vertices[:, :2].copy(),
        texture=np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3),
    )
    shown = [replace(frame, labels=replace(frame.labels, episode=number)) for frame in shown]
    config = ConditioningConfig(points=points, tracks=points // 5, min_agreement=0)  # images may be a few pixels
    episode = build_episode((*assets[:-1], textured), shown, config)
    stamps = episode.clip.stamps_ns
    state = EpisodeState.REJECTED if rejected else EpisodeState.ACCEPTED
    status = EpisodeStatus('synthesizer', number, state, (int(stamps[0]), int(stamps[-1])), frames, rejected)
    settings: dict[str, Any] = {'model': 'tiny', 'steps': 4, 'timings': {'conditions_s': 0.41, 'generate_s': 9.7}}
    if rejected:
        settings['tries'] = [{'seed': 7, 'fidelity': 0.3}]
    made = Provenance(number, settings, 'synthetic', {'tiny.safetensors': 'ab' * 32}, {'hoigen': '0.1.0'}, {})
    width, height = generated_size
    conditions = build_conditions(episode.clip, width=width, height=height)
    read = {
        name: dict(zip(stamps.tolist(), map(webp, getattr(conditions, name)), strict=True))
        for name in ('tracking', 'coloured')
    }
    again = moving_scene(frames, 0.02 * (number + 1), *generated_size)[1]
    score = (0.97 - 0.06 * np.abs(np.sin(np.arange(frames) / 3 + number))).astype(np.float32)
    generated = GeneratedClip(
        stamps,
        tuple(frame.camera for frame in again),
        np.stack([frame.rgb[..., ::-1] for frame in again]),
        Fidelity(score, score, score + np.float32(0.02)),
        episode.clip.labels,
        made,
    )
    frames_of = {'rejected' if rejected else 'generated': generated}
    return replace(episode, **frames_of, status=status, condition_images=read)


def edited(episode: Episode, *, scene: bool = True) -> Episode:
    """The episode with frames into which an object was put in place of generated ones; scene: with their conditions."""
    clip, labels = episode.clip, tuple(replace(row, task='as edited') for row in episode.clip.labels)
    after = replace(clip, rgb=255 - clip.rgb, labels=labels, points=clip.points + np.float32(0.5))
    seen = clip.mask == 2
    frames = tuple(
        EditedFrame(stamp, rgb, depth, mask, row, EditedObject('a cup', row.T_world_object, 0.5, float('nan')))
        for stamp, rgb, depth, mask, row in zip(
            clip.stamps_ns.tolist(), after.rgb, clip.depth_m, seen, labels, strict=True
        )
        if row.T_world_object is not None
    )
    made = Provenance(3, {'edit': 'insert'}, 'a scene', {}, {}, {})
    stamps = int(clip.stamps_ns[0]), int(clip.stamps_ns[-1])
    return replace(
        episode,
        generated=None,
        rejected=None,
        condition_images={},
        edited=EditedClip(frames, made, after if scene else None, episode.assets[-1:]),
        status=EpisodeStatus('edit', labels[0].episode, EpisodeState.ACCEPTED, stamps, len(frames)),
    )


def footage_clip(points: int = 300, tracks: int = 20) -> Clip:
    """The scene in five frames as perception gives it: the world is the first camera, labels are few, depth has
    holes."""
    assets, frames = moving_scene(5, 0.03, 90, 60)
    clip = build_clip(assets, frames, ConditioningConfig(points=300, tracks=20)).subset(slice(points), slice(tracks))
    T = invert(clip.cameras[0].T_world_cam)
    depth = clip.depth_m.copy()
    depth[2, 10:20, 5:9] = np.nan
    return replace(
        clip,
        depth_m=depth,
        points=apply(T, clip.points).astype(np.float32),
        tracks=apply(T, clip.tracks).astype(np.float32),
        cameras=tuple(
            Camera(c.K + np.diag([1 / 3, 1 / 7, 0]), c.width, c.height, T @ c.T_world_cam) for c in clip.cameras
        ),
        labels=tuple(
            Labels(
                episode=6,
                frame=row,
                last=labels.last,
                task='lift the ball',
                objects=Objects(('ball',), (np.nan if row < 2 else 1) * (T @ labels.objects.T_world_object)),
            )
            for row, labels in enumerate(clip.labels)
        ),
    )
