"""A motion tokenizer is found and loaded here: the one that made the codes of a CoT jsonl, ours or a published one."""

from pathlib import Path

import torch

from dataset.cot.source import read_cot_source, source_path
from dataset.humanml.layout import read_mean_std
from models.tokenizer.motion_tokenizer import FORMAT, MotionTokenizer
from models.tokenizer.published import infer_config
from utils.errors import InputError
from utils.files.torch_files import read_torch_file
from utils.motion.skeleton import KIT, T2M


def tokenizer_of(cot_jsonl: str, given: str | None) -> MotionTokenizer | None:
    """The tokenizer at `given` or, without it, the one named beside the jsonl; None where neither says one.

    Raises:
        InputError: the jsonl was encoded by another tokenizer, or the one named beside it is not there.
    """
    source = read_cot_source(cot_jsonl)
    path = given or (source.motion_tokenizer if source else None)
    if path is None:
        return None
    if given is None and not Path(path).is_file():
        raise InputError(
            f"{source_path(cot_jsonl)} names the motion tokenizer {path}, which is not there: give --motion-tokenizer "
            "FILE; what has only moved is the same tokenizer"
        )
    tokenizer = MotionTokenizer.load(path)
    check_codes(cot_jsonl, tokenizer, path)
    return tokenizer


def check_codes(cot_jsonl: str, tokenizer: MotionTokenizer, owner: str) -> None:
    """Refuse the codes of another tokenizer; a jsonl that came without its source is taken as it is.

    Args:
        owner: whose tokenizer it is, for the message: the path of a tokenizer or of a checkpoint.

    Raises:
        InputError: naming both, and the way out.
    """
    source = read_cot_source(cot_jsonl)
    if source is not None and source.fingerprint != tokenizer.fingerprint:
        raise InputError(
            f"{cot_jsonl} holds codes of motion tokenizer {source.fingerprint}, but that of {owner} is "
            f"{tokenizer.fingerprint}: encode the motions with it (prepare.encode_motions), or give what fits the codes"
        )


def load_any_tokenizer(path: str, data_root: str, stats_root: str | None, device: torch.device) -> MotionTokenizer:
    """A tokenizer file of ours or a published vqvae.pth; which of them, and of which skeleton, its content says.

    A published file holds no statistics: they are Mean.npy and Std.npy of `stats_root`, default `data_root`.
    """
    try:
        content = read_torch_file(path)
    except InputError as error:
        raise InputError(f"--motion-tokenizer {error}") from error
    ours = content.get("format") == FORMAT
    if ours and stats_root is not None:
        raise InputError(f"--stats-root is for a published vqvae.pth; {path} carries its own statistics")
    try:
        if ours:
            return MotionTokenizer.from_state(content).to(device)
        width = infer_config(content.get("net", content)).feature_dim
    except InputError as error:
        raise InputError(f"--motion-tokenizer {path}: {error}") from error
    skeletons = {skeleton.feature_dim: skeleton for skeleton in (T2M, KIT)}
    if width not in skeletons:
        raise InputError(f"--motion-tokenizer {path} takes {width}-d features, expected one of {sorted(skeletons)}")
    folder = stats_root or data_root
    mean, std = read_mean_std(folder)
    if len(mean) != width:
        raise InputError(
            f"--motion-tokenizer {path} takes {width}-d features, but the statistics of {folder} are {len(mean)}-d: "
            f"give --data-root or --stats-root of {skeletons[width].name}"
        )
    return MotionTokenizer.from_published(content, mean, std, skeletons[width]).to(device)
