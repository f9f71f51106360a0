"""What decided between candidates: the fact in which they differ, or the score."""

from dataclasses import replace

from dataset.facts.motion_facts import MotionFacts
from models.reporting.deciding import what_decided

STILL = MotionFacts(4.0, 0.0, 0.05, 0.02, 0.0, 0.0, -0.5, -0.5, 0.0)
LEFT, RIGHT = replace(STILL, turn_deg=90), replace(STILL, turn_deg=-90)
CAPTION = "a person turns left."


def row(index, total, chosen=False, **scores):
    return {"index": index, "round": index, "total": total, "chosen": chosen, "scores": scores}


ROWS = [row(0, 0.4, format=1.0, consistency=0.4), row(1, 0.7, True, format=1.0, consistency=0.8), row(2, 0.2)]


def decided(*seen, rows=ROWS, weights=()):
    return what_decided(rows, lambda one: seen[one["index"]], dict(weights))


def test_the_claim_that_holds_for_the_chosen_one_and_fails_for_the_best_of_the_others():
    html = decided((CAPTION, RIGHT), (CAPTION, LEFT), (CAPTION, STILL))
    chosen, _, other = html.partition("the other</p>")
    assert "(round 2, 0.700)" in html and "(round 1, 0.400)" in html  # not the third, whose score is lower
    assert "<li class='holds'>turns left</li>" in chosen and "fails" not in chosen
    assert "<li class='fails'>says turns left, turns right</li>" in other


def test_what_fails_for_the_chosen_one_is_told_too():
    chosen, _, other = decided((CAPTION, LEFT), (CAPTION, RIGHT), None).partition("the other</p>")
    assert "<li class='fails'>says turns left, turns right</li>" in chosen and "class='holds'>turns left" not in chosen
    assert "nothing that it says fails" in other


def test_captions_of_one_motion_are_told_by_what_each_says():
    html = decided(("a person turns right.", LEFT), (CAPTION, LEFT), None)
    chosen, _, other = html.partition("the other</p>")
    assert "nothing that it says fails" in chosen and "says turns right, turns left" in other


def test_where_no_fact_differs_the_score_is_named():
    same = [(CAPTION, LEFT)] * 3
    weights = {"format": 5.0, "consistency": 0.5}
    html = decided(*same, weights=weights)
    assert "no fact tells them apart; consistency does: 0.800 against 0.400, weight 0.5" in html
    assert decided(None, *same[1:]).endswith("consistency does: 0.800 against 0.400</p>")  # a reply without a motion
    assert decided(*same, rows=[ROWS[1], ROWS[2]]).endswith("no fact tells them apart</p>")


def test_where_the_next_best_differs_in_no_fact_the_best_that_does_is_shown():
    html = decided((CAPTION, LEFT), (CAPTION, LEFT), (CAPTION, RIGHT), weights={"consistency": 0.5})
    nearest, _, fact = html.partition("the best that differs in a fact (round 3, 0.200)")
    assert "the best of the others (round 1, 0.400)" in nearest and "consistency does" in nearest
    assert "<li class='holds'>turns left</li>" in fact and "says turns left, turns right" in fact
    few = [row(number, 0.1) for number in range(3, 40)]
    looked = []
    what_decided([*few, ROWS[1]], lambda one: looked.append(one) or (CAPTION, LEFT), {})
    assert len(looked) == 13  # the chosen one and the best twelve


def test_one_candidate_is_decided_by_nothing():
    assert decided(None, (CAPTION, LEFT), rows=ROWS[1:2]) == decided(rows=[]) == ""
