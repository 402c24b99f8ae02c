"""Scene frames become a clip; what does not belong is refused, and the stream goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from same_record import same_record
from scipy.ndimage import binary_dilation
from synthetic_scene import TINT, ball, box, camera_at, moving_scene

from hoigen.conditioning import ClipBuilder, ConditioningConfig, ConditioningError, build_clip
from hoigen.geometry.camera import project
from hoigen.records import Clip, MeshAsset, Objects, SceneFrame

Scene = tuple[tuple[MeshAsset, ...], list[SceneFrame]]
FEW = ConditioningConfig(points=400, tracks=60)


def without(frame: SceneFrame, name: str) -> SceneFrame:
    return replace(frame, poses={key: pose for key, pose in frame.poses.items() if key != name})


REFUSED: dict[str, tuple[Callable[[SceneFrame], SceneFrame], str]] = {
    'unknown asset': (lambda f: replace(f, poses=f.poses | {'spoon': np.eye(4)}), r"unknown assets \['spoon'\]"),
    'missing asset': (lambda f: without(f, 'ball'), r"no pose and no vertices for assets \['ball'\]"),
    'other vertices': (
        lambda f: replace(without(f, 'ball'), vertices={'ball': np.zeros((5, 3), np.float32)}),
        "vertices of 'ball': expected 561, got 5",
    ),
    'stamp repeats': (lambda f: replace(f, stamp_ns=125_000_000), 'stamp_ns: expected > 125000000, got 125000000'),
    'stamp goes back': (lambda f: replace(f, stamp_ns=0), 'stamp_ns: expected > 125000000, got 0'),
    'other camera size': (
        lambda f: replace(f, camera=camera_at((0.7, 0, 0.5), 90, 60), rgb=f.rgb[::2, ::2].copy(), depth_m=None),
        'camera: expected size 180x120, got 90x60',
    ),
    'other objects': (
        lambda f: replace(f, labels=replace(f.labels, objects=Objects(('cup',)))),
        r"labels.objects: expected the rows of the first frame \['ball'\], got \['cup'\]",
    ),
    'too far': (
        lambda f: replace(f, poses=f.poses | {'ball': np.eye(4) + np.eye(4, k=3) * 1e300}),
        'expected finite places',
    ),
}


@pytest.mark.parametrize('case', REFUSED)
def test_bad_frame_changes_nothing(scene: Scene, case: str) -> None:
    """A refused frame names its fault; the clip is then the one that the good frames alone give."""
    assets, frames = scene
    spoil, message = REFUSED[case]
    builder = ClipBuilder(assets, FEW)
    rows = [builder.add(frame) for frame in frames[:2]]
    with pytest.raises(ConditioningError, match=message):
        builder.add(spoil(frames[2]))
    rows += [builder.add(frame) for frame in frames[2:]]
    expected, made = build_clip(assets, frames, FEW), Clip.of(rows)
    np.testing.assert_array_equal(made.points, expected.points)
    np.testing.assert_array_equal(made.stamps_ns, expected.stamps_ns)


def test_bad_first_frame_changes_nothing(scene: Scene) -> None:
    """Samples are drawn with the first accepted frame, not with a refused one."""
    assets, frames = scene
    builder = ClipBuilder(assets, FEW)
    with pytest.raises(ConditioningError, match='unknown assets'):
        builder.add(replace(frames[3], poses=frames[3].poses | {'spoon': np.eye(4)}))
    np.testing.assert_array_equal(builder.add(frames[0]).points, build_clip(assets, frames[:1], FEW).points[0])


@pytest.mark.parametrize(
    ('assets', 'message'), [([], 'at least 1'), ([box('a', 'hand', (1, 1, 1))] * 2, r"repeated \['a'\]")]
)
def test_bad_assets(assets: list[MeshAsset], message: str) -> None:
    """No assets and two of one name are refused before any frame."""
    with pytest.raises(ConditioningError, match=message):
        ClipBuilder(assets)


def test_flat_asset_and_too_few_points(scene: Scene) -> None:
    """An asset without area and fewer samples than assets are refused by name."""
    assets, frames = scene
    flat = MeshAsset('ball', 'object', np.zeros((561, 3), np.float32), assets[3].triangles)
    with pytest.raises(ConditioningError, match=r"assets \['ball'\]: expected meshes with an area > 0"):
        ClipBuilder((*assets[:3], flat)).add(frames[0])
    with pytest.raises(ConditioningError, match='points: expected >= 4'):
        ClipBuilder(assets, ConditioningConfig(points=3, tracks=1)).add(frames[0])


def test_config_names_every_fault() -> None:
    """A wrong configuration is refused with all its faults at once."""
    with pytest.raises(ConditioningError, match=r'points: .*tracks: .*contact_distance_m: .*hand_share'):
        ConditioningConfig(points=0, contact_distance_m=0.0, hand_share=0.8, object_share=0.3)


def test_stream_equals_whole(scene: Scene, clip: Clip) -> None:
    """Each frame's row, as published, is the row of the clip built from all frames."""
    builder = ClipBuilder(scene[0])
    for t, frame in enumerate(scene[1]):
        same_record(builder.add(frame), clip.row(t))


