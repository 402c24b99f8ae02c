"""On recorded frames the whole chain finds what MediaPipe's own graph finds, and nothing where there is no hand."""

from pathlib import Path

import av
import numpy as np
import pytest

from hoigen.perception.hands.track import find_hands

SAMPLES = Path(__file__).parents[5] / 'shared/data/egocentric_rgb'


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f'no sample recordings in {SAMPLES}')
def test_keypoints_are_mediapipe_s_within_a_pixel(golden):
    official = dict(np.load(golden / 'fixtures' / 'mediapipe_hands.npz'))
    errors, missed, count = [], 0, 0
    for path in sorted(SAMPLES.glob('*.mp4')):
        with av.open(str(path)) as recording:
            for t, frame in enumerate(recording.decode(video=0)):
                wanted = official.get(f'{path.stem}/{t}')
                if wanted is None:
                    continue
                hands = find_hands(frame.to_ndarray(format='rgb24')[None])
                count += len(wanted)
                for keypoints in wanted:
                    apart = [np.median(np.hypot(*(own - keypoints).T)) for own in hands.keypoints_px[0]]
                    if not apart or min(apart) > 30:
                        missed += 1
                    else:
                        errors.append(min(apart))
    assert count == 20
    assert missed <= 1
    assert np.median(errors) < 1


def test_no_hand_is_found_where_there_is_none():
    rng = np.random.default_rng(0)
    smooth = np.repeat(np.repeat(rng.integers(0, 255, (1, 12, 16, 3), np.uint8), 20, 1), 20, 2)
    for image in (smooth, np.zeros_like(smooth), rng.integers(0, 255, smooth.shape, np.uint8)):
        assert find_hands(image).side == ()
