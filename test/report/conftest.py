"""One browser for the tests of all pages."""

from collections.abc import Iterator

import pytest
from chromium import Chromium, find_chromium


@pytest.fixture(scope='session')
def browser() -> Iterator[Chromium]:
    command = find_chromium()
    assert command is not None
    with Chromium(command) as chromium:
        yield chromium
