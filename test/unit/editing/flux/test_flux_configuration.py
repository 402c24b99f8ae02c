"""Configurations of editing models: what ships is read, what is wrong is named."""

from dataclasses import replace

import pytest
import yaml

from hoigen.editing.flux.configuration import read_config
from hoigen.models.configuration import save_config
from hoigen.models.hub import ModelError
from hoigen.resources import find

SHIPPED = sorted(path.stem for path in find('config/editing').glob('*.yaml'))


@pytest.mark.parametrize('model', SHIPPED)
def test_every_shipped_configuration_is_read(model):
    """A user can name each YAML that ships, and its name is the file's."""
    assert read_config(model).name == model


def test_a_folder_is_a_model(tmp_path):
    """What is saved beside weights is read back as it was, lists for tuples."""
    config = read_config('insertion-tiny')
    save_config(config, tmp_path)
    assert read_config(str(tmp_path)) == config


def test_side_of_a_token():
    """A token is two latents wide, whichever autoencoder makes them: FLUX's own halves once less than it has blocks."""
    tiny = read_config('insertion-tiny')
    assert tiny.pixels_per_token == 8
    assert replace(tiny, autoencoder={'block_out_channels': [8, 8, 8, 8]}).pixels_per_token == 16


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'size': 60}, 'size: expected a multiple of 8 pixels, got 60'),
        ({'reference_size': 33}, 'reference_size: expected a multiple of 8 pixels, got 33'),
        ({'steps': 0}, 'steps: expected >= 1, got 0'),
        (
            {'guidance': 3.5},
            'guidance: expected a number where the transformer has guidance_embeds, else none, got 3.5',
        ),
        ({'words': None}, 'words: expected a word table, or clip, t5 and text_length, got None'),
        ({'text_length': 512}, 'words: expected a word table, or clip, t5 and text_length'),
        ({'image_guidance': 0.5}, 'image_guidance: expected a number >= 1'),
    ],
)
def test_wrong_values_are_named(changes, says):
    """Each field that cannot work is refused where it is read, not deep in a model."""
    with pytest.raises(ModelError, match='model insertion-tiny') as error:
        replace(read_config('insertion-tiny'), **changes)
    assert says in str(error.value)


def test_an_unknown_model_names_those_there_are():
    with pytest.raises(ModelError, match=r"expected one of .*'insertion-tiny'.* got 'insertion-tinny'"):
        read_config('insertion-tinny')


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('- 1', 'expected fields and their values, got list'),
        ('nmae: x', r"unknown \['nmae'\]"),
        ('name: x', r'missing \[.*steps.*\], unknown'),
    ],
)
def test_a_file_of_something_else(tmp_path, text, says):
    """The file is named, and what is wrong in it."""
    (tmp_path / 'model.yaml').write_text(text)
    with pytest.raises(ModelError, match=f'model.yaml: .*{says}'):
        read_config(str(tmp_path))


def test_autoencoder_without_blocks_is_refused(tmp_path):
    """A missing part of a part's configuration is no KeyError."""
    save_config(read_config('insertion-tiny'), tmp_path)
    fields = yaml.safe_load((tmp_path / 'model.yaml').read_text())
    del fields['autoencoder']['pixels']
    (tmp_path / 'model.yaml').write_text(yaml.safe_dump(fields))
    with pytest.raises(ModelError, match='block_out_channels'):
        read_config(str(tmp_path))
