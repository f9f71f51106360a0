import math

import pytest

from utils.caption_metrics import caption_scores

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


@pytest.mark.parametrize(
    ("predictions", "references"), [([], []), (["a"], []), (["a"], [[]]), (["a"], ["not a list of references"])]
)
def test_wrong_inputs_are_errors(predictions, references):
    with pytest.raises(ValueError):
        caption_scores(predictions, references)
