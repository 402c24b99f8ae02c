"""Measure perception on held-out simulated video, whose truth is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from scipy.spatial.transform import Rotation

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.geometry.alignment import Similarity, align
from hoigen.geometry.camera import pixel_grid, project, unproject
from hoigen.look.images import write_image
from hoigen.metrics.perception import TRACK_PX, absrel, average_jaccard, camera_errors, mask_iou, place_errors_mm
from hoigen.metrics.statistics import summarise
from hoigen.metrics.tables import Rows, markdown, said
from hoigen.perception.evaluate_labelled import LABELLED_MEASURES, measure_labelled
from hoigen.perception.hands.lift import lift_hands
from hoigen.perception.labelled.clips import find, labelled
from hoigen.perception.perceive import Perceived, Perceiver, PerceptionConfig
from hoigen.perception.records import Geometry, Hands, PerceptionError
from hoigen.perception.report import overview
from hoigen.perception.truth import true_tracks
from hoigen.provenance import strict_json
from hoigen.records import Clip, Footage
from hoigen.sources.mujoco import CAMERAS, SHAPES, MujocoConfig, MujocoSource
from hoigen.sources.recording import RecordingError
from hoigen.whole_files import write_text

HELDOUT_SEED = 2_000_000
LABELLED_FRAMES = 49
WIDTH, HEIGHT, FRAMES, RATE_HZ = 640, 360, 33, 16.0

MEASURES = {
    'IoU hand': '↑',
    'IoU object': '↑',
    'depth AbsRel': '↓',
    'depth known': '↑',
    'place error, mm': '↓',
    'still camera, rotation, °': '↓',
    'still camera, translation, mm': '↓',
    'moving camera, rotation, °': '↓',
    'moving camera, translation, mm': '↓',
    'track AJ, px': '↑',
    'track AJ, mm': '↑',
    'track error, mm': '↓',
    'keypoints in 3D, mm': '↓',
    'keypoints in 3D, PA, mm': '↓',
    'frames per second': '↑',
}
"""Each measure and which way is better."""

DIGITS = {
    'place error, mm': 1,
    'still camera, translation, mm': 2,
    'moving camera, translation, mm': 2,
    'track error, mm': 1,
    'keypoints in 3D, mm': 1,
    'keypoints in 3D, PA, mm': 1,
    'frames per second': 1,
}

SHAPE_M, SHAPE_TURN, SHAPE_SIZE = 0.008, np.radians(15), 0.8
"""A network guesses the joints about the hand's centre: deviation of each, alike all the time, turn and size of all."""

PLACES = 20_000
"""Pixels of a clip whose places are compared."""

BASELINE_M, DISPARITY_PX, BLUR_PX, STEP_M = 0.05, 0.1, 1.5, 0.001
"""The stereo camera of the noisy depth: baseline; deviation of its disparity, alike over so many pixels; its steps."""

JUMP, SHADOW_PX, BLIND = 0.03, 4, 0.05
"""Around a jump of depth by this part it sees nothing for so many pixels, nor in spots that are this part of a picture.
"""


@dataclass(frozen=True)
class Backend:
    """What a recording has, and what looks at it. depth: 'exact', 'noisy' or 'none'."""

    depth: str
    config: PerceptionConfig


BACKENDS = {
    'RGB-D': Backend('exact', PerceptionConfig(masks='motion', geometry='depth')),
    'RGB-D, noisy': Backend('noisy', PerceptionConfig(masks='motion', geometry='depth')),
    'RGB': Backend('none', PerceptionConfig(masks='motion', geometry='none')),
    'RGB, VGGT': Backend('none', PerceptionConfig(masks='motion', geometry='vggt')),
    'RGB, VGGT, SAM 2.1': Backend('none', PerceptionConfig(masks='sam2', geometry='vggt')),
    'RGB-D, SAM 2.1': Backend('exact', PerceptionConfig(masks='sam2', geometry='depth')),
}
WITHOUT_WEIGHTS = ('RGB-D', 'RGB-D, noisy', 'RGB')


