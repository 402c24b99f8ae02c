"""Everything that the page shows of one stretch, as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hoigen.conventions import ROLES
from hoigen.look.colours import DepthScale, turbo
from hoigen.look.images import data_uri
from hoigen.look.pages import provenance_in_words
from hoigen.perception.records import Boxes, Geometry, Hands, Tracks
from hoigen.perception.report.codec import pack, quantise
from hoigen.perception.report.facts import camera_motion, facts, frame_rate, tallies
from hoigen.perception.report.look import instances, thinned, track_colours

if TYPE_CHECKING:
    from hoigen.perception.perceive import Perceived
    from hoigen.records import Clip

PICTURE_PIXELS, CLOUD_PIXELS = 400_000, 60_000
"""Pictures with more pixels than this are shown smaller; of so many pixels a frame's point cloud is made."""
DEPTH_LEVELS, PLACE_LEVELS = 4095, 16_384
"""1 / depth and places are kept in so many steps over their range: 1 mm at 1 m, if the nearest is 25 cm away."""
PIXEL_STEP = 1 / 16
SURE = 0.5
"""Points of less confidence than this can be hidden."""
THUMB_WIDTH, THUMB_QUALITY = 240, 70


def content(perceived: Perceived, name: str) -> dict[str, Any]:
    """What ``page/player.js`` reads."""
    footage, segmentation, tracks = perceived.footage, perceived.segmentation, perceived.tracks
    height, width = footage.rgb.shape[1:3]
    pixels, visible = tallies(perceived)
    found = {
        'name': name,
        'source': perceived.provenance.source,
        'size': [width, height],
        'stamps': [f'{stamp / 1e9:.9f}' for stamp in footage.stamps_ns],
        'times': ((footage.stamps_ns - footage.stamps_ns[0]) / 1e9).tolist(),
        'instances': [
            {'name': one.name, 'role': one.role, 'colour': one.colour, 'pixels': area.tolist()}
            for one, area in zip(instances(segmentation.role), pixels, strict=True)
        ],
        'boxes': _boxes(perceived.boxes) if perceived.boxes is not None else [],
        'hands': _hands(perceived.hands),
        'pictures': [data_uri(shrunk(picture)) for picture in footage.rgb],
        'masks': pack(np.stack([shrunk(mask, exact=True) for mask in segmentation.instance])),
        'tracks': _tracks(tracks, width, height),
        'tracks_visible': _numbers(visible),
        'notes': list(perceived.notes),
        'reason': perceived.reason,
        'facts': facts(perceived),
        'provenance': provenance_in_words(perceived.provenance),
    }
    if perceived.geometry is not None:
        found['geometry'] = _geometry(perceived.geometry, footage.stamps_ns)
        found['object_poses'] = _object_poses(perceived.clip)
        found['hand_places'] = _hand_places(perceived.clip)
    return found


def card(perceived: Perceived, name: str, picture: np.ndarray) -> dict[str, Any]:
    """What the index shows of a stretch: a picture [H,W,3] uint8 of it and a few words."""
    footage = perceived.footage
    wide, tall = THUMB_WIDTH, round(THUMB_WIDTH * picture.shape[0] / picture.shape[1])
    small = cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_AREA)
    pixels, visible = tallies(perceived)
    return {
        'name': name,
        'frames': len(footage.stamps_ns),
        'rate': frame_rate(footage.stamps_ns),
        'start': footage.stamps_ns[0] / 1e9,
        'end': footage.stamps_ns[-1] / 1e9,
        'notes': len(perceived.notes),
        'instances': [
            [one.name, one.colour, float((area > 0).mean())]
            for one, area in zip(instances(perceived.segmentation.role), pixels, strict=True)
        ],
        'visible': None if np.isnan(visible).any() else float(visible.mean()),
        'geometry': perceived.geometry.method if perceived.geometry is not None else None,
        'picture': data_uri(small, THUMB_QUALITY),
    }


def shrunk(picture: np.ndarray, *, exact: bool = False) -> np.ndarray:
    """[H,W,...] no larger than pictures are shown; ``exact`` keeps only values that were there."""
    height, width = picture.shape[:2]
    scale = math.sqrt(PICTURE_PIXELS / (height * width))
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST_EXACT if exact else cv2.INTER_AREA)


