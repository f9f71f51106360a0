"""The published `vqvae.pth` is read; its sizes are not stored, but inferred from the shapes of its weights."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.tokenizer.network import MotionVQ, NetworkConfig
from utils.errors import InputError
from utils.files.torch_files import check_weights, read_torch_file, what_it_holds

_ENCODER = "vqvae.encoder.model"
# Beyond these a file that says so is damaged: building such a network would take all memory, or not end.
_LARGEST, _DEEPEST = 1 << 20, 64


def infer_config(state: Any) -> NetworkConfig:
    """The sizes of a published state dict.

    Dilation growth and activation leave no trace in the weights and are taken as published (3, relu). So is the kind of
    moving-average quantizer, which makes no difference to encoding. Raises InputError for missing or unexpected
    tensors.
    """
    if not isinstance(state, dict) or f"{_ENCODER}.0.weight" not in state:
        found = what_it_holds(state) if isinstance(state, dict) else "its net is no table of tensors"
        raise InputError(f"not a published motion tokenizer: it has no tensor {_ENCODER}.0.weight; {found}")
    original = "vqvae.quantizer.embedding.weight" in state
    codebook = state.get("vqvae.quantizer.embedding.weight" if original else "vqvae.quantizer.codebook")
    if codebook is None:
        raise InputError("not a published motion tokenizer: it has no codebook")
    try:
        config = _counted(state, codebook, original)
        check_network(state, config)
    except (AttributeError, TypeError, ValueError, IndexError):
        raise InputError("not a published motion tokenizer: its tensors are none, or have other dimensions") from None
    except InputError as error:
        raise InputError(f"not a published motion tokenizer: {error}") from None
    return config


def _counted(state: dict[str, Any], codebook: Tensor, original: bool) -> NetworkConfig:
    """What is there is counted: the blocks of the encoder, and the layers of its first block."""
    width, feature_dim, _ = state[f"{_ENCODER}.0.weight"].shape
    down_t = 0
    while f"{_ENCODER}.{2 + down_t}.0.weight" in state:
        down_t += 1
    depth = 0
    while f"{_ENCODER}.2.1.model.{depth}.conv1.weight" in state:
        depth += 1
    stride = state[f"{_ENCODER}.2.0.weight"].shape[2] // 2 if down_t else 2
    return NetworkConfig(
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


def check_network(state: Any, config: NetworkConfig) -> None:
    """Check weights against those of a network of these sizes, which takes no memory on "meta". Raises InputError."""
    sizes = {name: value for name, value in vars(config).items() if isinstance(value, int)}
    depths = {name: sizes.pop(name) for name in ("depth", "down_t")}
    if not all(0 < value <= _LARGEST for value in sizes.values()) or not all(
        0 <= value <= _DEEPEST for value in depths.values()
    ):
        shown = ", ".join(f"{name} {value}" for name, value in (sizes | depths).items())
        raise InputError(f"no network has such sizes: {shown}")
    try:
        with torch.device("meta"):
            expected = MotionVQ(config).state_dict()
    except (ValueError, RuntimeError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"no network has such sizes: {str(error).splitlines()[0]}") from None
    check_weights(state, expected)


def load_weights(network: MotionVQ, path: str | Path) -> None:
    """Load the weights of a tokenizer file, ours or published, into `network`. Raises InputError for other sizes."""
    content = read_torch_file(path)
    state = content.get("network", content.get("net", content))
    try:
        check_weights(state, network.state_dict())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    network.load_state_dict(state)
