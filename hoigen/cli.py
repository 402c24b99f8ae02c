"""The ``hoigen`` command. Each verb is one frozen configuration and one call; its module loads only when it runs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import tyro
from rich.console import Console
from rich.text import Text

from hoigen.ros.graph import pairs


@dataclass(frozen=True)
class Verb:
    """Where a verb's configuration class and function live, and how it is used."""

    module: str
    """Of the configuration class; that of the function too, unless ``function`` names another."""
    config: str
    """'' where the class is that of the defaults."""
    function: str
    """Its name, after its module and a colon where that loads what help should not wait for."""
    says: str
    example: str
    defaults: str = ''
    """A function of the module that makes the configuration's defaults from the command line, if they depend on it."""


VERBS = {
    'up': Verb(
        'hoigen.ros.up',
        '',
        'run',
        'run a graph of nodes: a source of scenes and a maker of video or edits, to bags and report',
        'hoigen up --source sim --maker video --episodes 3',
        'job_of',
    ),
    **{
        f'up {name}': Verb(
            'hoigen.ros.up',
            '',
            'run',
            pair.description,
            f'hoigen up {name} {pair.example}',
            'job_of',
        )
        for name, pair in pairs().items()
    },
    'generate': Verb(
        'hoigen.video.generate',
        'GenerateConfig',
        'generate',
        'make episodes of simulated or recorded scenes without ROS',
        'hoigen generate --episodes 2 --camera ego --out out/clips',
    ),
    'extract': Verb(
        'hoigen.perception.extract',
        'ExtractConfig',
        'extract',
        'make clips of a recorded video: masks, point maps, 3D tracks, and a page to look at',
        'hoigen extract my_clip.mp4',
    ),
    'clips': Verb(
        'hoigen.video.options',
        'ClipsConfig',
        'hoigen.video.clips:make_clips',
        'make simulated clips for training',
        'hoigen clips --out data/train --count 2000',
    ),
    'edit data': Verb(
        'hoigen.editing.data.command',
        'DataConfig',
        'make_data',
        'make scenes for training of insertion, simulated or of real images',
        'hoigen edit data --out data/edit --count 2000 --meshes my_meshes',
    ),
    'train video': Verb(
        'hoigen.video.options',
        'TrainConfig',
        'hoigen.video.training.stages:run',
        'train a video model, resumable',
        'hoigen train video --clips data/train --out runs/mine',
        'recipe_of',
    ),
    'train asset': Verb(
        'hoigen.editing.asset_reference.options',
        'TrainAssetConfig',
        'hoigen.editing.asset_reference.training.stages:run',
        'train a model that makes images of a 3D asset, resumable',
        'hoigen train asset --data data/assets --out runs/asset',
    ),
    'train insertion': Verb(
        'hoigen.editing.flux_insertion.options',
        'TrainInsertionConfig',
        'hoigen.editing.flux_insertion.training.stages:run',
        'train a model that inserts objects into images, resumable',
        'hoigen train insertion --data data/scenes --out runs/insertion',
        'recipe_of',
    ),
    'evaluate': Verb(
        'hoigen.video.options',
        'EvaluateConfig',
        'hoigen.video.evaluate:evaluate',
        'measure a model on held-out clips',
        'hoigen evaluate --model tiny --clips 36',
    ),
    'evaluate perception': Verb(
        'hoigen.perception.evaluate',
        'EvaluatePerceptionConfig',
        'evaluate',
        'measure perception on held-out simulated video',
        'hoigen evaluate perception',
    ),
    'evaluate edit': Verb(
        'hoigen.editing.evaluation.options',
        'EvaluateEditConfig',
        'hoigen.editing.evaluation.evaluate:evaluate',
        'measure object insertion on held-out simulated scenes',
        'hoigen evaluate edit',
    ),
    'evaluate reference': Verb(
        'hoigen.editing.asset_reference.options',
        'EvaluateReferenceConfig',
        'hoigen.editing.asset_reference.evaluate:evaluate',
        'measure images of held-out 3D assets',
        'hoigen evaluate reference',
    ),
    'ablate': Verb(
        'hoigen.video.options',
        'AblateConfig',
        'hoigen.video.ablation:ablate',
        "train and measure the paper's ablation, small",
        'hoigen ablate --clips data/train --steps 150',
    ),
    'link': Verb(
        'hoigen.video.link',
        'LinkConfig',
        'link',
        'make a model of published weights, a branch and options',
        'hoigen link --out models/mine --control runs/mine --memory.offload group',
    ),
    'edit insert': Verb(
        'hoigen.editing.commands.verbs',
        'InsertConfig',
        'insert',
        'insert an object into an image or a recorded clip at a 6DoF pose',
        'hoigen edit insert scene.png --fov-deg 60 --mesh mug.glb --position 0 0.1 0.6 --view-angles 30 20 0',
    ),
    'edit move': Verb(
        'hoigen.editing.commands.verbs',
        'MoveConfig',
        'move',
        'make the counterfactual of a recorded clip: its object elsewhere, with true labels',
        'hoigen edit move out/demo/episode_0000 --by -0.03 0 0',
    ),
    'edit reference': Verb(
        'hoigen.editing.asset_reference.command',
        'ReferenceConfig',
        'reference',
        'make images of a 3D asset, each with its point map and the pose that follows from it',
        'hoigen edit reference mug.glb --caption "a red mug" --azimuth 45',
    ),
    'edit remove': Verb(
        'hoigen.editing.commands.verbs',
        'RemoveConfig',
        'remove',
        'remove the object from a recorded clip, or what a mask covers from an image',
        'hoigen edit remove out/demo/episode_0000',
    ),
    'models fetch': Verb(
        'hoigen.models.hub.fetch',
        'FetchConfig',
        'fetch',
        'get published weights, verified',
        'hoigen models fetch vggt sam2',
    ),
    'models list': Verb(
        'hoigen.models.hub.fetch',
        'ListConfig',
        'list_models',
        'list the published weights and their licences',
        'hoigen models list',
    ),
    'plan': Verb(
        'hoigen.video.options',
        'PlanConfig',
        'hoigen.video.plan:plan',
        'report the memory and work that a model needs, before it is loaded',
        'hoigen plan --model cogvideox-5b --memory 24 --training --gpus 8',
    ),
    'report': Verb(
        'hoigen.episodes.commands',
        'ReportConfig',
        'report',
        'make report.html and preview.mp4 of recorded bags',
        'hoigen report out/demo',
    ),
    'episode export': Verb(
        'hoigen.episodes.export',
        'ExportConfig',
        'export',
        'make arrays or videos of recorded bags',
        'hoigen episode export out/demo --format arrays',
    ),
    'recover': Verb(
        'hoigen.episodes.commands',
        'RecoverConfig',
        'recover_episode',
        'make a readable bag of a killed recording',
        'hoigen recover out/demo/episode_0002',
    ),
}

