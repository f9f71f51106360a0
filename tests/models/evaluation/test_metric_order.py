"""Better motions get better numbers: the order of real, reconstructed, shuffled and other clips' motions.

The evaluator is really trained, for some seconds on the toy people, and judges clips that it has not seen. What
metrics cannot see is asserted as well: FID and physics look at motions only, so another clip's motion is as good.
"""

import numpy as np
import pytest
import torch

from dataset.captions.word_vectors import make_word_vectors
from dataset.humanml.layout import MotionRecord
from dataset.humanml.pairs import TextMotionPairs
from dataset.humanml.statistics import compute_mean_std
from dataset.humanml.windows import MotionWindows
from dataset.toy.clips import toy_clips
from models.text_motion.sizes import EvaluatorSizes
from models.text_motion.trainer import EvaluatorTrainer, TrainerConfig
from models.tokenizer.loss import TrainingConfig
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.trainer import TokenizerTrainer
from utils.metrics.physics import mean_jerk
from utils.metrics.text_motion import GROUP, evaluate_text_to_motion
from utils.motion.features import features_from_joints, joints_in_metres
from utils.motion.skeleton import T2M

CLIPS, TEST, EPOCHS, BATCH = 480, 5 * GROUP, 12, 32
SIZES = EvaluatorSizes(48, 48, 48, 48, 64, 32)
CHANCE = 3 / GROUP  # of R@3


def train_evaluator(records):
    mean, std = compute_mean_std([record.features for record in records], T2M)
    words = make_word_vectors([token for r in records for c in r.captions for token in c.tokens], SIZES.word_size)
    torch.manual_seed(0)
    settings = TrainerConfig(3e-3, 0.01, 0.1, train_word_vectors=True, word_dropout=0.05)
    trainer = EvaluatorTrainer(T2M, SIZES, words, settings, torch.device("cpu"))
    pairs, rng = TextMotionPairs(records, mean, std, words), np.random.default_rng(0)
    for epoch in range(EPOCHS):
        for batch in pairs.epoch(BATCH, rng):
            trainer.step(batch, max(0.05, 1 - epoch / EPOCHS))
    return trainer.evaluator(mean, std)


