"""The published evaluator in the hub's layout: written from a random one, read back, refused where it is not whole."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dataset.captions.word_vectors import make_word_vectors
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.networks import build_networks
from models.text_motion.sizes import EvaluatorSizes
from tests.prepare.hub_layout import write_hub_evaluator, write_hub_manifest
from utils.errors import InputError
from utils.motion.skeleton import T2M

SIZES = EvaluatorSizes(12, 10, 8, 14, 6, 5)
TOKENS = ("a/DET", "man/NOUN", "walk/VERB")


@pytest.fixture
def evaluator():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=263), rng.uniform(0.5, 2, size=263)
    return TextMotionEvaluator(build_networks(263, SIZES), mean, std, T2M, make_word_vectors(TOKENS, dim=5))


@pytest.mark.parametrize("wrapper", ["", "evaluator.", "model.networks."])
def test_it_is_the_same_evaluator(tmp_path, evaluator, wrapper):
    """Equal fingerprint, so a result has the same signature wherever the published evaluator came from."""
    folder = write_hub_evaluator(evaluator, tmp_path / "hub", wrapper)
    loaded = TextMotionEvaluator.load(folder)
    assert loaded.fingerprint == evaluator.fingerprint
    assert loaded.skeleton is T2M
    motions = [np.random.default_rng(1).normal(size=(40, 263)).astype(np.float32)]
    assert torch.equal(loaded.embed_captions([TOKENS]), evaluator.embed_captions([TOKENS]))
    assert torch.equal(loaded.embed_features(motions), evaluator.embed_features(motions))


def test_it_saves_as_ours_beside_what_was_downloaded(tmp_path, evaluator):
    folder = write_hub_evaluator(evaluator, tmp_path / "t2m")
    TextMotionEvaluator.load(folder).save(folder)
    (folder / "model.safetensors").unlink()
    assert TextMotionEvaluator.load(folder).fingerprint == evaluator.fingerprint


def with_tensors(change):
    def harm(folder):
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")
        write_hub_manifest(folder)

    return harm


def with_json(name, **values):
    def harm(folder):
        content = json.loads((folder / name).read_text()) | values
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
        write_hub_manifest(folder)

    return harm


def two_missing_one_more(tensors):
    del tensors["text_encoder.hidden"], tensors["movement_encoder.out_net.bias"]
    tensors["text_encoder.extra.weight"], tensors["decoder.weight"] = torch.zeros(1), torch.zeros(1)


def wrapped_in_part(tensors):
    tensors["ema.text_encoder.hidden"] = tensors.pop("text_encoder.hidden")


def wrong_shape(tensors):
    tensors["text_encoder.gru.bias_hh_l0"] = torch.zeros(7)


def without_dimensions(tensors):
    tensors["text_encoder.hidden"] = torch.zeros(3)


def flipped_byte(folder):
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))


def torn(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    write_hub_manifest(folder)


def other_words(folder):
    make_word_vectors(TOKENS, dim=7).save(folder / "glove")
    write_hub_manifest(folder)


def not_listed(folder):
    path = folder / "artifact_manifest.json"
    value = json.loads(path.read_text())
    value["files"] = [file for file in value["files"] if file["path"] != "stats/std.npy"]
    path.write_text(json.dumps(value))


def listing_elsewhere(folder):
    files = [{"path": "../secret", "bytes": 1, "sha256": "0" * 64}]
    (folder / "artifact_manifest.json").write_text(json.dumps({"files": files}))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            with_tensors(two_missing_one_more),
            "model.safetensors: not the weights of a text-motion evaluator: 2 tensors missing: "
            "movement_encoder.out_net.bias, text_encoder.hidden; 2 tensors too many: decoder.weight, "
            "text_encoder.extra.weight",
        ),
        (with_tensors(wrapped_in_part), "networks under several prefixes: '', 'ema.'"),
        (with_tensors(wrong_shape), "gru.bias_hh_l0"),
        (with_tensors(without_dimensions), "a tensor has too few dimensions"),
        (flipped_byte, "artifact_manifest.json: its files are not those that were published: model.safetensors has"),
        (torn, "model.safetensors: not a readable safetensors file"),
        (other_words, "glove: word vectors of size 7, but"),
        (not_listed, "stats/std.npy is not listed"),
        (listing_elsewhere, "leads out of its folder"),
        (lambda folder: (folder / "stats/mean.npy").unlink(), "stats/mean.npy is missing"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "preprocessor_config.json: no such file"),
        (with_json("config.json", model_type="qwen3"), "config.json: model_type is 'qwen3', expected 'motius-"),
        (with_json("config.json", format_version=2), "config.json: format_version is 2, expected 1"),
        (with_json("config.json", model_type=None), "config.json: model_type is missing, expected"),
        (with_json("config.json", weights_file=None), "config.json: weights_file is None, expected the path"),
        (with_json("config.json", text_hidden_dim=512), "config.json: text_hidden_dim is 512, expected 8"),
        (with_json("preprocessor_config.json", mean="../mean.npy"), "mean: '../mean.npy' leads out of its folder"),
        (with_json("preprocessor_config.json", unit_length=8), "unit_length is 8, expected 4"),
        (with_json("preprocessor_config.json", fps=30), "fps is 30, expected 20"),
        (with_json("preprocessor_config.json", word_vectorizer="glove/x"), "word_vectorizer ends in 'x'"),
    ],
)
def test_what_is_not_whole_is_named(tmp_path, evaluator, harm, said):
    folder = write_hub_evaluator(evaluator, tmp_path / "hub")
    harm(folder)
    with pytest.raises(InputError) as error:
        TextMotionEvaluator.load(folder)
    assert said in str(error.value)
    assert str(folder) in str(error.value)


def test_without_a_manifest_it_is_read_all_the_same(tmp_path, evaluator):
    folder = write_hub_evaluator(evaluator, tmp_path / "hub")
    (folder / "artifact_manifest.json").unlink()
    assert TextMotionEvaluator.load(folder).fingerprint == evaluator.fingerprint
