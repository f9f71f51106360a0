import math

import numpy as np
import pytest

from utils.metrics.captions import caption_scores, caption_scores_per_sample

SENTENCES = ["a person walks forward slowly", "someone kicks a ball twice", "the man sits down on a chair"]


def test_a_copy_of_the_reference_is_perfect():
    found = caption_scores(SENTENCES, [[text, "something else"] for text in SENTENCES])
    assert [found[f"BLEU@{n}"] for n in (1, 2, 3, 4)] == pytest.approx([1.0] * 4)
    assert found["ROUGE-L"] == pytest.approx(1.0)


def test_case_and_punctuation_do_not_count():
    assert caption_scores(["A person walks, forward."], [["a person walks forward"]])["BLEU@4"] == pytest.approx(1.0)


def test_bleu_by_hand():
    # 4 of 5 words match (clipped), brevity penalty exp(1 - 8/5); bigrams: "a person", "person walks" of 4.
    found = caption_scores(["a person walks a forward"], [["a person walks straight forward and then stops"]])
    penalty = math.exp(1 - 8 / 5)
    assert found["BLEU@1"] == pytest.approx(penalty * 4 / 5)
    assert found["BLEU@2"] == pytest.approx(penalty * math.sqrt(4 / 5 * 2 / 4))
    assert found["BLEU@4"] == 0.0


def test_bleu_uses_the_closest_reference_length():
    found = caption_scores(["a person walks"], [["a person walks", "a person walks on and on and on"]])
    assert found["BLEU@1"] == pytest.approx(1.0)


def test_rouge_takes_the_best_precision_and_the_best_recall():
    # Common subsequence 2 ("a walks") of 3; best precision 2/3, best recall 2/2 with the short reference.
    found = caption_scores(["a man walks"], [["a person walks far", "a walks"]])["ROUGE-L"]
    precision, recall = 2 / 3, 1.0
    assert found == pytest.approx((1 + 1.44) * precision * recall / (recall + 1.44 * precision))


def test_cider_by_hand():
    # Two items; words of one item only weigh log 2. Item 0 is copied (four orders, all 1): 10. Item 1 shares nothing.
    found = caption_scores(["one two three four", "x y z w"], [["one two three four"], ["five six seven eight"]])
    assert found["CIDEr"] == pytest.approx(10.0 / 2)


def test_an_empty_prediction_scores_nothing_but_counts():
    full = caption_scores(SENTENCES, [[text] for text in SENTENCES])
    holed = caption_scores([*SENTENCES[:2], ""], [[text] for text in SENTENCES])
    assert holed["ROUGE-L"] == pytest.approx(full["ROUGE-L"] * 2 / 3)
    assert holed["BLEU@1"] < full["BLEU@1"]
    assert caption_scores(["", ""], [["a b"], ["c d"]]) == dict.fromkeys(full, 0.0)


def test_references_of_different_counts_do_not_mix():
    counts = [[SENTENCES[0]], ["unlike it", SENTENCES[1], "nor this"], [SENTENCES[2], "or that"]]
    found = caption_scores(SENTENCES, counts)
    assert [found[f"BLEU@{n}"] for n in (1, 2, 3, 4)] == pytest.approx([1.0] * 4)
    assert found["ROUGE-L"] == pytest.approx(1.0)
    shifted = caption_scores([*SENTENCES[1:], SENTENCES[0]], counts)
    assert shifted["BLEU@1"] < 0.5 and shifted["BLEU@4"] == 0 and shifted["ROUGE-L"] < 0.5
    # A repeated reference is the same evidence: only CIDEr averages over references, here over two equal ones.
    twice = caption_scores(SENTENCES, [[texts[0], texts[0]] for texts in counts])
    assert twice == pytest.approx(caption_scores(SENTENCES, [texts[:1] for texts in counts]))


def test_a_single_sample():
    found = caption_scores(SENTENCES[:1], [[SENTENCES[0], "someone strolls"]])
    assert found == pytest.approx({**{f"BLEU@{n}": 1.0 for n in (1, 2, 3, 4)}, "ROUGE-L": 1.0, "CIDEr": 0.0})
    short = caption_scores(["a person walks"], [["a person walks"]])
    assert (short["BLEU@3"], short["BLEU@4"]) == (pytest.approx(1.0), 0.0)  # there is no 4-gram to match


@pytest.mark.parametrize("empty", ["", "   ", ".", "!?"])
def test_nothing_but_punctuation_is_empty(empty):
    found = caption_scores([empty, SENTENCES[1]], [[SENTENCES[0]], [SENTENCES[1]]])
    assert found["ROUGE-L"] == pytest.approx(0.5) and 0 < found["BLEU@1"] < 1
    assert caption_scores([SENTENCES[0]], [[empty]]) == dict.fromkeys(found, 0.0)


def test_per_sample_by_hand():
    found = caption_scores_per_sample(
        ["one two three four", "x y z w", ""], [["one two three four"], ["x five six seven"], ["eight"]]
    )
    assert set(found) == {"ROUGE-L", "CIDEr"} and all(values.shape == (3,) for values in found.values())
    assert found["ROUGE-L"] == pytest.approx([1.0, 0.25, 0.0])
    # The second shares one of four words of equal weight: cosine 1/4 for words, 0 for longer n-grams.
    assert found["CIDEr"] == pytest.approx([10.0, 10.0 * (1 / 4) / 4, 0.0])


def test_means_of_samples_are_the_corpus_values():
    predictions = ["a person walks", "", "someone kicks the ball", "the man sits"]
    references = [[SENTENCES[0], "a man walks on"], ["x"], [SENTENCES[1]], [SENTENCES[2], "he sits", "the man sits"]]
    corpus, samples = caption_scores(predictions, references), caption_scores_per_sample(predictions, references)
    for name, values in samples.items():
        assert np.mean(values) == pytest.approx(corpus[name]) and values[1] == 0 and values[3] > values[2] > 0


@pytest.mark.parametrize(
    ("predictions", "references"), [([], []), (["a"], []), (["a"], [[]]), (["a"], ["not a list of references"])]
)
def test_wrong_inputs_are_errors(predictions, references):
    with pytest.raises(ValueError):
        caption_scores(predictions, references)