def _boxes(boxes: Boxes) -> list[dict[str, Any]]:
    return [
        {
            'role': ROLES[code],
            'boxes': [_numbers(box) if np.isfinite(box).all() else None for box in rows],
            'scores': _numbers(score),
        }
        for code, rows, score in zip(boxes.role.tolist(), boxes.boxes.transpose(1, 0, 2), boxes.score.T, strict=True)
    ]


def _hands(hands: Hands) -> list[dict[str, Any]]:
    """Each hand's side and, in each frame in which it is seen, u and v of its 21 keypoints."""
    pixels = hands.keypoints_px.astype(float).round(1)
    return [
        {'side': side, 'keypoints': [pixels[t, i].tolist() if hands.seen[t, i] else None for t in range(len(pixels))]}
        for i, side in enumerate(hands.side)
    ]


def _tracks(tracks: Tracks, width: int, height: int) -> dict[str, Any]:
    """The tracks that are drawn, [M,...,T]: one point's way lies together, which packs well."""
    chosen = thinned(tracks)
    pixels = tracks.pixels[:, chosen].transpose(1, 2, 0)
    reach = np.ptp(pixels[np.isfinite(pixels)]) if np.isfinite(pixels).any() else 0
    found = {
        'count': len(tracks.instance),
        'pixels': pack(quantise(pixels, int(min(65_534, 2 + reach / PIXEL_STEP)))),
        'visible': pack(tracks.visible[:, chosen].T.astype(np.uint8)),
        'shown': len(chosen),
        'colours': pack(track_colours(tracks, width, height)[chosen]),
    }
    if tracks.places is not None:
        found['places'] = pack(quantise(tracks.places[:, chosen].transpose(1, 2, 0), PLACE_LEVELS))
    return found


def _geometry(geometry: Geometry, stamps_ns: np.ndarray) -> dict[str, Any]:
    scale = DepthScale.of(geometry.depth_m)
    height, width = geometry.depth_m.shape[1:]
    every = max(1, math.ceil(math.sqrt(height * width / CLOUD_PIXELS)))
    first = (every - 1) // 2
    with np.errstate(divide='ignore'):
        inverse = 1 / geometry.depth_m[:, first::every, first::every]
    sure = (geometry.confidence[:, first::every, first::every] >= SURE).astype(np.uint8)
    speed, turn = camera_motion(geometry, stamps_ns)
    cameras = [
        [round(float(number), 6) for number in (*camera.K[[0, 1, 0, 1], [0, 1, 2, 2]], *camera.T_world_cam[:3].ravel())]
        for camera in geometry.cameras
    ]
    return {
        'method': geometry.method,
        'metric': geometry.metric,
        'unit': geometry.unit,
        'every': every,
        'first': first,
        'inverse': pack(quantise(inverse, DEPTH_LEVELS)),
        'sure': pack(sure),
        'cameras': cameras,
        'near': scale and scale.near,
        'far': scale and scale.far,
        'turbo': pack(turbo()),
        'speed': _numbers(speed),
        'turn': _numbers(turn),
    }


def _object_poses(clip: Clip | None) -> list[list[float] | None] | None:
    """The first three rows of each frame's ``T_world_object``; None where nobody knows any."""
    if clip is None:
        return None
    poses = [labels.T_world_object for labels in clip.labels]
    if all(pose is None for pose in poses):
        return None
    return [None if pose is None else [round(float(number), 6) for number in pose[:3].ravel()] for pose in poses]


def _hand_places(clip: Clip | None) -> list[dict[str, Any]]:
    """Each side's keypoints in 3D, in each frame in which they are known; as :func:`_hands`."""
    if clip is None:
        return []
    places = np.stack([labels.hands.keypoints_m for labels in clip.labels], 1).astype(float).round(4)
    return [
        {'side': side, 'keypoints': [at.tolist() if np.isfinite(at).all() else None for at in own]}
        for side, own in zip(clip.labels[0].hands.sides, places, strict=True)
    ]


def _numbers(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else round(float(value), 4) for value in values]