def test_tracks_are_points_that_cover_every_asset(clip: Clip) -> None:
    """Tracks are samples, each once, shared over the roles as the samples are."""
    assert len(np.unique(clip.tracks[0], axis=0)) == 1024
    rows = (clip.points[0][:, None, :2] == clip.tracks[0][None, ::64, :2]).all(axis=-1)
    assert (rows.sum(axis=0) >= 1).all()
    np.testing.assert_allclose(np.bincount(clip.point_role) / 8192, [0.25, 0.45, 0.30], atol=0.01)


def test_mask_and_depth_are_the_source_s(scene: Scene, clip: Clip) -> None:
    """The mask shows each role where its colour is, and the depth is the source's, infinite where nothing is."""
    depth = np.stack([frame.depth_m for frame in scene[1]])
    np.testing.assert_array_equal(clip.depth_m, np.where(np.isnan(depth), np.inf, depth))
    for code, tint in enumerate(TINT.values()):
        shown = clip.rgb[clip.mask == code].astype(float)
        shown = shown[(shown != 40).any(axis=1)]
        np.testing.assert_allclose(shown / shown[:, :1], np.ones((len(shown), 1)) * tint / tint[0], atol=0.02)


def test_known_colours_are_the_surface_s(clip: Clip) -> None:
    """A known colour is that of the sample's own role, never mixed with another across a silhouette."""
    assert clip.point_rgb_known[clip.point_visible[0]].mean() > 0.95
    assert not clip.point_rgb_known[~clip.point_visible[0]].any()
    assert not clip.point_rgb[~clip.point_rgb_known].any()
    for code, tint in enumerate(TINT.values()):
        known = clip.point_rgb[clip.point_rgb_known & (clip.point_role == code)].astype(float)
        np.testing.assert_allclose(known / known[:, :1], np.ones((len(known), 1)) * tint / tint[0], atol=0.05)


def test_visible_samples_lie_on_what_the_pixel_shows(clip: Clip) -> None:
    """No visible sample is farther than a pixel from where the mask has its role, and most are on it."""
    for t, camera in enumerate(clip.cameras):
        pixels, _ = project(camera, clip.points[t, clip.point_visible[t]])
        column, row = np.rint(pixels).astype(int).T
        role = clip.point_role[clip.point_visible[t]]
        assert (clip.mask[t, row, column] == role).mean() > 0.9
        for code in range(3):
            beside = binary_dilation(clip.mask[t] == code, np.ones((3, 3)))
            assert beside[row[role == code], column[role == code]].all()


def test_deforming_asset_carries_its_samples() -> None:
    """Samples of an asset sent as vertices follow them: a ball that grows keeps its samples on its surface."""
    assets, frames = moving_scene(2)
    still = ball('ball', 'object', 0.05)
    frames = [
        replace(without(frame, 'ball'), vertices={'ball': still.vertices * np.float32(1 + k)})
        for k, frame in enumerate(frames)
    ]
    clip = build_clip(assets, frames, replace(FEW, min_agreement=0.0))  # the images show the ball that does not grow
    rows = clip.point_role == 2
    np.testing.assert_allclose(clip.points[1, rows], 2 * clip.points[0, rows], atol=1e-6)


def test_seed_chooses_the_samples(scene: Scene) -> None:
    """Same seed, same samples; another seed, others."""

    def drawn(seed: int) -> np.ndarray:
        return build_clip(scene[0], scene[1][:1], ConditioningConfig(points=400, tracks=60, seed=seed)).points

    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))
