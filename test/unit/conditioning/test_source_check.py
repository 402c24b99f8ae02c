"""A source held against itself: every slip is refused by its name, and no good source is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import cv2
import numpy as np
import pytest
import slips
from slips import NAMED, Scene
from synthetic_scene import camera_at, frame_of, moving_scene

from hoigen.conditioning import ClipBuilder, ConditioningConfig, SourceMismatch, build_clip
from hoigen.records import MeshAsset, SceneFrame

FEW = ConditioningConfig(points=60, tracks=5)
HINTS_ONLY = replace(FEW, min_agreement=0.0)


@pytest.fixture(scope='module')
def scene() -> Scene:
    return moving_scene(9, 0.05, 180, 120)


def without_depth(frames: list[SceneFrame]) -> list[SceneFrame]:
    return [replace(frame, depth_m=None) for frame in frames]


def followed(scene: Scene) -> ClipBuilder:
    """A builder that was given all frames and refused none."""
    builder = ClipBuilder(scene[0], FEW)
    for frame in scene[1]:
        builder.add(frame)
    return builder


@pytest.mark.parametrize('slip', NAMED, ids=lambda slip: slip.__name__)
def test_a_slip_is_refused_by_its_name(scene: Scene, slip: Callable[..., Scene]) -> None:
    with pytest.raises(SourceMismatch) as failure:
        build_clip(*slip(*scene), FEW)
    assert NAMED[slip] in str(failure.value)


@pytest.mark.parametrize(
    'slip',
    [
        slips.opengl_camera,
        slips.inverse_camera,
        slips.quaternions_wxyz,
        slips.millimetres,
        slips.vertices_in_world,
        slips.image_upside_down,
        slips.image_late,
    ],
    ids=lambda slip: slip.__name__,
)
def test_without_depth_the_outlines_in_the_image_name_it(scene: Scene, slip: Callable[..., Scene]) -> None:
    assets, frames = slip(*scene)
    with pytest.raises(SourceMismatch, match='not checked: no camera/depth') as failure:
        build_clip(assets, without_depth(frames), FEW)
    assert NAMED[slip] in str(failure.value)


def test_the_lens_that_fits_is_told(scene: Scene) -> None:
    """Close enough to see which number of k is wrong."""
    for slip in (slips.principal_point, slips.focal_length):
        with pytest.raises(SourceMismatch) as failure:
            build_clip(*slip(*scene), FEW)
        K = scene[1][0].camera.K
        found = np.array(re.findall(r'about fx (\d+), fy (\d+), cx (\d+), cy (\d+)', str(failure.value))[0], int)
        np.testing.assert_allclose(found, [K[0, 0], K[1, 1], K[0, 2], K[1, 2]], atol=6)


def test_a_missing_role_is_told_and_what_stands_before_the_meshes(scene: Scene) -> None:
    """Also where nothing is refused: what the hand hides is nearer than every mesh."""
    assets, frames = slips.no_hand(*scene)
    builder = ClipBuilder(assets, HINTS_ONLY)
    for frame in frames:
        builder.add(frame)
    assert builder.source_check.warning().startswith('mesh_assets: no mesh of role hand; ')
    assert '(100 % of the rest is nearer than every mesh)' in builder.source_check.warning()


def test_a_refused_episode_stays_refused(scene: Scene) -> None:
    """Its later frames too, be they right."""
    assets, frames = scene
    builder = ClipBuilder(assets, FEW)
    builder.add(frames[0])
    flipped = slips.depth_in_millimetres(assets, frames)[1]
    with suppress(SourceMismatch):  # told by the second such frame at the latest
        builder.add(flipped[1])
    for frame in (flipped[2], *frames[3:]):
        with pytest.raises(SourceMismatch):
            builder.add(frame)


def test_zero_refuses_nothing_and_tells_all_the_same(scene: Scene) -> None:
    builder = ClipBuilder(scene[0], HINTS_ONLY)
    for frame in slips.opengl_camera(*scene)[1]:
        builder.add(frame)
    assert "camera/pose is in OpenGL's frame" in builder.source_check.warning()


def test_what_agrees_is_told_by_role(scene: Scene) -> None:
    check = followed(scene).source_check
    assert set(check.shares) == {'scene', 'hand', 'object'}
    assert min(check.shares.values()) > 0.98
    assert check.outlines > 0.9
    assert check.warning() == ''
    assert 'hand 1.00, object 1.00; outlines on edges of camera/image: 0.9' in check.summary()


def shifted(frame: SceneFrame, metres: float) -> SceneFrame:
    """The hand's meshes a little behind where they are seen."""
    away = frame.camera.T_world_cam[:3, 2] * metres
    return replace(
        frame,
        poses={
            name: T + np.outer([*away, 0], [0, 0, 0, 1]) if name in ('palm', 'finger') else T
            for name, T in frame.poses.items()
        },
    )


