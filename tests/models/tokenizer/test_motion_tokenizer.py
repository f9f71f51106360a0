"""The tokenizer as others use it: batches equal single clips, files come back, bad input is named."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.published import load_weights
from utils.errors import InputError
from utils.files.torch_files import write_torch_file
from utils.motion.skeleton import KIT, T2M

CONFIG = NetworkConfig(nb_code=64, code_dim=16, output_emb_width=16, width=32, depth=2)


def make_tokenizer(config=CONFIG, seed=0, skeleton=T2M):
    torch.manual_seed(seed)
    network = MotionVQ(replace(config, feature_dim=skeleton.feature_dim))
    network.vqvae["quantizer"].table().data.normal_(std=0.3)
    for name, value in network.named_buffers():
        if name.endswith("running_mean"):
            value.normal_()
    rng = np.random.default_rng(seed)
    mean, std = rng.normal(size=skeleton.feature_dim), rng.uniform(0.5, 2, skeleton.feature_dim)
    return MotionTokenizer(network, mean, std, skeleton)


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(1)
    lengths = [4, 40, 41, 42, 43, 196, 7, 64, 63, 120, 5]
    return [np.cumsum(rng.normal(size=(length, 263)), axis=0).astype(np.float32) * 0.3 for length in lengths]


@pytest.mark.parametrize("norm", [None, "LN", "GN", "BN"])
@pytest.mark.parametrize(("stride", "steps"), [(2, 2), (4, 1), (2, 3)])
def test_a_batch_gives_what_one_by_one_gives(clips, norm, stride, steps):
    tokenizer = make_tokenizer(replace(CONFIG, vq_norm=norm, stride_t=stride, down_t=steps))
    clips = [clip for clip in clips if len(clip) >= stride**steps]
    alone = [tokenizer.encode(clip) for clip in clips]
    together = tokenizer.encode_batch(clips)
    assert [len(codes) for codes in together] == [len(clip) // stride**steps for clip in clips]
    for one, many in zip(alone, together, strict=True):
        assert np.array_equal(one, many)
    decoded = tokenizer.decode_batch(alone)
    for codes, motion in zip(alone, decoded, strict=True):
        np.testing.assert_allclose(motion, tokenizer.decode(codes), atol=1e-5)


def test_a_clip_alone_is_what_the_bare_network_says(tokenizer, clips):
    """The mask adds nothing for a clip that fills its batch: the published network, no padding anywhere."""
    clip = clips[9]
    normalized = torch.from_numpy(((clip - tokenizer.mean) / tokenizer.std)[None])
    with torch.no_grad():
        codes = tokenizer.network.encode(normalized)
        features = tokenizer.network.decode(codes)[0].numpy() * tokenizer.std + tokenizer.mean
    assert np.array_equal(codes[0].numpy(), tokenizer.encode(clip))
    np.testing.assert_allclose(features, tokenizer.decode(codes[0].numpy()), atol=1e-5)


def test_choices_between_equally_near_codes_are_those_of_the_clip_alone(clips):
    """Two codes at the same place: rounding decides, and it rounds differently in a batch."""
    tokenizer = make_tokenizer()
    codebook = tokenizer.network.state_dict()["vqvae.quantizer.codebook"]
    half = len(codebook) // 2
    with torch.no_grad():
        codebook[half:] = codebook[:half] + 1e-7 * torch.randn_like(codebook[:half])
    asked = []
    encode = tokenizer.network.encode
    tokenizer.network.encode = lambda batch, lengths=None: asked.append(len(batch)) or encode(batch, lengths)
    alone = [tokenizer.encode(clip) for clip in clips]
    assert asked == [1] * len(clips)
    together = tokenizer.encode_batch(clips)
    assert len(asked) > len(clips) and set(asked) == {1}  # the unclear ones were encoded alone again
    for one, many in zip(alone, together, strict=True):
        assert np.array_equal(one, many)


def test_a_gpu_would_compute_in_full_float32(tokenizer, clips):
    """TF32, the default of torch's convolutions there, is coarser than the margin of unclear choices."""
    seen = []
    handle = tokenizer.network.vqvae["encoder"].register_forward_hook(
        lambda *_: seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
    )
    before = torch.backends.cudnn.allow_tf32
    tokenizer.encode_batch(clips)
    handle.remove()
    assert set(seen) == {(False, False)} and torch.backends.cudnn.allow_tf32 is before is True


