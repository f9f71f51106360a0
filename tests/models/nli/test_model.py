"""The structure that the NLI model starts from: heads that see neighbours, heads that find like words."""

import pytest
import torch

from dataset.cot.entailment_pairs import EntailmentPair
from models.nli.model import NliSizes, make_nli_model, train_nli_tokenizer
from models.nli.training import measure
from utils.errors import InputError

TEXTS = [
    "a person waves the left hand about eight times.",
    "The right hand swings back and forth about 8 times, slowly.",
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_nli_tokenizer(TEXTS * 3, vocab_size=200)


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    return make_nli_model(NliSizes(hidden_size=64, heads=4, layers=2), len(tokenizer), max_tokens=60).eval()


def attention(model, tokenizer, *texts):
    """(heads, L, L) of the first layer, and the tokens."""
    model.set_attn_implementation("eager")
    encoded = tokenizer(*texts, return_tensors="pt")
    with torch.no_grad():
        found = model(**encoded, output_attentions=True).attentions
    return found[0][0], tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])


def test_the_first_heads_look_one_back_and_one_ahead(model, tokenizer):
    weights, tokens = attention(model, tokenizer, *TEXTS)
    inner = torch.arange(1, len(tokens) - 1)
    for head, by in ((0, -1), (1, 1)):
        assert (weights[head, inner].argmax(dim=-1) == inner + by).all()
        assert weights[head, inner, inner + by].mean() > 0.5


def test_the_others_find_the_same_word_in_the_other_text(model, tokenizer):
    weights, tokens = attention(model, tokenizer, *TEXTS)
    for word in ("hand", "times", "8"):
        here, there = (index for index, token in enumerate(tokens) if token == word)
        others = weights[2:4, here].clone()
        others[:, [here, there]] = 0
        assert (weights[2:4, here, there] > 5 * others.mean(dim=-1)).all(), word


def test_numbers_in_words_are_the_same_tokens_as_digits(tokenizer):
    assert tokenizer.tokenize("Eight times") == tokenizer.tokenize("8 times")
    assert tokenizer.tokenize("waves twice") == tokenizer.tokenize("waves 2 times")
    assert tokenizer("a b", "c")["token_type_ids"] == [0] * len(tokenizer("a b")["input_ids"]) + [1, 1]


def test_word_pieces_do_not_depend_on_chance():
    """All pairs of letters are equally frequent, and few of them can be joined: which ones is a matter of ties."""
    letters = "abcdefgh"
    texts = [f"{a}{b}{c}" for a in letters for b in letters for c in letters if len({a, b, c}) == 3]
    found = [train_nli_tokenizer(texts, vocab_size=50).get_vocab() for _ in range(6)]
    assert all(vocabulary == found[0] for vocabulary in found)
    assert len(found[0]) == 50 and set(letters) < found[0].keys()


def test_a_saved_tokenizer_reads_the_same(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again(*TEXTS)["input_ids"] == tokenizer(*TEXTS)["input_ids"]


def test_widths_that_do_not_fit_are_refused():
    for sizes in (NliSizes(hidden_size=30, heads=4), NliSizes(hidden_size=12, heads=4), NliSizes(heads=1)):
        with pytest.raises(InputError, match="hidden size"):
            make_nli_model(sizes, 100, 20)


def test_what_is_measured(model, tokenizer, monkeypatch):
    """Own 0.9, another 0.2, a third 0.95: the first is above one of two."""
    rows = [[0.9, 0.05, 0.05], [0.2, 0.1, 0.7], [0.95, 0.05, 0.0]]
    monkeypatch.setattr("models.nli.training._probabilities", lambda *_: map(torch.tensor, rows))
    labels = (("entailment", "own"), ("contradiction", "hand"), ("neutral", "unsaid"))
    report = measure(model, tokenizer, [[EntailmentPair("p", "h", *names) for names in labels]])
    assert report["own"].accuracy == 1 and report["own"].order is None
    assert (report["hand"].accuracy, report["hand"].order, report["contradicted"].order) == (1, 1, 1)
    assert (report["unsaid"].accuracy, report["unsaid"].order) == (0, 0)
    assert (report["all"].pairs, report["all"].accuracy, report["all"].order) == (2, 0.5, 0.5)
