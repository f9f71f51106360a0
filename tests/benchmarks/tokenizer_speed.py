"""Speed of the motion tokenizer, each figure beside what it is compared with, in one run.

    python -m tests.benchmarks.tokenizer_speed train [--width 512 --batch-size 64 --device cuda]
    python -m tests.benchmarks.tokenizer_speed encode --motion-tokenizer FILE [--data-root DIR]

`train`: one optimiser step of ours beside one of the published recipe in its plain form (1-D convolutions in fp32, a
one-hot product for the codebook averages; written here from its description) at the published sizes by default.
`encode`: a whole data set in batches beside one clip after the other; without --data-root, of the embedded toy people.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dataset.humanml.layout import read_motions
from dataset.humanml.windows import MotionWindows
from dataset.toy.clips import toy_clips
from models.tokenizer.loss import TrainingConfig
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.trainer import TokenizerTrainer, resolve_precision
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M
from utils.run.processes import Processes

WINDOW = 64


class PlainBlock(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation), nn.ReLU(),
            nn.Conv1d(width, width, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class PlainVQ(nn.Module):
    """The published network without masks, with a moving-average codebook updated through one-hot codes."""

    def __init__(self, width: int, nb_code: int) -> None:
        super().__init__()
        blocks = [[PlainBlock(width, dilation) for dilation in (9, 3, 1)] for _ in range(4)]
        self.encoder = nn.Sequential(
            nn.Conv1d(T2M.feature_dim, width, 3, padding=1), nn.ReLU(),
            nn.Conv1d(width, width, 4, 2, 1), *blocks[0], nn.Conv1d(width, width, 4, 2, 1), *blocks[1],
            nn.Conv1d(width, width, 3, padding=1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=1), nn.ReLU(),
            *blocks[2], nn.Upsample(scale_factor=2), nn.Conv1d(width, width, 3, padding=1),
            *blocks[3], nn.Upsample(scale_factor=2), nn.Conv1d(width, width, 3, padding=1),
            nn.Conv1d(width, width, 3, padding=1), nn.ReLU(), nn.Conv1d(width, T2M.feature_dim, 3, padding=1),
        )  # fmt: skip
        self.register_buffer("codebook", torch.randn(nb_code, width))
        self.register_buffer("sums", self.codebook.clone())
        self.register_buffer("counts", torch.ones(nb_code))

    def forward(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.encoder(motion.transpose(1, 2)).transpose(1, 2)
        flat = latents.flatten(0, 1)
        distances = flat.square().sum(1, keepdim=True) - 2 * flat @ self.codebook.T + self.codebook.square().sum(1)
        codes = distances.argmin(1)
        chosen = self.codebook[codes].view_as(latents)
        with torch.no_grad():
            one_hot = functional.one_hot(codes, len(self.codebook)).to(flat.dtype)
            self.sums.lerp_(one_hot.T @ flat, 0.01)
            self.counts.lerp_(one_hot.sum(0), 0.01)
            alive = (self.counts >= 1.0).unsqueeze(1)
            random = flat[torch.randperm(len(flat), device=flat.device)[: len(self.codebook)]]
            fresh = random if len(random) == len(self.codebook) else self.codebook
            self.codebook.copy_(torch.where(alive, self.sums / self.counts.unsqueeze(1).clamp_min(1e-9), fresh))
        commit = functional.mse_loss(latents, chosen)
        return self.decoder((latents + (chosen - latents).detach()).transpose(1, 2)).transpose(1, 2), commit


def seconds(work: Callable[[], object], device: torch.device, repeats: int) -> list[float]:
    """Wall-clock of each of `repeats` calls."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - start)
    return taken


def compare(name: str, ours: Callable[[], object], theirs: Callable[[], object], device: torch.device, n: int) -> None:
    """Pairs, one after the other, after a warm-up of both: the machine's own changes touch both sides."""
    ours(), theirs()
    pairs = [(seconds(ours, device, 1)[0], seconds(theirs, device, 1)[0]) for _ in range(n)]
    mine, other = np.median(pairs, axis=0)
    print(f"{name}: {mine:.3f} s, compared with {other:.3f} s: {np.median([b / a for a, b in pairs]):.2f} x as fast")


def toy_features(count: int) -> list[np.ndarray]:
    return [features_from_joints(clip.joints, T2M) for clip in toy_clips(count, seed=0)]


def train(flags: argparse.Namespace) -> None:
    for name, ours, plain in training_steps(flags):
        compare(name, ours, plain, torch.device(flags.device), flags.repeats)


def training_steps(flags: argparse.Namespace) -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Of each precision a name, our step and the plain one."""
    device = torch.device(flags.device)
    clips = [clip for clip in toy_features(200) if len(clip) >= WINDOW]
    frames = np.concatenate(clips)
    windows = MotionWindows(clips, frames.mean(0), frames.std(0) + 0.1, WINDOW, 4, seed=0)
    plain = PlainVQ(flags.width, flags.nb_code).to(device)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=2e-4, betas=(0.9, 0.99))
    step = 0

    def plain_step() -> None:
        nonlocal step
        target = torch.from_numpy(windows.batch(step, flags.batch_size).normalized).to(device)
        step += 1
        predicted, commit = plain(target)
        loss = functional.smooth_l1_loss(predicted, target) + 0.02 * commit
        loss = loss + 0.1 * functional.smooth_l1_loss(predicted[..., 4:67], target[..., 4:67])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for precision in dict.fromkeys(("fp32", resolve_precision("auto", device))):
        config = NetworkConfig(
            width=flags.width, code_dim=flags.width, output_emb_width=flags.width, nb_code=flags.nb_code
        )
        training = TrainingConfig(batch_size=flags.batch_size, precision=precision)
        trainer = TokenizerTrainer(MotionVQ(config), windows, T2M, training, 0, Processes(device=device))
        yield (
            f"training step, width {flags.width}, {flags.batch_size} windows, {precision}",
            trainer.train_step,
            plain_step,
        )


def encode(flags: argparse.Namespace) -> None:
    tokenizer = MotionTokenizer.load(flags.motion_tokenizer, flags.device)
    if flags.data_root is None:
        clips = toy_features(1000)
    else:
        splits = [path.stem for path in sorted(Path(flags.data_root).glob("*.txt")) if path.stem != "all"]
        clips = [clip for split in splits for clip in read_motions(flags.data_root, split, T2M, T2M.min_frames)]
    found: dict[str, list[np.ndarray]] = {}

    def batched() -> None:
        found["batched"] = tokenizer.encode_batch(clips)

    def one_by_one() -> None:
        found["alone"] = [tokenizer.encode(clip) for clip in clips]

    compare(f"encoding {len(clips)} clips in batches", batched, one_by_one, tokenizer.device, flags.repeats)
    same = all(np.array_equal(a, b) for a, b in zip(found["batched"], found["alone"], strict=True))
    print(f"the codes are {'the same' if same else 'NOT the same'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "encode"))
    parser.add_argument("--motion-tokenizer")
    parser.add_argument("--data-root")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--nb-code", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    flags = parser.parse_args()
    print(f"{flags.device}, {torch.get_num_threads()} threads")
    {"train": train, "encode": encode}[flags.what](flags)


if __name__ == "__main__":
    main()