def test_large_sets_are_split_into_several_batches(tokenizer, clips, monkeypatch):
    expected = tokenizer.encode_batch(clips)
    monkeypatch.setattr("models.tokenizer.motion_tokenizer._FRAMES_PER_BATCH", 64)
    for one, many in zip(expected, tokenizer.encode_batch(clips), strict=True):
        assert np.array_equal(one, many)


def test_frames_of_an_incomplete_last_unit_change_nothing(tokenizer, clips):
    longer = np.concatenate([clips[1], np.full((3, 263), 9.0, np.float32)])
    assert np.array_equal(tokenizer.encode(longer), tokenizer.encode(clips[1]))


def test_what_comes_back_has_the_promised_types(tokenizer, clips):
    codes = tokenizer.encode(clips[1])
    assert codes.dtype == np.int64 and codes.shape == (10,)
    motion = tokenizer.decode(codes.tolist())
    assert motion.dtype == np.float32 and motion.shape == (40, 263)
    assert tokenizer.encode_batch([]) == [] and tokenizer.decode_batch([]) == []


def test_save_and_load_and_state_give_the_same_tokenizer(tokenizer, clips, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.pth")
    content = torch.load(tmp_path / "tokenizer.pth", weights_only=True)
    for copy in (MotionTokenizer.load(tmp_path / "tokenizer.pth"), MotionTokenizer.from_state(content)):
        assert copy.fingerprint == tokenizer.fingerprint
        assert copy.config == tokenizer.config and copy.skeleton == T2M
        assert np.array_equal(copy.encode(clips[5]), tokenizer.encode(clips[5]))


def test_the_fingerprint_names_weights_and_statistics(tokenizer):
    assert make_tokenizer(seed=0).fingerprint == tokenizer.fingerprint
    assert make_tokenizer(seed=1).fingerprint != tokenizer.fingerprint
    moved = MotionTokenizer(tokenizer.network, tokenizer.mean + 0.1, tokenizer.std, T2M)
    assert moved.fingerprint != tokenizer.fingerprint
    assert len(tokenizer.fingerprint) == 12


def test_kit_has_its_own_width(clips):
    kit = make_tokenizer(skeleton=KIT)
    assert kit.decode(kit.encode(clips[1][:, :251])).shape == (40, 251)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((40, 251)), r"must be \(T, 263\) with T >= 4, got \(40, 251\)"),
        (np.zeros((3, 263)), r"T >= 4"),
        (np.full((40, 263), np.nan), "not finite"),
    ],
)
def test_bad_features_are_named(tokenizer, features, message):
    with pytest.raises(InputError, match=message):
        tokenizer.encode(features)