def test_a_hand_that_is_a_little_off_is_a_warning_and_one_that_is_far_off_a_refusal(scene: Scene) -> None:
    """4 mm behind agrees, 14 mm does not at all; half of the frames at 30 mm are a warning."""
    assets, frames = scene
    assert followed((assets, [shifted(frame, 0.004) for frame in frames])).source_check.warning() == ''
    some = followed((assets, [shifted(frame, 0.014 * (number > 5)) for number, frame in enumerate(frames)]))
    assert 0.5 < some.source_check.shares['hand'] < 0.9
    assert 'hand 0.' in some.source_check.warning()
    with pytest.raises(SourceMismatch, match='the images do not show these meshes'):
        build_clip(assets, [shifted(frame, 0.03) for frame in frames], FEW)


def depth_camera(frame: SceneFrame, rng: np.random.Generator) -> SceneFrame:
    """Noise that grows with the distance, one pixel aside, and holes; a blurred, noisy, dark image."""
    depth = np.roll(frame.depth_m * (1 + rng.normal(0, 0.004, frame.depth_m.shape)), 1, 1)
    depth[rng.random(depth.shape) < 0.2] = np.nan
    rgb = cv2.GaussianBlur(frame.rgb, (0, 0), 1.5).astype(float) * 0.4 + rng.normal(0, 4, frame.rgb.shape)
    return replace(frame, depth_m=depth.astype(np.float32), rgb=np.clip(rgb, 0, 255).astype(np.uint8))


GOOD: dict[str, Callable[[Scene], Scene]] = {
    'depth camera': lambda scene: (
        scene[0],
        [depth_camera(f, np.random.default_rng(n)) for n, f in enumerate(scene[1])],
    ),
    'image alone': lambda scene: (scene[0], without_depth(scene[1])),
    'black image': lambda scene: (scene[0], [replace(f, rgb=np.zeros_like(f.rgb)) for f in scene[1]]),
    'black image alone': lambda scene: (
        scene[0],
        without_depth([replace(f, rgb=np.zeros_like(f.rgb)) for f in scene[1]]),
    ),
    'no depth known': lambda scene: (scene[0], [replace(f, depth_m=np.full_like(f.depth_m, np.nan)) for f in scene[1]]),
    'no scene meshes': lambda scene: (
        scene[0][1:],
        [replace(f, poses={k: T for k, T in f.poses.items() if k != 'floor'}) for f in scene[1]],
    ),
    'small': lambda scene: moving_scene(5, 0.05, 60, 40),
}


def of_the_floor(frames: Sequence[SceneFrame], assets: Sequence[MeshAsset]) -> list[SceneFrame]:
    """The frames with image and depth of the scene without hand and object."""
    shown = [frame_of((assets[0],), {'floor': f.poses['floor']}, f.camera, n) for n, f in enumerate(frames)]
    return [replace(f, rgb=s.rgb, depth_m=s.depth_m) for f, s in zip(frames, shown, strict=True)]


def test_of_images_without_hand_and_object_no_slip_is_named(scene: Scene) -> None:
    """Seen from here, a slip that hides both would explain the depth of the floor alone."""
    assets, frames = scene
    builder = ClipBuilder(assets, HINTS_ONLY)
    for frame in of_the_floor([replace(f, camera=camera_at((0.87, 0.05, 0.47))) for f in frames], assets):
        builder.add(frame)
    assert builder.source_check.slip == ''
    assert builder.source_check.shares['hand'] < 0.1
    with pytest.raises(SourceMismatch, match='the images do not show these meshes'):
        build_clip(assets, of_the_floor(frames, assets), FEW)


def test_an_episode_that_begins_and_ends_out_of_view_names_no_slip(scene: Scene) -> None:
    assets, frames = scene
    away = np.array([[0, 0, 0, 0], [0, 0, 0, 3.0], [0, 0, 0, 0], [0, 0, 0, 0]])
    aside = [replace(f, poses={k: T + away * (k != 'floor') for k, T in f.poses.items()}) for f in frames]
    check = followed((assets, of_the_floor(aside, assets))).source_check
    assert (check.slip, check.warning()) == ('', '')


@pytest.mark.parametrize('name', GOOD)
def test_a_good_source_is_not_refused(scene: Scene, name: str) -> None:
    """Whatever its camera can: nothing is named, and nothing that agrees is warned of."""
    check = followed(GOOD[name](scene)).source_check
    assert (check.slip, check.refused) == ('', '')
    assert 'black' in name or check.warning() == ''
