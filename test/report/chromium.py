"""A headless Chromium driven over its debugging pipe: open a page, run JavaScript, take screenshots."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--hide-scrollbars',
    '--remote-debugging-pipe',
    '--enable-unsafe-swiftshader',
)  # the last for WebGL without a graphics card
PATIENCE_S = 600.0


def find_chromium() -> str | None:
    """The browser's command, if there is one."""
    return next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)


class Chromium:
    """One page of one browser process. ``problems``: console errors and warnings, exceptions, outside requests."""

    def __init__(self, command: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (theirs, self._out), (self._in, ours) = os.pipe(), os.pipe()
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (theirs, ours))  # clear of 3 and 4
        self._process = subprocess.Popen(
            [
                'bash',
                '-c',
                f'exec "$0" "$@" 3<&{read} 4>&{write}',
                command,
                *FLAGS,
                f'--user-data-dir={self._profile.name}',
            ],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in (theirs, ours, read, write):
            os.close(end)
        self._buffer, self._count, self._session = b'', 0, None
        self.problems: list[str] = []
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session = None
        try:
            self.call('Browser.close')
            self._process.wait(PATIENCE_S)
        except (TimeoutError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol and its result."""
        self._count += 1
        message = {'id': self._count, 'method': method, 'params': parameters}
        if self._session:
            message['sessionId'] = self._session
        os.write(self._out, json.dumps(message).encode() + b'\0')
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self._receive(deadline)
            if answer.get('id') == self._count:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]["message"]}')
                return answer['result']

    def open(self, path: Path, *, width: int, height: int, dark: bool = False, phone: bool = False) -> None:
        """Load a file in a window of ``width`` x ``height`` CSS pixels."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call(
            'Emulation.setEmulatedMedia',
            features=[{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}],
        )
        self.call('Page.navigate', url=path.resolve().as_uri())

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        answer = self.call('Runtime.evaluate', expression=expression, awaitPromise=True, returnByValue=True)
        if 'exceptionDetails' in answer:
            raise RuntimeError(f'{expression}: {answer["exceptionDetails"]}')
        return answer['result'].get('value')

    def wait_for(self, expression: str) -> None:
        """Return once a JavaScript expression is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.evaluate(f'Boolean({expression})'):
            if time.monotonic() > deadline:
                raise TimeoutError(f'{expression} is not true after {PATIENCE_S:.0f} s')
            time.sleep(0.05)

    def screenshot(self, *, whole: bool = False) -> np.ndarray:
        """[H,W,3] uint8 of the window, or of the whole page."""
        taken = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=whole)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(taken['data']))).convert('RGB'))

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b'\0' not in self._buffer:
            if not select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f'Chromium did not answer within {PATIENCE_S:.0f} s')
            more = os.read(self._in, 1 << 20)
            if not more:
                raise OSError('Chromium ended before it answered')
            self._buffer += more
        text, self._buffer = self._buffer.split(b'\0', 1)
        message: dict[str, Any] = json.loads(text)
        self._note(message.get('method'), message.get('params', {}))
        return message

    def _note(self, method: str | None, event: dict[str, Any]) -> None:
        if method == 'Runtime.exceptionThrown':
            self.problems.append(str(event['exceptionDetails']))
        elif method == 'Runtime.consoleAPICalled' and event['type'] in ('error', 'warning', 'assert'):
            self.problems.append(f'console.{event["type"]}: {event["args"]}')
        elif (
            method == 'Log.entryAdded'
            and event['entry']['level'] in ('error', 'warning')
            and 'GL Driver Message (OpenGL, Performance' not in event['entry']['text']
        ):  # of screenshots of WebGL
            self.problems.append(f'{event["entry"]["source"]}: {event["entry"]["text"]}')
        elif method == 'Network.requestWillBeSent':
            url = event['request']['url']
            if not url.startswith(('file:', 'data:', 'blob:')):
                self.problems.append(f'request to {url}')
