"""Ask evaluators whether worse motions are farther from their captions: real, reconstruction, shuffled, another clip.

    python -m prepare.compare_evaluators --evaluators checkpoints/t2m checkpoints/judge_tmr \\
        --data-root data/HumanML3D --motion-tokenizer experiments/tokenizer_t2m/motion_tokenizer.pth

The clips of a split in four states: as they are; through the motion tokenizer; with their frames in random order
(--segment-frames N: in segments of N); and the motion of another clip, by random choice. Prints for every evaluator
R-precision, MM-Dist and FID against real motion, whether the four are in this order by both, and whether the evaluators
agree. Distances and FID of different evaluators have different scales. With --out-dir one file of results for each.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from dataset.humanml.layout import read_split
from options.flags.parsing import flag, parse_flags, required_flag
from options.flags.ranges import COUNT
from utils.errors import InputError
from utils.files.outputs import check_replaceable
from utils.metrics.report import Signature, format_table, read_results, write_results
from utils.metrics.text_motion import GROUP
from utils.run.command import run_command
from utils.run.devices import resolve_device

if TYPE_CHECKING:
    from models.text_motion.order import Order

ORDER_BY = ("R@1", "MM-Dist")


@dataclass
class CompareEvaluatorsFlags:
    """Flags: which evaluators are asked about which clips."""

    _argument_group_name = "order test"

    evaluators: list[str] = field(metadata={"help": "text-motion evaluator folders, of any family"})
    data_root: str = required_flag("data set folder in HumanML3D layout, with captions")
    motion_tokenizer: str = required_flag("tokenizer file: of prepare.train_motion_tokenizer, or a published vqvae.pth")
    split: str = flag("test", "split file whose clips are taken")
    stats_root: str | None = flag(
        None, "folder of the Mean.npy and Std.npy that a published vqvae.pth was trained with; default --data-root"
    )
    segment_frames: int = flag(1, "frames that stay together when a clip is shuffled", within=COUNT)
    repeats: int = flag(20, "draws of captions and groups that R-precision and MM-Dist average over", within=COUNT)
    seed: int = flag(123, "of the draws, the shuffling and the choice of another clip")
    out_dir: str | None = flag(None, "folder for NAME_order.json of each evaluator; default: nothing is written")
    device: str = flag("auto", "auto (a GPU if there is one), cpu, cuda, ...")


def main() -> None:
    (flags,) = parse_flags(CompareEvaluatorsFlags, description=__doc__)
    # Late imports: `--help` and a mistyped flag must not wait for torch.
    from models.text_motion.order import STATES, StatesConfig, agreement, embed_states, find_order
    from models.tokenizer.loading import load_any_tokenizer
    from models.tokenizer.results import load_evaluator

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    device = resolve_device(flags.device)
    # Everything that is read, and where the results go.
    tokenizer = load_any_tokenizer(flags.motion_tokenizer, flags.data_root, flags.stats_root, device)
    names = names_of(flags.evaluators)
    evaluators = [load_evaluator(folder, "--evaluators", tokenizer.skeleton, device) for folder in flags.evaluators]
    paths = [] if flags.out_dir is None else [Path(flags.out_dir) / f"{Path(name).name}_order.json" for name in names]
    if len(set(paths)) < len(paths):
        raise InputError(
            "--evaluators: two folders of the same name, whose results would be one file: leave --out-dir out"
        )
    for path in paths:
        check_replaceable(path, lambda file: set(STATES) <= read_results(file).keys(), "--out-dir")
    records = read_split(flags.data_root, flags.split, tokenizer.skeleton)
    if len(records) < 2:
        raise InputError(f"--split {flags.split}: one clip, and the order test needs another one beside it")
    # What they say.
    embedded = embed_states(
        evaluators,
        records,
        lambda motions: tokenizer.decode_batch(tokenizer.encode_batch(motions)),
        StatesConfig(flags.segment_frames, flags.seed),
    )
    orders = [find_order(each, flags.repeats, flags.seed) for each in embedded]
    for name, evaluator, order in zip(names, evaluators, orders, strict=True):
        print("\n".join([f"{name} (family {evaluator.family.name}, {evaluator.fingerprint})", *report(order), ""]))
    print("\n".join(verdict(names, orders, STATES)))
    for (one, first), (other, second) in combinations(zip(names, embedded, strict=True), 2):
        print(f"{one} and {other}: rank correlation of their distances {agreement(first, second):.3f}")
    for path, evaluator, order in zip(paths, evaluators, orders, strict=len(paths) > 0):
        signature = Signature(
            tokenizer.skeleton.name, flags.split, flags.seed, evaluator.fingerprint, tokenizer.fingerprint
        )
        write_results(path, order.metrics, signature, {"order_holds": {name: order.holds(name) for name in ORDER_BY}})
        print(f"-> {path}")


def names_of(folders: Sequence[str]) -> list[str]:
    """The last part of each path where that tells them apart, else the paths."""
    last = [Path(folder).absolute().name for folder in folders]
    return last if len(set(last)) == len(last) else list(folders)


def report(order: "Order") -> list[str]:
    """The table of one evaluator, then how much farther each state is than the one before it."""
    lines = format_table(order.metrics, digits=4).splitlines()  # on the unit sphere a FID is of some thousandths
    steps = [f"{second} {value.text()}" for (_, second), value in order.farther.items()]
    return [*lines, f"farther from its captions than the state before, clip by clip: {', '.join(steps)}"]


def verdict(names: Sequence[str], orders: Sequence["Order"], states: Sequence[str]) -> list[str]:
    """Whether the order of `states` holds for each evaluator, and whether all see the same one."""
    asked = " > ".join(states)
    lines = []
    for name, order in zip(names, orders, strict=True):
        lines.append(f"{name}: {asked} {', '.join(_answer(order, metric) for metric in ORDER_BY)}")
    if len(orders) > 1:
        same = {metric: len({order.sequence(metric) for order in orders}) == 1 for metric in ORDER_BY}
        told = [name for name in ORDER_BY if all(order.known(name) for order in orders)]
        lines.append(", ".join(f"they {'agree' if same[name] else 'do not agree'} by {name}" for name in told))
    return lines


def _answer(order: "Order", metric: str) -> str:
    if not order.known(metric):
        return f"is not known by {metric} (of {GROUP} clips at least)"
    if order.holds(metric):
        return f"holds by {metric}"
    return f"does not hold by {metric}, which says {' > '.join(order.sequence(metric))}"


if __name__ == "__main__":
    run_command(main)
