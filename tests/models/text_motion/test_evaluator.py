import json

import numpy as np
import pytest
import torch

from dataset.captions.word_vectors import make_word_vectors
from models.text_motion.evaluator import TextMotionEvaluator, build_networks
from models.text_motion.families import GUO, TMR
from models.text_motion.sizes import EvaluatorSizes, TransformerSizes
from utils.errors import InputError
from utils.motion.skeleton import T2M

SIZES = EvaluatorSizes(12, 10, 8, 14, 6, 5)
SMALL = {"guo": (GUO, SIZES), "tmr": (TMR, TransformerSizes(8, 12, 2, 6, 5))}
CAPTIONS = [("a/DET", "man/NOUN", "walk/VERB"), ("jump/VERB",), ("a/DET", "person/NOUN") * 12]


def make_evaluator(name, sizes=None):
    torch.manual_seed(0)
    words = make_word_vectors([token for caption in CAPTIONS for token in caption], dim=5)
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=263), rng.uniform(0.5, 2, size=263)
    family, small = SMALL[name]
    return TextMotionEvaluator(family.build(263, sizes or small), mean, std, T2M, words, family)


@pytest.fixture
def evaluator():
    return make_evaluator("guo")


@pytest.fixture(params=SMALL)
def either(request):
    """An evaluator of each family."""
    return make_evaluator(request.param)


@pytest.fixture
def motions():
    rng = np.random.default_rng(1)
    return [rng.normal(size=(frames, 263)).astype(np.float32) for frames in (60, 196, 4, 43, 90)]


def test_rows_keep_their_order_whatever_the_batches(either, motions):
    expected = torch.cat([either.embed_features([motion]) for motion in motions])
    for batch_size in (1, 2, 5):
        torch.testing.assert_close(either.embed_features(motions, batch_size), expected, atol=1e-5, rtol=0)
    expected = torch.cat([either.embed_captions([tokens]) for tokens in CAPTIONS])
    assert expected.shape == (3, 6)
    torch.testing.assert_close(either.embed_captions(CAPTIONS, 2), expected, atol=1e-5, rtol=0)


