"""One stretch of a recording -> everything that is seen in it, and the clip where its geometry is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.models.hub import MissingWeights, entry, weights_of
from hoigen.perception import choices
from hoigen.perception.clip import build_recorded_clip
from hoigen.perception.flow import measure_flow
from hoigen.perception.hands.meshes import HandMeshes, load_rigs, posed_hands
from hoigen.perception.learned.detector import detect, load_detector
from hoigen.perception.masks.plausible import believed, plausible
from hoigen.perception.masks.segment import find_boxes, segment
from hoigen.perception.notes import notes_on
from hoigen.perception.records import Boxes, Flow, Geometry, Hands, PerceptionError, Segmentation, Tracks
from hoigen.perception.tracking.odometry import measured_geometry
from hoigen.perception.tracking.tracks import FollowConfig, follow
from hoigen.provenance import sha256_of, versions_of
from hoigen.records import Clip, Episode, Footage, Provenance
from hoigen.records.labels import SIDES

LEAST_FRAMES = 2
NOBODY = 'neither hand nor object is in view in any frame (masks sam2 with boxes rtdetr finds also what does not move)'
SHIPPED = 'mediapipe-hands'
PACKAGES = ('hoigen', 'numpy', 'opencv-python-headless', 'scipy', 'torch', 'transformers')


FindHands = Callable[[np.ndarray], Hands]


@dataclass(frozen=True)
class PerceptionConfig:
    """What finds hand and object, and how far away everything is."""

    masks: choices.MaskSource = 'auto'
    """What finds the masks: keypoints seed hands, and motion finds what they hold, and hands where no keypoints are
    seen; motion finds hands alone too, of robots, simulators, and in gloves; sam2 is SAM 2.1 with SAMURAI's choice of
    memories, started from what keypoints find; auto is sam2 where its weights have been fetched, else keypoints."""
    boxes: choices.BoxSource = 'motion'
    """What finds the boxes that sam2 starts from: what moves, or a detector."""
    geometry: choices.GeometrySource = 'auto'
    """Where the point maps come from: the recording's depth or VGGT; auto is the depth where there is one, else VGGT
    where its weights have been fetched; none leaves it at boxes, masks and tracks in the picture."""
    sam: str = 'sam2'
    """SAM 2.1's name in `hoigen models list`, or a folder."""
    vggt: str = 'vggt'
    """VGGT's name in `hoigen models list`, or a folder."""
    tracker: choices.TrackSource = 'flow'
    """What follows points: optical flow, or VGGT's track head."""
    median_depth_m: float | None = None
    """Gives a point map of unknown scale, which VGGT's is, this median depth in metres."""
    hand_meshes: str = ''
    """Folder of rigged hands, left.glb and right.glb with the 25 joints of WebXR; hands with keypoints in 3D are posed
    as meshes."""
    task: str = ''
    """A sentence that says what is done: the prompt of the generated video."""
    seed: int = 0
    """Everything random is derived from it."""
    follow: FollowConfig = field(default_factory=FollowConfig)


@dataclass(frozen=True, eq=False)
class Perceived:
    """What a stretch of footage shows.

    geometry is None where the point map is not known, and clip there and where nobody is at work; ``reason`` then says
    why. meshes: of the clip's hands, none unless asked for. notes: what a person should
    know, gaps above all. seconds: what each stage took.
    """

    footage: Footage
    hands: Hands
    boxes: Boxes
    segmentation: Segmentation
    geometry: Geometry | None
    tracks: Tracks
    clip: Clip | None
    meshes: HandMeshes
    reason: str
    notes: tuple[str, ...]
    seconds: dict[str, float]
    provenance: Provenance

    def episode(self, number: int) -> Episode:
        """The clip, where there is one, as episode ``number`` of its recording."""
        assert self.clip is not None, self.reason
        clip = replace(self.clip, labels=tuple(replace(label, episode=number) for label in self.clip.labels))
        return Episode(clip, self.provenance, self.meshes.assets, self.meshes.frames)


