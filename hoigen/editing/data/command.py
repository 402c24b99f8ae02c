"""``hoigen edit data``: a set of scenes for training, simulated or of real pictures, resumable."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from hoigen.editing.data.contact_sheet import draw_contact_sheet
from hoigen.editing.data.examples import SimulationConfig
from hoigen.editing.data.filters import FilterOptions
from hoigen.editing.data.labels import LabelOptions
from hoigen.editing.data.ledger import Ledger
from hoigen.editing.data.library import LibraryMesh, mesh_files, prepare_library
from hoigen.editing.data.pictures import PictureJob, make_pictures, object_folders
from hoigen.editing.data.records import DataError, Outcome
from hoigen.editing.data.simulated import SceneJob, make_scene
from hoigen.look.images import write_image
from hoigen.look.progress import bars
from hoigen.models.hub import MissingWeights, weights_of
from hoigen.models.hub.catalogue import catalogue
from hoigen.models.hub.published import fingerprint
from hoigen.provenance import sha256_of, versions_of
from hoigen.records import Provenance

SHEET = 'sheet.png'
MODELS = ('detector', 'sam', 'depth', 'orientation')
COMPLETE, NOTHING = 0, 1


@dataclass(frozen=True)
class DataConfig:
    """Makes scene files for training of the insertion model, with a manifest and a sheet to look at.

    By default things are made and dropped on a table, and every label is exact. With ``--meshes`` some of the things
    are a user's. With ``--images`` there is no simulation: labels of real pictures are files beside them or by
    models. What is there already is kept: a stopped run goes on where it was, a larger ``--count`` only adds.
    """

    out: Path
    """Folder of the set."""
    count: int = 1000
    """Scenes to simulate."""
    seed: int = 0
    """The same seed gives the same files."""
    meshes: Path | None = None
    """Folder of meshes (obj, ply, stl: front +x, up +z; glb: front +z, up +y); NAME.txt beside one tells what it is."""
    mesh_scale: float = 1.0
    """Metres for one unit of the meshes."""
    mesh_share: float = 0.5
    """How often a thing is one of the meshes."""
    images: Path | None = None
    """Folder with a folder of images for each object, whose name tells what it is; see docs/editing.md."""
    labels: LabelOptions = field(default_factory=LabelOptions)
    simulation: Annotated[SimulationConfig, tyro.conf.arg(name='')] = field(default_factory=SimulationConfig)
    filters: Annotated[FilterOptions, tyro.conf.arg(name='')] = field(default_factory=FilterOptions)
    compress: bool = False
    """Smaller files, slower to write and read."""
    workers: int = 2
    """Processes that work at the same time."""

    def __post_init__(self) -> None:
        if self.meshes is not None and self.images is not None:
            raise DataError('meshes, images: expected at most one of them, got both')
        if self.count < 1 or self.workers < 1 or self.mesh_scale <= 0 or not 0 < self.mesh_share <= 1:
            raise DataError(
                'expected count >= 1, workers >= 1, mesh-scale > 0 and mesh-share in (0, 1], got '
                f'{self.count}, {self.workers}, {self.mesh_scale}, {self.mesh_share}'
            )


def make_data(config: DataConfig) -> int:
    """Make what is not there yet; NOTHING if not one example was good enough."""
    console = Console(highlight=False, markup=False)
    with Ledger(config.out, _provenance(config)) as ledger:
        if config.images is None:
            job = SceneJob(
                config.out,
                config.seed,
                config.simulation,
                config.filters,
                _meshes(config, console),
                config.mesh_share,
                config.compress,
            )
            work, numbers = partial(make_scene, job), range(config.count)
        else:
            folders = object_folders(config.images)
            work, numbers = partial(make_pictures, _picture_job(config), folders), range(len(folders))
        _run(work, [n for n in numbers if n not in ledger.outcomes], ledger, config, console)
        totals, files = ledger.totals(), ledger.files
    console.print(_sentence(config.out, totals), markup=False, soft_wrap=True)
    if not files:
        return NOTHING
    write_image(config.out / SHEET, draw_contact_sheet(files))
    console.print(str(config.out / SHEET), markup=False, soft_wrap=True)
    return COMPLETE


def _run(
    work: Callable[[int], Outcome], numbers: Sequence[int], ledger: Ledger, config: DataConfig, console: Console
) -> None:
    """Do every number in worker processes, each noted as it is through."""
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # for the workers, each of which has a core of its own
    context = multiprocessing.get_context('spawn')
    with (
        bars(console) as progress,
        ProcessPoolExecutor(min(config.workers, max(1, len(numbers))), mp_context=context) as pool,
    ):
        bar = progress.add_task('scenes' if config.images is None else 'objects', total=len(numbers), note='')
        waiting = [pool.submit(work, number) for number in numbers]
        try:
            for done in as_completed(waiting):
                outcome = done.result()
                ledger.add(outcome)
                for note in outcome.notes:
                    progress.console.print(note, style='yellow', markup=False, soft_wrap=True)
                progress.advance(bar)
        finally:
            pool.shutdown(cancel_futures=True)


def _meshes(config: DataConfig, console: Console) -> tuple[LibraryMesh, ...]:
    """The user's meshes that can be used; tells why the others cannot."""
    if config.meshes is None:
        return ()
    meshes, faults = prepare_library(config.meshes, config.mesh_scale, config.out / 'meshes', config.workers)
    for fault in faults:
        console.print(f'not used: {fault}', style='yellow', markup=False, soft_wrap=True)
    console.print(f'{len(meshes)} meshes of {config.meshes}', markup=False, soft_wrap=True)
    return meshes


