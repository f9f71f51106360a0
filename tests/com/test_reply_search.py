"""What ranks candidates: agreement by hand, the weighted sum, and that no reference ever reaches a scorer."""

import math
from dataclasses import replace

import pytest
import torch

from com.chain_of_motion import Score, chain_of_motion
from com.reply_search import BOTH, REVISE, ComConfig, QueryBatch, cost_of_rounds, search_replies
from com.scorers import Ranking, agreement
from com.trace import readable_traces, write_trace
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.prompts import Query
from models.language.rollout import Rollout
from models.policy.backbone import load_backbone
from tests.models.languages import plain
from utils.errors import InputError

ANGLES = {"walks": 0.0, "strolls": 30.0, "sits": 90.0, "flies": 180.0}


def embed(texts):
    """Unit vectors at known angles."""
    radians = [math.radians(ANGLES[text]) for text in texts]
    return torch.tensor([[math.cos(angle), math.sin(angle)] for angle in radians])


def caption(answer):
    return Rollout("m2t", answer, f"Hm.</think><answer>{answer}</answer>", "Hm.", answer, None, None)


def test_agreement_is_the_mean_cosine_with_the_others_of_the_first_round():
    first = [caption("walks"), caption("strolls"), caption("sits")]
    cos30, cos60, cos90 = math.cos(math.pi / 6), 0.5, 0.0
    found = agreement(first, [first] * 3, embed)
    assert found == pytest.approx([(cos30 + cos90) / 2, (cos30 + cos60) / 2, (cos90 + cos60) / 2], abs=1e-6)
    later = caption("walks")  # equal to a voter, but another candidate: all three vote
    assert agreement([later], [first], embed) == pytest.approx([(1 + cos30 + cos90) / 3], abs=1e-6)


def test_agreement_counts_repeated_answers_and_passes_over_missing_ones():
    first = [caption("walks"), caption("walks"), caption("sits"), caption(None)]
    assert agreement(first, [first] * 4, embed) == pytest.approx([0.5, 0.5, 0.0, -1.0], abs=1e-6)
    alone = caption("walks")
    assert agreement([alone], [[alone]], embed) == [None]


def test_a_score_is_the_weighted_sum_of_what_applies():
    first = [caption("walks"), caption("walks")]

    def table(rollouts):
        return {"format": [1.0] * len(rollouts), "coherence": [None] * len(rollouts)}

    ranking = Ranking(table, {"format": 0.5, "coherence": 3.0, "agreement": 2.0}, embed)
    assert ranking(first, [first] * 2) == [Score(2.5, {"format": 1.0, "coherence": None, "agreement": 1.0})] * 2
    alone = caption("walks")  # nobody votes: that is no score of 0
    (score,) = Ranking(None, {"agreement": 1.0}, embed)([alone], [[alone]])
    assert math.isnan(score.total) and score.parts == {"agreement": None}
    with pytest.raises(InputError, match="at least one scorer must apply"):
        chain_of_motion(lambda *_: [alone], lambda batch: [score for _ in batch], candidates=1, refine_steps=1)
    with pytest.raises(ValueError, match="embeddings"):
        Ranking(None, {"agreement": 1.0})


@pytest.fixture(scope="module")
def llm(backbone, motion_tokenizer):
    torch.manual_seed(0)
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    return MotionLLM(model, plain(vocabulary, motion_tokenizer))


class Spy:
    """Ranks by length and keeps what it was shown."""

    def __init__(self):
        self.weights, self.seen = {"length": 1.0}, []

    def __call__(self, candidates, voters):
        self.seen += [*candidates, *(voter for group in voters for voter in group)]
        return [Score(float(len(set(candidate.token_ids))), {"length": 1.0}) for candidate in candidates]


def settings(spy, **given):
    return ComConfig(3, 2, spy, lambda attempts: [f"it has {len(a.token_ids)} tokens" for a in attempts], **given)


QUERIES = [Query("t2m", caption=f"a person walks {n} steps.", id=f"c{n}") for n in range(3)]
SAMPLING = Sampling(temperature=1.0, max_new_tokens=12, batch_size=7)


def rows_of(llm, spy, queries=QUERIES, numbers=(0, 1, 2), **given):
    references = given.pop("references", None)
    found = search_replies(llm, QueryBatch(queries, numbers, references), SAMPLING, settings(spy, **given), "test")
    rows = zip(queries, numbers, found, strict=True)
    return [
        {"draw": 0, "query": number, "id": query.id, "text": one.best.text, **one.record} for query, number, one in rows
    ]


def test_no_reference_reaches_a_scorer_and_only_the_oracle_has_one(llm):
    spy = Spy()
    rows_of(llm, spy)
    assert len(spy.seen) > 18 and all(rollout.reference is None for rollout in spy.seen)
    assert not any(word in rollout.query for rollout in spy.seen for word in ("the truth",))
    oracle = Spy()
    rows_of(llm, oracle, references=[("the truth", str(n)) for n in range(3)])
    assert {rollout.reference for rollout in oracle.seen} == {("the truth", str(n)) for n in range(3)}
    assert not any("the truth" in rollout.query for rollout in oracle.seen)


