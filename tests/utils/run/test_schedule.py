"""Shapes of the learning rate, by hand."""

import pytest

from utils.run.schedule import cosine_fall, linear_fall, milestone_drops, share_done, warm_up


@pytest.mark.parametrize(
    ("steps", "seconds", "max_minutes", "done"),
    [
        (0.25, 1e9, None, 0.25),  # without a budget the clock does not count
        (0.25, 30.0, 1.0, 0.5),
        (0.75, 30.0, 1.0, 0.75),
        (0.0, 90.0, 1.0, 1.0),
        (1.5, 0.0, None, 1.0),
    ],
)
def test_steps_or_minutes_whichever_is_ahead(steps, seconds, max_minutes, done):
    assert share_done(steps, seconds, max_minutes) == done


def test_warm_up_reaches_one_at_its_last_step():
    assert [warm_up(step, 4) for step in (0, 1, 3, 4, 100)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    assert warm_up(0, 0) == 1.0


def test_a_cosine_falls_from_one_to_its_floor():
    assert [cosine_fall(done, 0.02) for done in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.5, 0.02])
    assert cosine_fall(1 / 3, 0.0) == pytest.approx(0.75)


def test_a_line_falls_over_the_last_share_only():
    assert [linear_fall(done, 0.4, 0.02) for done in (0.0, 0.6, 0.8, 0.9, 1.0)] == pytest.approx(
        [1.0, 1.0, 0.5, 0.25, 0.02]
    )


def test_drops_add_up():
    assert [milestone_drops(step, (10, 20), 0.1) for step in (9, 10, 19, 20)] == pytest.approx([1.0, 0.1, 0.1, 0.01])
    assert milestone_drops(5, (), 0.1) == 1.0
