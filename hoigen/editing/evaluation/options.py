"""Options of measuring insertion; imported without torch, for help."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class IdentityConfig:
    """Networks that distinguish objects; a measure without weights is left out. Mind their licences."""

    dino: str | None = None
    """DINOv2 model: 'dinov2' once it is fetched, or a folder."""
    clip: Path | None = None
    """Folder of a CLIP model (config.json, model.safetensors, preprocessor_config.json)."""


@dataclass(frozen=True)
class EvaluateEditConfig:
    """Measure object insertion on simulated scenes whose seeds, sizes, textures and proportions are held out.

    Exits with status 1 when the model misses one of its bounds. Writes table.md, results.json and sheet.png to ``out``.
    """

    model: str = 'insertion-tiny'
    """Insertion model to measure; a name in config/editing or the folder of a trained one."""
    without_stage_1: str | None = None
    """Folder of the same model trained without stage 1, for the paper's ablation; left out if not given."""
    examples: int = 60
    """Insertions; every other one has something before the object."""
    seed: int = 0
    """Seed of the first insertion; the next ones follow."""
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    """Weights of the networks that compare objects."""
    out: Path = Path('out/evaluate_edit')
    """Folder of the table, the results and the sheet."""

    def __post_init__(self) -> None:
        if self.examples < 2:
            raise ValueError(f'examples: expected >= 2, got {self.examples}')
