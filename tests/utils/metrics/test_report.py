import json
import math
from dataclasses import replace

import numpy as np
import pytest

from options.flags.evaluation import FIELD_DRAWS as FLAG_DRAWS
from utils.errors import InputError
from utils.metrics.report import (
    FIELD_DRAWS,
    MetricValue,
    Signature,
    collect_repeats,
    format_table,
    read_remarks,
    read_results,
    signed_line,
    write_results,
)

SIGNATURE = Signature(
    data="t2m", split="test", seed=123, evaluator="abc", checkpoint="def", com="8x2", decoding="T0.7,p1,max512,float32"
)


def test_interval_by_hand():
    # sd of (1, 2, 3, 4) over n is sqrt(1.25); 1.96 * sqrt(1.25) / sqrt(4)
    value = MetricValue.over_repeats([1.0, 2.0, 3.0, 4.0], n=64)
    assert value == MetricValue(2.5, pytest.approx(1.96 * math.sqrt(1.25) / 2), 64, 4)


def test_the_interval_over_draws_is_students():
    values = [1.0, 2.0, 3.0, 4.0]
    # sd of (1, 2, 3, 4) over n - 1 is sqrt(5 / 3); t(3) is 3.1824
    few = MetricValue.over_draws(values, 64)
    assert few == MetricValue(2.5, pytest.approx(3.1824 * math.sqrt(5 / 3) / 2, abs=1e-4), 64, 4, "draws")
    assert FIELD_DRAWS == FLAG_DRAWS == 20
    twenty, field = MetricValue.over_draws(values * 5, 64), MetricValue.over_repeats(values * 5, 64)
    assert twenty.interval == pytest.approx(1.0956 * field.interval, rel=1e-4)  # t(19) is 2.0930


@pytest.mark.parametrize("draws", [4, 20])
def test_intervals_over_draws_hold_the_mean_as_often_as_they_say(draws):
    rng = np.random.default_rng(0)
    found = [MetricValue.over_draws(rng.normal(size=draws).tolist(), 64) for _ in range(2000)]
    assert np.mean([abs(value.mean) <= value.interval for value in found]) == pytest.approx(0.95, abs=0.015)


def test_one_draw_has_the_interval_over_clips_or_none():
    assert MetricValue.over_draws([0.5], 10, 0.1) == MetricValue(0.5, 0.1, 10, 1, "clips")
    assert MetricValue.over_draws([0.5], 10) == MetricValue(0.5, None, 10, 1, None)
    assert MetricValue.over_draws([math.nan], 10, 0.1).mean is None


def test_one_repeat_has_no_interval_and_nan_is_not_zero():
    assert MetricValue.over_repeats([0.5], 10) == MetricValue(0.5, None, 10, 1)
    missing = MetricValue.over_repeats([0.5, float("nan")], 10)
    assert missing.mean is None
    assert missing.text() == "-"


@pytest.mark.parametrize(
    ("mean", "interval", "text"),
    [
        (0.00123, 0.00004, "0.00123 +- 0.00004"), (0.000456, None, "0.00046"), (0.0169, None, "0.017"),
        (1e-9, None, "0.000"), (0.0, None, "0.000"), (12.3456, 0.5, "12.346 +- 0.500"), (-0.004, None, "-0.0040"),
    ],
)  # fmt: skip
def test_small_values_keep_two_digits(mean, interval, text):
    assert MetricValue(mean, interval, 32, 20).text() == text


def test_signed_line():
    line = signed_line("FID", MetricValue(0.2314, 0.0062, 4384, 20, "draws"), SIGNATURE)
    assert line == (
        "FID 0.231 +- 0.006 | data:t2m|split:test|n:4384|rep:20|ci:draws|eval:abc|ckpt:def|com:8x2|"
        "decoding:T0.7,p1,max512,float32|seed:123|v:2.0"
    )


def test_the_share_of_usable_replies_stands_beside_every_metric_that_failures_touch(tmp_path):
    rows = {"generated": collect_repeats([{"R@1": 0.5, "Well-formed": 0.9375}], n=64), "real": {}}
    write_results(tmp_path / "results.json", rows, SIGNATURE)
    written = json.loads((tmp_path / "results.json").read_text())["rows"]["generated"]
    assert "|formed:0.938|" in written["R@1"]["signature"] and "|formed:" not in written["Well-formed"]["signature"]


def test_results_file_round_trip(tmp_path):
    rows = {"real": collect_repeats([{"FID": 1.0, "R@1": math.nan}, {"FID": 3.0, "R@1": 0.5}], n=64)}
    path = tmp_path / "results.json"
    write_results(path, rows, SIGNATURE, extra={"unparsable": 1})
    assert read_results(path) == rows
    content = json.loads(path.read_text())
    assert content["unparsable"] == 1
    assert content["rows"]["real"]["FID"]["signature"].startswith("FID 2.000 +- 1.386 | data:t2m|")
    assert content["rows"]["real"]["R@1"]["mean"] is None


def test_real_motion_is_signed_without_the_policy_that_was_judged_beside_it(tmp_path):
    value, notes = MetricValue(0.5, 0.1, 64, 20, "draws"), "judge=ranker"
    rows = {name: {"R@1": value} for name in ("real", "generated")}
    write_results(tmp_path / "results.json", rows, replace(SIGNATURE, notes=notes))
    signed = json.loads((tmp_path / "results.json").read_text())["rows"]
    made = "|ckpt:def|com:8x2|decoding:T0.7,p1,max512,float32|notes:judge=ranker"
    assert made in signed["generated"]["R@1"]["signature"]
    assert signed["real"]["R@1"]["signature"] == signed["generated"]["R@1"]["signature"].replace(made, "")


def test_each_metric_says_how_many_samples_it_is_of():
    found = collect_repeats([{"FID": 1.0, "Well-formed": 0.5}], {"FID": 32, "Well-formed": 40})
    assert (found["FID"].n, found["Well-formed"].n) == (32, 40)


_BAD = '{"rows": {"real": {"FID": {"mean": %s, "interval": null, "n": %s, "repeats": 1}}}}'


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"rows": 5}', '{"rows": {"real": {"FID": {}}}}', '{"rows": {"real": {"FID": 5}}}']
    + [_BAD % values for values in (("1", "null"), ('"1"', "8"), ("NaN", "8"), ("true", "8"), ("[1]", "8"))],
)
def test_other_files_are_refused_with_the_way_out(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"results\.json: .*; delete it and finished\.json beside it"):
        read_results(path)


@pytest.mark.parametrize(("kept", "read"), [(["few"], ["few"]), ("few", []), ([5], []), (None, [])])
def test_remarks_are_texts(tmp_path, kept, read):
    write_results(tmp_path / "results.json", {}, SIGNATURE, extra={"remarks": kept})
    assert read_remarks(tmp_path / "results.json") == read


def test_table_is_aligned():
    rows = {
        "real motion": {"R@1": MetricValue(0.75, 0.01, 32, 20)},
        "SFT": {"R@1": MetricValue(0.5, None, 32, 1), "BLEU@1": MetricValue(0.61234, None, 32, 1)},
    }
    assert format_table(rows).splitlines() == [
        "                        R@1  BLEU@1",
        "-" * 35,
        "real motion  0.750 +- 0.010       -",
        "SFT                   0.500   0.612",
    ]
