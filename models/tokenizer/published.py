"""The published `vqvae.pth` is read; its sizes are not stored, but inferred from the shapes of its weights."""

from pathlib import Path

import torch
from torch import Tensor

from models.tokenizer.network import MotionVQ, NetworkConfig
from utils.errors import InputError
from utils.files.torch_files import read_torch_file

_ENCODER = "vqvae.encoder.model"


def infer_config(state: dict[str, Tensor]) -> NetworkConfig:
    """The sizes of a published state dict.

    Dilation growth and activation leave no trace in the weights and are taken as published (3, relu). So is the kind of
    moving-average quantizer, which makes no difference to encoding. Raises InputError for missing or unexpected
    tensors.
    """
    if f"{_ENCODER}.0.weight" not in state:
        raise InputError(f"not a published motion tokenizer: it has no tensor {_ENCODER}.0.weight")
    original = "vqvae.quantizer.embedding.weight" in state
    codebook = state.get("vqvae.quantizer.embedding.weight" if original else "vqvae.quantizer.codebook")
    if codebook is None:
        raise InputError("not a published motion tokenizer: it has no codebook")
    # Count what is there: the blocks of the encoder, and the layers of its first block.
    width, feature_dim, _ = state[f"{_ENCODER}.0.weight"].shape
    down_t = 0
    while f"{_ENCODER}.{2 + down_t}.0.weight" in state:
        down_t += 1
    depth = 0
    while f"{_ENCODER}.2.1.model.{depth}.conv1.weight" in state:
        depth += 1
    stride = state[f"{_ENCODER}.2.0.weight"].shape[2] // 2 if down_t else 2
    config = NetworkConfig(
        feature_dim=feature_dim,
        nb_code=codebook.shape[0],
        code_dim=codebook.shape[1],
        output_emb_width=codebook.shape[1],
        width=width,
        depth=depth,
        down_t=down_t,
        stride_t=stride,
        quantizer="orig" if original else "ema_reset",
    )
    # Compare all shapes with those of a network of these sizes, which takes no memory on "meta".
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in MotionVQ(config).state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if found != expected:
        raise InputError(f"the published tokenizer's {_first_difference(found, expected)}")
    return config


def load_weights(network: MotionVQ, path: str | Path) -> None:
    """Load the weights of a tokenizer file, ours or published, into `network`. Raises InputError for other sizes."""
    content = read_torch_file(path)
    state = content.get("network", content.get("net", content))
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items() if isinstance(value, Tensor)}
    if found != expected:
        raise InputError(f"{path}: {_first_difference(found, expected)}")
    network.load_state_dict(state)


def _first_difference(found: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> str:
    name = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))[0]
    return f"tensor {name} is {found.get(name, 'missing')}, expected {expected.get(name, 'no such tensor')}"