@dataclass(frozen=True)
class EvaluatePerceptionConfig:
    """Measure perception on simulated clips whose seeds, sizes, textures and proportions are held out.

    Writes table.md, results.json and an image of each clip to ``out``.
    """

    clips: int = 12
    """Held-out clips to simulate."""
    backends: tuple[str, ...] = WITHOUT_WEIGHTS
    """What the recordings have and what perceives them; those with VGGT or SAM 2.1 need the fetched weights."""
    labelled: tuple[Path, ...] = ()
    """Folders with clips of EgoDex (N.hdf5 beside N.mp4) or DexYCB (a camera's folder), to measure on in place of
    simulated ones, 49 frames each."""
    out: Path = Path('out/evaluate_perception')
    """Folder of the table, the results and the images."""

    def __post_init__(self) -> None:
        if unknown := [name for name in self.backends if name not in BACKENDS]:
            raise ValueError(f'backends: expected some of {list(BACKENDS)}, got {unknown}')


def evaluate(config: EvaluatePerceptionConfig) -> None:
    """Run the evaluation and write what was found."""
    if config.labelled:
        _evaluate_labelled(config)
        return
    perceivers = {name: Perceiver(BACKENDS[name].config) for name in config.backends}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in perceivers}
    config.out.mkdir(parents=True, exist_ok=True)
    for index in track(range(config.clips), description='held-out clips'):
        footage, truth = heldout(index)
        for name, perceiver in perceivers.items():
            given = recorded(footage, BACKENDS[name].depth, index)
            try:
                perceived = perceiver(given, f'held-out clip {index}')
            except PerceptionError as error:
                print(f'{name}, clip {index}: {error}')
                rows[name].append(dict.fromkeys(('IoU hand', 'IoU object'), 0.0))
                continue
            rows[name].append(measure(perceived, truth))
            picture = config.out / f'{index:02d} {name}.png'
            write_image(picture, overview(perceived))
    _write(config, rows, MEASURES)


def _evaluate_labelled(config: EvaluatePerceptionConfig) -> None:
    """The same on clips of public data sets, by data set."""
    perceive = Perceiver(PerceptionConfig(masks='keypoints'))
    rows: dict[str, list[dict[str, float]]] = {}
    found = [clip for folder in config.labelled for clip in find(folder)]
    config.out.mkdir(parents=True, exist_ok=True)
    for number, (layout, path) in enumerate(track(found, description='labelled clips')):
        try:
            truth = labelled(layout, path, LABELLED_FRAMES)
            perceived = perceive(truth.footage, truth.name)
        except (PerceptionError, RecordingError) as error:
            print(f'{layout}, not measured: {error}')
            continue
        rows.setdefault(layout, []).append(measure_labelled(perceived, truth))
        write_image(config.out / f'{number:02d} {layout}.png', overview(perceived))
    if not rows:
        raise PerceptionError(f'{", ".join(map(str, config.labelled))}: no clip could be measured')
    _write(config, rows, LABELLED_MEASURES)


