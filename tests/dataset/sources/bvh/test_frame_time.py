"""What a frame time as it is written means: digits, milliseconds, and what is no frame time."""

import pytest

from dataset.sources.bvh.frame_time import frame_rate
from utils.errors import InputError


@pytest.mark.parametrize(
    ("written", "fps"),
    [
        ("0.0333333333333333", 30), ("0.03333333333333333", 30), ("0.033333", 30), ("0.0333", 30), ("3.3333E-2", 30),
        ("0.016666", 60), ("0.016667", 60), ("0.0167", 60), (".00833333", 120), ("0.0083", 120), ("0.0416667", 24),
        ("0.05", 20), ("0.04", 25), ("0.02", 50), ("0.01", 100), ("0.0100000", 100), ("0.005", 200), ("0.08", 12.5),
        ("0.0333667", 30000 / 1001), ("0.033367", 30000 / 1001), ("0.0334", 30000 / 1001), ("0.041708", 24000 / 1001),
        ("0.035714", 28), ("0.2", 5), ("0.18", 1 / 0.18), ("0.0314159", 1 / 0.0314159),
    ],
)  # fmt: skip
def test_digits_that_tell_the_rate_say_nothing_more(written, fps):
    assert frame_rate(written) == (pytest.approx(fps, rel=1e-12), None)


@pytest.mark.parametrize(
    ("written", "fps"),
    [("0.033", 30), ("0.03", 30), ("0.017", 60), ("0.016", 60), ("0.008", 120), ("0.042", 24), ("0.07", 15)],
)
def test_few_digits_are_taken_for_the_usual_rate_and_it_is_said(written, fps):
    rate, note = frame_rate(written)
    assert rate == fps and note.startswith(f"Frame Time {written} would be ") and f"taken as {fps} " in note


@pytest.mark.parametrize(
    ("written", "fps"),
    [("33.333", 30), ("33.3", 30), ("33", 30), ("16.6667", 60), ("8.333", 120), ("41.67", 24), ("66.667", 15)],
)
def test_milliseconds_are_told_by_what_no_seconds_are(written, fps):
    rate, note = frame_rate(written)
    assert rate == fps and f"Frame Time {written} cannot be seconds: taken as milliseconds, {fps} frames" in note


@pytest.mark.parametrize(("written", "as_milliseconds"), [("30", "33.3333"), ("120", "8.33333"), ("40", "25")])
def test_a_rate_in_its_place_is_refused_with_both_flags(written, as_milliseconds):
    said = f"second, say --fps {written}; if it is milliseconds, say --fps {as_milliseconds}"
    with pytest.raises(InputError, match=said):
        frame_rate(written)


@pytest.mark.parametrize(
    ("written", "said"),
    [("1", "frames a second, say --fps 1; if it is milliseconds, say --fps 1000; if it is seconds, say --fps 1"),
     ("1.0", "if it is seconds, say --fps 1"), ("0.3", "got '0.3': if it is seconds, say --fps 3.33333"),
     ("0.201", "if it is seconds, say --fps 4.97512")],
)  # fmt: skip
def test_a_rate_that_nobody_records_people_at_is_refused_with_the_flag(written, said):
    with pytest.raises(InputError, match=r"must be seconds, 0\.001 to 0\.2, got") as error:
        frame_rate(written)
    assert str(error.value).endswith(said)


@pytest.mark.parametrize(
    "written",
    ["0", "0.0", "-0.05", "nan", "inf", "1e9", "1e-9", "1e400", "1e-400", "1e999999999", "1e-300", "0.0005", "0,033",
     "0.05s", "1_0", "\u0661", "1" * 5000, "0." + "0" * 5000 + "1", "2", "1000", ""],
)  # fmt: skip
def test_what_is_no_frame_time_is_refused_in_a_short_line(written):
    with pytest.raises(InputError, match="the frame time must be seconds") as error:
        frame_rate(written)
    assert len(str(error.value)) < 250
