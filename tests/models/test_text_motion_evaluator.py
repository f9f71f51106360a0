import json

import numpy as np
import pytest
import torch

from models.text_motion_evaluator import EvaluatorSizes, TextMotionEvaluator, build_networks
from utils.errors import InputError
from utils.skeleton import T2M
from utils.word_vectorizer import make_word_vectors

SIZES = EvaluatorSizes(12, 10, 8, 14, 6, 5)
CAPTIONS = [("a/DET", "man/NOUN", "walk/VERB"), ("jump/VERB",), ("a/DET", "person/NOUN") * 12]


@pytest.fixture
def evaluator():
    torch.manual_seed(0)
    words = make_word_vectors([token for caption in CAPTIONS for token in caption], dim=5)
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=263), rng.uniform(0.5, 2, size=263)
    return TextMotionEvaluator(build_networks(263, SIZES), mean, std, T2M, words)


@pytest.fixture
def motions():
    rng = np.random.default_rng(1)
    return [rng.normal(size=(frames, 263)).astype(np.float32) for frames in (60, 196, 4, 43, 90)]


def test_rows_keep_their_order_whatever_the_batches(evaluator, motions):
    expected = torch.cat([evaluator.embed_features([motion]) for motion in motions])
    for batch_size in (1, 2, 5):
        torch.testing.assert_close(evaluator.embed_features(motions, batch_size), expected, atol=1e-5, rtol=0)
    expected = torch.cat([evaluator.embed_captions([tokens]) for tokens in CAPTIONS])
    assert expected.shape == (3, 6)
    torch.testing.assert_close(evaluator.embed_captions(CAPTIONS, 2), expected, atol=1e-5, rtol=0)


def test_it_normalises_with_its_own_statistics(evaluator, motions):
    normalized = (motions[0] - evaluator.mean) / evaluator.std
    padded = np.pad(normalized, ((0, 136), (0, 0)))
    expected = evaluator.embed_motion(torch.from_numpy(padded)[None], torch.tensor([60]))
    torch.testing.assert_close(evaluator.embed_features(motions[:1]), expected, atol=1e-5, rtol=0)


def test_foot_contacts_and_the_rest_of_a_unit_are_not_seen(evaluator, motions):
    changed = motions[3].copy()
    changed[:, 259:] = 1.0
    changed[40:] = 9.0
    torch.testing.assert_close(evaluator.embed_features([changed]), evaluator.embed_features(motions[3:4]))
    changed[39] = 9.0
    assert not torch.allclose(evaluator.embed_features([changed]), evaluator.embed_features(motions[3:4]))


def test_nothing_to_embed_is_said(evaluator, motions):
    with pytest.raises(ValueError, match="motion 1 has fewer than 4 frames"):
        evaluator.embed_features([motions[0], motions[0][:3]])
    assert evaluator.embed_features([]).shape == (0, 6)
    assert evaluator.embed_captions([]).shape == (0, 6)


def test_a_saved_folder_gives_the_same_evaluator(evaluator, motions, tmp_path):
    evaluator.save(tmp_path)
    loaded = TextMotionEvaluator.load(tmp_path)
    assert loaded.fingerprint == evaluator.fingerprint
    assert loaded.sizes == SIZES
    assert torch.equal(loaded.embed_features(motions), evaluator.embed_features(motions))
    assert torch.equal(loaded.embed_captions(CAPTIONS), evaluator.embed_captions(CAPTIONS))


def test_a_folder_whose_files_do_not_belong_together_is_refused(evaluator, tmp_path):
    evaluator.save(tmp_path)
    np.save(tmp_path / "mean.npy", evaluator.mean + 1)
    with pytest.raises(InputError, match="do not belong together"):
        TextMotionEvaluator.load(tmp_path)


@pytest.mark.parametrize("name", ["evaluator.json", "finest.tar", "std.npy", "our_vab_words.pkl"])
def test_a_missing_or_broken_file_is_one_clear_error(evaluator, tmp_path, name):
    evaluator.save(tmp_path)
    (tmp_path / name).write_bytes(b"{")
    with pytest.raises(InputError, match=str(tmp_path)):
        TextMotionEvaluator.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=str(tmp_path)):
        TextMotionEvaluator.load(tmp_path)


def test_a_newer_format_is_refused(evaluator, tmp_path):
    evaluator.save(tmp_path)
    about = json.loads((tmp_path / "evaluator.json").read_text())
    (tmp_path / "evaluator.json").write_text(json.dumps(about | {"format_version": 2}))
    with pytest.raises(InputError, match="format 2"):
        TextMotionEvaluator.load(tmp_path)


def test_captions_need_word_vectors_of_the_right_size(evaluator):
    without = TextMotionEvaluator(evaluator.networks, evaluator.mean, evaluator.std, T2M)
    with pytest.raises(InputError, match="without word vectors"):
        without.embed_captions(CAPTIONS)
    with pytest.raises(InputError, match="size 7"):
        TextMotionEvaluator(evaluator.networks, evaluator.mean, evaluator.std, T2M, make_word_vectors([], 7))


def test_fingerprints_tell_evaluators_apart(evaluator):
    other = TextMotionEvaluator(evaluator.networks, evaluator.mean + 1, evaluator.std, T2M, evaluator.words)
    assert other.fingerprint != evaluator.fingerprint
