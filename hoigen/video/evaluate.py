"""Evaluate a video model on held-out simulated clips against baselines that need no learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import cv2
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from hoigen.conditioning import pasted_baseline
from hoigen.look.images import write_image
from hoigen.metrics.distribution import Distribution
from hoigen.metrics.learned import Comparison, LearnedMeasures
from hoigen.metrics.measures import CONTACT_FOUND, higher_is_better, measure
from hoigen.metrics.statistics import Summary, differences, summarise
from hoigen.metrics.tables import Rows, digits, distribution_table, markdown, measure_table, said
from hoigen.models.cogvideox import rough_picture
from hoigen.models.hub import ModelError
from hoigen.provenance import strict_json
from hoigen.records import Conditions
from hoigen.video import evaluate_looks as looks
from hoigen.video.generator import Generator, load_generator
from hoigen.video.heldout import SHAPES, HeldOut, heldout_clips
from hoigen.video.inputs import Appearance, reference_video, to_uint8
from hoigen.video.options import EvaluateConfig
from hoigen.video.sampling import DEFAULT, Look, Sampling
from hoigen.whole_files import write_text

FIRST, PASTED, GIVEN, MODEL, ENLARGED, OTHER, NO_LATENT = (
    'first frame repeated',
    'coloured points pasted',
    'points and shadows, no learning',
    'model',
    'model at its own size, enlarged',
    "model, another clip's condition",
    'decoder alone (no diffusion)',
)
BASELINES = (FIRST, PASTED)
PICTURES = 12
"""Clips on the picture sheet."""

Render = Callable[[int], np.ndarray]
"""Frames [T,H,W,3] uint8 of held-out clip i."""


@dataclass(frozen=True, eq=False)
class Measures:
    """One method's results: rows, per clip the value of every measure; distances over all clips together."""

    rows: list[dict[str, float]]
    distributions: list[Distribution]


def evaluate(config: EvaluateConfig) -> int:
    """Run the evaluation; 0 when every bound holds."""
    learned = LearnedMeasures(config.learned)
    generator = load_generator(config.model)
    if len(generator.looks) > 1 and not config.source_size:
        return _evaluate_looks(config, generator, learned)
    if config.source_size and not generator.detailed:
        raise ModelError(f"source_size: expected a model that draws at its source's size, got {config.model}")
    clips = heldout_clips(generator, config.clips, detail=config.source_size)
    pictures: list[np.ndarray] = []
    results = {
        name: evaluate_frames(_keeping(render, pictures) if name == MODEL else render, clips, learned, name)
        for name, render in _methods(generator, clips, config).items()
    }
    faults = missed_bounds({name: summarise(of.rows) for name, of in results.items()})
    _write(config, results, faults, learned.weights, [margin_table(results)])
    write_image(config.out / 'sheet.png', sheet(list(zip(clips, pictures, strict=False))))
    return 1 if faults else 0


def _evaluate_looks(config: EvaluateConfig, generator: Generator, learned: LearnedMeasures) -> int:
    """The same for a model that is told a look (:mod:`hoigen.video.evaluate_looks`)."""
    clips, pictures = looks.asked_clips(generator, config.clips), dict[str, list[np.ndarray]]()
    results = {}
    for name, render in _looks(generator, clips, config).items():
        kept = pictures.setdefault(name, [])
        results[name] = evaluate_frames(_keeping(render, kept, len(clips)), clips, learned, name)
        for row, frames, asked in zip(results[name].rows, kept, clips, strict=True):
            row |= looks.look_measures(frames, asked)
    words = _looks(generator, clips, replace(config, seed=config.seed + len(clips)))[looks.WORDS]
    diversities = [looks.diversity([pictures[looks.WORDS][i], words(i)]) for i in range(len(clips))]
    faults = looks.missed({name: summarise(of.rows) for name, of in results.items()}, diversities)
    table = [['diversity of two seeds, levels', f'{np.mean(diversities):.2f}'], ['clips', str(len(clips))]]
    _write(config, results, faults, learned.weights, [table])
    write_image(config.out / 'sheet.png', looks_sheet([asked.truth for asked in clips[:PICTURES]], pictures))
    return 1 if faults else 0


