"""Chain-of-Motion with scripted callables: ranking, ties, keep-best, rounds, early stop, trace, batching."""

import random

import numpy as np
import pytest

from com.chain_of_motion import Score, chain_of_motion, chain_of_motion_batch
from models.language.rollout import Rollout
from utils.errors import InputError


def scripted(rounds):
    """Returns a generate that plays `rounds` (lists of candidates) and notes what it was asked."""
    asked = []

    def generate(count, round_number, best):
        asked.append((count, round_number, None if best is None else best.candidate))
        return rounds[round_number]

    return generate, asked


def by_number(candidates):
    return [float(candidate.strip("abc")) for candidate in candidates]


def test_the_best_candidate_of_one_round_wins():
    generate, asked = scripted([["a1", "a5", "a3"]])
    result = chain_of_motion(generate, by_number, candidates=3, refine_steps=1)
    assert (result.best, result.score) == ("a5", 5.0)
    assert asked == [(3, 0, None)]
    assert [attempt.candidate for attempt in result.trace] == ["a1", "a5", "a3"]
    assert [attempt.chosen for attempt in result.trace] == [False, True, False]
    assert result.chosen.candidate == "a5"


def test_later_rounds_see_the_best_so_far_and_a_worse_round_does_not_lose_it():
    generate, asked = scripted([["a1", "a5"], ["a2", "a4"], ["a7", "a6"]])
    result = chain_of_motion(generate, by_number, candidates=2, refine_steps=3)
    assert asked == [(2, 0, None), (2, 1, "a5"), (2, 2, "a5")]
    assert result.best == "a7"
    assert [attempt.round for attempt in result.trace] == [0, 0, 1, 1, 2, 2]
    assert [attempt.index for attempt in result.trace] == list(range(6))
    assert result.rounds == 3

    generate, _ = scripted([["a1", "a5"], ["a2", "a4"]])
    assert chain_of_motion(generate, by_number, candidates=2, refine_steps=2).best == "a5"


def test_ties_go_to_the_earliest_within_and_across_rounds():
    generate, _ = scripted([["a1", "a3", "b3"], ["c3", "a2", "a0"]])
    result = chain_of_motion(generate, by_number, candidates=3, refine_steps=2)
    assert result.best == "a3"


def test_parts_of_a_score_reach_the_trace():
    generate, _ = scripted([["a1", "a2"]])

    def score(candidates):
        return [Score(value, {"format": value, "physical": None}) for value in by_number(candidates)]

    result = chain_of_motion(generate, score, candidates=2, refine_steps=1)
    assert result.chosen.score == Score(2.0, {"format": 2.0, "physical": None})


def test_patience_stops_after_rounds_without_gain():
    rounds = [["a5", "a1"], ["a2", "a3"], ["a9", "a8"]]
    generate, asked = scripted(rounds)
    result = chain_of_motion(generate, by_number, candidates=2, refine_steps=3, patience=1)
    assert result.best == "a5" and len(asked) == 2 and result.rounds == 2

    generate, asked = scripted(rounds)
    assert chain_of_motion(generate, by_number, candidates=2, refine_steps=3, patience=2).best == "a9"

    generate, asked = scripted([["a1"], ["a2"], ["a3"]])
    assert chain_of_motion(generate, by_number, candidates=1, refine_steps=3, patience=1).best == "a3"


def test_identical_candidates_are_scored_once_within_and_across_rounds():
    scored = []

    def score(candidates):
        scored.append(list(candidates))
        return by_number(candidates)

    generate, _ = scripted([["a1", "a2", "a1"], ["a2", "a3", "a3"], ["a1", "a2", "a3"]])
    result = chain_of_motion(generate, score, candidates=3, refine_steps=3)
    assert scored == [["a1", "a2"], ["a3"]]  # the last round has nothing new: no call at all
    assert [attempt.score.total for attempt in result.trace] == [1, 2, 1, 2, 3, 3, 1, 2, 3]
    assert [attempt.duplicate_of for attempt in result.trace] == [None, None, 0, 1, None, 4, 0, 1, 4]
    assert [attempt.index for attempt in result.trace if attempt.chosen] == [4]


