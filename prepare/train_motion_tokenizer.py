"""Train the motion tokenizer (VQ-VAE) on a data set folder in HumanML3D layout.

    python -m prepare.train_motion_tokenizer --data-root data/HumanML3D --exp-name tokenizer_t2m
    torchrun --nproc_per_node 8 -m prepare.train_motion_tokenizer --data-root ...   the same run on 8 GPUs or processes

Writes OUT_DIR/EXP_NAME/motion_tokenizer.pth (best on the validation split), results.json (test split),
metrics.jsonl (and the same for TensorBoard where that is installed) and latest_state.pth. The same command again, on
any number of processes, continues an interrupted or killed run and leaves a finished one alone.
"""

import logging
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset.humanml.contents import files_read
from dataset.humanml.layout import read_mean_std, read_motions
from dataset.humanml.windows import MotionWindows
from models.tokenizer.config import TrainingConfig
from options.flags.common import RunFlags
from options.flags.parsing import parse_flags
from options.flags.tokenizer import TokenizerLossFlags, TokenizerNetworkFlags, TrainTokenizerFlags
from utils.files.fingerprints import fingerprint
from utils.motion.skeleton import Skeleton, get_skeleton
from utils.run.command import run_command
from utils.run.folder import RunFolder
from utils.run.inputs import Input, Inputs
from utils.run.session import Begin, Run

if TYPE_CHECKING:
    from models.tokenizer.trainer import TokenizerTrainer
    from utils.run.processes import Processes

# Flags that change where or how loudly a run works, not what it computes; and, with --resume, its schedule.
_MAY_DIFFER = ("device", "out_dir", "exp_name", "print_iter", "resume")
_SCHEDULE = ("total_iter", "max_minutes", "lr", "lr_scheduler", "gamma", "eval_iter")


@dataclass(frozen=True)
class _Settings:
    """All flags of one command line."""

    training: TrainTokenizerFlags
    run: RunFlags
    network: TokenizerNetworkFlags
    loss: TokenizerLossFlags

    @property
    def skeleton(self) -> Skeleton:
        return get_skeleton(self.training.dataname)

    def asked_run(self, processes: "Processes") -> Run:
        folder = Path(self.run.out_dir) / (self.run.exp_name or f"tokenizer_{self.training.dataname}")
        arguments = {name: value for group in asdict(self).values() for name, value in group.items()}
        may_differ = _MAY_DIFFER + (_SCHEDULE if self.training.resume else ())
        return Run(RunFolder(folder), arguments, may_differ, self.run.seed, processes.device, inputs=self._inputs())

    def _inputs(self) -> Inputs:
        flags, splits = self.training, ("train", "val", "test")
        captioned = ("test",) if flags.eval_evaluator is not None else ()  # R-precision of the final report
        named = {"eval_evaluator": flags.eval_evaluator, "resume_pth": self.loss.resume_pth}
        return {
            "data_root": Input.below(flags.data_root, files_read(flags.data_root, splits, captioned, statistics=True)),
            **{name: None if path is None else Input.at(path) for name, path in named.items()},
        }

    def training_config(self) -> TrainingConfig:
        values = asdict(self.training) | asdict(self.loss) | {"lr_scheduler": tuple(self.loss.lr_scheduler)}
        return TrainingConfig(**{field.name: values[field.name] for field in fields(TrainingConfig)})


@dataclass(frozen=True)
class _Splits:
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


def read_data(root: str, skeleton: Skeleton) -> _Splits:
    splits = (read_motions(root, split, skeleton, skeleton.min_frames) for split in ("train", "val", "test"))
    return _Splits(*splits, *read_mean_std(root))


def main() -> None:
    groups = parse_flags(TrainTokenizerFlags, RunFlags, TokenizerNetworkFlags, TokenizerLossFlags, description=__doc__)
    settings = _Settings(*groups)
    from utils.run.processes import joined_processes  # late, as below: `--help` must not wait for torch

    with joined_processes(settings.run.device) as processes:
        logging.basicConfig(level=logging.INFO if processes.is_main else logging.ERROR, format="%(message)s")
        summary = settings.asked_run(processes).complete(lambda begin: train(settings, processes, begin))
    if summary is not None and summary.already:
        print(f"already finished: {summary.folder.path} ({_in_words(summary.numbers)})")


def train(settings: _Settings, processes: "Processes", begin: Begin) -> dict[str, Any] | None:
    """Train, and report in the main process. Returns its numbers; None when a signal stopped it before its end."""
    from models.tokenizer.motion_tokenizer import MotionTokenizer
    from models.tokenizer.results import load_evaluator, report_tokenizer
    from models.tokenizer.session import Cadence, TokenizerSession

    flags, skeleton, device = settings.training, settings.skeleton, processes.device
    evaluator = None
    if flags.eval_evaluator is not None:  # a wrong one must not come to light after the training
        evaluator = load_evaluator(flags.eval_evaluator, "--eval-evaluator", skeleton, device)
    with processes.main_first():  # it may pack the clips into files that the others then find
        data = read_data(flags.data_root, skeleton)
    session = begin(data.fingerprint)

    trainer = make_trainer(settings, data, processes)
    tokenizer = MotionTokenizer(trainer.network, data.mean, data.std, skeleton)
    cadence = Cadence(validate=flags.eval_iter, log=flags.print_iter)
    training = TokenizerSession(trainer, tokenizer, data.validation, cadence, session.folder, data.fingerprint)
    if training.resume():
        logging.info("continuing %s at step %d", session.folder.path, trainer.step)
    with session.interrupt as interrupt:
        training.train(interrupt)
    if not trainer.finished:
        return None
    if not processes.is_main:
        return {}

    best = MotionTokenizer.load(training.best_path, device)
    results = session.folder.path / "results.json"
    report, table = report_tokenizer(results, best, data.test, flags.data_root, "test", evaluator)
    print(table)
    print(f"{trainer.step} steps in {trainer.seconds:.0f} s -> {training.best_path} ({best.fingerprint})")
    return {**report.numbers(), "steps": trainer.step, "seconds": round(trainer.seconds, 1)}


def make_trainer(settings: _Settings, data: _Splits, processes: "Processes") -> "TokenizerTrainer":
    """A trainer of a new network (or of the weights of --resume-pth) at step 0."""
    from models.tokenizer.network import MotionVQ
    from models.tokenizer.published import load_weights
    from models.tokenizer.trainer import TokenizerTrainer

    loss, seed, skeleton = settings.loss, settings.run.seed, settings.skeleton
    config = settings.network.network_config(skeleton.feature_dim)
    network = MotionVQ(config)
    if loss.resume_pth is not None:
        load_weights(network, loss.resume_pth)
    windows = MotionWindows(data.train, data.mean, data.std, loss.window_size, config.unit_length, seed=seed)
    return TokenizerTrainer(network, windows, skeleton, settings.training_config(), seed, processes)


def _in_words(numbers: dict[str, Any]) -> str:
    return f"MPJPE {numbers['mpjpe_mm']:.1f} mm, usage {numbers['usage']:.0%}, {numbers['steps']} steps"


if __name__ == "__main__":
    run_command(main)