def _looks(generator: Generator, clips: Sequence[looks.Asked], config: EvaluateConfig) -> dict[str, Render]:
    def told(look: Look, conditions: tuple) -> Render:
        sampling = replace(config.sampling, conditions=conditions)
        return lambda i: looks.rendered(generator, clips[i], look, config.seed + i, sampling)

    geometry = ('points', 'tracking')
    return {
        looks.SOURCE: lambda i: clips[i].source,
        looks.FIRST: lambda i: np.repeat(clips[i].truth[:1], len(clips[i].truth), 0),
        looks.IMAGE: told('image', geometry),
        looks.POINTS: told('image', (*geometry, 'coloured')),
        looks.SCENE: told('scene', geometry),
        looks.WORDS: told('words', geometry),
        looks.NO_LATENT: lambda i: generator.decode_without_latents(clips[i].conditions),
    }


def looks_sheet(truths: Sequence[np.ndarray], pictures: dict[str, list[np.ndarray]]) -> np.ndarray:
    """A row for each clip: two frames of each method and of the truth."""

    def pair(video: np.ndarray) -> np.ndarray:
        return np.pad(np.concatenate([video[len(video) // 2], video[-1]], axis=1), ((0, 4), (0, 6), (0, 0)))

    rows = [[*(pair(of[i]) for of in pictures.values()), pair(truth)] for i, truth in enumerate(truths)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def evaluate_generator(
    generator: Generator,
    clips: Sequence[HeldOut],
    *,
    seed: int = 0,
    sampling: Sampling = DEFAULT,
    learned: LearnedMeasures | None = None,
    name: str = MODEL,
) -> Measures:
    """What a generator makes of the clips' conditions, clip i from ``seed + i``, measured against their truth."""
    return evaluate_frames(
        lambda i: generator.render(clips[i].conditions, seed=seed + i, sampling=sampling), clips, learned, name
    )


def evaluate_frames(
    render: Render, clips: Sequence[HeldOut], learned: LearnedMeasures | None = None, name: str = ''
) -> Measures:
    """Any method measured on the clips; frame 0, which every method is given, does not count."""
    rows: list[dict[str, float]] = []
    comparisons: list[Comparison] = []
    for i in track(range(len(clips)), description=escape(name)):
        held, frames = clips[i], render(i)
        rows.append(measure(frames, held.truth, held.clip, held.conditions.drawn))
        if learned is not None and learned.weights:
            comparisons.append(learned.compare(frames[1:], held.truth[1:], held.conditions.drawn.mask[1:]))
            rows[-1] |= comparisons[-1].row
    return Measures(rows, learned.distributions(comparisons) if learned is not None and comparisons else [])


def _methods(generator: Generator, clips: Sequence[HeldOut], config: EvaluateConfig) -> dict[str, Render]:
    def conditions(i: int):
        return clips[i].conditions

    def of_another(i: int):
        c, other = conditions(i), conditions((i + len(SHAPES) + 1) % len(clips))
        mixed = _in_the_scene_of(other, c)
        if c.detail is None or other.detail is None:
            return mixed
        return replace(mixed, detail=_in_the_scene_of(other.detail, c.detail))

    def model(of: Callable) -> Render:
        return lambda i: generator.render(of(i), seed=config.seed + i, sampling=config.sampling)

    def enlarged(i: int) -> np.ndarray:
        high, wide = clips[i].truth.shape[1:3]
        own = model(lambda j: replace(conditions(j), detail=None))(i)
        return np.stack([cv2.resize(frame, (wide, high), interpolation=cv2.INTER_CUBIC) for frame in own])

    return {
        FIRST: lambda i: np.repeat(conditions(i).drawn.image[None], len(conditions(i).stamps_ns), 0),
        PASTED: lambda i: pasted_baseline(conditions(i).drawn),
        GIVEN: lambda i: to_uint8(rough_picture(reference_video(Appearance.of(conditions(i).drawn)))),
        MODEL: model(conditions),
        **({ENLARGED: enlarged} if config.source_size else {}),
        OTHER: model(of_another),
        NO_LATENT: lambda i: generator.decode_without_latents(conditions(i)),
    }


def _in_the_scene_of(conditions: Conditions, scene: Conditions) -> Conditions:
    """Hand and object of one clip before the background of another."""
    known = {name: getattr(scene, name) for name in ('image', 'background', 'background_known')}
    return replace(conditions, **known)


def missed_bounds(summaries: dict[str, dict[str, Summary]]) -> list[str]:
    """The bounds a shipped model must keep, as sentences, for those that it misses.

    Better than both baselines on every measure, but for how many contact patterns were found: the contact error counts
    a lost one already.
    """
    faults = []
    for baseline in BASELINES:
        for name, summary in summaries[MODEL].items():
            value, other = summary.mean, summaries[baseline][name].mean
            if summary.n and name != CONTACT_FOUND and not (value > other if higher_is_better(name) else value < other):
                faults.append(f'{name}: {value:.3f} is not better than {other:.3f} of "{baseline}"')
    ho = 'PSNR hand-object'
    means = {name: of[ho].mean for name, of in summaries.items()}
    return faults + [
        f'{ho}: {means[MODEL]:.2f} dB is not {margin} dB above {means[other]:.2f} dB of "{other}"'
        for other, margin in ((FIRST, 4), (OTHER, 3), (GIVEN, 0.5), (NO_LATENT, 0.3))
        if not means[MODEL] >= means[other] + margin
    ]


def margin_table(results: dict[str, Measures]) -> Rows:
    """How much better the model is than each baseline, clip by clip; positive is better in every row."""
    rows = [['model better by', *BASELINES, 'N']]
    margins = {name: summarise(differences(results[MODEL].rows, results[name].rows)) for name in BASELINES}
    for name, summary in margins[FIRST].items():
        sign = 1 if higher_is_better(name) else -1
        cells = [said(_signed(margins[b][name], sign), digits(name), '+') for b in BASELINES]
        rows.append([name, *cells, str(summary.n)])
    return rows


def _signed(summary: Summary, sign: int) -> Summary:
    low, high = sorted((sign * summary.low, sign * summary.high))
    return Summary(sign * summary.mean, low, high, summary.n)


def _keeping(render: Render, pictures: list[np.ndarray], most: int = PICTURES) -> Render:
    """The same frames, those of the first clips kept for the picture sheet."""

    def kept(i: int) -> np.ndarray:
        frames = render(i)
        if len(pictures) < most:
            pictures.append(frames)
        return frames

    return kept


def _write(
    config: EvaluateConfig,
    results: dict[str, Measures],
    faults: list[str],
    weights: dict[str, str],
    more: Sequence[Rows],
) -> None:
    config.out.mkdir(parents=True, exist_ok=True)
    summaries = {name: summarise(of.rows) for name, of in results.items()}
    tables = [
        measure_table(summaries, weights),
        *more,
        distribution_table({name: of.distributions for name, of in results.items()}),
    ]
    console = Console(markup=False)
    for rows in filter(None, tables):
        console.print(_rich(rows, f'{config.model}: {config.clips} held-out clips, without frame 0'))
    for fault in faults:
        console.print(f'missed: {fault}', style='red', soft_wrap=True)
    write_text(config.out / 'table.md', '\n'.join(markdown(rows) for rows in filter(None, tables)))
    told = {
        'means': {name: {m: asdict(s) for m, s in of.items()} for name, of in summaries.items()},
        'clips': {name: of.rows for name, of in results.items()},
        'distributions': {name: [asdict(d) for d in of.distributions] for name, of in results.items()},
        'weights': weights,
        'missed': faults,
    }
    write_text(config.out / 'results.json', strict_json(told, indent=1))
    console.print(f'table, results and picture sheet: {config.out}', soft_wrap=True)


def _rich(rows: Rows, title: str) -> Table:
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name, overflow='fold')  # a hash must be whole
    for row in rows[1:]:
        table.add_row(*row)
    return table


def sheet(pictures: Sequence[tuple[HeldOut, np.ndarray]]) -> np.ndarray:
    """Truth over generated at four frames, one pair of rows per clip, two clips side by side."""

    def row(video: np.ndarray) -> np.ndarray:
        return np.concatenate([video[t] for t in np.linspace(0, len(video) - 1, 4).round().astype(int)], axis=1)

    pairs = [
        np.pad(np.concatenate([row(held.truth), row(made)]), ((0, 6), (0, 6), (0, 0)), constant_values=255)
        for held, made in pictures
    ]
    if len(pairs) % 2:
        pairs.append(np.full_like(pairs[0], 255))
    return np.concatenate([np.concatenate(pairs[i : i + 2], axis=1) for i in range(0, len(pairs), 2)])