@pytest.mark.parametrize("codes", [[], [64], [-1], [0.5], [[1, 2]]])
def test_bad_codes_are_named(tokenizer, codes):
    with pytest.raises(InputError, match=r"motion 1: codes must"):
        tokenizer.decode_batch([[0], codes])


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        MotionTokenizer.load(tmp_path / "none.pth")
    torch.save({"net": {}}, tmp_path / "net.pth")
    with pytest.raises(InputError, match=r"net\.pth: this is not a motion tokenizer"):
        MotionTokenizer.load(tmp_path / "net.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["codebook", "weight", "mean", "std"])
def test_a_tokenizer_that_diverged_is_refused_with_its_name(tokenizer, tmp_path, part, value):
    path, state = tmp_path / "nan.pth", tokenizer.state()
    if part in ("mean", "std"):
        state[part][7] = value
    else:
        name = next(name for name in state["network"] if name.endswith(part))
        state["network"][name].view(-1)[5] = value
    write_torch_file(path, state)
    with pytest.raises(InputError, match=r"nan\.pth: .*(not finite|must be finite)"):
        MotionTokenizer.load(path)
    if part not in ("mean", "std"):
        with pytest.raises(InputError, match=r"nan\.pth: .*not finite"):
            load_weights(make_tokenizer().network, path)
        write_torch_file(path, {"net": state["network"]})
        with pytest.raises(InputError, match="not finite"):
            MotionTokenizer.from_published(path, tokenizer.mean, tokenizer.std, T2M)


def damaged(state):
    """States that are no tokenizer, by what is wrong with them."""
    for name in ("version", "config", "network", "mean", "std", "skeleton"):
        yield f"no {name}", {key: value for key, value in state.items() if key != name}
        yield f"{name} is a number", {**state, name: 7}
        yield f"{name} is a list", {**state, name: []}
    yield "an unknown size", {**state, "config": {**state["config"], "more": 1}}
    yield "a size that does not fit", {**state, "config": {**state["config"], "width": 48}}
    yield "a size in words", {**state, "config": {**state["config"], "width": "wide"}}
    yield "an unknown skeleton", {**state, "skeleton": "dog"}
    yield "a weight is missing", {**state, "network": dict(list(state["network"].items())[1:])}
    yield "a weight is no tensor", {**state, "network": state["network"] | {next(iter(state["network"])): "x"}}
    yield "complex statistics", {**state, "mean": torch.zeros(263, dtype=torch.complex64)}


def test_a_damaged_tokenizer_is_one_line_with_its_name(tokenizer, tmp_path):
    path, count = tmp_path / "broken.pth", 0
    for case, state in damaged(tokenizer.state()):
        write_torch_file(path, state)
        with pytest.raises(InputError, match=r"broken\.pth: ") as caught:
            MotionTokenizer.load(path)
        assert "\n" not in str(caught.value), case
        count += 1
    assert count == 25


@pytest.mark.parametrize("net", [7, [], "x", {}, {"vqvae.encoder.model.0.weight": "x"}])
def test_what_is_no_published_tokenizer_is_named(net, tokenizer):
    with pytest.raises(InputError, match="not a published motion tokenizer"):
        MotionTokenizer.from_published({"net": net}, tokenizer.mean, tokenizer.std, T2M)


def test_contradictory_sizes_are_named():
    with pytest.raises(InputError, match="--code-dim 8 and --output-emb-width 16"):
        replace(CONFIG, code_dim=8)
    with pytest.raises(InputError, match="--vq-norm XX"):
        replace(CONFIG, vq_norm="XX")
    with pytest.raises(InputError, match=r"mean and std must be \(263,\)"):
        MotionTokenizer(MotionVQ(CONFIG), np.zeros(251), np.ones(251), T2M)


def _changed(state, *path, value=None):
    """A copy of the state with one entry changed, or removed (None)."""
    if len(path) > 1:
        return {**state, path[0]: _changed(state[path[0]], *path[1:], value=value)}
    return {k: v for k, v in state.items() if k != path[0]} | ({} if value is None else {path[0]: value})


FIRST = "vqvae.encoder.model.0.bias"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("version",), None, "motion tokenizer of format version None"),
        (("config",), None, "it has no config"),
        (("mean",), None, "it has no mean"),
        (("mean",), [1.0], "mean and std hold"),
        (("std",), torch.zeros(263, dtype=torch.long), "mean and std hold"),
        (("std",), torch.ones(3), r"mean and std must be \(263,\)"),
        (("skeleton",), 5, "5"),
        (("config", "width"), "16", "its config: width is 16, expected int"),
        (("config", "width"), 10**9, "no network has such sizes"),
        (("config", "depth"), 10**9, "no network has such sizes"),
        (("config", "width"), -1, "no network has such sizes"),
        (("config", "surprise"), 1, "an entry 'surprise', which is not known here"),
        (("network",), [1], "a list stands where tensors by name are expected"),
        (("network", FIRST), None, f"tensor {FIRST} is missing"),
        (("network", FIRST), torch.zeros(3), rf"tensor {FIRST} is \(3,\)"),
        (("network", FIRST), "x", f"{FIRST} is x, expected a plain tensor"),
    ],
)
def test_a_file_damaged_inside_is_one_line(tokenizer, tmp_path, path, value, said):
    file = tmp_path / "t.pth"
    torch.save(_changed(tokenizer.state(), *path, value=value), file)
    with pytest.raises(InputError, match=said) as caught:
        MotionTokenizer.load(file)
    assert str(caught.value).startswith(f"{file}: ") and "\n" not in str(caught.value)


def test_a_network_with_values_that_are_no_numbers_is_refused(tokenizer, tmp_path):
    state = tokenizer.state()
    bad = torch.full_like(state["network"][FIRST], torch.nan)
    torch.save(_changed(state, "network", FIRST, value=bad), tmp_path / "t.pth")
    with pytest.raises(InputError, match=f"tensor {FIRST} holds .* values that are not finite"):
        MotionTokenizer.load(tmp_path / "t.pth")