def test_reflections_show_the_best_attempt_and_what_it_lacks(llm):
    spy = Spy()
    rows = rows_of(llm, spy)
    for row in rows:
        first = [one for one in row["trace"] if one["round"] == 0]
        best = max(first, key=lambda one: one["total"])
        assert {one["lacking"] for one in row["trace"] if one["round"] == 1} == {f"it has {best['tokens']} tokens"}
        assert {one["lacking"] for one in first} == {None}
        assert sum(one["chosen"] for one in row["trace"]) == 1
        assert row["text"] == next(one["text"] for one in row["trace"] if one["chosen"])
    asked = {rollout.query for rollout in spy.seen if "Lacking: it has" in rollout.query}
    assert len(asked) == 3


def test_a_greedy_reply_that_is_begun_goes_on_as_it_did(llm):
    greedy = Sampling(temperature=0, max_new_tokens=12, batch_size=7)
    whole = llm.answer(QUERIES, greedy)
    begun = [
        replace(query, begun=reply.token_ids[: 3 * n])
        for n, (query, reply) in enumerate(zip(QUERIES, whole, strict=True))
    ]
    again = llm.answer(begun, greedy)
    assert [reply.token_ids for reply in again] == [reply.token_ids for reply in whole]
    assert [reply.drawn_tokens for reply in again] == [12, 9, 6] and {reply.query for reply in again} == {
        reply.query for reply in whole
    }


def test_revisions_keep_the_first_part_of_the_best_and_cost_what_they_draw(llm):
    ids = llm.language.vocabulary.encode("it walks.</think><answer><Motion><Motion_1><Motion_2><Motion_3>")
    given = [replace(query, begun=tuple(ids)) for query in QUERIES]  # so that there is a motion to revise
    spy = Spy()
    sampling = replace(SAMPLING, max_new_tokens=len(ids) + 12)
    found = search_replies(llm, QueryBatch.all(given), sampling, settings(spy, refine=REVISE), "test")
    for one in found:
        first, second = ([row for row in one.record["trace"] if row["round"] == number] for number in (0, 1))
        best = max(first, key=lambda row: row["total"])
        # The reply was begun with three codes; the revisions keep none of its codes, some, all but the last.
        assert {row["kept"] for row in first} == {len(ids)} and second[0]["kept"] == len(ids) - 3
        assert second[0]["kept"] < second[1]["kept"] < second[2]["kept"] < len(ids) + best["tokens"]
        assert all(
            row["lacking"] is None and row["text"].startswith("it walks.</think><answer><Motion>") for row in second
        )
    assert not any("Earlier attempt" in rollout.query for rollout in spy.seen)
    both = Spy()
    search_replies(llm, QueryBatch.all(given), sampling, settings(both, refine=BOTH), "test")
    reflected = [rollout for rollout in both.seen if "Earlier attempt" in rollout.query]
    assert len({rollout.token_ids for rollout in reflected}) == 3  # of the three candidates of each query one


def test_a_budget_ends_a_search_after_the_round_that_spends_it(llm):
    spy = Spy()
    asked = QueryBatch.all(QUERIES)
    for budget, rounds in ((1, 1), (37, 2), (None, 3)):
        config = replace(settings(spy, budget=budget), refine_steps=3)
        found = search_replies(llm, asked, SAMPLING, config, "test")
        assert {one.record["trace"][-1]["round"] + 1 for one in found} == {rounds}


def test_a_reply_does_not_depend_on_who_is_asked_beside_it(llm):
    together = rows_of(llm, Spy())
    alone = rows_of(llm, Spy(), QUERIES[1:2], (1,))
    assert {**alone[0], "cost": None} == {**together[1], "cost": None}


def test_rounds_have_their_temperature_and_their_length(llm):
    spy = Spy()
    rows = rows_of(llm, spy, temperatures=(0.0, 1.0), max_new_tokens=5)
    for row in rows:
        assert max(one["tokens"] for one in row["trace"]) == 5
        greedy = [one for one in row["trace"] if one["round"] == 0]
        assert [one["duplicate_of"] for one in greedy] == [None, 0, 0]
    assert len({rollout.token_ids for rollout in spy.seen}) > 3
    assert settings(spy, temperatures=(0.3, 0.9)).sampling(SAMPLING, 5).temperature == 0.9
    assert settings(spy).sampling(SAMPLING, 1).temperature == SAMPLING.temperature


def test_cost_and_trace_say_what_was_spent_on_what(llm, tmp_path):
    rows = rows_of(llm, Spy())
    cost = cost_of_rounds(rows)
    assert [one["tokens"] for one in cost] == [
        sum(one["tokens"] for row in rows for one in row["trace"] if one["round"] == number) / 3 for number in (0, 1)
    ]
    assert all(one["generation_s"] > 0 and one["scoring_s"] >= 0 for one in cost)
    write_trace(tmp_path / "trace.jsonl", [rows])
    first, second = readable_traces(tmp_path / "trace.jsonl", 2)
    assert first.splitlines()[0] == "c0" and second.splitlines()[0] == "c1"
    assert first.count("*") == 1 and "round 2: better than the best so far, lacking: it has" in first
    assert "length 1.000" in first
