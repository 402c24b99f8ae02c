"""Scene files of real pictures: each shows an object, whose other pictures are its references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.editing.conditions import flat
from hoigen.editing.data.filters import FilterOptions, Likeness
from hoigen.editing.data.labels import (
    DEPTH,
    MASK,
    WITHOUT,
    Labelled,
    Labellers,
    LabelOptions,
    PictureFault,
    cutout,
    label,
)
from hoigen.editing.data.library import caption_of
from hoigen.editing.data.records import DataError, Outcome, write_scene
from hoigen.editing.region import region_of
from hoigen.editing.synthesis import GREY
from hoigen.geometry.orientation import Orientation
from hoigen.perception.records import Boxes, Detector
from hoigen.records import Footage
from hoigen.sources.recording.options import RecordingError
from hoigen.sources.recording.stills import PICTURES


@cache
def load_labellers(options: LabelOptions, filters: FilterOptions) -> Labellers:
    """Labellers of these weights; MissingWeights, when one is needed and not there, says how to fetch it."""
    orientation = likeness = None
    if options.orientation or filters.dino:
        from hoigen.models.labelling import load_likeness, load_orienter

        orientation = load_orienter(options.orientation).tell if options.orientation else None
        likeness = load_likeness(filters.dino) if filters.dino else None
    sam = cache(lambda: _sam(options.sam))
    depth = cache(lambda: _depth(options.depth))
    return Labellers(
        lambda rgb, caption: _box(options.detector, rgb, caption),
        lambda rgb, box: sam()(rgb, box),
        lambda rgb: depth()(rgb),
        orientation,
        likeness,
    )


def _box(name: str, rgb: np.ndarray, caption: str) -> tuple[np.ndarray, float] | None:
    """The surest box of what a caption names, and its score."""
    boxes, scores, _ = _detector(name, caption.lower().rstrip('.')).find(rgb)
    return None if not len(scores) else (boxes[np.argmax(scores)], float(np.max(scores)))


@cache
def _detector(name: str, phrase: str) -> Detector:
    from hoigen.models.detectors import load

    return Detector(*load(name, phrases={phrase: OBJECT}))


def _sam(name: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    from hoigen.models.sam2 import load_sam
    from hoigen.perception.learned.sam import segment_with_sam

    model = load_sam(name)

    def mask(rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
        one = Boxes(
            np.array([ROLE_CODE[OBJECT]], np.uint8), box[None, None].astype(np.float32), np.ones((1, 1), np.float32)
        )
        return segment_with_sam(Footage(np.zeros(1, np.int64), rgb[None], None, None), one, model).instance[0] > 0

    return mask


def _depth(name: str) -> Callable[[np.ndarray], np.ndarray]:
    from hoigen.models.labelling import load_depth

    return load_depth(name)


@dataclass(frozen=True)
class PictureJob:
    """All that a worker needs for any object of a set."""

    out: Path
    size: int
    views: int
    labels: LabelOptions
    filters: FilterOptions
    compress: bool


def object_folders(folder: Path) -> tuple[Path, ...]:
    """The folders of a folder, one for each object, by name."""
    if not folder.is_dir():
        raise DataError(f'pictures: expected a folder, got {folder}')
    found = tuple(sorted(path for path in folder.iterdir() if path.is_dir() and pictures_of(path)))
    if not found:
        raise DataError(
            f'pictures: expected a folder for each object in {folder}, with its pictures '
            f'({", ".join(PICTURES)}), found none'
        )
    return found


def pictures_of(folder: Path) -> list[Path]:
    """The pictures in a folder, without the masks, depth maps and pictures without the object beside them."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURES
        and not path.name.endswith(MASK)
        and Path(path.stem).suffix not in (DEPTH, WITHOUT)
    )