def _picture_job(config: DataConfig) -> PictureJob:
    return PictureJob(
        config.out, config.simulation.size, config.simulation.views, config.labels, config.filters, config.compress
    )


def _provenance(config: DataConfig) -> Provenance:
    """How a set is made: what of the configuration tells the files' content, and the models that may label it. A set
    may be enlarged, and made by any number of processes."""
    unused = {'out', 'count', 'workers', 'seed'}
    unused |= {'labels'} if config.images is None else {'mesh_scale', 'mesh_share', 'simulation'}
    unused |= {'mesh_scale', 'mesh_share'} if config.meshes is None else set()
    told = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(config).items()
        if name not in unused
    }
    if config.meshes is not None:
        told['mesh_files'] = {
            str(path.relative_to(config.meshes)): sha256_of(path) for path in mesh_files(config.meshes)
        }
    if config.images is not None:
        told |= {'size': config.simulation.size, 'views': config.simulation.views}
    names = [config.filters.dino]
    names += [] if config.images is None else [getattr(config.labels, name) for name in MODELS]
    weights, licences = _models([name for name in names if name])
    return Provenance(
        config.seed,
        {**told, 'seed': config.seed},
        'simulation' if config.images is None else 'pictures',
        weights,
        versions_of(),
        licences,
    )


def _models(names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """SHA-256 of the weights that are on this machine, and their licences where the catalogue tells them."""
    weights: dict[str, str] = {}
    licences: dict[str, str] = {}
    for name in names:
        try:
            folder = weights_of(name)
        except MissingWeights:
            continue  # it may never be needed; where it is, the run ends and says so
        weights |= {f'{name}/{file.name}': fingerprint(file) for file in sorted(folder.rglob('*.safetensors'))}
        if name in catalogue():
            licences[name] = catalogue()[name].licence
    return weights, licences


def _sentence(out: Path, totals: dict[str, Any]) -> str:
    left_out = ', '.join(f'{count} {reason}' for reason, count in totals['dropped'].items())
    return f'{totals["examples"]} examples in {totals["scenes"]} scenes, {out}' + (
        f'; left out: {left_out}' if left_out else ''
    )