def train_tokenizer(records, steps=400):
    """A small motion tokenizer after a few seconds: its reconstructions are poor, but of a real tokenizer."""
    clips = [record.features for record in records]
    mean, std = compute_mean_std(clips, T2M)
    torch.manual_seed(0)
    network = MotionVQ(NetworkConfig(nb_code=128, code_dim=48, output_emb_width=48, width=48, depth=2))
    config = TrainingConfig(
        batch_size=16, total_iter=steps, warm_up_iter=10, lr=2e-3, lr_scheduler=(steps * 3 // 4,), gamma=0.2,
        root_weight=5, change_weight=0.5, loss_vel=0.5,
    )  # fmt: skip
    windows = MotionWindows(clips, mean, std, 32, 4, seed=0)
    trainer = TokenizerTrainer(network, windows, T2M, config, seed=0)
    while not trainer.finished:
        trainer.train_step()
    return MotionTokenizer(network, mean, std, T2M)


def reconstruct(motion, frames, noise, rng):
    """What a tokenizer of one code for so many frames leaves: means over them, interpolated, and an error.

    Args:
        motion: (T, D). noise: (D,) standard deviation of the error.
    """
    codes = motion[: len(motion) // frames * frames].reshape(-1, frames, motion.shape[1]).mean(axis=1)
    time, centres = np.arange(len(motion)), (np.arange(len(codes)) + 0.5) * frames - 0.5
    smooth = np.stack([np.interp(time, centres, column) for column in codes.T], axis=1)
    return (smooth + noise * rng.normal(size=smooth.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def motions():
    """Training features, test captions, and the same test clips in several states."""
    records = [
        MotionRecord(clip.id, features_from_joints(clip.joints, T2M), clip.captions) for clip in toy_clips(CLIPS, 0)
    ]
    train, test = records[:-TEST], records[-TEST:]
    std = compute_mean_std([record.features for record in train], T2M)[1]
    real, rng = [record.features for record in test], np.random.default_rng(1)
    tokenizer = train_tokenizer(train)
    return (
        train,
        [record.captions[0].tokens for record in test],
        {
            "real": real,
            "good": [reconstruct(motion, 4, 0.3 * std, rng) for motion in real],
            "poor": [reconstruct(motion, 12, 1.0 * std, rng) for motion in real],
            "tokenizer": tokenizer.decode_batch(tokenizer.encode_batch(real)),
            "shuffled": [rng.permutation(motion) for motion in real],
            "another": real[37:] + real[:37],  # toy programs recur; a near neighbour need not show another one
        },
    )


@pytest.fixture(scope="module")
def metrics(motions):
    """Metrics by state, means over 20 repeats; FID against the training clips, and against the clips themselves."""
    train, captions, states = motions
    evaluator = train_evaluator(train)
    text = evaluator.embed_captions(captions).numpy()
    reference = evaluator.embed_features([record.features for record in train]).numpy()
    embedded = {name: evaluator.embed_features(clips).numpy() for name, clips in states.items()}
    means = {}
    for name, rows in embedded.items():
        rng = np.random.default_rng(2)
        repeats = [evaluate_text_to_motion(text, rows, reference, rng) for _ in range(20)]
        means[name] = {key: float(np.mean([row[key] for row in repeats])) for key in repeats[0]}
        means[name]["own FID"] = evaluate_text_to_motion(text, rows, embedded["real"], rng)["FID"]
    return means


def test_a_real_tokenizers_reconstructions_lie_between_real_and_shuffled(metrics):
    real, rebuilt, shuffled, another = (metrics[name] for name in ("real", "tokenizer", "shuffled", "another"))
    assert real["R@3"] > rebuilt["R@3"] > shuffled["R@3"] > another["R@3"]
    assert real["MM-Dist"] < rebuilt["MM-Dist"] < shuffled["MM-Dist"] < another["MM-Dist"]
    assert real["own FID"] < rebuilt["own FID"] < 0.5 * shuffled["own FID"]


def test_retrieval_falls_from_real_to_another_clips_motion(metrics):
    for key in ("R@1", "R@2", "R@3"):
        real, poor, shuffled, another = (metrics[name][key] for name in ("real", "poor", "shuffled", "another"))
        assert real > poor > shuffled > another, key
    assert metrics["real"]["R@3"] > 5 * CHANCE
    assert metrics["another"]["R@3"] < 2 * CHANCE


def test_matching_distance_grows_from_real_to_another_clips_motion(metrics):
    distances = [metrics[name]["MM-Dist"] for name in ("real", "poor", "shuffled", "another")]
    assert distances == sorted(distances)
    assert distances[-1] > 1.5 * distances[0]


def test_a_good_reconstruction_costs_little(metrics):
    assert metrics["good"]["R@3"] == pytest.approx(metrics["real"]["R@3"], abs=0.05)
    assert metrics["good"]["MM-Dist"] == pytest.approx(metrics["real"]["MM-Dist"], rel=0.02)


def test_fid_grows_with_the_damage(metrics):
    own = [metrics[name]["own FID"] for name in ("real", "good", "poor", "shuffled")]
    assert own[0] == pytest.approx(0, abs=1e-9)
    assert own == sorted(own)
    assert own[2] > 5 * own[1]
    # Against other clips of the same kind the real ones are not at 0 either, but the nearest.
    against_training = [metrics[name]["FID"] for name in ("real", "poor", "shuffled")]
    assert against_training == sorted(against_training)
    assert against_training[2] > 5 * against_training[0]


def test_another_clips_motion_is_real_to_fid_and_diversity(metrics):
    """FID cannot tell what a motion was made for; whoever reads it alone must know."""
    assert metrics["another"]["own FID"] == pytest.approx(0, abs=1e-9)
    assert metrics["another"]["FID"] == pytest.approx(metrics["real"]["FID"], rel=0.05)
    assert metrics["another"]["Diversity"] == pytest.approx(metrics["real"]["Diversity"], rel=0.05)


def test_jerk_sees_shuffled_frames_and_not_another_clip(motions):
    _, _, states = motions
    jerk = {
        name: np.mean([mean_jerk(joints_in_metres(motion, T2M), T2M.fps) for motion in states[name][:32]])
        for name in ("real", "shuffled", "another")
    }
    assert jerk["shuffled"] > 10 * jerk["real"]
    assert jerk["another"] == pytest.approx(jerk["real"], rel=0.5)