class Perceiver:
    """Perceives stretch after stretch with the back-ends of its configuration, whose weights it loads once.

    find_hands: finds the hands in a stretch's frames [T,H,W,3] uint8; None: MediaPipe's networks, which are shipped.
    Raises :class:`~hoigen.models.hub.MissingWeights` for a back-end that was asked for and is not there.
    """

    def __init__(self, config: PerceptionConfig, find_hands: FindHands | None = None) -> None:
        from hoigen.perception.hands.track import find_hands as shipped  # torch: takes seconds to import

        self._config, self._find_hands = config, find_hands or shipped
        self._own_hands = find_hands is None
        self._rigs = load_rigs(Path(config.hand_meshes)) if config.hand_meshes else None
        self._sam = self._detector = None
        if _uses(config.masks, 'sam2', config.sam):
            from hoigen.models.sam2 import load_sam  # torch: only with these weights

            self._sam = load_sam(config.sam)
            self._detector = None if config.boxes == 'motion' else load_detector(config.boxes)
        self._has_vggt = _uses(config.geometry, 'vggt', config.vggt)
        self._refusal = '' if self._has_vggt else _refusal(config)
        if config.geometry == 'vggt' or config.tracker == 'vggt':
            _ = self._vggt

    def __call__(self, footage: Footage, source: str) -> Perceived:
        """What ``footage`` shows; raises :class:`PerceptionError` where hand and object cannot be looked for at all."""
        frames = len(footage.stamps_ns)
        if frames < LEAST_FRAMES:
            raise PerceptionError(f'{source}: expected at least {LEAST_FRAMES} frames, to see what moves, got {frames}')
        config, clock = self._config, _Stopwatch()
        with ThreadPoolExecutor(1) as beside:  # the networks' convolutions and OpenCV's flow share the cores well
            looking = beside.submit(self._find_hands, footage.rgb)
            with clock.stage('flow'):
                flow = measure_flow(footage.rgb)
            with clock.stage('geometry'):
                geometry, reason = self._geometry(footage, flow)
            with clock.stage('hands'):
                hands = looking.result()
        with clock.stage('masks'):
            boxes, segmentation = self._segment(footage, flow, geometry, hands)
            hands = believed(hands, segmentation)
        with clock.stage('tracks'):
            tracks = follow(footage, flow, segmentation, geometry, config.follow, self._tracker())
        clip, meshes = None, HandMeshes()
        if geometry is not None and not segmentation.instance.any():
            reason = _nobody(segmentation)
        elif geometry is not None:
            with clock.stage('clip'):
                clip = build_recorded_clip(footage, hands, segmentation, geometry, tracks, config.task)
            if self._rigs is not None:
                with clock.stage('hand meshes'):
                    meshes = self._meshes(clip, geometry)
        return Perceived(
            footage,
            hands,
            boxes,
            segmentation,
            geometry,
            tracks,
            clip,
            meshes,
            reason,
            (*notes_on(footage, segmentation, tracks, geometry), *meshes.notes),
            clock.seconds,
            self._provenance(source, geometry, 'keypoints' if segmentation.by_keypoints else 'motion'),
        )

    @cached_property
    def _vggt(self) -> Any:
        from hoigen.models.vggt.model import load_vggt  # torch: only this back-end needs it

        return load_vggt(self._config.vggt)

    def _geometry(self, footage: Footage, flow: Flow) -> tuple[Geometry | None, str]:
        """Cameras and point maps, or why there are none."""
        config = self._config
        if config.geometry == 'depth' or (config.geometry == 'auto' and footage.depth_m is not None):
            return measured_geometry(footage, flow), ''
        if not self._has_vggt:
            return None, self._refusal
        from hoigen.perception.learned.pointmaps import reconstruct

        return _scaled(reconstruct(footage, self._vggt), config.median_depth_m), ''

    def _segment(
        self, footage: Footage, flow: Flow, geometry: Geometry | None, hands: Hands
    ) -> tuple[Boxes, Segmentation]:
        looked_for = None if self._config.masks == 'motion' else hands
        found = segment(footage, flow, geometry, looked_for, self._config.seed)
        boxes = find_boxes(found)
        if self._sam is None:
            return boxes, found
        from hoigen.perception.learned.sam import segment_with_sam

        if self._detector is not None:
            boxes = detect(footage, self._detector, boxes)
        by_sam = segment_with_sam(footage, boxes, self._sam)
        same = found.by_keypoints and self._detector is None
        return boxes, plausible(replace(by_sam, doubts=found.doubts, by_keypoints=same), looked_for, footage.stamps_ns)

    def _meshes(self, clip: Clip, geometry: Geometry) -> HandMeshes:
        assert self._rigs is not None
        if not geometry.metric:
            return HandMeshes(notes=('no hand meshes, for the scale is not known: give --median-depth-m',))
        return posed_hands(clip, self._rigs)

    def _tracker(self) -> Any:
        if self._config.tracker == 'flow':
            return None
        from hoigen.perception.learned.tracker import vggt_tracker

        return vggt_tracker(self._vggt)

    def _provenance(self, source: str, geometry: Geometry | None, method: str) -> Provenance:
        """How it was made."""
        used = [SHIPPED] if self._own_hands else []
        used += [self._config.sam] if self._sam is not None else []
        used += [self._config.boxes] if self._detector is not None else []
        used += [self._config.vggt] if '_vggt' in self.__dict__ else []
        hashes = {file: sha256 for name in used for file, sha256 in _hashes(name).items()}
        licences = {name: _licence(name) for name in used}
        if folder := self._config.hand_meshes:
            hashes |= {f'hand_meshes/{side}.glb': sha256_of(Path(folder) / f'{side}.glb') for side in SIDES}
            licences['hand_meshes'] = 'not known'
        made: dict[str, Any] = {'masks_method': method if self._sam is None else self._config.sam}
        if geometry is not None:
            made |= {'geometry_method': geometry.method, 'metric': geometry.metric}
        return Provenance(
            self._config.seed,
            asdict(self._config) | made,
            source,
            hashes,
            versions_of(PACKAGES),
            licences,
        )


