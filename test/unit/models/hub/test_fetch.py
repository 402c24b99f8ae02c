"""Fetching weights: what is there is whole and right, what is not says why; licences are told before anything comes."""

import hashlib
import json
import resource
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path, PurePath

import pytest
import torch
from safetensors.torch import load_file, save_file

from hoigen.cli import main
from hoigen.models.hub import MissingWeights, ModelError, weights_of
from hoigen.models.hub.catalogue import Entry, catalogue, matches
from hoigen.models.hub.fit import convert_pickles, refuse_unfit
from hoigen.models.hub.store import Source, stored

NAME = 'sam2-tiny'


def fetched(*arguments):
    return main(['models', 'fetch', *map(str, arguments)])


def told(capsys):
    return capsys.readouterr().err


def test_from_the_hub(hub, home, capsys):
    """Only the files that are wanted come; the manifest has the revision and the hashes; then the weights are found."""
    with pytest.raises(MissingWeights, match=rf'(?s){NAME}.*hoigen models fetch {NAME} \(licence: Apache-2.0\)'):
        weights_of(NAME)
    assert fetched(NAME) == 0
    assert 'licence: Apache-2.0' in capsys.readouterr().out
    folder = weights_of(NAME)
    assert folder == home / NAME
    assert sorted(f.name for f in folder.iterdir()) == ['config.json', 'manifest.json', 'model.safetensors']
    manifest = json.loads((folder / 'manifest.json').read_text())
    assert (manifest['revision'], manifest['licence']) == ('c0ffee', 'Apache-2.0')
    held = (hub.folder / 'model.safetensors').read_bytes()
    assert manifest['files']['model.safetensors'] == [len(held), hashlib.sha256(held).hexdigest()]
    assert Source('facebook/sam2.1-hiera-tiny', 'x').folder() == folder, 'a model may name the repository'
    assert weights_of(str(hub.folder)) == hub.folder, 'or a folder of its own'
    assert not list((home / '.partial').iterdir())


def test_what_is_there_is_not_got_again(hub):
    assert fetched(NAME) == fetched(NAME) == 0
    assert sorted(hub.got) == ['config.json', 'model.safetensors']


def test_a_broken_download_goes_on(hub, home, capsys):
    """What came before the break stays, does not count as whole, and is not got again."""
    hub.broken.add('model.safetensors')
    assert fetched(NAME) == 1
    assert f'{NAME}: the hub could not be reached' in told(capsys)
    assert stored(NAME) is None
    hub.broken.clear()
    assert fetched(NAME) == 0
    assert hub.got.count('config.json') == 1
    assert weights_of(NAME).is_dir()


@pytest.mark.parametrize('file', ['model.safetensors', 'config.json'])
def test_a_wrong_byte_from_the_hub_is_refused(hub, capsys, file):
    """Large files by their SHA-256, small ones by git's; the wrong file is got again the next time."""
    hub.spoilt.add(file)
    assert fetched(NAME) == 1
    assert f'{file} from facebook/sam2.1-hiera-tiny: expected SHA' in told(capsys).replace('\n', ' ')
    assert stored(NAME) is None
    hub.spoilt.clear()
    assert fetched(NAME) == 0


def test_a_gated_repository_says_how_to_get_access(hub, capsys):
    hub.status = 403
    assert fetched(NAME) == 1
    assert 'accept its licence (Apache-2.0) at https://huggingface.co/facebook/sam2.1' in told(capsys)


def test_no_network_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr('huggingface_hub.constants.ENDPOINT', 'http://127.0.0.1:9')
    assert fetched(NAME) == 1
    assert f'hoigen models fetch {NAME} --from FOLDER' in told(capsys)


def test_from_a_folder_of_another_machine(hub, home, tmp_path, monkeypatch, capsys):
    """The folder that a fetch left, or a plain download; with a manifest its hashes are checked."""
    assert fetched(NAME) == 0
    other = tmp_path / 'usb'
    shutil.copytree(home, other)
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path / 'second'))
    assert fetched(NAME, '--from', other) == 0
    assert json.loads((tmp_path / 'second' / NAME / 'manifest.json').read_text())['revision'] == 'c0ffee'
    file = other / NAME / 'model.safetensors'
    file.write_bytes(file.read_bytes()[:-1] + b'!')
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path / 'third'))
    assert fetched(NAME, '--from', other) == 1
    assert 'model.safetensors' in (says := told(capsys))
    assert 'expected SHA' in says
    file.unlink()
    assert fetched(NAME, '--from', other) == 1
    assert 'missing model.safetensors, which its manifest lists' in told(capsys)
    assert stored(NAME) is None
    assert fetched(NAME, '--from', hub.folder) == 0, 'a download without a manifest'


