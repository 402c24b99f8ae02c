"""Options of training and measuring an asset-referenced model; imported without torch, for help."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from hoigen.editing.flux.configuration import AutoencoderLoss
from hoigen.editing.flux_insertion.options import RefinerLoss
from hoigen.learning.options import Hardware, LoopConfig

Stage = Literal['scenes', 'autoencoder', 'asset', 'refiner']
STAGES: tuple[Stage, ...] = ('scenes', 'autoencoder', 'asset', 'refiner')

SMALL = LoopConfig(steps=1700, schedule='cosine', batch=8, learning_rate=1e-3, ema=0.999, checkpoint_every=300)


@dataclass(frozen=True)
class AssetLoss:
    """What is learnt from."""

    drop_text: float = 0.1
    """Fraction of examples without a caption, 0 to 1."""
    drop_views: float = 0.1
    """Fraction of examples without views of the asset, 0 to 1."""
    terminal: float = 0.2
    """Fraction of examples at pure noise, where few-step sampling starts, 0 to 1."""
    recolour: float = 0.5
    """Fraction of examples with permuted colours, so that colours come from the views, not the caption, 0 to 1."""
    object: float = 3.0
    """Weight of what shows the object, relative to the rest, less one."""


@dataclass(frozen=True)
class TrainAssetConfig:
    """Train a small asset-referenced model: simulated scenes, autoencoder, then image and point map together, then
    the refiner of the image.

    Run it again with the same arguments to go on: scenes that are there stay, and training goes on from its last
    checkpoint. The run folder ends as a model that every ``--model`` takes.
    """

    data: Path
    """Folder of the scenes, which are simulated into it."""
    out: Path
    """Run folder: checkpoints, curves, and the trained model."""
    model: str = 'asset-tiny'
    """Model to train; a name in config/editing or a folder."""
    stage: Stage | Literal['all'] = 'all'
    """Stage to run; all: one after the other."""
    scenes: int = 700
    """Scenes to simulate."""
    lpips: Path | None = None
    """AlexNet's published weights; with them scenes are also filtered by perceptual distance."""
    start: Path | None = None
    """Folder of an insertion model of the same sizes whose weights to start from, its autoencoder kept as it is."""
    seed: int = 0
    """Seed of the scenes, the initial weights and everything drawn in training."""
    hardware: Hardware = field(default_factory=Hardware)
    """How the work is done."""
    autoencoder: LoopConfig = field(
        default_factory=lambda: replace(SMALL, steps=600, batch=16, ema=0.99, warmup=50, weight_decay=1e-4)
    )
    """Training of the autoencoder."""
    asset: LoopConfig = SMALL
    """Training of image and point map together."""
    refiner: LoopConfig = field(default_factory=lambda: replace(SMALL, steps=400, ema=0.99, warmup=50))
    """Training of the refiner."""
    autoencoder_loss: AutoencoderLoss = field(default_factory=AutoencoderLoss)
    """The autoencoder's loss."""
    loss: AssetLoss = field(default_factory=AssetLoss)
    """What image and point map are learnt from."""
    refiner_loss: RefinerLoss = field(default_factory=RefinerLoss)
    """The refiner's loss."""


@dataclass(frozen=True)
class EvaluateReferenceConfig:
    """Measure images of assets whose seeds, sizes, textures and proportions are held out, each asked for from a
    direction of its own.

    Writes table.md, results.json and sheet.png to ``out``. Pose found: the point map tells one; what follows is of
    those. Points off: median distance of the map's points from where the pose puts them. Mask IoU: of the map with the
    mesh drawn at the pose. Look error: of the image against that mesh, 0 to 255. Own look nearest: of four assets,
    the colours that the map looks up are nearest to the image's on the one that was asked for.
    """

    model: str = 'asset-tiny'
    """Asset-referenced model to measure; a name in config/editing or the folder of a trained one."""
    assets: int = 40
    """Held-out assets, one image of each, at least 1."""
    seed: int = 0
    """Seed of the assets and of the directions that are asked for."""
    out: Path = Path('out/evaluate_reference')
    """Folder of the table, the results and the sheet."""

    def __post_init__(self) -> None:
        if self.assets < 1:
            raise ValueError(f'assets: expected >= 1, got {self.assets}')
