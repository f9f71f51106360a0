"""Small pictures of numbers over steps: in their frame, thinned, without what is not finite."""

import math
import re

from utils.report.curves import panel


def places(svg):
    """One list of (x, y) a curve."""
    return [
        [tuple(map(float, pair.split(","))) for pair in points.split()]
        for points in re.findall(r'points="([^"]*)"', svg)
    ]


def test_higher_values_are_higher_up_and_later_steps_further_right():
    svg = panel("reward", {"training": [(0, 1.0), (10, 3.0), (20, 2.0)]})
    [[first, second, third]] = places(svg)
    assert first[0] < second[0] < third[0] and second[1] < third[1] < first[1]
    assert (second[0] - first[0]) == (third[0] - second[0])
    assert all(0 <= x <= 300 and 0 <= y <= 170 for x, y in (first, second, third))
    assert ">3<" in svg and ">1<" in svg and ">20<" in svg  # its axes


def test_several_curves_share_the_axes_and_have_a_legend():
    svg = panel("<loss>", {"training": [(1, 4.0)], "held out": [(1, 2.0), (2, 1.0)], "nothing": []})
    one, two = places(svg)
    assert one[0][1] < two[0][1] and "held out" in svg and "nothing" not in svg and "&lt;loss&gt;" in svg
    assert "●" not in panel("loss", {"training": [(1, 4.0)]})


def test_what_is_not_finite_is_left_out():
    [points] = places(panel("kl", {"training": [(0, 1.0), (1, math.nan), (2, math.inf), (3, 2.0)]}))
    assert len(points) == 2
    assert panel("kl", {"training": [(0, math.nan)]}) == panel("kl", {}) == ""


def test_a_flat_curve_and_a_single_point_lie_in_the_middle():
    for points in ([(0, 0.0), (5, 0.0)], [(3, 7.0)]):
        [curve] = places(panel("x", {"a": points}))
        assert all(10 < y < 150 for _, y in curve)


def test_a_long_training_is_thinned_to_means():
    [points] = places(panel("loss", {"training": [(step, float(step % 2)) for step in range(100_000)]}))
    assert len(points) <= 300
    heights = {y for _, y in points}
    assert max(heights) - min(heights) < 5  # means of equal groups, no single high or low ones
