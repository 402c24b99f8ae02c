"""Perception on a machine on which nothing was fetched."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope='module')
def no_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ('HOIGEN_MODELS', 'HF_HUB_CACHE'):
            patch.setenv(name, str(tmp_path_factory.getbasetemp() / 'no_models'))
        yield
