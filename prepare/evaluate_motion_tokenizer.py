"""Measure how well a motion tokenizer reconstructs the motions of a split.

    python -m prepare.evaluate_motion_tokenizer --motion-tokenizer experiments/tokenizer_t2m/motion_tokenizer.pth \\
        --data-root data/HumanML3D --evaluator checkpoints/t2m

FILE may be one of prepare.train_motion_tokenizer or a published vqvae.pth; its content says which. Prints a table of
real and reconstructed motions and writes it with intervals and signatures: joint errors in mm, code usage and
perplexity, foot skating, jerk and, by the evaluator, reconstruction FID, R-precision and MM-Dist of the captions.
"-" means not computed: no --evaluator, no captions, or fewer than 32 motions for R-precision.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from dataset.humanml.layout import read_motions
from options.flags.parsing import flag, parse_flags, required_flag
from utils.files.outputs import check_replaceable
from utils.metrics.report import read_results
from utils.run.command import run_command
from utils.run.devices import resolve_device


@dataclass
class EvaluateTokenizerFlags:
    """Flags: which tokenizer is measured on which motions."""

    _argument_group_name = "tokenizer evaluation"

    motion_tokenizer: str = required_flag("tokenizer file: of prepare.train_motion_tokenizer, or a published vqvae.pth")
    data_root: str = required_flag("folder in HumanML3D layout; its skeleton is the tokenizer's")
    split: str = flag("test", "split file whose motions are reconstructed")
    evaluator: str | None = flag(
        None, "text-motion evaluator folder (made by prepare.train_evaluator) for FID, R-precision and MM-Dist"
    )
    stats_root: str | None = flag(
        None, "folder of the Mean.npy and Std.npy that a published vqvae.pth was trained with; default --data-root"
    )
    out: str | None = flag(None, "results file to write; default TOKENIZER_SPLIT_results.json beside the tokenizer")
    device: str = flag("auto", "auto (a GPU if there is one), cpu, cuda, ...")

    @property
    def out_path(self) -> Path:
        tokenizer = Path(self.motion_tokenizer)
        return Path(self.out) if self.out else tokenizer.with_name(f"{tokenizer.stem}_{self.split}_results.json")


def main() -> None:
    (flags,) = parse_flags(EvaluateTokenizerFlags, description=__doc__)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    check_replaceable(flags.out_path, lambda path: "reconstructed" in read_results(path))
    # Late imports: `--help` and a mistyped flag must not wait for torch.
    from models.tokenizer.loading import load_any_tokenizer
    from models.tokenizer.results import load_evaluator, report_tokenizer

    device = resolve_device(flags.device)
    tokenizer = load_any_tokenizer(flags.motion_tokenizer, flags.data_root, flags.stats_root, device)
    evaluator = None
    if flags.evaluator is not None:
        evaluator = load_evaluator(flags.evaluator, "--evaluator", tokenizer.skeleton, device)
    clips = read_motions(flags.data_root, flags.split, tokenizer.skeleton, tokenizer.skeleton.min_frames)
    _, table = report_tokenizer(flags.out_path, tokenizer, clips, flags.data_root, flags.split, evaluator)
    print(table)
    print(f"{len(clips)} motions, tokenizer {tokenizer.fingerprint} -> {flags.out_path}")


if __name__ == "__main__":
    run_command(main)
