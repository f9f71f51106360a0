"""Train a text-motion evaluator on a data set folder in HumanML3D layout.

    python -m prepare.train_evaluator --data-root data/HumanML3D --word-vectors glove --exp-name evaluator_t2m

Writes OUT_DIR/EXP_NAME: the evaluator (weights, mean/std, word vectors; what --eval-evaluator and --reward-evaluator
take), results.json (R-precision on the test split's real motion) and metrics.jsonl. Evaluators of different --seed
let one reward or rank and another judge. The same command again continues an interrupted run and leaves a finished
one alone.
"""

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from dataset.captions.word_vectors import WordVectorizer, make_word_vectors
from dataset.humanml.layout import MotionRecord, read_mean_std, read_split
from dataset.humanml.pairs import TextMotionPairs
from models.text_motion.networks import PUBLISHED_SIZES, EvaluatorSizes
from models.text_motion.real_motion import EmbeddedRecords
from models.text_motion.session import EvaluatorSession, SessionConfig
from models.text_motion.trainer import EvaluatorTrainer, TrainerSettings
from options.flags.common import RunFlags
from options.flags.parsing import flag, parse_flags, required_flag
from utils.files.fingerprints import fingerprint
from utils.metrics.report import MetricValue, Signature, collect_repeats, format_table, write_results
from utils.motion.skeleton import get_skeleton
from utils.run.command import run_command
from utils.run.devices import resolve_device
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag

REPORTED = ("R@1", "R@2", "R@3", "MM-Dist", "Diversity")
# Flags that change where a run works, not what it computes.
_MAY_DIFFER = ("device", "out_dir")


