"""`hoigen generate --first-image`: video in the look of an image, each episode in its own; a misfit is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from restyled import COLOURS, restyled
from simulated_scene import simulate

from hoigen.conditioning import build_clip
from hoigen.conventions import ROLE_CODE
from hoigen.episodes import EpisodeReader, write_episode
from hoigen.models.hub import ModelError
from hoigen.provenance import sha256_of
from hoigen.records import Clip, Episode, Provenance
from hoigen.video.configuration import refuse_prompt
from hoigen.video.generate import GenerateConfig, generate
from hoigen.video.make import EpisodeSpec, make_episodes
from hoigen.video.sampling import Acceptance
from hoigen.video.style import Style, StyleError
from hoigen.video.styled import styled
from hoigen.video.views import view_conditions

PROVENANCE = Provenance(0, {}, 'test', {}, {}, {})


@pytest.fixture(scope='module')
def clips() -> list[Clip]:
    """The beginnings of two episodes, at the model's size."""
    made = [simulate(seed, width=192, height=128, frames=9, rate_hz=5.0, shape='carton') for seed in (3, 4)]
    return [build_clip(it.episode.assets, it.frames[:5]) for it in made]


def save(folder: Path, name: str, image: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(image).save(folder / name)
    return folder / name


def read(bag: Path) -> Episode:
    with EpisodeReader(bag) as reader:
        assert not reader.faults()
        return reader.episode()


def test_every_episode_has_the_look_of_its_image(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the first frame to the last, in the tiny model too. A broken image is named and costs its episode only; once
    it is mended the same command makes what is missing."""
    monkeypatch.setattr('hoigen.video.generate.write_report', lambda folder: folder)  # other tests look at it
    for number, clip in enumerate(clips):
        write_episode(tmp_path / 'bags' / f'clip_{number}', Episode(clip, PROVENANCE))
    looks = tmp_path / 'looks'
    file, broken = save(looks, 'clip_0.png', restyled(clips[0])), looks / 'clip_1.JPG'
    broken.write_bytes(file.read_bytes()[:3000])
    config = GenerateConfig(
        clips=(tmp_path / 'bags',), out=tmp_path / 'out', style=Style(first_image=looks), acceptance=Acceptance(0.0)
    )
    assert generate(config) == 1
    printed = capsys.readouterr().out
    assert f'bags_clip_1 not generated: first_image: {broken}: image: expected a whole image, got' in printed
    assert '1 episodes in ' in printed
    episode = read(tmp_path / 'out' / 'bags_clip_0')
    assert np.array_equal(episode.clip.rgb, clips[0].rgb), 'the scene is recorded as its source shows it'
    assert episode.generated is not None
    found = episode.generated.provenance.config
    assert (found['first_image']['file'], found['first_image']['sha256']) == ('clip_0.png', sha256_of(file))
    assert min(found['first_image']['outlines'].values()) > 0.72
    assert found['prompt'] == clips[0].labels[0].task
    for at in (0, -1):
        for role, colour in COLOURS.items():
            shown = episode.generated.frames[at][clips[0].mask[at] == ROLE_CODE[role]].mean(0)
            assert np.abs(shown / shown.sum() - np.array(colour) / sum(colour)).max() < 0.08, (at, role)
    broken.unlink()
    save(looks, 'clip_1.png', clips[1].rgb[0])
    assert generate(config) == 0
    own = read(tmp_path / 'out' / 'bags_clip_1').generated
    assert own is not None
    assert np.abs(own.frames[0].astype(int) - clips[1].rgb[0]).mean() < 10


def test_an_image_that_does_not_fit_is_one_line(clips: list[Clip], tmp_path: Path) -> None:
    """The option, the file, what was expected and what was measured."""
    file = save(tmp_path, 'photo.png', clips[1].rgb[0])
    with pytest.raises(
        StyleError, match=rf"^first_image: {file}: expected frame 0's hand .* got hand 0\.\d\d, object 0\.\d\d$"
    ):
        styled(clips[0], Style(first_image=file))
    with pytest.raises(StyleError, match=rf'^background: {file}: expected .* got '):
        styled(clips[0], Style(background=file))


def test_the_images_of_an_episode_are_found_by_its_name(tmp_path: Path) -> None:
    """Each episode's own, or one for all; none and several are refused before anything is made."""
    image = np.zeros((4, 4, 3), np.uint8)
    one = save(tmp_path, 'episode_0000.PNG', image)
    assert Style(first_image=tmp_path).of('episode_0000') == Style(first_image=one)
    assert Style('a tap', one, tmp_path).of('episode_0000') == Style('a tap', one, one)
    with pytest.raises(StyleError, match=r'first_image: expected one image .*/episode_0001 .*, got none'):
        Style(first_image=tmp_path).of('episode_0001')
    save(tmp_path, 'episode_0000.jpg', image)
    with pytest.raises(StyleError, match=r'background: .*, got episode_0000.PNG, episode_0000.jpg'):
        Style(background=tmp_path).of('episode_0000')
    with pytest.raises(StyleError, match='first_image: expected an image or a folder of images, got nothing at'):
        generate(GenerateConfig(out=tmp_path / 'out', style=Style(first_image=tmp_path / 'absent')))
    assert not (tmp_path / 'out').exists()


def test_a_prompt_reaches_the_conditions_and_is_refused_where_nothing_reads_it(clips: list[Clip]) -> None:
    [conditions] = view_conditions([styled(clips[0], Style('a red mug on steel'))], width=96, height=64)
    assert conditions.prompt == 'a red mug on steel'
    refuse_prompt('cogvideox-5b', 'a red mug on steel')
    with pytest.raises(ModelError, match="prompt: expected none, as model tiny does not read text, got 'a red mug'"):
        make_episodes(replace(EpisodeSpec(), styles=(Style('a red mug'),)))
