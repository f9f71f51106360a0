"""Train a small natural-language-inference model on chain-of-thought data, for the coherence reward.

    python -m prepare.train_nli --cot-jsonl data/cot/cot_train.jsonl --out-dir checkpoints/nli

OUT_DIR becomes a transformers folder (`--nli-model-name OUT_DIR`) and holds results.json: on clips that training did
not see, how often the class is right, and how often a clip's own caption is likelier entailed than one that is not, by
kind of pair (dataset/cot/entailment_pairs.py tells what they are). The model knows the language of these data only;
where a hub can be reached, a large NLI model knows more. The same command again continues an interrupted run and leaves
a finished one alone.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from dataset.cot.entailment_pairs import EntailmentPairs, ReasonedCaption, reasoned_captions
from dataset.cot.samples import read_cot_jsonl
from models.nli.sizes import NliSizes
from options.flags.parsing import flag, need, parse_flags, required_flag
from options.flags.ranges import NOT_NEGATIVE, POSITIVE, SEED, Range
from utils.errors import InputError
from utils.files.fingerprints import fingerprint
from utils.files.folders import write_folder
from utils.files.json_files import write_json
from utils.run.command import quiet_libraries, run_command
from utils.run.devices import resolve_device
from utils.run.folder import RunFolder
from utils.run.inputs import Input
from utils.run.session import Begin, Run, Session

if TYPE_CHECKING:
    from models.nli.training import KindReport, NliTraining

# Flags that change where a run works, not what it computes.
_MAY_DIFFER = ("device", "out_dir")
# How much longer a pair may be than the longest of training: a turned caption is a few words longer than the own one.
_SPARE_TOKENS = 8
# A pair puts the reasoning of one clip beside the caption of another.
_FEWEST_CLIPS = 2


@dataclass
class NliFlags:
    """The pairs, the model and its training."""

    _argument_group_name = "NLI model"

    cot_jsonl: str = required_flag("CoT jsonl with reasoning to make pairs of")
    out_dir: str = required_flag("folder of the run and of the model")
    cot_val_jsonl: str | None = flag(None, "CoT jsonl to measure on; default: --val-fraction of the clips")
    val_fraction: float = flag(
        0.1, "share of the clips held out to measure on without --cot-val-jsonl", within=Range(above=0, below=1)
    )
    val_lines: int = flag(400, "lines to measure on, each with all kinds of pair; drawn from those held out")
    skip_bad_lines: bool = flag(False, "drop and count malformed jsonl lines instead of stopping at the first")
    hidden_size: int = flag(NliSizes.hidden_size, "width of the model")
    layers: int = flag(NliSizes.layers, "number of transformer layers")
    heads: int = flag(NliSizes.heads, "number of attention heads", within=Range(least=2, most=10_000))
    vocab_size: int = flag(NliSizes.vocab_size, "most word pieces of the tokenizer")
    steps: int = flag(1200, "optimiser steps")
    max_minutes: float | None = flag(
        None, "training time after which to stop; the schedule then follows the clock", within=POSITIVE
    )
    batch_size: int = flag(8, "lines in a batch; each gives three pairs")
    learning_rate: float = flag(1e-3, "learning rate of AdamW", within=POSITIVE)
    weight_decay: float = flag(0.01, "weight decay of matrices", within=NOT_NEGATIVE)
    device: str = flag("auto", "auto (a GPU if there is one), cpu, cuda, cuda:1, ...")
    seed: int = flag(123, "seed of everything random", within=SEED)

    def __post_init__(self) -> None:
        for name in ("val_lines", "hidden_size", "layers", "steps", "batch_size"):
            need(getattr(self, name) >= 1, f"--{name.replace('_', '-')} must be at least 1, not {getattr(self, name)}")
        need(self.vocab_size >= 100, f"--vocab-size must be at least 100, not {self.vocab_size}")
        fits = self.hidden_size % (2 * self.heads) == 0
        need(
            fits,
            f"--hidden-size {self.hidden_size} must be a multiple of 2 x --heads {self.heads}, of at least 2 heads",
        )


def main() -> None:
    (flags,) = parse_flags(NliFlags, description=__doc__)
    # Late imports, here and below: `--help` and a mistyped flag must not wait for torch.
    from models.nli.training import forget_state

    quiet_libraries()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = RunFolder(flags.out_dir, "use another --out-dir")
    named = {"cot_jsonl": flags.cot_jsonl, "cot_val_jsonl": flags.cot_val_jsonl}
    inputs = {name: None if path is None else Input.at(path) for name, path in named.items()}
    run = Run(folder, asdict(flags), _MAY_DIFFER, flags.seed, resolve_device(flags.device), inputs=inputs)
    summary = run.complete(lambda begin: train(flags, begin))
    if summary is not None:
        forget_state(folder)
        print(summary)


def train(flags: NliFlags, begin: Begin) -> dict[str, Any] | None:
    """Train, and measure on the lines held out. Returns the numbers; None when a signal stopped it before its end."""
    from models.nli.training import measure

    lines, held_out = read_lines(flags)
    session = begin(fingerprint(*_texts(lines)))

    training = make_training(flags, lines, session)
    if training.resume():
        logging.info("continuing %s after step %d", session.folder.path, training.step)
    with session.interrupt as interrupt:
        training.train(interrupt)
    if training.progress < 1:
        return None

    write_folder(session.folder.path, training.model.save_pretrained)
    report = measure(training.model, training.tokenizer, held_out_groups(held_out, flags.val_lines, session.seed))
    write_json(session.folder.path / "results.json", {kind: asdict(row) for kind, row in report.items()})
    print(format_report(report))
    return {
        "entailed_accuracy": report["own"].accuracy,
        "contradicted_accuracy": report["contradicted"].accuracy,
        "contradicted_order": report["contradicted"].order,
        "order": report["all"].order,
        "steps": training.step,
        "seconds": round(training.seconds, 1),
    }


def make_training(flags: NliFlags, lines: list[ReasonedCaption], session: Session) -> "NliTraining":
    """A new model before its first step, with the word pieces of an interrupted run where there is one."""
    from transformers import PreTrainedTokenizerFast

    from models.nli.model import make_nli_model, train_nli_tokenizer
    from models.nli.training import STATE_FILE, NliTraining, NliTrainingConfig
    from utils.files.pretrained import load_part

    place = session.folder.path
    if (place / STATE_FILE).is_file():  # its weights go with these word pieces
        tokenizer = load_part(PreTrainedTokenizerFast, str(place))
    else:
        tokenizer = train_nli_tokenizer(_texts(lines), flags.vocab_size)
        longest = max(len(tokenizer(line.reasoning, line.caption)["input_ids"]) for line in lines)
        tokenizer.model_max_length = longest + _SPARE_TOKENS
        write_folder(place, tokenizer.save_pretrained)
    sizes = NliSizes(flags.hidden_size, flags.layers, flags.heads, flags.vocab_size)
    model = make_nli_model(sizes, len(tokenizer), tokenizer.model_max_length).to(session.device)
    config = NliTrainingConfig(
        flags.steps, flags.max_minutes, flags.batch_size, flags.learning_rate, flags.weight_decay, flags.seed
    )
    return NliTraining(model, tokenizer, EntailmentPairs(lines), config, session.folder)


def read_lines(flags: NliFlags) -> tuple[list[ReasonedCaption], list[ReasonedCaption]]:
    """(to train on, held out): no clip in both. Raises InputError where there is no reasoning to make pairs of."""
    samples = read_cot_jsonl(flags.cot_jsonl, None, skip_bad_lines=flags.skip_bad_lines)
    if flags.cot_val_jsonl is None:
        samples, others = samples.split(flags.val_fraction, flags.seed, at_least=_FEWEST_CLIPS)
    else:
        others = read_cot_jsonl(flags.cot_val_jsonl, None, skip_bad_lines=flags.skip_bad_lines)
    lines, held_out = reasoned_captions(samples), reasoned_captions(others)
    for what, found in (("to train on", lines), ("held out", held_out)):
        clips = len({line.clip for line in found})
        if clips < _FEWEST_CLIPS:
            raise InputError(f"{flags.cot_jsonl}: {clips} clips with reasoning are {what}; pairs need {_FEWEST_CLIPS}")
    return lines, held_out


def held_out_groups(lines: list[ReasonedCaption], count: int, seed: int) -> list:
    """All kinds of pair about `count` of the lines."""
    pairs, rng = EntailmentPairs(lines), random.Random(seed)
    chosen = rng.sample(range(len(lines)), len(lines))
    return [pairs.every_kind(index, rng) for index in islice(chosen, count)]


def format_report(report: "dict[str, KindReport]") -> str:
    rows = [f"{'kind of pair':<16} {'truth':<14} {'pairs':>6} {'accuracy':>9} {'own above':>10}"]
    for kind, row in report.items():
        order = "-" if row.order is None else f"{row.order:.3f}"
        rows.append(f"{kind:<16} {row.label or '-':<14} {row.pairs:>6} {row.accuracy:>9.3f} {order:>10}")
    return "\n".join(rows)


def _texts(lines: Sequence[ReasonedCaption]) -> list[str]:
    return [text for line in lines for text in (line.caption, line.reasoning)]


if __name__ == "__main__":
    run_command(main)
