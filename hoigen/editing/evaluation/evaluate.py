"""Measure object insertion on held-out simulated scenes, whose truth is exact, as SpatialHand does (tables 1 to 3)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from textwrap import fill

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import track

from hoigen.editing.evaluation.identity import Identity
from hoigen.editing.evaluation.options import EvaluateEditConfig
from hoigen.editing.evaluation.rows import (
    BASELINES,
    MODEL,
    NO_DEPTH,
    NO_STAGE_1,
    NOTHING,
    ROWS,
    STAGE_1,
    TRUE,
    Made,
    make,
)
from hoigen.editing.evaluation.scenes import Insertion, heldout_insertions
from hoigen.editing.flux_insertion.inserter import Inserter, load_inserter
from hoigen.editing.views import nearest
from hoigen.look.images import write_image
from hoigen.metrics.editing import (
    background_error,
    colour_error,
    depth_error_percent,
    object_iou,
    occlusion_right,
    read,
    unclear_share,
)
from hoigen.metrics.editing_orientation import ACCURATE_DEG, OrientationReader
from hoigen.metrics.image import psnr
from hoigen.metrics.statistics import Summary, summarise
from hoigen.metrics.tables import Rows, markdown, said
from hoigen.provenance import strict_json
from hoigen.whole_files import write_text

OCCLUSION, IOU, ABSREL, TURNED = 'occlusion right', 'object IoU', 'depth AbsRel, %', f'within {ACCURATE_DEG:.0f}°'
MEASURES = {
    OCCLUSION: '↑',
    IOU: '↑',
    ABSREL: '↓',
    TURNED: '↑',
    'object PSNR, dB': '↑',
    'colour error': '↓',
    'background error': '↓',
    'label IoU': '↑',
    'unclear': '↓',
    'DINO': '↑',
    'CLIP': '↑',
    'seconds': '↓',
}
"""Each measure and which way is better."""
DIGITS = {OCCLUSION: 2, TURNED: 2, 'object PSNR, dB': 1, 'colour error': 1, 'background error': 1, 'seconds': 1}
LEAST_OCCLUSION, LEAST_IOU = 0.8, 0.6
PICTURES = 10
"""Insertions on the sheet of pictures."""
HEAD, GAP, LETTERS = 76, 4, 20
"""Of the sheet: height of the head, space between pictures, pixels; letters in a line of a column's name."""


@dataclass(frozen=True, eq=False)
class Results:
    """rows: per method and insertion the value of every measure. names: of the insertions. chance: for each that tells
    its orientation, how often one drawn by chance is right. pictures: of the first ones, by method."""

    rows: dict[str, list[dict[str, float]]]
    names: list[str]
    chance: list[float]
    pictures: dict[str, list[np.ndarray]]


def evaluate(config: EvaluateEditConfig) -> int:
    """Run the evaluation; 0 when every bound holds."""
    identity, inserters = Identity(config.identity), {True: load_inserter(config.model)}
    if config.without_stage_1 is not None:
        inserters[False] = load_inserter(config.without_stage_1)
    results = Results({}, [], [], {})
    found = heldout_insertions(config.examples)
    for number, insertion in track(enumerate(found), description='held-out insertions', total=config.examples):
        _evaluate_one(insertion, inserters, identity, config.seed + number, results)
    summaries = {name: summarise(of) for name, of in results.rows.items()}
    faults = missed_bounds(summaries)
    weights: dict[str, str | dict[str, str]] = {
        MODEL if stage_1 else NO_STAGE_1: of.model.weights for stage_1, of in inserters.items()
    }
    _write(config, results, summaries, faults, weights | identity.weights)
    return 1 if faults else 0


def _evaluate_one(
    insertion: Insertion, inserters: Mapping[bool, Inserter], identity: Identity, seed: int, results: Results
) -> None:
    """Add one insertion, as each method makes it, to the results."""
    placement, truth = insertion.placement, insertion.truth
    reader = OrientationReader(insertion.look.asset, placement.T_world_object, placement.camera, truth)
    results.names.append(f'{insertion.look.caption}{", occluded" if insertion.occluded else ""}')
    if reader.tells:
        results.chance.append(reader.chance)
    for name, row in ROWS.items():
        if row.stage_1 in inserters:
            begun = time.perf_counter()
            made = make(row, inserters[row.stage_1], insertion, seed)
            taken = {'seconds': time.perf_counter() - begun}
            _keep(results, name, made, measure(made, insertion, reader, identity) | taken)
    for name, baseline in BASELINES.items():
        made = Made(baseline(insertion), None)
        _keep(results, name, made, measure(made, insertion, reader, identity))


def _keep(results: Results, name: str, made: Made, row: dict[str, float]) -> None:
    results.rows.setdefault(name, []).append(row)
    if len(results.names) <= PICTURES:
        results.pictures.setdefault(name, []).append(made.rgb)


