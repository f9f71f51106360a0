"""Captions of times that a clip does not have are said when it is converted; times as published are taken."""

import numpy as np
import pytest

from tests.prepare.conversion.test_convert import add, convert, sources  # noqa: F401
from tests.prepare.test_motions_from_joints import LINE, body
from utils.run.command import EXIT_BAD_INPUT

SIT = "a person sits.#a/DET person/NOUN sit/VERB#{}\n"


@pytest.mark.parametrize("times", ["-1#2", "-1.0#0.0", "0#inf", "-inf#1"])
def test_impossible_times_are_a_bad_line_with_its_number(sources, convert, times):  # noqa: F811
    add(sources, "odd", text=LINE + "\n" + SIT.format(times))
    number = (LINE + "\n").count("\n") + 1
    said = convert()
    assert f"odd.txt:{number}: start and end must be seconds of the clip" in said and "0.0#0.0 for all of it" in said
    assert said.endswith(f"status {EXIT_BAD_INPUT}") and "1 bad" in said
    assert convert("--skip-bad").endswith("status 0") and not (sources / "out/texts/odd.txt").exists()
    add(sources, "odd", text=LINE + SIT.format("1#2"))
    assert convert().endswith("status 0") and (sources / "out/texts/odd.txt").is_file()


@pytest.mark.parametrize("times", ["50#99", "1000#2000", "0.5#60", "2#1", "1#1", "1.5#0.0", "1#nan"])
@pytest.mark.parametrize("given", [(), ("--mirror",)])
def test_times_that_a_clip_does_not_have_are_warned_of_with_it(sources, convert, times, given):  # noqa: F811
    add(sources, "odd", text=LINE + SIT.format(times))
    for _ in range(2):  # also when it is there already
        said = convert(*given)
        named = "2 clips (Modd, odd)" if given else "1 clip (odd)"
        assert f"warning: captions of {named} are of times that the clip does not have" in said
        assert said.endswith("status 0")


def test_times_as_published_are_taken_without_a_word(sources, convert):  # noqa: F811
    lines = [SIT.format(times) for times in ("0.0#0.0", "nan#nan", "0#1", "0.25#2.25", "0.0#2.5", "1.0#3.0", "nan#2")]
    add(sources, "odd", text="".join(lines))
    said = convert()
    assert "warning" not in said and "0 bad" in said and said.endswith("status 0")
    assert len((sources / "out/texts/odd.txt").read_text().splitlines()) == len(lines)


def test_of_a_take_that_is_cut_the_end_of_the_take_counts(sources, convert):  # noqa: F811
    for id, times in (("long", "10#14"), ("odd", "50#99")):
        add(sources, id, text=LINE + SIT.format(times))
        np.save(sources / f"joints/{id}.npy", body(frames=301).astype(np.float32))
    said = convert("--cut-seconds", "5")
    assert "warning: captions of 1 clip (odd) are of times" in said and said.endswith("status 0")
