"""Train the motion tokenizer (VQ-VAE) on a data set folder in HumanML3D layout.

    python -m prepare.train_motion_tokenizer --data-root data/HumanML3D --exp-name tokenizer_t2m
    torchrun --nproc_per_node 8 -m prepare.train_motion_tokenizer --data-root ...   the same run on 8 GPUs or processes

Writes OUT_DIR/EXP_NAME/motion_tokenizer.pth (best on the validation split), results.json (test split),
metrics.jsonl (and the same for TensorBoard where that is installed) and latest_state.pth. The same command again, on
any number of processes, continues an interrupted or killed run and leaves a finished one alone.
"""

import logging
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch

from dataset.humanml.layout import read_mean_std, read_motions
from dataset.humanml.windows import MotionWindows
from models.tokenizer.loss import TrainingConfig
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.published import load_weights
from models.tokenizer.results import load_evaluator, report_tokenizer
from models.tokenizer.session import TokenizerSession
from models.tokenizer.trainer import TokenizerTrainer
from options.flags.common import RunFlags
from options.flags.parsing import parse_flags
from options.flags.tokenizer import TokenizerLossFlags, TokenizerNetworkFlags, TrainTokenizerFlags
from utils.files.fingerprints import fingerprint
from utils.motion.skeleton import Skeleton, get_skeleton
from utils.run.command import EXIT_INTERRUPTED, run_command
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag
from utils.run.processes import Processes, joined_processes

# Flags that change where or how loudly a run works, not what it computes; and, with --resume, its schedule.
_MAY_DIFFER = ("device", "out_dir", "print_iter", "resume")
_SCHEDULE = ("total_iter", "max_minutes", "lr", "lr_scheduler", "gamma", "eval_iter")


@dataclass(frozen=True)
class _Data:
    """Clips (T, D) denormalised by split, and the statistics they are normalised with."""

    train: list[np.ndarray]
    validation: list[np.ndarray]
    test: list[np.ndarray]
    mean: np.ndarray
    std: np.ndarray

    @property
    def fingerprint(self) -> str:
        lengths = np.array([len(clip) for clip in self.train])
        return fingerprint(lengths, self.mean, self.std, *self.train[:1], *self.train[-1:])


def read_data(root: str, skeleton: Skeleton) -> _Data:
    splits = (read_motions(root, split, skeleton, skeleton.min_frames) for split in ("train", "val", "test"))
    return _Data(*splits, *read_mean_std(root))


def main() -> None:
    groups = parse_flags(TrainTokenizerFlags, RunFlags, TokenizerNetworkFlags, TokenizerLossFlags, description=__doc__)
    with joined_processes(groups[1].device) as processes:
        completed = train(processes, *groups)
    if not completed:
        if processes.is_main:
            raise KeyboardInterrupt
        sys.exit(EXIT_INTERRUPTED)


def train(
    processes: Processes,
    flags: TrainTokenizerFlags,
    run_flags: RunFlags,
    shape: TokenizerNetworkFlags,
    loss: TokenizerLossFlags,
) -> bool:
    """Train and report; False when a signal stopped the training before its end."""
    logging.basicConfig(level=logging.INFO if processes.is_main else logging.ERROR, format="%(message)s")
    device = processes.device
    skeleton = get_skeleton(flags.dataname)
    folder = Path(run_flags.out_dir) / (run_flags.exp_name or f"tokenizer_{flags.dataname}")
    arguments = {name: value for group in (flags, run_flags, shape, loss) for name, value in asdict(group).items()}
    may_differ = _MAY_DIFFER + (_SCHEDULE if flags.resume else ())
    run = RunFolder(folder)
    with processes.main_first():  # before the data are read, which can take a while
        if processes.is_main and folder.is_dir():
            run.record_arguments(arguments, may_differ)
        finished = run.finished
    if finished is not None:
        if processes.is_main:
            print(f"already finished: {run.path} ({_summary(finished)})")
        return True
    evaluator = None
    if flags.eval_evaluator is not None:  # a wrong one must not come to light after the training
        evaluator = load_evaluator(flags.eval_evaluator, "--eval-evaluator", skeleton, device)
    with processes.main_first():
        data = read_data(flags.data_root, skeleton)
        if processes.is_main:
            run.record_arguments(arguments, may_differ)
            run.record_environment(run_flags.seed, data.fingerprint, str(device))

    torch.manual_seed(run_flags.seed)
    config = NetworkConfig(feature_dim=skeleton.feature_dim, **asdict(shape))
    network = MotionVQ(config)
    if loss.resume_pth is not None:
        load_weights(network, loss.resume_pth)
    windows = MotionWindows(data.train, data.mean, data.std, loss.window_size, config.unit_length, seed=run_flags.seed)
    settings = asdict(flags) | asdict(loss) | {"lr_scheduler": tuple(loss.lr_scheduler)}
    training = TrainingConfig(**{field.name: settings[field.name] for field in fields(TrainingConfig)})
    trainer = TokenizerTrainer(network, windows, skeleton, training, device, run_flags.seed, processes)
    session = TokenizerSession(
        trainer,
        MotionTokenizer(network, data.mean, data.std, skeleton),
        data.validation,
        run,
        flags.eval_iter,
        flags.print_iter,
        data.fingerprint,
        processes,
    )
    if session.resume():
        logging.info("continuing %s at step %d", run.path, trainer.step)
    with InterruptFlag() as interrupt:
        session.train(interrupt)
    if not trainer.finished:
        return False
    if not processes.is_main:
        return True

    tokenizer = MotionTokenizer.load(session.best_path, device)
    report, table = report_tokenizer(
        run.path / "results.json", tokenizer, data.test, flags.data_root, "test", evaluator
    )
    print(table)
    run.finish({**report.numbers(), "steps": trainer.step, "seconds": round(trainer.seconds, 1)})
    print(f"{trainer.step} steps in {trainer.seconds:.0f} s -> {session.best_path} ({tokenizer.fingerprint})")
    return True


def _summary(numbers: dict) -> str:
    return f"MPJPE {numbers['mpjpe_mm']:.1f} mm, usage {numbers['usage']:.0%}, {numbers['steps']} steps"


if __name__ == "__main__":
    run_command(main)
