"""Coherence with a scripted judge and an untrained model; -m slow: with one that is really trained, on toy texts."""

import json
import random
import shutil

import numpy as np
import pytest
import torch

from dataset.cot.entailment_pairs import EntailmentPairs, ReasonedCaption, split_sentences
from dataset.toy.captions import write_captions
from dataset.toy.programs import all_programs
from dataset.toy.reasoning import write_reasoning
from models.language.rollout import Rollout
from models.nli.model import NliSizes, make_nli_model, train_nli_tokenizer
from models.nli.training import NliTraining, NliTrainingConfig
from rewards.base import RewardContext
from rewards.cache import ResultCache
from rewards.mixture.loading import load_reward
from rewards.reasoning_coherence import sentence_windows
from rewards.text_models import EntailmentModel
from utils.motion.skeleton import T2M
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag

KINDS = ("wave", "kick", "walk", "squat")
STEPS = 450


def lines_of(seed, copies):
    """Captions and reasoning of every program with one action of KINDS."""
    rng = np.random.default_rng(seed)
    programs = [p for p in all_programs() if len(p.actions) == 1 and p.actions[0].kind in KINDS]
    lines = []
    for number, program in enumerate(programs * copies):
        reasoning = write_reasoning(program, int(rng.integers(40, 120)), rng)[0]
        lines += [ReasonedCaption(str(number), caption, reasoning) for caption in write_captions(program, rng)]
    return lines


def save_model(path, copies, sizes, steps):
    lines = lines_of(seed=0, copies=copies)
    torch.manual_seed(0)
    tokenizer = train_nli_tokenizer((text for line in lines for text in (line.caption, line.reasoning)), 800)
    tokenizer.model_max_length = 8 + max(len(tokenizer(line.reasoning, line.caption)["input_ids"]) for line in lines)
    model = make_nli_model(sizes, len(tokenizer), tokenizer.model_max_length)
    if steps:
        config = NliTrainingConfig(steps, None, 8, 1e-3, 0.01, seed=0)
        NliTraining(model, tokenizer, EntailmentPairs(lines), config, RunFolder(path)).train(InterruptFlag())
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Untrained: its probabilities differ from pair to pair, which is all that is needed of it."""
    return save_model(tmp_path_factory.mktemp("untrained"), 1, NliSizes(hidden_size=32, layers=1, heads=2), steps=0)


@pytest.fixture(scope="module")
def trained(request, tmp_path_factory):
    if "slow" not in request.config.getoption("markexpr"):  # nothing else leaves out what is marked slow
        pytest.skip("trains a model until it is good, a minute or more: run with -m slow")
    return save_model(tmp_path_factory.mktemp("trained"), 4, NliSizes(), STEPS)


def coherence(folder):
    return load_reward("coherence", RewardContext(skeleton=T2M, nb_code=512, nli_model_name=str(folder)))


def m2t(reasoning, answer) -> Rollout:
    return Rollout("m2t", answer, "", reasoning, answer, np.arange(8), None)


def scores_by_kind(folder, prefix="", count=120):
    """Own captions' scores, and for each kind of pair (own, that pair's) scores on one reasoning; unseen wordings."""
    pairs, rng = EntailmentPairs(lines_of(seed=99, copies=1)), random.Random(0)
    rollouts, kinds = [], []
    for index in rng.sample(range(len(pairs.lines)), min(count, len(pairs.lines))):
        own, *others = pairs.every_kind(index, rng)
        for pair in others:
            if pair.premise == own.premise:
                kinds.append(pair.kind)
                rollouts += [m2t(prefix + own.premise, own.hypothesis), m2t(prefix + own.premise, pair.hypothesis)]
    scores = coherence(folder).score(rollouts)
    found = {}
    for kind, own, other in zip(kinds, scores[::2], scores[1::2], strict=True):
        found.setdefault(kind, []).append((own, other))
    return found


def share_in_order(pairs):
    return np.mean([own > other for own, other in pairs])


@pytest.mark.slow
def test_entailed_is_above_contradicted(trained):
    found = scores_by_kind(trained)
    turned = [pair for kind, pairs in found.items() if kind not in ("other", "scrambled") for pair in pairs]
    assert share_in_order(turned) > 0.85
    assert all(0 <= score <= 1 for pair in turned for score in pair)


@pytest.mark.slow
def test_a_paraphrase_is_above_another_action(trained):
    """The own captions that are compared are other wordings than those of training."""
    assert share_in_order(scores_by_kind(trained)["other"]) > 0.9


@pytest.mark.slow
@pytest.mark.xfail(
    strict=False,
    reason="a small model is unsure where a window is mostly asides: 0.683 was measured, and 0.582 in another run",
)
def test_the_decisive_sentence_may_be_the_last_of_a_long_reasoning(trained):
    aside = "The clip lasts about two seconds. It takes about four seconds. "
    found = scores_by_kind(trained, prefix=aside * 8)
    model = EntailmentModel(str(trained))
    assert len(sentence_windows(aside * 8 + "The left leg kicks.", "a person kicks with the left leg.", model)) > 1
    turned = [pair for kind, pairs in found.items() if kind not in ("other", "scrambled") for pair in pairs]
    assert share_in_order(turned) > 0.8


def test_the_order_of_labels_does_not_matter(folder, tmp_path):
    other = tmp_path / "shuffled"
    shutil.copytree(folder, other)
    model = make_from(folder)
    order = [2, 0, 1]  # the class that stands at each place now
    with torch.no_grad():
        for parameter in (model.classifier.weight, model.classifier.bias):
            parameter.copy_(parameter[order].clone())
    labels = [model.config.id2label[index].upper() for index in order]
    model.config.id2label, model.config.label2id = dict(enumerate(labels)), {v: i for i, v in enumerate(labels)}
    model.save_pretrained(other)
    assert json.loads((other / "config.json").read_text())["id2label"]["1"] == "ENTAILMENT"
    rollouts = [m2t(line.reasoning, line.caption) for line in lines_of(seed=5, copies=1)[:20]]
    scores = coherence(folder).score(rollouts)
    assert coherence(other).score(rollouts) == pytest.approx(scores, abs=1e-6)
    assert max(scores) - min(scores) > 1e-4


def make_from(folder):
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(folder)


class ScriptedJudge:
    """Believes what a window says word by word; reads 12 words at a time."""

    max_tokens = 12

    def __init__(self, *_):
        self.cache, self.asked = ResultCache(), []

    def count_tokens(self, *texts):
        return sum(len(text.split()) for text in texts)

    def probabilities(self, pairs):
        self.asked += pairs
        return [0.9 if answer in window else 0.1 + 0.01 * len(window.split()) for window, answer in pairs]


@pytest.mark.parametrize("at", [0, 3, 6])
def test_one_sentence_among_windows_of_asides_decides(at, monkeypatch):
    monkeypatch.setattr("rewards.reasoning_coherence.EntailmentModel", ScriptedJudge)
    reward = coherence("scripted")
    sentences = ["It takes two seconds."] * 6
    sentences.insert(at, "Here the left leg kicks.")
    own, turned = m2t(" ".join(sentences), "left leg kicks"), m2t(" ".join(sentences), "right leg kicks")
    empty, long = m2t("", "left leg kicks"), m2t("so long", "leg " * 7)
    scores = reward.score([own, turned, empty, long])
    assert scores[0] == 0.9 and 0.1 < scores[1] < 0.2 and scores[2:] == [0.0, 0.0]
    windows = [window for window, answer in reward._model.asked if answer == "left leg kicks"]
    assert " ".join(windows) == " ".join(sentences) and len(windows) > 2
    assert all(reward._model.count_tokens(*pair) <= 12 for pair in reward._model.asked)


def test_windows_hold_every_sentence(folder):
    model = EntailmentModel(str(folder))
    reasoning = " ".join(line.reasoning for line in lines_of(seed=3, copies=1)[::9])
    windows = sentence_windows(reasoning, "a person walks.", model)
    assert len(windows) > 1
    assert [s for window in windows for s in split_sentences(window)] == split_sentences(reasoning)
