"""The hand networks are MediaPipe's, to the last digits: their weights are shipped, so a wrong layer would be ours."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hoigen.models.hands import LANDMARK_SIZE, PALM_SIZE, hand_networks


@pytest.fixture(scope='module')
def official(golden: Path) -> dict[str, np.ndarray]:
    return dict(np.load(golden / 'fixtures' / 'mediapipe_hands.npz'))


def noise(size: int, rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(rng.uniform(0, 1, (1, size, size, 3)).astype(np.float32)).permute(0, 3, 1, 2)


@torch.inference_mode()
def test_both_networks_give_what_mediapipe_s_do(official: dict[str, np.ndarray]) -> None:
    palms, landmarks = hand_networks()
    rng = np.random.default_rng(0)
    scores, values = palms(noise(PALM_SIZE, rng))
    assert scores.shape == (1, 2016)
    np.testing.assert_allclose(values[0, ::32], official['palm_values'], atol=0.01)
    np.testing.assert_allclose(scores[0, ::32], official['palm_scores'], atol=0.002)
    found = landmarks(noise(LANDMARK_SIZE, np.random.default_rng(0)))
    for got, name, digits in zip(
        found, ('keypoints', 'presence', 'right', 'world'), (1e-2, 1e-4, 1e-4, 1e-5), strict=True
    ):
        np.testing.assert_allclose(got[0], np.squeeze(official[name]), atol=digits, err_msg=name)
