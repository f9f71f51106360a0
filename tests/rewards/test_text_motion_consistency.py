"""Consistency: the evaluator's cosine for both tasks, proper tokens, nothing embedded twice, worst where unusable."""

import numpy as np
import pytest
import torch

from dataset.captions.tagger import CaptionTagger
from dataset.captions.word_vectors import make_word_vectors
from models.language.rollout import Rollout
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.networks import build_networks
from models.text_motion.sizes import EvaluatorSizes
from rewards.base import RewardContext
from rewards.mixture.loading import load_reward
from utils.errors import InputError
from utils.motion.skeleton import KIT, T2M

CAPTIONS = [
    ("a person walks forward", ("a/DET", "person/NOUN", "walk/VERB", "forward/ADV")),
    ("someone waves", ("someone/PRON", "wave/VERB")),
    ("the left hand rises", ("the/DET", "left/ADJ", "hand/NOUN", "rise/VERB")),
]
SIZES = EvaluatorSizes(8, 8, 8, 8, 6, word_size=12)


class CountingEvaluator(TextMotionEvaluator):
    """Notes what it was asked to embed."""

    seen_captions: list
    seen_motions: int = 0

    def embed_captions(self, captions, batch_size=256):
        self.seen_captions.extend(captions)
        return super().embed_captions(captions, batch_size)

    def embed_features(self, motions, batch_size=64):
        self.seen_motions += len(motions)
        return super().embed_features(motions, batch_size)


def make_evaluator(skeleton=T2M) -> CountingEvaluator:
    torch.manual_seed(0)
    words = make_word_vectors((token for _, tokens in CAPTIONS for token in tokens), dim=12)
    dim = skeleton.feature_dim
    mean = np.zeros(dim, np.float32)
    evaluator = CountingEvaluator(build_networks(dim, SIZES), mean, mean + 2.0, skeleton, words)
    evaluator.seen_captions = []
    return evaluator


@pytest.fixture
def evaluator():
    return make_evaluator()


@pytest.fixture
def reward(evaluator):
    return load_reward("consistency", RewardContext(T2M, 512, evaluator, CaptionTagger.from_pairs(CAPTIONS)))


def motion(seed: int, frames: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, T2M.feature_dim)).astype(np.float32)


def t2m(caption, features) -> Rollout:
    return Rollout("t2m", caption, "", "", "", None if features is None else np.arange(4), features)


def m2t(answer, features) -> Rollout:
    return Rollout("m2t", answer, "", "", answer, np.arange(4), features)


def test_score_is_the_cosine_of_the_evaluators_embeddings(reward, evaluator):
    motions = [motion(0), motion(1, 24), motion(2)]
    scores = reward.score([t2m(text, features) for (text, _), features in zip(CAPTIONS, motions, strict=True)])
    text = evaluator.embed_captions([tokens for _, tokens in CAPTIONS])
    expected = torch.cosine_similarity(text, evaluator.embed_features(motions))
    assert scores == pytest.approx(expected.tolist(), abs=1e-5)
    assert len({round(score, 3) for score in scores}) == 3
    assert all(-1.0 <= score <= 1.0 for score in scores)


def test_both_tasks_give_the_same_pair_the_same_score(reward):
    first, second = reward.score([t2m("a person walks forward", motion(0)), m2t("a person walks forward", motion(0))])
    assert first == pytest.approx(second, abs=1e-6)


def test_captions_reach_the_evaluator_as_lemmatised_tokens_with_their_class(reward, evaluator):
    reward.score([m2t("A person walks forward.", motion(0))])
    assert evaluator.seen_captions == [("a/DET", "person/NOUN", "walk/VERB", "forward/ADV")]


def test_nothing_is_embedded_twice(reward, evaluator):
    group = [t2m("someone waves", motion(seed)) for seed in (0, 1, 1)] + [m2t("someone waves", motion(0))]
    first = reward.score(group)
    assert (len(evaluator.seen_captions), evaluator.seen_motions) == (1, 2)
    assert reward.score(group) == first
    assert (len(evaluator.seen_captions), evaluator.seen_motions) == (1, 2)
    assert {name: cache.statistics().misses for name, cache in reward.caches().items()} == {"captions": 1, "motions": 2}


def test_scores_do_not_depend_on_the_batch(reward, evaluator):
    rollouts = [t2m(text, motion(seed, 24 + 8 * seed)) for seed, (text, _) in enumerate(CAPTIONS)]
    together = reward.score(rollouts)
    for cache in reward.caches().values():
        cache.clear()
    assert [reward.score([one])[0] for one in rollouts] == pytest.approx(together, abs=1e-5)


def test_unusable_replies_are_worst(reward):
    broken = motion(0)
    broken[0, 0] = np.inf
    bad = [t2m("someone waves", None), t2m("someone waves", broken), t2m("someone waves", motion(0, 3))]
    bad += [m2t(None, motion(0)), m2t("", motion(0)), m2t("...", motion(0))]
    scores = reward.score([*bad, m2t("someone waves", motion(0))])
    assert scores[:-1] == [-1.0] * len(bad)
    assert scores[-1] > -1.0


def test_it_never_reads_the_reference(reward):
    features = motion(0)
    plain = m2t("someone waves", features)
    told = Rollout("m2t", "someone waves", "", "", "someone waves", np.arange(4), features, reference=("x",))
    assert not reward.needs_reference
    assert reward.score([plain]) == reward.score([told])


def test_what_is_missing_is_said(evaluator):
    tagger = CaptionTagger.from_pairs(CAPTIONS)
    wordless = TextMotionEvaluator(evaluator.networks, evaluator.mean, evaluator.std, T2M)
    for context, message in [
        (RewardContext(T2M, 512, None, tagger), "needs a text-motion evaluator"),
        (RewardContext(T2M, 512, evaluator, None), "tagger"),
        (RewardContext(T2M, 512, wordless, tagger), "word vectors"),
        (RewardContext(KIT, 512, evaluator, tagger), "reads t2m motions, these are kit"),
    ]:
        with pytest.raises(InputError, match=message):
            load_reward("consistency", context)
    reward = load_reward("consistency", RewardContext(T2M, 512, evaluator, tagger))
    with pytest.raises(InputError, match="motion of 251 features"):
        reward.score([t2m("someone waves", np.zeros((8, KIT.feature_dim), np.float32))])