def _uses(chosen: str, name: str, weights: str) -> bool:
    """Whether a back-end is used: it was chosen, or may be and its weights are there."""
    if chosen != 'auto':
        return chosen == name
    try:
        return weights_of(weights).is_dir()
    except MissingWeights:
        return False


@cache
def _hashes(weights: str) -> dict[str, str]:
    """SHA-256 by file; once, for they are gigabytes."""
    from hoigen.models.hands import WEIGHTS

    folder = WEIGHTS if weights == SHIPPED else weights_of(weights)
    return {f'{weights}/{file.name}': sha256_of(file) for file in sorted(folder.glob('*.safetensors'))}


def _licence(weights: str) -> str:
    """A folder's weights are known to their owner alone."""
    if weights == SHIPPED:
        return 'Apache-2.0'
    return 'not known' if Path(weights).is_dir() else entry(weights).licence


def _nobody(segmentation: Segmentation) -> str:
    """Why nobody is in view."""
    refused = dict.fromkeys(segmentation.in_words(doubt) for doubt in segmentation.doubts if doubt.number)
    return f'nothing that was found is plausible: {"; ".join(refused)}' if refused else NOBODY


def _refusal(config: PerceptionConfig) -> str:
    """Why there is no point map of plain RGB video."""
    if config.geometry == 'none':
        return 'no point map, as asked for with --geometry none'
    try:
        weights_of(config.vggt)
    except MissingWeights as error:
        return f'no point map, for the recording has no depth and VGGT is not there: {error}'
    return ''  # measured depth was asked for: what has none is an error, not a refusal


def _scaled(geometry: Geometry, median_depth_m: float | None) -> Geometry:
    """A point map of unknown scale in metres, if its median depth is known."""
    if geometry.metric or median_depth_m is None:
        return geometry
    scale = median_depth_m / float(np.nanmedian(geometry.depth_m))
    cameras = []
    for camera in geometry.cameras:
        pose = camera.T_world_cam.copy()
        pose[:3, 3] *= scale
        cameras.append(replace(camera, T_world_cam=pose))
    return replace(geometry, cameras=tuple(cameras), depth_m=geometry.depth_m * np.float32(scale), metric=True)


class _Stopwatch:
    """Seconds that each stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun
