"""What is supervised, and how strongly, on hand-made samples of both tasks."""

import pytest
from transformers import AutoTokenizer

from dataset.cot.sample import Sample
from dataset.cot.samples import read_cot_jsonl
from models.language.prompts import PLAIN, REGION_ANSWER, REGION_QUERY, REGION_REASONING, query_of, render_query
from models.language.vocabulary import MotionVocabulary, read_codes
from models.sft.batch import IGNORED_LABEL, SupervisionCollator, encode_sample
from models.sft.config import SupervisionConfig
from models.sft.sample_view import describe_sample
from tests.models.languages import plain

WEIGHTED = SupervisionConfig(use_reasoning=True, reasoning_weight=0.5, motion_weight=2.0)
SAMPLE = Sample("t2m", "someone jumps twice.", (4, 9, 2), "The text says: jumps.", weight=20.0)


@pytest.fixture
def vocabulary(backbone):
    return MotionVocabulary(AutoTokenizer.from_pretrained(backbone), nb_code=16)


@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_regions(vocabulary, task):
    sample = Sample(task, SAMPLE.caption, SAMPLE.codes, SAMPLE.reasoning)
    encoded = encode_sample(sample, plain(vocabulary), WEIGHTED)
    query = vocabulary.encode(render_query(query_of(sample), PLAIN))  # the very ids that inference asks with
    assert encoded.input_ids[: len(query)] == query
    assert encoded.labels[: len(query)] == [IGNORED_LABEL] * len(query)
    assert set(encoded.weights[: len(query)]) == {0.0}
    assert encoded.labels[len(query) :] == encoded.input_ids[len(query) :]
    think_end = encoded.input_ids.index(vocabulary.marker_id("</think>"))
    assert set(encoded.weights[len(query) : think_end + 1]) == {0.5}
    assert set(encoded.weights[think_end + 1 :]) == {2.0}
    assert encoded.input_ids[-1] == vocabulary.eos_id  # a real token, not the text "<eos>"
    assert len(encoded.input_ids) == len(encoded.labels) == len(encoded.weights) == len(encoded.regions)
    sizes = [encoded.regions.count(region) for region in (REGION_QUERY, REGION_REASONING, REGION_ANSWER)]
    assert sizes == [len(query), think_end + 1 - len(query), len(encoded.input_ids) - think_end - 1]
    assert encoded.regions == sorted(encoded.regions)


def test_reasoning_is_shortened_and_the_answer_never(vocabulary):
    long = Sample("t2m", "x", (4, 9, 2), "word " * 300)
    encoded = encode_sample(long, plain(vocabulary), SupervisionConfig(use_reasoning=True, max_reasoning_tokens=10))
    target = [label for label in encoded.labels if label != IGNORED_LABEL]
    assert target.index(vocabulary.marker_id("</think>")) == 9
    assert read_codes(vocabulary.decode(target)) == [4, 9, 2]


def test_without_reasoning_the_answer_follows_at_once(vocabulary):
    encoded = encode_sample(SAMPLE, plain(vocabulary), SupervisionConfig())
    first = next(label for label in encoded.labels if label != IGNORED_LABEL)
    assert first == vocabulary.marker_id("</think>")


def test_sample_weight_is_scaled_then_clipped(vocabulary):
    def last_weight(**fields):
        return encode_sample(SAMPLE, plain(vocabulary), SupervisionConfig(**fields)).weights[-1]

    assert last_weight() == 1.0
    assert last_weight(use_sample_weight=True, weight_clip=5.0) == 5.0
    assert last_weight(use_sample_weight=True, weight_clip=50.0, motion_weight=0.5) == 10.0
    assert last_weight(use_sample_weight=True, weight_clip=50.0, weight_scale=0.1) == 2.0
    assert last_weight(use_sample_weight=True, weight_scale=0.0, min_sample_weight=0.05) == 0.05


def test_batch_is_padded_without_loss(vocabulary, cot_jsonl):
    samples = read_cot_jsonl(cot_jsonl, nb_code=16)
    collator = SupervisionCollator(samples, plain(vocabulary), SupervisionConfig(), seed=0)
    batch = collator([{"row": 0, "task": "t2m"}, {"row": 4, "task": "m2t"}])
    assert len({tuple(value.shape) for value in batch.values()}) == 1
    padding = batch["attention_mask"] == 0
    assert padding.any()
    assert (batch["labels"][padding] == IGNORED_LABEL).all() and (batch["loss_weights"][padding] == 0).all()


def test_reflections_are_drawn_by_the_seed(vocabulary, cot_jsonl):
    samples = read_cot_jsonl(cot_jsonl, nb_code=16)

    def lengths(share, seed):
        collator = SupervisionCollator(samples, plain(vocabulary), SupervisionConfig(reflection_share=share), seed)
        return [len(collator.encode(row, "m2t").input_ids) for row in range(45)]

    none, half = lengths(0.0, 1), lengths(0.5, 1)
    assert half == lengths(0.5, 1) != lengths(0.5, 2)
    longer = sum(a > b for a, b in zip(half, none, strict=True))
    assert 12 <= longer <= 33
    assert all(a > b for a, b in zip(lengths(1.0, 1), none, strict=True))


def test_a_sample_is_shown_with_its_regions_and_ids(vocabulary):
    encoded = encode_sample(SAMPLE, plain(vocabulary), WEIGHTED)
    shown = describe_sample(encoded, vocabulary, colour=False)
    heads = [line for line in shown.splitlines() if line.startswith("[")]
    assert [head.split(":")[0] for head in heads] == ["[query", "[reasoning", "[answer"]
    assert "no loss" in heads[0] and "loss weight 0.5" in heads[1] and "loss weight 2" in heads[2]
    ids = [int(word) for line in shown.splitlines() if line.startswith("  ids ") for word in line.split()[1:]]
    assert ids == encoded.input_ids and "<Motion_4><Motion_9><Motion_2>" in shown and "\033" not in shown
    assert "\033[34m" in describe_sample(encoded, vocabulary, colour=True)