EXPECTED = (ValueError, RuntimeError, OSError)
"""What bad input or a bad machine raises; anything else is a bug and shows its traceback."""

OUT_OF_MEMORY = 'the machine has too little memory for this; choose smaller images or fewer frames'


def usage(verbs: Iterable[str] = VERBS) -> str:
    """The verbs with what they do and an example each."""
    rows = '\n'.join(f'  {name:20} {VERBS[name].says}\n{"":23}{VERBS[name].example}' for name in verbs)
    return f'usage: hoigen VERB [options]; hoigen VERB --help shows the options\n\n{rows}\n'


def verb_of(arguments: list[str]) -> str | None:
    """The verb that the arguments begin with, of two words if there is such a one; None for none."""
    return next((name for name in (' '.join(arguments[:2]), arguments[0]) if name in VERBS), None)


def configuration_of(name: str, arguments: list[str]) -> tuple[type, dict[str, Any]]:
    """The configuration class of a verb and, where they depend on the command line, ``default`` with its defaults."""
    verb = VERBS[name]
    module = import_module(verb.module)
    if not verb.defaults:
        return getattr(module, verb.config), {}
    default = getattr(module, verb.defaults)(arguments)
    return getattr(module, verb.config) if verb.config else type(default), {'default': default}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; the exit status is what its function returns, 2 on wrong use, 1 on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ('-h', '--help'):
        print(usage())
        return 0 if arguments else 2
    name = verb_of(arguments)
    if name is None:
        longer = [verb for verb in VERBS if verb.startswith(f'{arguments[0]} ')]
        if longer and arguments[1:] in (['-h'], ['--help']):
            print(usage(longer))
            return 0
        print(
            f'hoigen: expected one of {", ".join(longer or VERBS)}, got {" ".join(arguments[:2])!r}\n\n{usage()}',
            file=sys.stderr,
        )
        return 2
    verb, rest = VERBS[name], arguments[name.count(' ') + 1 :]
    try:
        kind, defaults = configuration_of(name, arguments)
        config = tyro.cli(
            kind,
            args=rest,
            prog=f'hoigen {name}',
            **defaults,
            description=f'{verb.says}.\n\nexample: {verb.example}\n\n{inspect.getdoc(kind)}',
        )
        where, _, function = verb.function.rpartition(':')
        run: Callable[..., int | None] = getattr(import_module(where or verb.module), function)
        return run(config) or 0
    except EXPECTED as error:
        words = Text.assemble((f'hoigen {name}:', 'bold red'), f' {error}')
    except MemoryError as error:
        words = Text.assemble((f'hoigen {name}:', 'bold red'), f' {OUT_OF_MEMORY}{f": {error}" if str(error) else ""}')
    Console(stderr=True, markup=False).print(words, highlight=False, soft_wrap=True)
    return 1
