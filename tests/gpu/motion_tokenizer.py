"""Parts that need no language model: the machine's peak, and the motion tokenizer's training and encoding."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from dataset.humanml.windows import MotionWindows
from models.tokenizer.loss import TrainingConfig
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.trainer import TokenizerTrainer, resolve_precision
from tests.gpu.bench import Bench, Figure
from tests.gpu.shapes import NB_CODE
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M
from utils.run.processes import Processes

WINDOW, UNIT = 64, 4
REPEATS = 5


def peak(bench: Bench) -> Iterator[Figure]:
    """Operations a second of a product of square matrices in the precision of the language model."""
    size = bench.work.matmul
    a, b = (torch.randn(size, size, device=bench.device, dtype=bench.dtype) for _ in range(2))
    (a @ b).sum()
    seconds = min(bench.timed(lambda: a @ b)[0] for _ in range(REPEATS))
    dtype = str(bench.dtype).removeprefix("torch.")
    rate = 2 * size**3 / seconds
    yield Figure(
        "product of matrices", rate / 1e12, "TFLOP/s", f"{size} x {size}, {dtype}, best of {REPEATS}", None, rate
    )


def motion_tokenizer_of(bench: Bench) -> MotionTokenizer:
    """Random weights and codebook (an untrained one is all zeros: every motion would be the same)."""
    torch.manual_seed(0)
    network = MotionVQ(_sizes(bench))
    torch.nn.init.normal_(network.vqvae["quantizer"].codebook)
    zeros, ones = np.zeros(T2M.feature_dim, np.float32), np.ones(T2M.feature_dim, np.float32)
    return MotionTokenizer(network, zeros, ones, T2M).to(bench.device)


def tokenizer(bench: Bench) -> Iterator[Figure]:
    """Training steps of the VQ-VAE in each precision; encoding together and alone."""
    clips = [features_from_joints(clip.joints, T2M) for clip in bench.clips]
    frames = np.concatenate(clips)
    mean, std = frames.mean(0), frames.std(0) + 0.1
    windows = MotionWindows(clips, mean, std, WINDOW, UNIT, seed=0)
    work, (unmeasured, measured) = bench.work, bench.work.tokenizer_steps
    how = f"width {work.width}, {work.windows} windows of {WINDOW} frames, mean of {measured} steps"
    for precision in dict.fromkeys((resolve_precision("auto", bench.device), "fp32")):
        training = TrainingConfig(batch_size=work.windows, precision=precision)
        network = MotionVQ(_sizes(bench))
        trainer = TokenizerTrainer(network, windows, T2M, training, 0, Processes(device=bench.device))
        _take_steps(trainer, unmeasured)
        seconds, _ = bench.timed(partial(_take_steps, trainer, measured))
        yield Figure(f"training step, {precision}", 1e3 * seconds / measured, "ms", how)
    # The one that was trained last: its codebook was drawn from motions, so that clips differ in their codes.
    yield from _encoding(MotionTokenizer(trainer.network, mean, std, T2M), clips, bench)


def _take_steps(trainer: TokenizerTrainer, count: int) -> None:
    for _ in range(count):
        trainer.train_step()


def _encoding(tokenizer: MotionTokenizer, clips: list[np.ndarray], bench: Bench) -> Iterator[Figure]:
    tokenizer.encode_batch(clips[:2]), tokenizer.encode(clips[0])
    seconds, together = bench.timed(lambda: tokenizer.encode_batch(clips))
    how = f"{len(clips)} clips of {min(map(len, clips))} to {max(map(len, clips))} frames"
    yield Figure("encoding in batches", len(clips) / seconds, "clips/s", how)
    seconds, alone = bench.timed(lambda: [tokenizer.encode(clip) for clip in clips])
    yield Figure("encoding one by one", len(clips) / seconds, "clips/s", how)
    others = sum(not np.array_equal(a, b) for a, b in zip(together, alone, strict=True))
    how = f"of {len(clips)}, with {len(np.unique(np.concatenate(alone)))} different codes"
    yield Figure("clips with other codes in a batch than alone", others, "clips", how, passed=others == 0)


def _sizes(bench: Bench) -> NetworkConfig:
    width = bench.work.width
    return NetworkConfig(width=width, code_dim=width, output_emb_width=width, nb_code=NB_CODE)