def test_a_permuted_batch_gives_permuted_rows(either):
    """Motions of every length beside each other, also those that fill the padding to the last frame."""
    rng = np.random.default_rng(2)
    clips = [rng.normal(size=(frames, 263)).astype(np.float32) for frames in (*range(4, 196, 13), 192, 195, 196, 240)]
    expected = either.embed_features(clips, batch_size=8)
    assert float((expected[:, None] - expected[None]).abs().amax(-1).fill_diagonal_(1).min()) > 1e-3  # rows differ
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(clips))
        found = either.embed_features([clips[index] for index in order], batch_size=8)
        torch.testing.assert_close(found, expected[torch.from_numpy(order)], atol=1e-5, rtol=0)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_frames_become_movement_units_exactly_once(evaluator, motions, batch_size):
    """60, 196, 4, 43 and 90 frames are 15, 49, 1, 10 and 22 units where the GRU reads them."""
    seen = []
    evaluator.networks["motion_encoder"].register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[1].tolist()))
    found = evaluator.embed_features(motions, batch_size)
    assert sorted(seen) == [1, 10, 15, 22, 49]
    # And by hand, from the networks alone.
    for row, motion in zip(found, motions, strict=True):
        frames = len(motion) // 4 * 4
        normalized = np.zeros((1, 196, 259), np.float32)
        normalized[0, :frames] = ((motion[:frames] - evaluator.mean) / evaluator.std)[:, :259]
        with torch.no_grad():
            movements = evaluator.networks["movement_encoder"](torch.from_numpy(normalized))
            expected = evaluator.networks["motion_encoder"](movements, torch.tensor([frames // 4]))
        torch.testing.assert_close(row, expected[0], atol=1e-5, rtol=0)


def test_it_normalises_with_its_own_statistics(either, motions):
    normalized = (motions[0] - either.mean) / either.std
    padded = np.pad(normalized, ((0, 136), (0, 0)))
    expected = either.embed_motion(torch.from_numpy(padded)[None], torch.tensor([60]))
    torch.testing.assert_close(either.embed_features(motions[:1]), expected, atol=1e-5, rtol=0)


def test_foot_contacts_and_the_rest_of_a_unit_are_not_seen(either, motions):
    changed = motions[3].copy()
    changed[:, 259:] = 1.0
    changed[40:] = 9.0
    torch.testing.assert_close(either.embed_features([changed]), either.embed_features(motions[3:4]))
    changed[39] = 9.0
    assert not torch.allclose(either.embed_features([changed]), either.embed_features(motions[3:4]))


def test_nothing_to_embed_is_said(either, motions):
    with pytest.raises(ValueError, match="motion 1 has fewer than 4 frames"):
        either.embed_features([motions[0], motions[0][:3]])
    assert either.embed_features([]).shape == (0, 6)
    assert either.embed_captions([]).shape == (0, 6)


def test_a_saved_folder_gives_the_same_evaluator(either, motions, tmp_path):
    either.save(tmp_path)
    loaded = TextMotionEvaluator.load(tmp_path)
    assert loaded.fingerprint == either.fingerprint
    assert (loaded.family, loaded.sizes) == (either.family, either.sizes)
    assert torch.equal(loaded.embed_features(motions), either.embed_features(motions))
    assert torch.equal(loaded.embed_captions(CAPTIONS), either.embed_captions(CAPTIONS))


def test_a_folder_whose_files_do_not_belong_together_is_refused(either, tmp_path):
    either.save(tmp_path)
    np.save(tmp_path / "mean.npy", either.mean + 1)
    with pytest.raises(InputError, match="do not belong together"):
        TextMotionEvaluator.load(tmp_path)


@pytest.mark.parametrize("name", ["evaluator.json", "finest.tar", "std.npy", "our_vab_words.pkl"])
def test_a_missing_or_broken_file_is_one_clear_error(either, tmp_path, name):
    either.save(tmp_path)
    (tmp_path / name).write_bytes(b"{")
    with pytest.raises(InputError, match=str(tmp_path)):
        TextMotionEvaluator.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=str(tmp_path)):
        TextMotionEvaluator.load(tmp_path)


def test_a_newer_format_is_refused(either, tmp_path):
    either.save(tmp_path)
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


def test_the_word_classes_are_those_of_captions(evaluator):
    networks = build_networks(263, EvaluatorSizes(12, 10, 8, 14, 6, 5, pos_size=9))
    with pytest.raises(InputError, match="reads 9 word classes, captions have 15"):
        TextMotionEvaluator(networks, evaluator.mean, evaluator.std, T2M, evaluator.words)


def test_published_weights_in_its_place_are_told_how_to_import(evaluator, tmp_path):
    evaluator.save(tmp_path)
    (tmp_path / "evaluator.json").unlink()
    with pytest.raises(InputError, match=rf"no evaluator\.json\..*prepare\.import_evaluator --published {tmp_path} "):
        TextMotionEvaluator.load(tmp_path)
    (tmp_path / "finest.tar").unlink()
    with pytest.raises(InputError, match="not an evaluator folder"):
        TextMotionEvaluator.load(tmp_path)


def test_fingerprints_tell_evaluators_apart(either):
    other = TextMotionEvaluator(either.networks, either.mean + 1, either.std, T2M, either.words, either.family)
    assert other.fingerprint != either.fingerprint


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.nan, "movement_encoder: tensor main.0.bias holds 12 values that are not finite"),
        ("x", "movement_encoder: main.0.bias is x, expected a plain tensor"),
        (torch.zeros(3), r"movement_encoder: tensor main.0.bias is \(3,\), expected \(12,\)"),
        (torch.zeros(12, dtype=torch.long), "movement_encoder: tensor main.0.bias holds torch.int64 numbers"),
    ],
)
def test_weights_damaged_inside_are_one_line(evaluator, tmp_path, value, said):
    evaluator.save(tmp_path)
    state = torch.load(tmp_path / "finest.tar", weights_only=True)
    old = state["movement_encoder"]["main.0.bias"]
    state["movement_encoder"]["main.0.bias"] = torch.full_like(old, value) if isinstance(value, float) else value
    torch.save(state, tmp_path / "finest.tar")
    with pytest.raises(InputError, match=said) as caught:
        TextMotionEvaluator.load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'finest.tar'}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{"net": {}}, {"movement_encoder": [1]}, {}, {"format": "morl-checkpoint"}])
def test_other_files_of_ours_in_the_place_of_weights_are_told_by_what_they_hold(either, tmp_path, content):
    either.save(tmp_path)
    torch.save(content, tmp_path / "finest.tar")
    with pytest.raises(InputError, match="not the weights of a text-motion evaluator"):
        TextMotionEvaluator.load(tmp_path)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("clip", r"evaluator\.json: family 'clip' of evaluators: expected one of guo, tmr"),
        (["tmr"], r"family \"\['tmr'\]\" of evaluators: expected one of guo, tmr"),
        (None, "family 'None' of evaluators: expected one of guo, tmr"),
        ("guo", "not the weights of a text-motion evaluator"),
    ],
)
def test_another_family_is_one_line(tmp_path, said, expected):
    make_evaluator("tmr").save(tmp_path)
    about = json.loads((tmp_path / "evaluator.json").read_text())
    (tmp_path / "evaluator.json").write_text(json.dumps(about | {"family": said}))
    with pytest.raises(InputError, match=expected) as caught:
        TextMotionEvaluator.load(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_of_the_time_before_families_is_a_published_one(evaluator, tmp_path):
    evaluator.save(tmp_path)
    about = json.loads((tmp_path / "evaluator.json").read_text())
    assert about.pop("family") == "guo"
    (tmp_path / "evaluator.json").write_text(json.dumps(about))
    loaded = TextMotionEvaluator.load(tmp_path)
    assert (loaded.family, loaded.fingerprint) == (GUO, evaluator.fingerprint)


def test_a_fingerprint_says_the_family(evaluator):
    assert len(evaluator.fingerprint) == 12
    assert make_evaluator("tmr").fingerprint.startswith("tmr-")


def test_weights_of_the_published_family_are_not_of_the_other(evaluator, tmp_path):
    make_evaluator("tmr").save(tmp_path)
    torch.save(evaluator.state(), tmp_path / "finest.tar")
    with pytest.raises(InputError, match="not the weights of a text-motion evaluator of family tmr"):
        TextMotionEvaluator.load(tmp_path)
