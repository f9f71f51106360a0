"""Guided replies: well formed, begun as wanted, and exactly as long as wanted, whatever the model would rather say."""

import pytest
import torch

from dataset.captions.tags import ANSWER_CLOSE, ANSWER_OPEN, MARKERS, MOTION_CLOSE, MOTION_OPEN, THINK_CLOSE
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.guidance import ReplyGuide, Wanted
from models.language.prompts import Query
from models.policy.backbone import load_backbone
from tests.models.languages import plain
from utils.errors import InputError


@pytest.fixture(scope="module")
def llm(backbone, motion_tokenizer):
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    return MotionLLM(model, plain(vocabulary, motion_tokenizer))


def allowed(llm, text, wanted):
    """Ids that may follow `text`, said after a prompt that holds a motion itself."""
    vocabulary = llm.language.vocabulary
    before, said = vocabulary.encode("Motion: <Motion><Motion_3></Motion>\n<think>"), vocabulary.encode(text)
    size = len(vocabulary.tokenizer) + 8  # a padded head
    scores = ReplyGuide(vocabulary, [wanted], len(before))(torch.tensor([before + said]), torch.zeros(1, size))
    return set(torch.nonzero(scores[0] == 0).flatten().tolist())


def test_the_tags_of_a_motion_follow_one_another(llm):
    vocabulary, wanted = llm.language.vocabulary, Wanted("t2m", start=(5, 2), min_codes=3, max_codes=4, max_words=6)
    tag = vocabulary.marker_id
    codes = set(vocabulary.code_ids)
    words = allowed(llm, "", wanted)
    assert tag(THINK_CLOSE) in words and not words & codes and vocabulary.eos_id not in words
    assert not words & {tag(marker) for marker in MARKERS if marker != THINK_CLOSE}
    assert allowed(llm, "so</think>", wanted) == {tag(ANSWER_OPEN)}
    assert allowed(llm, "so</think><answer>", wanted) == {tag(MOTION_OPEN)}
    begun = "so</think><answer><Motion>"
    assert allowed(llm, begun, wanted) == {vocabulary.code_ids[5]}
    assert allowed(llm, begun + "<Motion_5>", wanted) == {vocabulary.code_ids[2]}
    assert allowed(llm, begun + "<Motion_5><Motion_2>", wanted) == codes
    assert allowed(llm, begun + "<Motion_5><Motion_2><Motion_0>", wanted) == codes | {tag(MOTION_CLOSE)}
    full = begun + "<Motion_5><Motion_2><Motion_0><Motion_0>"
    assert allowed(llm, full, wanted) == {tag(MOTION_CLOSE)}
    assert allowed(llm, full + "</Motion>", wanted) == {tag(ANSWER_CLOSE)}
    assert allowed(llm, full + "</Motion></answer>", wanted) == {vocabulary.eos_id}


def test_a_caption_is_text_and_never_empty(llm):
    vocabulary, wanted = llm.language.vocabulary, Wanted("m2t", max_words=3)
    close = vocabulary.marker_id(ANSWER_CLOSE)
    assert allowed(llm, "so</think>", wanted) == {vocabulary.marker_id(ANSWER_OPEN)}
    first = allowed(llm, "so</think><answer>", wanted)
    assert close not in first and not first & set(vocabulary.code_ids)
    assert close in allowed(llm, "so</think><answer>a", wanted)
    assert allowed(llm, "so</think><answer>a</answer>", wanted) == {vocabulary.eos_id}


def test_text_ends_where_it_may_not_go_on(llm):
    vocabulary = llm.language.vocabulary
    words = "".join(" a" for _ in range(4))
    said = len(vocabulary.encode(words))
    assert allowed(llm, words, Wanted("t2m", max_words=said)) == {vocabulary.marker_id(THINK_CLOSE)}
    assert len(allowed(llm, words, Wanted("t2m", max_words=said + 1))) > 1


@pytest.mark.parametrize("temperature", [0.0, 1.0, 2.0])
def test_a_model_that_knows_nothing_answers_as_wanted(llm, temperature):
    """Random weights would hardly ever say a tag."""
    wanted = {
        "one": Wanted("t2m", min_codes=1, max_codes=1, max_words=5),
        "exact": Wanted("t2m", start=(3, 3), min_codes=9, max_codes=9, max_words=5),
        "some": Wanted("t2m", min_codes=2, max_codes=6, max_words=5),
        "text": Wanted("m2t", max_words=5),
    }
    queries = [Query("t2m", "someone walks", id=id) for id in wanted if id != "text"]
    queries.append(Query("m2t", codes=(1, 2), id="text"))
    for seed in range(8):
        found = llm.guided(lambda query: wanted[query.id]).answer(queries, Sampling(temperature=temperature, seed=seed))
        by_id = dict(zip(wanted, found, strict=True))
        assert all(rollout.well_formed and rollout.finished for rollout in found)
        assert len(by_id["one"].codes) == 1
        assert len(by_id["exact"].codes) == 9 and by_id["exact"].codes[:2].tolist() == [3, 3]
        assert 2 <= len(by_id["some"].codes) <= 6
        assert by_id["text"].answer is not None


def test_a_guide_does_not_depend_on_the_batch(llm):
    wanted = Wanted("t2m", min_codes=4, max_codes=9, max_words=4)
    queries = [Query("t2m", "walks" + " and jumps" * number, id=str(number)) for number in range(4)]
    guided = llm.guided(lambda _: wanted)
    together = guided.answer(queries, Sampling(temperature=1.0, seed=1))
    for number, query in enumerate(queries):
        [alone] = guided.answer([query], Sampling(temperature=1.0, seed=1), keys=[number])
        assert alone.token_ids == together[number].token_ids


@pytest.mark.parametrize(
    "bounds",
    [{"min_codes": 0}, {"min_codes": 5, "max_codes": 4}, {"start": (1,) * 9, "max_codes": 8}, {"max_words": 0}],
)
def test_what_cannot_be_is_refused(bounds):
    with pytest.raises(InputError, match="cannot be"):
        Wanted("t2m", **bounds)
