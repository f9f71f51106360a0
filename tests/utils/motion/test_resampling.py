"""Frame rates that no motion has are refused before anything is made of them."""

import numpy as np
import pytest

from utils.errors import InputError
from utils.motion.resampling import check_frame_rate, resample_linear, sample_times


@pytest.mark.parametrize("fps", [0, -20, 1e-300, 1e-9, 0.5, 1001, 1e300, float("inf"), float("nan")])
def test_a_rate_that_no_motion_has_is_refused(fps):
    with pytest.raises(InputError, match=r"^--fps: expected a frame rate of 1 to 1000 frames a second, got "):
        check_frame_rate(fps, "--fps: ")
    for rates in ((fps, 20), (20, fps)):
        with pytest.raises(InputError, match=r"^expected a frame rate"):
            sample_times(40, *rates)
        with pytest.raises(InputError, match=r"^expected a frame rate"):
            resample_linear(np.zeros((40, 22, 3)), *rates)


def test_frames_are_at_their_times_and_never_beyond_the_last():
    assert [check_frame_rate(fps) for fps in (1, 12.5, 1000)] == [1, 12.5, 1000]
    np.testing.assert_allclose(sample_times(9, 30, 20), [0, 1.5, 3, 4.5, 6, 7.5])
    np.testing.assert_allclose(sample_times(3, 10, 20), [0, 0.5, 1, 1.5, 2])
    assert len(sample_times(0, 30, 20)) == 0