@dataclass
class EvaluatorFlags:
    """The evaluator and its training. Sizes default to the published ones; a CPU wants 128."""

    _argument_group_name = "text-motion evaluator"

    data_root: str = required_flag("data set folder in HumanML3D layout")
    dataname: Literal["t2m", "kit"] = flag("t2m", "skeleton and protocol: t2m = HumanML3D, kit = KIT-ML")
    word_vectors: str | None = flag(
        None, "folder of our_vab_{data.npy,words.pkl,idx.pkl} (GloVe); default: random ones"
    )
    train_word_vectors: bool = flag(False, "learn the word vectors too; advisable where they start random")
    word_size: int = flag(PUBLISHED_SIZES.word_size, "size of random word vectors")
    word_dropout: float = flag(0.05, "share of words replaced by the unknown word in training")
    hidden_size: int = flag(PUBLISHED_SIZES.text_hidden, "width of the movement and text encoders")
    motion_hidden_size: int = flag(PUBLISHED_SIZES.motion_hidden, "width of the motion encoder's GRU")
    embedding_size: int = flag(PUBLISHED_SIZES.embedding_size, "size of the embeddings")
    epochs: int = flag(100, "passes over the training clips; the cosine schedule ends with them")
    max_minutes: float | None = flag(None, "training time after which to stop; the schedule then follows the clock")
    patience: int = flag(20, "epochs without a better validation rank after which to stop")
    batch_size: int = flag(64, "pairs in a batch, all of them each other's negatives")
    learning_rate: float = flag(3e-4, "learning rate of AdamW; 1e-3 suits small sizes")
    weight_decay: float = flag(0.01, "weight decay of matrices")
    temperature: float = flag(0.1, "starting temperature of the contrastive loss; it is learned")
    val_repeats: int = flag(10, "draws of captions and groups that validation averages over")
    repeats: int = flag(20, "draws of captions and groups that the test averages over")

    def __post_init__(self) -> None:
        sizes = ("word_size", "hidden_size", "motion_hidden_size", "embedding_size")
        for name in (*sizes, "epochs", "patience", "val_repeats", "repeats"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        self._require("batch_size", self.batch_size >= 2, "at least 2 (a pair needs negatives)")
        for name in ("learning_rate", "temperature"):
            self._require(name, getattr(self, name) > 0, "positive")
        self._require("max_minutes", self.max_minutes is None or self.max_minutes > 0, "positive")
        self._require("word_dropout", 0 <= self.word_dropout < 1, "in [0, 1)")

    def _require(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(self, name)}: must be {wanted}")


def main() -> None:
    flags, run_flags = parse_flags(EvaluatorFlags, RunFlags, description=__doc__)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    device = resolve_device(run_flags.device)
    folder = Path(run_flags.out_dir) / (run_flags.exp_name or f"evaluator_{flags.dataname}")
    arguments = asdict(flags) | asdict(run_flags)
    if folder.is_dir():  # before the data are read, which can take a while
        run = RunFolder(folder)
        run.record_arguments(arguments, _MAY_DIFFER)
        if run.finished is not None:
            print(f"already finished: {run.path} ({_summary(run.finished)})")
            return
    skeleton = get_skeleton(flags.dataname)
    train, validation, test = (read_split(flags.data_root, split, skeleton) for split in ("train", "val", "test"))
    mean, std = read_mean_std(flags.data_root)
    torch.manual_seed(run_flags.seed)
    words = _word_vectors(flags, train, run_flags.seed)
    run = RunFolder(folder)
    run.record_arguments(arguments, _MAY_DIFFER)
    data = fingerprint(mean, std, *(record.id for record in train), *_all_tokens(train))
    run.record_environment(run_flags.seed, data, str(device))

    width = flags.hidden_size
    sizes = EvaluatorSizes(width, width, width, flags.motion_hidden_size, flags.embedding_size, words.dim)
    settings = TrainerSettings(
        flags.learning_rate, flags.weight_decay, flags.temperature, flags.train_word_vectors, flags.word_dropout
    )
    config = SessionConfig(
        flags.epochs, flags.batch_size, flags.max_minutes, flags.patience, flags.val_repeats, run_flags.seed
    )
    session = EvaluatorSession(
        EvaluatorTrainer(skeleton, sizes, words, settings, device),
        TextMotionPairs(train, mean, std, words),
        validation,
        mean,
        std,
        run,
        config,
        data,
    )
    if session.resume():
        logging.info("continuing %s after epoch %d", run.path, session.epoch)
    with InterruptFlag() as interrupt:
        session.train(interrupt)
    if not session.finished:
        raise KeyboardInterrupt

    assert session.best is not None  # finished means at least one epoch
    rng = np.random.default_rng(run_flags.seed)
    metrics = collect_repeats(EmbeddedRecords.of(session.best, test).repeats(flags.repeats, rng), len(test))
    rows = {"real motion": {name: metrics[name] for name in REPORTED}}
    signature = Signature(flags.dataname, "test", run_flags.seed, evaluator=session.best.fingerprint)
    write_results(run.path / "results.json", rows, signature)
    numbers = _numbers(session, metrics)
    run.finish(numbers)
    session.forget_state()
    print(format_table(rows))
    print(f"{_summary(numbers)} -> {run.path} ({session.best.fingerprint})")


def _word_vectors(flags: EvaluatorFlags, records: Iterable[MotionRecord], seed: int) -> WordVectorizer:
    if flags.word_vectors is not None:
        return WordVectorizer.load(flags.word_vectors)
    return make_word_vectors(_all_tokens(records), flags.word_size, seed)


def _all_tokens(records: Iterable[MotionRecord]) -> Iterable[str]:
    return (token for record in records for caption in record.captions for token in caption.tokens)


def _numbers(session: EvaluatorSession, metrics: dict[str, MetricValue]) -> dict[str, float | None]:
    numbers = {name: metrics[name].mean for name in REPORTED}
    return {**numbers, "epochs": session.epoch, "best_epoch": session.best_epoch, "seconds": round(session.seconds, 1)}


def _summary(numbers: dict) -> str:
    precision = numbers["R@1"]  # None where the test split has fewer than 32 clips
    shown = "test split too small for R-precision" if precision is None else f"R@1 {precision:.3f} on real motion"
    return f"{shown}, best of epoch {numbers['best_epoch']} of {numbers['epochs']}, {numbers['seconds']:.0f} s"


if __name__ == "__main__":
    run_command(main)
