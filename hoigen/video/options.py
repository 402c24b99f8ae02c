"""Options of the commands that make clips, and train, measure and plan video models; without torch, for help."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from hoigen.learning.options import Hardware, LoopConfig
from hoigen.metrics.options import LearnedConfig
from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.sampling import CONDITIONS, DEFAULT, Sampling

Stage = Literal['autoencoder', 'diffusion', 'decoder']
STAGES: tuple[Stage, ...] = ('autoencoder', 'diffusion', 'decoder')


@dataclass(frozen=True)
class ClipsConfig:
    """A set of clips for training, simulated or of recorded episodes.

    A simulated clip is named by its seed, one of an episode by folder, episode and first frame, so a stopped run goes
    on where it was and a longer one only adds. An episode longer than ``frames`` gives several clips, the last one up
    to its end.
    """

    out: Path
    """Folder of the clips."""
    from_bags: Path | None = None
    """Recorded episodes instead of simulated ones: a bag, its .mcap file, or a folder with bags at any depth."""
    count: int = 1000
    """Clips to simulate, from as many seeds."""
    looks: int = 1
    """Looks of each simulated episode, a clip each: 1 its own; others have the same motion and cameras, >= 1."""
    split: Literal['train', 'heldout'] = 'train'
    """Textures, colours, sizes and proportions to draw from; those of heldout are in no training clip."""
    first_seed: int = 0
    """Seed of the first simulated clip; the next ones follow."""
    width: int = 192
    """Width of the images, pixels, divisible by 16."""
    height: int = 128
    """Height of the images, pixels, divisible by 16."""
    frames: int = 17
    """Frames of a clip, 4k+1."""
    points: int = 2048
    """Points kept of each point cloud; a model needs as many as its `cloud` (tiny 512, cogvideox-5b 8192)."""
    workers: int = 2
    """Processes that make clips."""

    def __post_init__(self) -> None:
        if self.looks < 1:
            raise ValueError(f'looks: expected at least 1, got {self.looks}')
        if self.frames % 4 != 1 or self.height % 16 or self.width % 16:
            raise ValueError(
                f'clips: expected 4k+1 frames and a size divisible by 16, '
                f'got {self.frames} frames of {self.width}x{self.height}'
            )


@dataclass(frozen=True)
class AutoencoderLoss:
    """Weights of the autoencoder's loss, and how often a part of its input is left out.

    Without its latents the decoder learns what the reference alone can give; without its reference the latents learn
    to carry the whole image, which the image and tracking conditions need.
    """

    ssim: float = 0.3
    """Weight of structural dissimilarity (1 - SSIM) beside the L1 loss."""
    kl: float = 3e-4
    """Weight of the latents' KL divergence from a unit Gaussian."""
    drop_latent: float = 0.1
    """Fraction of examples that are decoded without latents, 0 to 1."""
    drop_reference: float = 0.05
    """Fraction of examples that are decoded without the reference, 0 to 1."""
    window: int = 2
    """Consecutive latents of a clip that are learnt from at once; n are 4n - 3 frames."""


@dataclass(frozen=True)
class DiffusionLoss:
    """What the diffusion stage learns from; the defaults are the paper's, with dropout so that guidance works."""

    conditions: tuple[Literal['points', 'tracking', 'coloured'], ...] = CONDITIONS
    """Conditions that the control branch is given at all."""
    mask_weight: float = 1.0
    """Weight w of the mask loss' (1 + w M), >= 0; 0: the plain loss."""
    drop_condition: float = 0.1
    """Chance to leave out each condition of a clip, 0 to 1."""
    drop_control: float = 0.1
    """Chance to leave out the whole control branch, 0 to 1."""
    drop_text: float = 0.1
    """Chance to leave out the prompt, 0 to 1; of a model that reads colours, each part's alone."""
    look: tuple[float, float, float] = (1.0, 0.0, 0.0)
    """Fractions of the clips whose look is told by the first image, the empty scene, words alone; their sum is 1."""
    coloured: float = 1.0
    """Fraction of the clips that are given coloured points, 0 to 1."""
    terminal: float = 0.0
    """Fraction of clips at the last, pure-noise timestep, where few-step sampling starts, 0 to 1."""
    image_noise: bool = True
    """Add noise of deviation exp(N(-3, 0.5)) to the first image."""
    train_backbone: bool = False
    """Train the backbone too, for one without pre-training."""

    def __post_init__(self) -> None:
        shares = (self.drop_condition, self.drop_control, self.drop_text, self.terminal, self.coloured, *self.look)
        if not (all(0 <= share <= 1 for share in shares) and self.mask_weight >= 0 and abs(sum(self.look) - 1) < 1e-6):
            raise ValueError(
                'DiffusionLoss: expected drop_condition, drop_control, drop_text, terminal, coloured in [0, 1], '
                f'a look with the sum 1 and mask_weight >= 0, got {self}'
            )


@dataclass(frozen=True)
class DecoderLoss:
    """Weights of the decoder's loss on generated latents."""

    ssim: float = 0.3
    """Weight of structural dissimilarity (1 - SSIM) beside the L1 loss."""
    window: int = 3
    """Consecutive latents of a clip that are decoded; n are 4n - 3 frames."""
    drop_latent: float = 0.1
    """Fraction of examples that are decoded without latents, 0 to 1."""


