"""The published tokenizer: its keys load strictly and give the reference codes and reconstructions."""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from utils.errors import InputError
from utils.motion.skeleton import KIT, T2M

HERE = Path(__file__).resolve().parent
SHAPES = json.loads((HERE / "state_dict_keys.json").read_text())
VARIANTS = [("vqvae_t2m_512", T2M, 512), ("vqvae_t2m_1024", T2M, 1024)]
VARIANTS += [("vqvae_kit_512", KIT, 512), ("vqvae_kit_1024", KIT, 1024)]


def rule_tensor(key, shape):
    """The reference's rule for made-up weights."""
    values = np.random.RandomState(zlib.crc32(f"dev/vq_t2m_512/{key}".encode())).standard_normal(shape)
    scale = 1.4 / math.sqrt(math.prod(shape[1:])) if len(shape) >= 2 else 0.02
    scale = 0.3 if key.endswith("codebook") else scale
    return torch.from_numpy((values.astype(np.float32) * scale).astype(np.float32))


def blank_state(name):
    return {key: torch.zeros(shape) for key, shape in SHAPES[name].items()}


@pytest.fixture(scope="module")
def reference():
    return np.load(HERE / "vq_t2m_512.npz")


@pytest.fixture(scope="module")
def tokenizer():
    state = {key: rule_tensor(key, shape) for key, shape in SHAPES["vqvae_t2m_512"].items()}
    return MotionTokenizer.from_published({"net": state}, np.zeros(263), np.ones(263), T2M)


def test_codes_are_those_of_the_published_network(tokenizer, reference):
    codes = tokenizer.encode_batch(list(reference["x"]))
    assert np.array_equal(np.stack(codes), reference["codes"])


def test_decoded_motion_is_that_of_the_published_network(tokenizer, reference):
    decoded = np.stack(tokenizer.decode_batch(list(reference["codes"])))
    # Values are up to 10 here; sums of float32 in another order (another number of threads) differ by 1e-5 of it.
    np.testing.assert_allclose(decoded, reference["reconstruction"], rtol=2e-5, atol=1e-4)
    np.testing.assert_allclose(decoded[:1], reference["decoded_first"], atol=1e-4)


def test_loss_and_perplexity_are_those_of_the_published_network(tokenizer, reference):
    with torch.no_grad():
        reconstruction, quantized = tokenizer.network(torch.from_numpy(reference["x"]))
    np.testing.assert_allclose(reconstruction, reference["reconstruction"], atol=1e-4)
    assert quantized.commit.item() == pytest.approx(float(reference["commit"]), rel=1e-5)
    assert quantized.perplexity.item() == pytest.approx(float(reference["perplexity"]), rel=1e-5)


def test_mean_and_std_are_applied_on_both_sides(tokenizer, reference):
    mean, std = np.linspace(-1, 1, 263, dtype=np.float32), np.linspace(0.5, 2, 263, dtype=np.float32)
    shifted = MotionTokenizer(tokenizer.network, mean, std, T2M)
    assert np.array_equal(shifted.encode(reference["x"][0] * std + mean), reference["codes"][0])
    expected = reference["decoded_first"][0] * std + mean
    np.testing.assert_allclose(shifted.decode(reference["codes"][0]), expected, atol=2e-4)


@pytest.mark.parametrize(("name", "skeleton", "nb_code"), VARIANTS)
def test_a_published_file_loads_strictly(name, skeleton, nb_code, tmp_path):
    torch.save({"net": blank_state(name)}, tmp_path / "vqvae.pth")
    ones = np.ones(skeleton.feature_dim)
    loaded = MotionTokenizer.from_published(tmp_path / "vqvae.pth", ones, ones, skeleton, nb_code=nb_code)
    assert loaded.nb_code == nb_code
    assert list(loaded.network.state_dict()) == list(SHAPES[name])
    assert loaded.config == NetworkConfig(feature_dim=skeleton.feature_dim, nb_code=nb_code)


@pytest.mark.parametrize("quantizer", ["orig", "ema", "reset", "ema_reset"])
def test_quantizers_have_the_published_keys(quantizer):
    with torch.device("meta"):
        state = MotionVQ(NetworkConfig(quantizer=quantizer)).state_dict()
    found = {key: list(value.shape) for key, value in state.items() if "quantizer" in key}
    name = f"vqvae_t2m_512_quantizer_{quantizer}"
    expected = SHAPES.get(name, {"vqvae.quantizer.codebook": [512, 512]})
    assert found == expected


def test_another_codebook_size_is_one_clear_error():
    ones = np.ones(263)
    with pytest.raises(InputError, match=r"1024 codes, but --nb-code is 512"):
        MotionTokenizer.from_published({"net": blank_state("vqvae_t2m_1024")}, ones, ones, T2M, nb_code=512)


def test_another_feature_width_is_one_clear_error():
    ones = np.ones(263)
    with pytest.raises(InputError, match=r"takes 251-d features, but the skeleton 't2m' has 263-d"):
        MotionTokenizer.from_published(blank_state("vqvae_kit_512"), ones, ones, T2M)


def test_a_missing_or_misshapen_tensor_is_named():
    ones, state = np.ones(263), blank_state("vqvae_t2m_512")
    del state["vqvae.decoder.model.6.bias"]
    with pytest.raises(InputError, match=r"vqvae\.decoder\.model\.6\.bias is missing"):
        MotionTokenizer.from_published(state, ones, ones, T2M)
    state["vqvae.decoder.model.6.bias"] = torch.zeros(5)
    with pytest.raises(InputError, match=r"model\.6\.bias is \(5,\), expected \(263,\)"):
        MotionTokenizer.from_published(state, ones, ones, T2M)


def test_another_kind_of_file_is_one_clear_error(tmp_path):
    (tmp_path / "text.pth").write_text("not a checkpoint")
    torch.save({"net": {"something": torch.zeros(1)}}, tmp_path / "other.pth")
    ones = np.ones(263)
    for name, message in (("none", "no such file"), ("text", "not a readable checkpoint"), ("other", "no tensor")):
        with pytest.raises(InputError, match=message):
            MotionTokenizer.from_published(tmp_path / f"{name}.pth", ones, ones, T2M)