def spoil(folder, fault):
    path = folder / 'model.safetensors'
    tensors = load_file(path)
    if fault == 'truncated':
        path.write_bytes(path.read_bytes()[:-1000])
        return
    if fault == 'missing':
        del tensors['no_memory_embedding']
    elif fault == 'unexpected':
        tensors['stowaway'] = torch.zeros(1)
    elif fault == 'shape':
        tensors['no_memory_embedding'] = torch.zeros(1, 1, 3)
    save_file(tensors, path, metadata={'format': 'pt'})


@pytest.mark.parametrize(
    ('fault', 'says'),
    [
        ('missing', 'missing no_memory_embedding'),
        ('unexpected', 'unexpected stowaway'),
        ('shape', 'no_memory_embedding'),
        ('truncated', 'safetensors'),
    ],
)
def test_wrong_weights_never_count_as_there(published, capsys, fault, says):
    """Without a manifest to compare with, keys, shapes and the file's own header still tell."""
    spoil(published, fault)
    assert fetched(NAME, '--from', published) == 1
    assert says in told(capsys).replace('\n', '')
    assert stored(NAME) is None
    with pytest.raises(MissingWeights):
        weights_of(NAME)


def test_a_missing_file_is_named(published, capsys):
    (published / 'config.json').unlink()
    assert fetched(NAME, '--from', published) == 1
    assert 'missing: *.json' in told(capsys)
    (published / 'model.safetensors').unlink()
    assert fetched(NAME, '--from', published) == 1
    assert 'weights in .' in told(capsys)
    assert fetched(NAME, '--from', published / 'nowhere') == 1
    assert 'expected a folder with them' in told(capsys)