def make_pictures(job: PictureJob, folders: Sequence[Path], number: int) -> Outcome:
    """Label the pictures of object ``number``, leave out what is not good enough, write the rest."""
    folder = folders[number]
    caption = caption_of(folder)
    labellers = load_labellers(job.labels, job.filters)
    found: list[Labelled] = []
    dropped, notes = Counter[str](), []
    for path in pictures_of(folder):
        try:
            found.append(label(path, caption, labellers, job.labels))
        except PictureFault as fault:
            dropped[str(fault)] += 1
        except (DataError, RecordingError) as error:
            dropped['not readable'] += 1
            notes.append(f'{folder.name}: {error}')
    alone = [cutout(picture.rgb, picture.mask, job.size) for picture in found]
    good = _alike(alone, job.filters, labellers.likeness)
    dropped['not like its pictures'] += len(found) - len(good)
    if len(good) < 2:
        dropped['no other picture of it'] += len(good)
        return Outcome(number, '', 0, (caption,), dict(+dropped), tuple(notes))
    path = job.out / f'scene_{number:06d}.npz'
    arrays = arrays_of_pictures([found[i] for i in good], [alone[i] for i in good], caption, job.size, job.views)
    write_scene(path, arrays, compress=job.compress)
    return Outcome(number, path.name, len(good), (caption,), dict(+dropped), tuple(notes))


def arrays_of_pictures(
    found: Sequence[Labelled], alone: Sequence[np.ndarray], caption: str, size: int, views: int
) -> dict[str, np.ndarray]:
    """The arrays of a scene file: of each picture one example, whose thing has the other pictures as its views, again
    and again up to ``views`` of them."""
    rows = [_example(picture, size) for picture in found]
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    count = len(found)
    others = np.array([np.resize(np.delete(np.arange(count), i), views) for i in range(count)])
    turned = np.array([_angles(picture.orientation) for picture in found], np.float32)
    nowhere = np.full((count, 4, 4), np.nan)
    return arrays | {
        'orientation': turned,
        'thing': np.arange(count),
        'K': nowhere[:, :3, :3],
        'T_world_cam': nowhere,
        'T_world_object': nowhere,
        'view_rgb': np.stack(alone)[others],
        'view_orientation': turned[others],
        'caption': np.array([caption] * count),
    }


def _example(picture: Labelled, size: int) -> dict[str, np.ndarray]:
    """One picture's arrays, cut to the square about the object. Only what is seen of it is known of its outline."""
    region = region_of(picture.mask, size)
    rgb, mask = region.cut(picture.rgb), region.cut(picture.mask, 0)
    depth = region.cut(picture.depth_m.astype(np.float32), np.nan)
    insertion = float(np.nanmedian(picture.depth_m[picture.mask]))
    own = np.where(np.isfinite(depth), depth, np.float32(insertion))
    box = np.zeros_like(mask)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    mixed = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # pixels at the outline show both
    hidden = np.where(mixed[..., None], np.uint8(GREY), rgb)
    return {
        'rgb': rgb,
        'without': hidden if picture.without is None else region.cut(picture.without),
        'without_known': np.array(picture.without is not None),
        'depth_without_m': np.where(mixed, np.float32(np.nan), depth),
        'mask': mask,
        'object_depth_m': np.where(mask, own, np.float32(np.inf)),
        'guide': np.full_like(rgb, GREY),
        'box_mask': box,
        'box_depth_m': flat(box, insertion),
        'insertion_depth_m': np.array(insertion, np.float32),
    }


def _alike(alone: Sequence[np.ndarray], filters: FilterOptions, likeness: Likeness | None) -> list[int]:
    """Which of the pictures show the same as at least one other."""
    if likeness is None or len(alone) < 2:
        return list(range(len(alone)))
    vectors = likeness(alone)
    same = vectors @ vectors.T - 4 * np.eye(len(alone))
    return np.flatnonzero(same.max(1) >= filters.similarity).tolist()


def _angles(orientation: Orientation | None) -> list[float]:
    return [np.nan] * 3 if orientation is None else [orientation.azimuth, orientation.elevation, orientation.in_plane]
