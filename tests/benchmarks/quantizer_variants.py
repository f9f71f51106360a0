"""Other ways to quantize motion beside the published one, under the same training, on the same data.

    python -m tests.benchmarks.quantizer_variants --data-root DIR --variant ema_reset [--steps 2500 --down-t 2]

Variants: `ema_reset` (published), `rotation` (rotation trick, Fifty et al., ICLR 2025), `fsq` (finite scalar
quantization of 8 x 8 x 8 levels, Mentzer et al., ICLR 2024; on layer-normalised latents, without which it collapsed to
one code) and `residual` (two codebooks, the second on what the first leaves: two codes a unit). `--down-t` 1, 2, 3
makes a code stand for 2, 4, 8 frames. Needs the package vector-quantize-pytorch for `fsq`.
"""

import argparse
import json
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dataset.humanml.layout import read_mean_std, read_motions
from dataset.humanml.windows import MotionWindows
from models.tokenizer.loss import TrainingConfig
from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.quantizers import QUANTIZERS, EmaResetQuantizer, QuantizerOutput, perplexity
from models.tokenizer.trainer import TokenizerTrainer
from utils.metrics.physics import skating_ratio
from utils.motion.features import joints_from_features
from utils.motion.skeleton import T2M
from utils.run.processes import Processes

FSQ_LEVELS = (8, 8, 8)


class RotationQuantizer(EmaResetQuantizer):
    """The gradient passes through a rotation and scaling of latent to code instead of straight through."""

    def forward(self, latents: Tensor, valid: Tensor | None = None) -> QuantizerOutput:
        output = super().forward(latents, valid)
        chosen = functional.embedding(output.codes, self.table()).detach()
        lengths = [v.norm(dim=-1, keepdim=True).clamp_min(1e-6) for v in (latents.detach(), chosen)]
        source, target = latents.detach() / lengths[0], chosen / lengths[1]
        middle = functional.normalize(source + target, dim=-1)
        turned = latents - 2 * (latents * middle).sum(-1, keepdim=True) * middle
        turned = turned + 2 * (latents * source).sum(-1, keepdim=True) * target
        passed = turned * (lengths[1] / lengths[0])
        return QuantizerOutput(passed, output.codes, output.commit, output.counts)


class FsqQuantizer(EmaResetQuantizer):
    """Rounds a projection of the latents to three coordinates of 8 levels: 512 implicit codes."""

    def __init__(self, nb_code: int, code_dim: int, mu: float = 0.99, beta: float = 1.0) -> None:
        from vector_quantize_pytorch import FSQ

        super().__init__(nb_code, code_dim, mu, beta)
        self.fsq = FSQ(levels=list(FSQ_LEVELS), dim=code_dim)
        self.nb_code = int(np.prod(FSQ_LEVELS))

    def forward(self, latents: Tensor, valid: Tensor | None = None) -> QuantizerOutput:
        with torch.autocast(latents.device.type, enabled=False):
            passed, codes = self.fsq(functional.layer_norm(latents, [self.code_dim]))
        codes = codes.long()
        real = codes.flatten() if valid is None else codes[valid[:, 0] > 0]
        counts = torch.bincount(real, minlength=self.nb_code).to(latents.dtype)
        return QuantizerOutput(passed, codes, latents.new_zeros(()), counts)


class ResidualQuantizer(EmaResetQuantizer):
    """Two codebooks; the counts are those of the first."""

    def __init__(self, nb_code: int, code_dim: int, mu: float = 0.99, beta: float = 1.0) -> None:
        super().__init__(nb_code, code_dim, mu, beta)
        self.parts = nn.ModuleList(EmaResetQuantizer(nb_code, code_dim, mu, beta) for _ in range(2))

    def join(self, processes: Processes) -> None:
        for part in self.parts:
            part.join(processes)

    def seed(self, seed: int) -> None:
        for number, part in enumerate(self.parts):
            part.seed(seed + number)

    def forward(self, latents: Tensor, valid: Tensor | None = None) -> QuantizerOutput:
        rest, outputs = latents, []
        for part in self.parts:
            outputs.append(part(rest, valid))
            rest = rest - functional.embedding(outputs[-1].codes, part.table()).detach()
        passed = latents + (latents - rest - latents).detach()
        first = outputs[0]
        return QuantizerOutput(passed, first.codes, sum(output.commit for output in outputs), first.counts)


VARIANTS = {"rotation": RotationQuantizer, "fsq": FsqQuantizer, "residual": ResidualQuantizer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", required=True)
    parser.add_argument("--variant", choices=("ema_reset", *VARIANTS), default="ema_reset")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--nb-code", type=int, default=512)
    parser.add_argument("--down-t", type=int, default=2)
    flags = parser.parse_args()
    QUANTIZERS.update(VARIANTS)
    torch.manual_seed(0)
    mean, std = read_mean_std(flags.data_root)
    train, test = (read_motions(flags.data_root, split, T2M, T2M.min_frames) for split in ("train", "test"))
    width = flags.width
    config = NetworkConfig(
        width=width, code_dim=width, output_emb_width=width, nb_code=flags.nb_code, quantizer=flags.variant,
        down_t=flags.down_t,
    )  # fmt: skip
    network = MotionVQ(config)
    windows = MotionWindows(train, mean, std, 64, config.unit_length, seed=0)
    training = TrainingConfig(
        batch_size=32, total_iter=flags.steps, warm_up_iter=50, lr=1e-3, lr_scheduler=(flags.steps * 4 // 5,),
        gamma=0.1, root_weight=5, path_weight=0.005, change_weight=0.5, loss_vel=0.5,
    )  # fmt: skip
    trainer = TokenizerTrainer(network, windows, T2M, training, seed=0)
    start = time.time()
    while not trainer.finished:
        trainer.train_step()
    seconds = time.time() - start
    about = {"variant": flags.variant, "down_t": flags.down_t, "seconds": round(seconds)}
    print(json.dumps({**about, **measure(network, test, mean, std)}))


@torch.no_grad()
def measure(network: MotionVQ, clips: list[np.ndarray], mean: np.ndarray, std: np.ndarray) -> dict[str, float]:
    """Reconstruction errors in mm, use of the (first) codebook, skating before and after."""
    network.eval()
    unit, rows, used = network.config.unit_length, [], 0
    for clip in clips:
        clip = clip[: len(clip) // unit * unit]
        rebuilt, quantized = network(torch.from_numpy(((clip - mean) / std).astype(np.float32))[None])
        used = used + quantized.counts
        true, found = joints_from_features(clip, T2M), joints_from_features(rebuilt[0].numpy() * std + mean, T2M)
        error = [np.linalg.norm(a - b, axis=-1).mean() * 1000
                 for a, b in ((true - true[:, :1], found - found[:, :1]), (true, found))]  # fmt: skip
        rows.append([*error, skating_ratio(true), skating_ratio(found)])
    aligned, free, real, rebuilt = np.array(rows).T
    return {
        "aligned_mm": round(aligned.mean(), 1), "global_median_mm": round(float(np.median(free)), 1),
        "usage": round(float((used > 0).float().mean()), 3), "perplexity": round(float(perplexity(used)), 1),
        "skating_real": round(real.mean(), 3), "skating": round(rebuilt.mean(), 3),
    }  # fmt: skip


if __name__ == "__main__":
    main()
