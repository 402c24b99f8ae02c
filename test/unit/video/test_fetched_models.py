"""What `hoigen models fetch` fetched is what the video models find by their repositories' names."""

import shutil

import pytest
import torch
from published_layout import NOTHING, toy_config, write_pipeline, write_tracking_branch

from hoigen.cli import main
from hoigen.models.configuration import save_config
from hoigen.models.hub import ModelError
from hoigen.video.model import load


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path / 'models'))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr('hoigen.video.model.refuse_too_little', lambda model: NOTHING)


def test_a_model_is_made_of_fetched_weights(tmp_path, capsys):
    """Backbone and branch by repository; misfits are refused when they are fetched, not when they are used."""
    pipeline = write_pipeline(tmp_path / 'there' / 'cogvideox')
    branch = write_tracking_branch(tmp_path / 'there' / 'das', pipeline)
    save_config(toy_config('THUDM/CogVideoX-5b-I2V', 'EXCAI/Diffusion-As-Shader'), tmp_path / 'toy')
    with pytest.raises(ModelError, match=r'(?s)hoigen models fetch cogvideox .*hoigen models fetch das '):
        load(str(tmp_path / 'toy'))
    assert main(['models', 'fetch', 'cogvideox', 'das', '--from', str(tmp_path / 'there')]) == 0
    model = load(str(tmp_path / 'toy'))
    got, want = model.transformer.state_dict(), branch.state_dict()
    assert all(torch.equal(got[name], tensor.float()) for name, tensor in want.items())
    assert any(name.startswith('EXCAI/Diffusion-As-Shader/transformer/') for name in model.weights)
    shutil.rmtree(tmp_path / 'models' / 'das')
    shutil.copytree(tmp_path / 'there' / 'cogvideox' / 'transformer', tmp_path / 'wrong' / 'transformer')
    assert main(['models', 'fetch', 'das', '--from', str(tmp_path / 'wrong')]) == 1
    assert 'missing combine_linears.0' in capsys.readouterr().err.replace('\n', '')
