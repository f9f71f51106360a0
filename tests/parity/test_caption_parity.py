"""Caption scores and tokens equal those of pycocoevalcap 1.2 with its Java tokenizer, without either."""

import json
from pathlib import Path

import pytest

from utils.metrics.captions import caption_scores, caption_scores_per_sample
from utils.metrics.ptb_tokenizer import ptb_tokens

REFERENCE = json.loads((Path(__file__).resolve().parent / "caption_metrics.json").read_text())
EXPECTED = REFERENCE["expected"]


def test_tokens():
    assert [" ".join(ptb_tokens(text)) for text in REFERENCE["preds"]] == EXPECTED["tokenized_preds"]
    found = [[" ".join(ptb_tokens(text)) for text in texts] for texts in REFERENCE["refs"]]
    assert found == EXPECTED["tokenized_refs"]


def test_scores():
    found = caption_scores(REFERENCE["preds"], REFERENCE["refs"])
    expected = {f"BLEU@{n}": value for n, value in enumerate(EXPECTED["BLEU"], start=1)}
    expected |= {"ROUGE-L": EXPECTED["ROUGE_L"], "CIDEr": EXPECTED["CIDEr"]}
    assert found == pytest.approx(expected, abs=1e-4)


def test_means_of_samples():
    found = caption_scores_per_sample(REFERENCE["preds"], REFERENCE["refs"])
    assert found["ROUGE-L"].mean() == pytest.approx(EXPECTED["ROUGE_L"], abs=1e-6)
    assert found["CIDEr"].mean() == pytest.approx(EXPECTED["CIDEr"], abs=1e-6)


def test_a_copy_of_a_reference_gets_full_marks():
    references = REFERENCE["refs"]
    for index in range(3):
        found = caption_scores([texts[index] for texts in references], references)
        assert [found[f"BLEU@{n}"] for n in (1, 2, 3, 4)] + [found["ROUGE-L"]] == pytest.approx([1.0] * 5)
        assert found["CIDEr"] > EXPECTED["CIDEr"]