@dataclass(frozen=True)
class TrainConfig:
    """Train one stage of a model, or all that it has, one after the other.

    Run it again with the same arguments to go on from the last checkpoint. The run folder ends as a model that every
    ``--model`` takes. Settings are by default those of the model's recipe, which --help shows; with ``--model MODEL
    --help`` that of another model.
    """

    clips: tuple[Path, ...]
    """One or several folders of clips (`hoigen clips`)."""
    out: Path
    """Run folder: checkpoints, curves, and the trained model."""
    weights: tuple[float, ...] = ()
    """How often each folder of clips is drawn from against the others; none: every clip equally often."""
    model: str = 'cogvideox-5b'
    """Model to train; a name in config/models or a folder."""
    start: str | None = None
    """Model or folder whose weights to train on from; a published backbone takes a branch, none: a new one."""
    stage: Stage | Literal['all'] = 'all'
    """Stage to train; all: those that the model has, in order."""
    seed: int = 0
    """Seed of the initial weights and of everything drawn in training."""
    cache: Path | None = None
    """Folder where the clips' latents are kept; none: beside the clips."""
    hardware: Hardware = field(default_factory=lambda: Hardware(checkpointing=True))
    """How the work is done."""
    autoencoder: LoopConfig = field(default_factory=LoopConfig)
    """Training of the autoencoder."""
    diffusion: LoopConfig = field(default_factory=LoopConfig)
    """Training of the diffusion model or of its branch."""
    decoder: LoopConfig = field(default_factory=LoopConfig)
    """Training of the decoder on generated latents."""
    autoencoder_loss: AutoencoderLoss = field(default_factory=AutoencoderLoss)
    """The autoencoder's loss."""
    diffusion_loss: DiffusionLoss = field(default_factory=DiffusionLoss)
    """What the diffusion stage learns from."""
    decoder_loss: DecoderLoss = field(default_factory=DecoderLoss)
    """The decoder's loss."""


def recipe(model: str = 'tiny', **given: Any) -> TrainConfig:
    """The configuration that a model is trained with: the paper's at full size, ours for models learnt from nothing."""
    if is_published(read_config(model)):
        return TrainConfig(**{'clips': tyro.MISSING, 'out': tyro.MISSING, 'model': model, **given})
    small = LoopConfig(schedule='cosine', ema=0.999)
    loss = DiffusionLoss(terminal=0.4, image_noise=False, train_backbone=True)
    if read_config(model).reads_colours:
        loss = replace(loss, terminal=0.2, look=(0.4, 0.3, 0.3), coloured=0.25, drop_text=0.3)
        given = {'autoencoder_loss': AutoencoderLoss(drop_reference=0.3)} | given
    return TrainConfig(
        **{
            'clips': tyro.MISSING,
            'out': tyro.MISSING,
            'model': model,
            'hardware': Hardware(),
            'autoencoder': replace(small, steps=3000, learning_rate=1e-3),
            'diffusion': replace(small, steps=4000, batch=8, learning_rate=6e-4),
            'decoder': replace(small, steps=800, learning_rate=4e-4),
            'diffusion_loss': loss,
            **given,
        }
    )


def recipe_of(arguments: list[str]) -> TrainConfig:
    """The recipe of the model that a command line names."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--model', default='tiny')
    return recipe(parser.parse_known_args(arguments)[0].model)


def is_published(config: ModelConfig) -> bool:
    """Whether a model has a published backbone and autoencoder, and so only its branch to learn."""
    return config.base is not None


@dataclass(frozen=True)
class EvaluateConfig:
    """Measure a model on held-out clips: seeds, sizes, textures and proportions that no training clip has.

    Exits with status 1 when the model misses one of its bounds. Writes table.md, results.json and sheet.png to ``out``.
    """

    model: str = 'tiny'
    """Model to measure; a name in config/models or the folder of a trained one."""
    clips: int = 36
    """Held-out clips to simulate."""
    source_size: bool = False
    """Measure at the simulator's size of 720x480, where the model draws at its source's size."""
    seed: int = 0
    """Seed of the first generation; clip i is generated with seed + i."""
    out: Path = Path('out/evaluate')
    """Folder of the table, the results and the sheet."""
    sampling: Sampling = DEFAULT
    """How to sample."""
    learned: LearnedConfig = field(default_factory=LearnedConfig)
    """Weights of learned measures."""


@dataclass(frozen=True)
class AblateConfig:
    """Train every variant and measure all on the same held-out clips.

    Run it again with the same arguments to go on where it was.
    """

    clips: tuple[Path, ...]
    """Folders of training clips (`hoigen clips`)."""
    out: Path = Path('runs/ablation')
    """Folder of the variants, one run folder each."""
    steps: int = 150
    """Training steps of each variant."""
    heldout: int = 24
    """Held-out clips to measure on."""
    seed: int = 0
    """Seed of training, and of the first generation."""
    table: Path = Path('docs/ablation.md')
    """Markdown file for the tables."""


@dataclass(frozen=True)
class PlanConfig:
    """Report what generating and training with a model need, from its configuration alone; no weights are read.

    Exits with status 1 when nothing fits.
    """

    model: str = 'cogvideox-5b'
    """Model to plan for; a name in config/models or a folder."""
    memory: float | None = None
    """Memory of the device, GB; none: the GPU's, if there is one."""
    training: bool = False
    """Count training too."""
    gpus: int = 1
    """GPUs that share weights and optimiser in training (FSDP)."""
    batch: int = 1
    """Clips on each GPU in a step of training."""