def measure(made: Made, insertion: Insertion, reader: OrientationReader, identity: Identity) -> dict[str, float]:
    """Each of MEASURES that a picture has; NaN where it cannot be told of this insertion."""
    truth, rgb = insertion.truth, made.rgb
    reading = read(rgb, truth)
    row = {
        OCCLUSION: occlusion_right(reading, truth) if insertion.occluded else float('nan'),
        IOU: object_iou(reading, truth),
        ABSREL: depth_error_percent(reading, truth),
        TURNED: float(reader.error_deg(rgb) <= ACCURATE_DEG) if reader.tells else float('nan'),
        'object PSNR, dB': psnr(rgb[None], truth.rgb[None], truth.visible[None]),
        'colour error': colour_error(rgb, truth),
        'background error': background_error(rgb, truth),
        'unclear': unclear_share(reading, truth),
    }
    if made.mask is not None:
        row['label IoU'] = float((made.mask & truth.visible).sum() / (made.mask | truth.visible).sum())
    reference = nearest(insertion.references, insertion.placement.orientation, 1)[0]
    return row | identity.compare(rgb, truth.visible, reference.rgb)


def missed_bounds(summaries: Mapping[str, Mapping[str, Summary]]) -> list[str]:
    """The bounds that a shipped model must keep, as sentences, for those that it misses."""
    model, faults = summaries[MODEL], []
    for name, least in ((OCCLUSION, LEAST_OCCLUSION), (IOU, LEAST_IOU)):
        if not model[name].mean >= least:
            faults.append(f'{name}: {model[name].mean:.2f} is not {least} or more')
    without = summaries[NO_DEPTH]
    if not model[ABSREL].mean < without[ABSREL].mean:
        faults.append(f'{ABSREL}: {model[ABSREL].mean:.3f} is not below {without[ABSREL].mean:.3f} of "{NO_DEPTH}"')
    if NO_STAGE_1 in summaries:
        stage_1, other = summaries[STAGE_1][TURNED].mean, summaries[NO_STAGE_1][TURNED].mean
        if not stage_1 > other:
            faults.append(f'{TURNED}: {stage_1:.2f} of "{STAGE_1}" is not above {other:.2f} of "{NO_STAGE_1}"')
    return faults


def table_of(summaries: Mapping[str, Mapping[str, Summary]]) -> Rows:
    """Methods by measure with 95 % intervals and, in the last row, how many insertions a measure could be told of."""
    measures = [name for name in MEASURES if any(name in of for of in summaries.values())]
    table = [['mean [95 % interval]', *(f'{name} {MEASURES[name]}' for name in measures)]]
    for method, of in summaries.items():
        table.append([method, *(_said(of[name], DIGITS.get(name, 3)) if name in of else '-' for name in measures)])
    model = summaries[MODEL]
    return [*table, ['N', *(str(model[name].n) if name in model else '-' for name in measures)]]


def _said(summary: Summary, digits: int) -> str:
    """A mean with its interval where it has one; of no insertion there is none."""
    if summary.n == 0:
        return '-'
    return said(summary, digits) if np.isfinite(summary.low) else f'{summary.mean:.{digits}f}'


def _write(
    config: EvaluateEditConfig,
    results: Results,
    summaries: Mapping[str, Mapping[str, Summary]],
    faults: Sequence[str],
    weights: Mapping[str, str | dict[str, str]],
) -> None:
    config.out.mkdir(parents=True, exist_ok=True)
    table = markdown(table_of(summaries))
    note = (
        f'{TURNED}: {len(results.chance)} of {len(results.names)} insertions tell their orientation; one drawn by '
        f'chance is right in {np.mean(results.chance or [np.nan]):.2f}.'
    )
    write_text(config.out / 'table.md', f'{table}\n{note}\n')
    told = {
        'means': {name: {m: asdict(s) for m, s in of.items()} for name, of in summaries.items()},
        'insertions': {
            name: [{'insertion': i, **row} for i, row in zip(results.names, of, strict=True)]
            for name, of in results.rows.items()
        },
        'chance': results.chance,
        'weights': dict(weights),
        'missed': list(faults),
    }
    write_text(config.out / 'results.json', strict_json(told, indent=1))
    write_image(config.out / 'sheet.png', sheet(results.pictures))
    console = Console(markup=False)
    console.print(table, note, sep='\n', soft_wrap=True)
    for fault in faults:
        console.print(f'missed: {fault}', style='red', soft_wrap=True)
    console.print(f'table, results and picture sheet: {config.out}', soft_wrap=True)


def sheet(pictures: Mapping[str, Sequence[np.ndarray]]) -> Image.Image:
    """Methods side by side, an insertion in each row; the scene and the truth come first."""
    order = [NOTHING, TRUE, *(name for name in pictures if name not in (NOTHING, TRUE))]
    size = pictures[TRUE][0].shape[0]
    canvas = Image.new('RGB', (len(order) * (size + GAP), HEAD + len(pictures[TRUE]) * (size + GAP)), 'white')
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for column, name in enumerate(order):
        left = column * (size + GAP)
        pen.multiline_text((left, HEAD - GAP), fill(name, LETTERS), fill='black', font=font, anchor='ld')
        for row, picture in enumerate(pictures[name]):
            canvas.paste(Image.fromarray(picture), (left, HEAD + row * (size + GAP)))
    return canvas
