"""A place of its own for fetched weights, a folder as the hub has it, and a hub."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from toy_perception import toy_sam

REPOSITORY = 'facebook/sam2.1-hiera-tiny'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where weights are fetched to; nothing of the user's own is read or written."""
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path / 'models'))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'hub'))
    return tmp_path / 'models'


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """SAM 2.1 at toy size, with a file beside it that nobody wants."""
    toy_sam().save_pretrained(tmp_path / 'published')
    (tmp_path / 'published' / 'README.md').write_text('about')
    return tmp_path / 'published'


@dataclass
class Hub:
    """One repository, and what was asked of it. broken: files that are refused; spoilt: files that come with a wrong
    byte; status: of every answer."""

    folder: Path
    got: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    spoilt: set[str] = field(default_factory=set)
    status: int = 200

    def about(self) -> dict:
        siblings = []
        for file in sorted(self.folder.iterdir()):
            held = file.read_bytes()
            siblings.append(
                {
                    'rfilename': file.name,
                    'size': len(held),
                    'blobId': hashlib.sha1(b'blob %d\0' % len(held) + held).hexdigest(),
                }
            )
            if file.suffix == '.safetensors':
                siblings[-1]['lfs'] = {'size': len(held), 'sha256': hashlib.sha256(held).hexdigest(), 'pointerSize': 9}
        return {'id': REPOSITORY, 'sha': 'c0ffee', 'siblings': siblings}


class Answer(BaseHTTPRequestHandler):
    def __init__(self, hub: Hub, *args: object) -> None:
        self.hub = hub
        super().__init__(*args)

    def log_message(self, *args: object) -> None:
        """Tests are quiet."""

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        path = self.path.split('?')[0]
        name = path.rpartition('/')[2]
        file = self.hub.folder / name
        status = self.hub.status
        if path.startswith('/api/models/'):
            body = json.dumps(self.hub.about()).encode()
        else:
            status = 404 if name in self.hub.broken or not file.is_file() else status
            body = file.read_bytes() if file.is_file() else b''
            if with_body and '/resolve/' in path:  # the hub's client asks for lists of its own too, now and then
                self.hub.got.append(name)
        self.send_response(status)
        self.send_header('X-Repo-Commit', 'c0ffee')
        self.send_header('ETag', f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header('Content-Length', str(len(body)))
        if status == 403:
            self.send_header('X-Error-Code', 'GatedRepo')
        self.end_headers()
        if with_body:
            self.wfile.write(body[:-1] + b'!' if name in self.hub.spoilt else body)


@pytest.fixture
def hub(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine that has the published folder as one repository."""
    hub = Hub(published)
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Answer, hub))
    Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f'http://127.0.0.1:{server.server_address[1]}'
    monkeypatch.setattr('huggingface_hub.constants.ENDPOINT', endpoint)
    monkeypatch.setattr(
        'huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE', endpoint + '/{repo_id}/resolve/{revision}/{filename}'
    )
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', False)
    yield hub
    server.shutdown()
    server.server_close()