def heldout(index: int) -> tuple[Footage, Clip]:
    """Held-out clip ``index`` as a camera with exact depth records it, and its truth; shapes and cameras in turn."""
    shapes = tuple(SHAPES)
    source = MujocoSource(
        MujocoConfig(
            width=WIDTH,
            height=HEIGHT,
            frames=FRAMES,
            rate_hz=RATE_HZ,
            shape=shapes[index % len(shapes)],
            camera=CAMERAS[(index + index // len(shapes)) % len(CAMERAS)],
            split='heldout',
        )
    )
    episode = source.episode(HELDOUT_SEED + index)
    frames = list(episode.frames())
    truth = build_clip(episode.assets, frames, ConditioningConfig())
    depth = np.stack([frame.depth_m for frame in frames if frame.depth_m is not None])
    return Footage(truth.stamps_ns, truth.rgb, depth, frames[0].camera.K), truth


def recorded(footage: Footage, depth: str, seed: int) -> Footage:
    """The footage as a camera with 'exact', 'noisy' or no ('none') depth records it."""
    if depth == 'none' or footage.depth_m is None or footage.K is None:
        return Footage(footage.stamps_ns, footage.rgb, None, None)
    if depth == 'exact':
        return footage
    rng = np.random.default_rng(seed)
    noisy = np.stack([noisy_depth(frame, footage.K[0, 0], rng) for frame in footage.depth_m])
    return Footage(footage.stamps_ns, footage.rgb, noisy, footage.K)


def noisy_depth(depth_m: np.ndarray, focal_px: float, rng: np.random.Generator) -> np.ndarray:
    """[H,W] float32: what a small stereo camera would measure of exact depth, with noisy disparity, holes and steps."""
    noise = cv2.GaussianBlur(rng.normal(size=depth_m.shape), (0, 0), BLUR_PX)
    disparity = focal_px * BASELINE_M / depth_m + DISPARITY_PX * noise / noise.std()
    measured = np.rint(focal_px * BASELINE_M / disparity / STEP_M) * STEP_M
    around = np.ones((2 * SHADOW_PX + 1,) * 2, np.uint8)
    with np.errstate(invalid='ignore'):
        jumps = cv2.dilate(depth_m, np.ones((3, 3))) > (1 + JUMP) * cv2.erode(depth_m, np.ones((3, 3)))
    spots = cv2.GaussianBlur(rng.normal(size=depth_m.shape), (0, 0), 2 * SHADOW_PX)
    blind = (cv2.dilate(jumps.astype(np.uint8), around) > 0) | (spots > np.quantile(spots, 1 - BLIND))
    return np.where(blind, np.nan, measured).astype(np.float32)


def measure(perceived: Perceived, truth: Clip) -> dict[str, float]:
    """Each of MEASURES that what was perceived has; places after the similarity that fits the truth best."""
    mask = perceived.segmentation.mask
    row = {f'IoU {role}': mask_iou(mask == ROLE_CODE[role], truth.mask == ROLE_CODE[role]) for role in (HAND, OBJECT)}
    row['frames per second'] = len(truth.stamps_ns) / sum(perceived.seconds.values())
    tracks = perceived.tracks
    first = tracks.pixels[tracks.query, np.arange(len(tracks.query))]
    true_places, true_seen = true_tracks(truth, first, tracks.query)
    true_pixels = np.stack([project(camera, at)[0] for camera, at in zip(truth.cameras, true_places, strict=True)])
    off = np.linalg.norm(tracks.pixels - true_pixels, axis=-1)
    row['track AJ, px'] = average_jaccard(np.nan_to_num(off, nan=np.inf), tracks.visible, true_seen, TRACK_PX)
    geometry = perceived.geometry
    if geometry is None or tracks.places is None:
        return row
    found, true = _places(geometry, truth)
    carry = _onto_truth(found, true)
    moves = any(not np.array_equal(camera.T_world_cam, truth.cameras[0].T_world_cam) for camera in truth.cameras)
    turn, way = camera_errors(
        [c.T_world_cam for c in geometry.cameras], [c.T_world_cam for c in truth.cameras], carry.scale
    )
    which = 'moving camera' if moves else 'still camera'
    apart = place_errors_mm(tracks.places, true_places, carry)
    return row | {
        'depth AbsRel': absrel(carry.scale * geometry.depth_m, truth.depth_m),
        'depth known': float(np.isfinite(geometry.depth_m).mean()),
        'place error, mm': float(np.median(place_errors_mm(found, true, carry))),
        f'{which}, rotation, °': turn,
        f'{which}, translation, mm': way,
        'track AJ, mm': average_jaccard(apart, tracks.visible, true_seen),
        'track error, mm': float(np.median(apart[tracks.visible & true_seen])),
        **_keypoint_errors(geometry, mask == ROLE_CODE[HAND], truth, carry),
    }


def _keypoint_errors(geometry: Geometry, mask: np.ndarray, truth: Clip, carry: Similarity) -> dict[str, float]:
    """How far lifted keypoints are from the true ones, of their true pixels and a guessed shape: no network that knows
    people's hands finds the simulator's."""
    true = np.stack([label.hands.keypoints_m[0] for label in truth.labels]).astype(np.float64)
    pixels = np.stack([label.hands.pixels for label in truth.labels])
    turns = np.stack([camera.T_world_cam[:3, :3] for camera in truth.cameras])
    rng = np.random.default_rng(0)
    about = rng.normal(size=3)
    lean = Rotation.from_rotvec(SHAPE_TURN * about / np.linalg.norm(about)).as_matrix()
    shape = SHAPE_SIZE * (true - true.mean(1, keepdims=True)) @ turns @ lean
    shape += rng.normal(0, SHAPE_M, shape.shape[1:])
    hands = Hands(('right',), pixels, shape[:, None].astype(np.float32), np.ones((len(true), 1), np.float32))
    places, _ = lift_hands(hands, geometry, mask)
    known = np.isfinite(places[:, 0]).all((1, 2))
    pairs = [(found.astype(np.float64), at) for found, at in zip(places[known, 0], true[known], strict=True)]
    if not pairs:
        return {}
    off, fitted = (
        np.mean([place_errors_mm(found, at, c or align(found, at)).mean() for found, at in pairs])
        for c in (carry, None)
    )
    return {'keypoints in 3D, mm': float(off), 'keypoints in 3D, PA, mm': float(fitted)}


def _places(geometry: Geometry, truth: Clip) -> tuple[np.ndarray, np.ndarray]:
    """World places [N,3] of pixels whose depth is known, spread over the clip, as perceived and as they truly are."""
    found, true = [], []
    for t, (camera, other) in enumerate(zip(geometry.cameras, truth.cameras, strict=True)):
        known = np.flatnonzero(np.isfinite(geometry.depth_m[t]) & np.isfinite(truth.depth_m[t]))
        chosen = known[:: max(1, len(known) * len(truth.cameras) // PLACES)]
        grid = pixel_grid(camera.width, camera.height).reshape(-1, 2)[chosen]
        found.append(unproject(camera, grid, geometry.depth_m[t].ravel()[chosen]))
        true.append(unproject(other, grid, truth.depth_m[t].ravel()[chosen]))
    return np.concatenate(found), np.concatenate(true)


def _onto_truth(found: np.ndarray, true: np.ndarray) -> Similarity:
    """The similarity that carries perceived places onto the true ones, fitted again without the worst tenth."""
    carry = align(found, true)
    for _ in range(3):
        errors = np.linalg.norm(carry(found) - true, axis=1)
        carry = align(found, true, (errors <= np.quantile(errors, 0.9)).astype(float))
    return carry


def _write(
    config: EvaluatePerceptionConfig, rows: dict[str, list[dict[str, float]]], measures: Mapping[str, str]
) -> None:
    table = table_of(rows, measures)
    write_text(config.out / 'table.md', markdown(table))
    told = {name: {'clips': of, 'means': {m: asdict(s) for m, s in summarise(of).items()}} for name, of in rows.items()}
    write_text(config.out / 'results.json', strict_json(told, indent=1))
    Console(markup=False).print(markdown(table))
    print(f'table, results and pictures: {config.out}')


def table_of(rows: Mapping[str, Sequence[dict[str, float]]], measures: Mapping[str, str]) -> Rows:
    """Back-ends by measure; a dash where a back-end does not have it."""
    summaries = {name: summarise(of) for name, of in rows.items()}
    table = [['mean over clips [95 % interval]', *summaries]]
    for name, arrow in measures.items():
        cells = [said(of[name], DIGITS.get(name, 3)) if name in of else '-' for of in summaries.values()]
        table.append([f'{name} {arrow}', *cells])
    return table