def make_rollout(text: str) -> Rollout:
    return Rollout("t2m", "x", text, "", text, np.array([1, 2]), None)


def test_rollouts_are_merged_by_key_and_told_apart_by_identity_without_one():
    shared = make_rollout("3")
    pool = [make_rollout("1"), make_rollout("1"), shared, shared]
    calls = []

    def score(candidates):
        calls.append(len(candidates))
        return [float(candidate.text) for candidate in candidates]

    for key, expected in ((lambda one: one.text, 2), (None, 3)):
        result = chain_of_motion(lambda *_: pool, score, candidates=4, refine_steps=1, key=key)
        assert result.best is shared
        assert calls.pop() == expected


def test_a_batch_is_generated_and_scored_in_one_call_a_round_and_queries_do_not_mix():
    generated, scored = [], []

    def generate(requests):
        generated.append([(one.query, one.query_index, one.round, one.best and one.best.candidate) for one in requests])
        return [[f"{one.query}{one.round * 2 + i}" for i in range(one.count)] for one in requests]

    def score(candidates, requests):
        scored.append(list(zip(candidates, [request.query_index for request in requests], strict=True)))
        sign = {"a": 1, "b": -1}
        return [sign[candidate[0]] * float(candidate[1:]) for candidate in candidates]

    first, second = chain_of_motion_batch(["a", "b"], generate, score, candidates=2, refine_steps=2)
    assert (first.best, second.best) == ("a3", "b0")
    assert generated == [[("a", 0, 0, None), ("b", 1, 0, None)], [("a", 0, 1, "a1"), ("b", 1, 1, "b0")]]
    assert scored[0] == [("a0", 0), ("a1", 0), ("b0", 1), ("b1", 1)]


def test_a_stopped_query_leaves_the_batch_while_the_others_go_on():
    sizes = []

    def generate(requests):
        sizes.append([request.query for request in requests])
        return [[f"{one.query}{one.round if one.query == 'a' else 0}"] for one in requests]

    first, second = chain_of_motion_batch(
        ["a", "b"], generate, lambda candidates, _: by_number(candidates), candidates=1, refine_steps=3, patience=1
    )
    assert sizes == [["a", "b"], ["a", "b"], ["a"]]
    assert (first.rounds, second.rounds) == (3, 2)


def test_equal_candidates_of_two_queries_are_both_scored():
    seen = []

    def score(candidates, requests):
        seen.extend(request.query for request in requests)
        return [0.0] * len(candidates)

    chain_of_motion_batch(["p", "q"], lambda requests: [["same"]] * len(requests), score, 1, 1)
    assert seen == ["p", "q"]


def test_the_answer_does_not_depend_on_the_batch_size():
    def generate(requests):
        groups = []
        for request in requests:
            rng = random.Random(f"{request.query}/{request.round}")
            groups.append([rng.random() for _ in range(request.count)])
        return groups

    def run(queries):
        return chain_of_motion_batch(queries, generate, lambda candidates, _: candidates, 4, 3, patience=1)

    queries = [f"q{i}" for i in range(6)]
    assert run(queries) == [chain for query in queries for chain in run([query])]


def test_mistakes_of_the_callables_are_not_passed_over():
    with pytest.raises(ValueError, match=r"\[2\] candidates for 1 requests of 3"):
        chain_of_motion(lambda *_: ["a1", "a2"], by_number, candidates=3, refine_steps=1)
    with pytest.raises(ValueError, match="1 scores for 2 candidates"):
        chain_of_motion(lambda *_: ["a1", "a2"], lambda _: [1.0], candidates=2, refine_steps=1)
    for bad in (float("nan"), None):
        with pytest.raises(InputError, match="cannot rank"):
            chain_of_motion(lambda *_: ["a1"], lambda _, bad=bad: [bad], candidates=1, refine_steps=1)


@pytest.mark.parametrize(("name", "value"), [("candidates", 0), ("refine_steps", 0), ("patience", 0)])
def test_numbers_below_one_are_refused(name, value):
    with pytest.raises(InputError, match=name):
        chain_of_motion(lambda *_: ["a1"], by_number, **{"candidates": 1, "refine_steps": 1, name: value})