def test_a_full_disk_is_told_and_nothing_half_made_counts(published, home, capsys):
    """The write fails in the middle of the large file; after room is made the same command ends well."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        assert fetched(NAME, '--from', published) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert 'no room left' in told(capsys)
    assert stored(NAME) is None
    came = (home / '.partial' / NAME / 'config.json').stat().st_mtime_ns
    assert fetched(NAME, '--from', published) == 0
    assert (weights_of(NAME) / 'config.json').stat().st_mtime_ns == came, 'what had come whole is not copied again'
    assert sorted(f.name for f in weights_of(NAME).iterdir()) == ['config.json', 'manifest.json', 'model.safetensors']


def test_too_little_room_is_seen_before_anything_is_written(published, home, monkeypatch, capsys):
    monkeypatch.setattr('shutil.disk_usage', lambda path: shutil._ntuple_diskusage(9, 8, 1000))
    assert fetched(NAME, '--from', published) == 1
    assert 'GB of room' in told(capsys)
    assert not list((home / '.partial' / NAME).iterdir())


def test_weights_damaged_later_are_refused_and_mended(hub, capsys):
    """A file cut after it was fetched: refused where it is used, listed as broken; only that file comes again."""
    assert fetched(NAME) == 0
    file = weights_of(NAME) / 'model.safetensors'
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(MissingWeights, match=rf'model.safetensors; fetch them again: hoigen models fetch {NAME}'):
        weights_of(NAME)
    assert main(['models', 'list']) == 0
    assert f'{NAME:16} broken' in capsys.readouterr().out
    assert fetched(NAME) == 0
    assert weights_of(NAME).is_dir()
    assert sorted(hub.got) == ['config.json', 'model.safetensors', 'model.safetensors']
    assert main(['models', 'list']) == 0
    assert f'{NAME:16} here' in capsys.readouterr().out


def test_a_folder_without_its_manifest_is_not_whole(published):
    assert fetched(NAME, '--from', published) == 0
    (weights_of(NAME) / 'manifest.json').unlink()
    with pytest.raises(MissingWeights, match='its manifest'):
        weights_of(NAME)
    assert fetched(NAME, '--from', published) == 0
    (weights_of(NAME) / 'manifest.json').write_text('{"files": 3}')
    with pytest.raises(ModelError, match='expected the manifest'):
        weights_of(NAME)


@pytest.mark.parametrize(
    ('asked', 'refused', 'allowed'),
    [
        (['vggt', 'sam2'], ['vggt (facebook/VGGT-1B): CC-BY-NC'], 'sam2'),
        (['flux'], ['FLUX.1-dev non-commercial'], None),
    ],
)
def test_commercial_only_refuses_by_name_and_licence(hub, asked, refused, allowed, capsys):
    """Before anything is downloaded, also of those that would be allowed."""
    assert fetched('--commercial-only', *asked) == 1
    says = told(capsys).replace('\n', ' ')
    assert all(words in says for words in refused)
    assert f'{allowed} (' not in says
    assert not hub.got


def test_commercial_only_lets_through_what_may_be_used(published):
    assert {e.name for e in catalogue().values() if e.commercial == 'no'} == {'vggt', 'flux', 'uno', 'refany3d'}
    assert catalogue()['vggt-commercial'].commercial == 'yes'
    assert catalogue()['cogvideox'].commercial == 'terms'
    assert fetched('--commercial-only', NAME, '--from', published) == 0


def test_a_pickle_becomes_safetensors(published, monkeypatch, capsys):
    """Only one that holds nothing but tensors; the pickle itself does not stay."""
    pickled = published.parent / 'pickled'
    pickled.mkdir()
    tensors = load_file(published / 'model.safetensors')
    torch.save(tensors, pickled / 'weights.pt')
    shutil.copy(published / 'config.json', pickled)
    one = replace(catalogue()[NAME], files=('config.json', '*.safetensors', '*.pt'))
    monkeypatch.setitem(catalogue(), NAME, one)
    assert fetched(NAME, '--from', pickled) == 0
    assert sorted(f.name for f in weights_of(NAME).iterdir()) == ['config.json', 'manifest.json', 'model.safetensors']
    got = load_file(weights_of(NAME) / 'model.safetensors')
    assert all(torch.equal(got[name], tensor) for name, tensor in tensors.items())
    shutil.rmtree(weights_of(NAME))
    torch.save({'module': torch.nn.Linear(1, 1)}, pickled / 'weights.pt')
    assert fetched(NAME, '--from', pickled) == 1
    assert 'expected tensors by name' in told(capsys)
    assert stored(NAME) is None


def test_a_pickle_among_other_files_keeps_its_name(tmp_path):
    """Each of several files in one folder is checked by itself: released adapters have the same keys."""
    one = Entry(
        'adapters',
        'made/up',
        '',
        'Apache-2.0',
        'yes',
        0.1,
        ('a.safetensors', 'b.pth'),
        dict.fromkeys(('a.safetensors', 'b.safetensors'), f'{__name__}:blank'),
    )
    save_file({'weight': torch.zeros(2, 3)}, tmp_path / 'a.safetensors')
    torch.save({'weight': torch.ones(2, 3)}, tmp_path / 'b.pth')
    convert_pickles(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ['a.safetensors', 'b.safetensors']
    refuse_unfit(one, tmp_path)
    save_file({'weight': torch.zeros(3, 2)}, tmp_path / 'b.safetensors')
    with pytest.raises(ModelError, match=r'b\.safetensors: 1 keys do not fit.*expected \[2, 3\], got \[3, 2\]'):
        refuse_unfit(one, tmp_path)


def blank(_: Path) -> torch.nn.Module:
    return torch.nn.Linear(3, 2, bias=False)


def test_wrong_use_is_told(tmp_path, capsys):
    assert fetched() == 1
    assert 'expected names of weights' in told(capsys)
    assert fetched('sam2-tyni') == 1
    assert "did you mean 'sam2-tiny'?" in told(capsys)
    assert fetched('sam2', NAME, '--from', tmp_path) == 1
    assert 'expected a folder per name, missing sam2, sam2-tiny' in told(capsys)


def test_every_part_is_fetched_and_has_a_class_to_fit():
    """An entry whose patterns miss its own parts, or whose class is gone, could never be whole."""
    for entry in catalogue().values():
        for part, maker in entry.parts.items():
            module, _, name = maker.partition(':')
            assert callable(getattr(import_module(module), name))
            folder = PurePath(part) if not part.endswith('.safetensors') else None
            named = [f for f in entry.files if f.endswith(('.safetensors', '.pt')) and PurePath(f).parent == folder]
            files = [str(folder / 'model.safetensors')] if folder else [part, str(PurePath(part).with_suffix('.pth'))]
            assert any(map(entry.wants, files)) or named, (entry.name, part)
        assert entry.licence
        assert entry.repository.count('/') == 1
    assert matches('vae/config.json', 'vae/*')
    assert not matches('vae/config.json', '*.json')
