"""Join motion codes, captions and reasoning into chain-of-thought jsonl: one file a split, one line a caption.

    python -m prepare.write_cot_jsonl --codes codes.jsonl --data-root data/toy --out-dir data/toy_cot
    python -m prepare.write_cot_jsonl --codes codes.jsonl --data-root data/toy --reasoning template --out-dir data/cot

Reasoning comes from a jsonl with `id` and `reasoning` (a string or a list of them), by default DATA_ROOT/programs.jsonl
where that exists, or, with `--reasoning template`, from what is measured on the motions (dataset/template_reasoning.py:
no model, no API). Otherwise there is none. A line serves both tasks. Lines of one split that are equal in caption,
codes and reasoning are written once. With `--with-reflections` a line also holds a draft (dataset/drafts.py), which
prepares the model for the reflections of Chain-of-Motion.

OUT_DIR also gets statistics.json and cot_statistics.png: lengths, vocabulary, use of the codebook, tasks.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from dataset.cot_samples import write_cot_jsonl
from dataset.cot_source import CotSource, read_cot_source, write_cot_source
from dataset.drafts import Drafts
from dataset.humanml_layout import MotionRecord, read_split
from dataset.sample import Sample
from dataset.template_reasoning import template_reasoning
from options.parsing import flag, parse_flags, required_flag
from prepare.cot_inputs import read_jsonl, read_reasoning
from prepare.cot_report import report_cot
from utils.command import quiet_libraries, run_command
from utils.errors import InputError
from utils.motion_facts import MotionFacts, motion_facts
from utils.motion_features import joints_in_metres
from utils.skeleton import Skeleton, get_skeleton

TEMPLATE = "template"  # as the value of --reasoning


@dataclass
class CotFlags:
    """What is joined."""

    _argument_group_name = "chain-of-thought jsonl"

    codes: str = required_flag("codes of prepare.encode_motions")
    data_root: str = required_flag("the data set that was encoded (captions)")
    out_dir: str = required_flag("folder for cot_<split>.jsonl")
    dataname: str = flag("t2m", "skeleton: t2m = HumanML3D, kit = KIT-ML")
    reasoning: str | None = flag(
        None,
        f"jsonl with id and reasoning, or the word {TEMPLATE}: write it from the measured motion; "
        "default: DATA_ROOT/programs.jsonl if it exists, else none",
    )
    with_reflections: bool = flag(
        False, "give every line a draft to improve on, with what it lacks in words: --reflection-share of SFT shows it"
    )
    seed: int = flag(0, "of the drafts and of the words of templates")


def samples_of(
    records: list[MotionRecord], codes: dict[str, list[int]], reasoning: dict[str, list[str]]
) -> Iterator[Sample]:
    """One sample per caption; several reasonings are dealt out in turn. A record without codes is skipped."""
    for record in records:
        if not codes.get(record.id):
            continue
        texts = reasoning.get(record.id, [""])
        for number, caption in enumerate(record.captions):
            yield Sample(
                task="t2m",
                caption=caption.text,
                codes=tuple(codes[record.id]),
                reasoning=texts[number % len(texts)],
                id=record.id,
            )


def template_reasonings(records: list[MotionRecord], facts: dict[str, MotionFacts], seed: int) -> dict[str, list[str]]:
    """For every record that was measured one text per caption; seed, id and number of the caption decide the words."""
    return {
        record.id: [
            template_reasoning(facts[record.id], caption.text, random.Random(f"{seed}/{record.id}/{number}"))
            for number, caption in enumerate(record.captions)
        ]
        for record in records
        if record.id in facts
    }


def measured(records: list[MotionRecord], codes: dict[str, list[int]], skeleton: Skeleton) -> dict[str, MotionFacts]:
    """Facts by id of the records that have codes."""
    return {
        record.id: motion_facts(joints_in_metres(record.features, skeleton), skeleton)
        for record in tqdm(records, desc="measuring motions", unit="clip", dynamic_ncols=True)
        if codes.get(record.id)
    }


def without_repeats(samples: list[Sample]) -> list[Sample]:
    """The first of all samples that are equal in caption, codes and reasoning."""
    first: dict[tuple, Sample] = {}
    for sample in samples:
        first.setdefault((sample.caption, sample.codes, sample.reasoning), sample)
    return list(first.values())


def with_drafts(samples: list[Sample], facts: dict[str, MotionFacts], seed: int) -> list[Sample]:
    """The samples, each with a draft of another clip."""
    drafts = Drafts(samples, facts, seed)
    return [replace(sample, draft=drafts.draft(index)) for index, sample in enumerate(samples)]


def reasoning_file(flags: CotFlags) -> Path | None:
    """The jsonl that reasoning is read from; None where it is written from templates or there is none."""
    if flags.reasoning == TEMPLATE:
        return None
    default = Path(flags.data_root) / "programs.jsonl"
    return Path(flags.reasoning) if flags.reasoning else (default if default.is_file() else None)


def main() -> None:
    (flags,) = parse_flags(CotFlags, description=__doc__)
    quiet_libraries()
    source = read_cot_source(flags.codes)
    if source is None:
        raise InputError(f"{flags.codes} has no .source.json beside it: make it with prepare.encode_motions")
    file = reasoning_file(flags)
    given = read_reasoning(file) if file else {}
    skeleton = get_skeleton(flags.dataname)
    by_split: dict[str, dict[str, list[int]]] = {}
    for _, row in read_jsonl(Path(flags.codes)):
        by_split.setdefault(row["split"], {})[row["id"]] = row["codes"]
    files, repeated = {}, {}
    for split, codes in by_split.items():
        records = read_split(flags.data_root, split, skeleton)
        needs_facts = flags.with_reflections or flags.reasoning == TEMPLATE
        facts = measured(records, codes, skeleton) if needs_facts else {}
        reasoning = template_reasonings(records, facts, flags.seed) if flags.reasoning == TEMPLATE else given
        every = list(samples_of(records, codes, reasoning))
        if not every:
            raise InputError(f"{flags.codes}: none of its {len(codes)} motions of {split} is in {flags.data_root}")
        samples = without_repeats(every)
        if flags.with_reflections:
            samples = with_drafts(samples, facts, flags.seed)
        files[split] = Path(flags.out_dir) / f"cot_{split}.jsonl"
        repeated[split] = len(every) - len(samples)
        write_cot_jsonl(files[split], samples)
        write_cot_source(files[split], CotSource(**{**vars(source), "data_root": flags.data_root}))
        print(f"{files[split]}: {len(samples)} lines of {len(codes)} clips, {repeated[split]} repeated ones left out")
    origin = f"{TEMPLATE}, seed {flags.seed}" if flags.reasoning == TEMPLATE else str(file) if file else "none"
    about = {"codes": flags.codes, "reasoning": origin, "repeated_lines_left_out": repeated}
    print(report_cot(files, source.nb_code, flags.out_dir, about))
    if origin == "none":
        print("no reasoning: --reasoning FILE adds it, --reasoning template writes it from the measured motion")


if __name__ == "__main__":
    run_command(main)
