"""The published evaluator: its keys load strictly and give the reference embeddings."""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from models.text_motion.evaluator import TextMotionEvaluator, build_networks
from utils.errors import InputError
from utils.motion.skeleton import KIT, T2M

HERE = Path(__file__).resolve().parent
SHAPES = json.loads((HERE / "state_dict_keys.json").read_text())


def rule_tensor(tag, key, shape):
    """The reference's rule for made-up weights."""
    values = np.random.RandomState(zlib.crc32(f"{tag}/{key}".encode())).standard_normal(shape).astype(np.float32)
    if key.endswith("hidden"):
        return torch.from_numpy(values)
    if ".1.weight" in key and len(shape) == 1:
        return torch.from_numpy(1 + 0.02 * values)
    scale = 1.4 / math.sqrt(math.prod(shape[1:])) if len(shape) >= 2 else 0.02
    return torch.from_numpy((values * scale).astype(np.float32))


@pytest.fixture(scope="module")
def reference():
    return np.load(HERE / "evaluator_t2m.npz")


@pytest.fixture(scope="module")
def evaluator():
    state = {
        part: {key: rule_tensor(f"dev/evaluator_t2m/{part}", key, tuple(shape)) for key, shape in keys.items()}
        for part, keys in SHAPES["evaluator_t2m"].items()
    }
    return TextMotionEvaluator.from_published(state, np.zeros(263), np.ones(263), T2M)


@pytest.mark.parametrize(("name", "skeleton"), [("evaluator_t2m", T2M), ("evaluator_kit", KIT)])
def test_default_networks_have_the_published_keys_and_shapes(name, skeleton):
    networks = build_networks(skeleton.feature_dim)
    found = {part: {k: list(v.shape) for k, v in net.state_dict().items()} for part, net in networks.items()}
    assert found == SHAPES[name]


def test_text_embeddings(evaluator, reference):
    words, classes = (torch.from_numpy(reference[name]) for name in ("word_embeddings", "pos_one_hot"))
    found = evaluator.embed_text(words, classes, torch.from_numpy(reference["text_lengths"]))
    np.testing.assert_allclose(found.numpy(), reference["text_embedding"], atol=1e-4)


def test_motion_embeddings_from_lengths_in_frames(evaluator, reference):
    lengths = torch.from_numpy(reference["motion_lengths"])
    found = evaluator.embed_motion(torch.from_numpy(reference["motions"]), lengths)
    np.testing.assert_allclose(found.numpy(), reference["motion_embedding"], atol=1e-4)
    divided_twice = evaluator.embed_motion(torch.from_numpy(reference["motions"]), lengths // 4)
    assert np.abs(divided_twice.numpy() - reference["motion_embedding"]).max() > 0.01


def test_any_batch_order_gives_the_same_rows(evaluator, reference):
    order = torch.tensor([2, 0, 3, 1])
    motions, lengths = torch.from_numpy(reference["motions"]), torch.from_numpy(reference["motion_lengths"])
    found = evaluator.embed_motion(motions[order], lengths[order])
    np.testing.assert_allclose(found.numpy(), reference["motion_embedding"][order], atol=1e-4)


def test_variable_length_motions_equal_the_padded_batch(evaluator, reference):
    """Whatever stands beside a motion in a batch, it is embedded as in data padded to 196 frames."""
    clips = [m[:n] for m, n in zip(reference["motions"], reference["motion_lengths"], strict=True)]
    padded = np.stack([np.pad(clip, ((0, 196 - len(clip)), (0, 0))) for clip in clips])
    expected = evaluator.embed_motion(torch.from_numpy(padded), torch.tensor([len(clip) for clip in clips]))
    together = evaluator.embed_features(clips[::-1], batch_size=3)
    alone = torch.cat([evaluator.embed_features([clip]) for clip in clips])
    np.testing.assert_allclose(together.numpy()[::-1], expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(alone.numpy(), expected.numpy(), atol=1e-5)


def test_weights_of_another_skeleton_are_refused(evaluator):
    with pytest.raises(InputError, match="263 features"):
        TextMotionEvaluator.from_published(evaluator.state(), np.zeros(251), np.ones(251), KIT)


def test_a_missing_tensor_is_named(evaluator):
    state = evaluator.state()
    del state["text_encoder"]["gru.bias_hh_l0"]
    with pytest.raises(InputError, match=r"gru\.bias_hh_l0"):
        TextMotionEvaluator.from_published(state, np.zeros(263), np.ones(263), T2M)
