"""Join motion codes, captions and reasoning into chain-of-thought jsonl: one file a split, one line a caption.

    python -m prepare.write_cot_jsonl --codes codes.jsonl --data-root data/toy --out-dir data/toy_cot
    python -m prepare.write_cot_jsonl --codes codes.jsonl --data-root data/toy --reasoning template --out-dir data/cot

Reasoning comes from a jsonl with `id` and `reasoning` (a string, or a list that is dealt out over the clip's captions),
or with a line for each `id` and `caption`, which is looked up by its text; by default DATA_ROOT/programs.jsonl where
that exists; from the folder of prepare.generate_cot, which reasons for each task by itself; or, with `--reasoning
template`, from what is measured on the motions (dataset/cot/templates.py: no model, no API). Otherwise there is
none. A line serves both tasks, but where each has its own reasoning it has its own lines. Lines of one split that are
equal in all of this are written once. With `--with-reflections` a line also holds a draft (dataset/cot/drafts.py),
which prepares the model for the reflections of Chain-of-Motion.

Captions that their own motion contradicts get no template; they are listed in OUT_DIR/doubtful_captions.jsonl.

OUT_DIR also gets statistics.json and cot_statistics.png: lengths, vocabulary, use of the codebook, tasks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from dataset.cot.drafts import Drafts
from dataset.cot.sample import TASKS, Sample
from dataset.cot.samples import write_cot_jsonl
from dataset.cot.source import CotSource, read_cot_source, source_path, write_cot_source
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.humanml.layout import MotionRecord, read_split
from options.flags.parsing import flag, parse_flags, required_flag
from options.flags.ranges import SEED
from prepare.cot.doubtful import DOUBTFUL_FILE, doubtful_rows
from prepare.cot.encoded_motions import check_encoded
from prepare.cot.inputs import coded_clips
from prepare.cot.outputs import WRITTEN, as_written, check_cot_folder, claim_cot_folder, cot_path, left_over
from prepare.cot.reasoning import BOTH, NONE, TEMPLATE, Reasonings, reasoning_source
from prepare.cot.report import report_cot
from utils.errors import InputError
from utils.files.json_files import write_jsonl
from utils.files.lock import locked
from utils.motion.skeleton import Skeleton, get_skeleton
from utils.progress import Progress
from utils.run.command import quiet_libraries, run_command


@dataclass
class CotFlags:
    """Flags: what is joined, and how."""

    _argument_group_name = "chain-of-thought jsonl"

    codes: str = required_flag("codes of prepare.encode_motions")
    data_root: str = required_flag("the data set that was encoded (captions)")
    out_dir: str = required_flag("folder for cot_<split>.jsonl")
    dataname: str = flag("t2m", "skeleton: t2m = HumanML3D, kit = KIT-ML")
    reasoning: str | None = flag(
        None,
        "jsonl with id and reasoning, or the --out-dir of prepare.generate_cot, or the word "
        f"{TEMPLATE}: write it from the measured motion; default: DATA_ROOT/programs.jsonl if it exists, else none",
    )
    with_reflections: bool = flag(
        False, "give every line a draft to improve on, with what it lacks in words: --reflection-share of SFT shows it"
    )
    seed: int = flag(0, "of the drafts and of the words of templates", within=SEED)


def samples_of(
    records: list[MotionRecord], codes: dict[str, list[int]], reasoning: Reasonings, task: str = TASKS[0]
) -> Iterator[Sample]:
    """Yield a sample for each caption. Several reasonings are dealt out in turn; a record without codes is skipped."""
    for record in records:
        if not codes.get(record.id):
            continue
        texts = reasoning.get(record.id, [""])
        for number, caption in enumerate(record.captions):
            yield Sample(
                task=task,
                caption=caption.text,
                codes=tuple(codes[record.id]),
                reasoning=texts[number % len(texts)],
                id=record.id,
            )


def coded_records(records: list[MotionRecord], codes: dict[str, list[int]]) -> int:
    return sum(bool(codes.get(record.id)) for record in records)


def unmatched(records: list[MotionRecord], codes: dict[str, list[int]]) -> Iterator[str]:
    """What is left out of the lines because it is only on one side: a sentence each."""
    ids = {record.id for record in records}
    if strange := sorted(codes.keys() - ids):
        yield f"{len(strange)} of {len(codes)} ids with codes are no clip of the data set, the first is {strange[0]!r}"
    if missing := sorted(id for id in ids if not codes.get(id)):
        yield f"{len(missing)} of {len(ids)} clips of the data set have no codes, the first is {missing[0]!r}"


def measured(records: list[MotionRecord], codes: dict[str, list[int]], skeleton: Skeleton) -> dict[str, MotionFacts]:
    """The facts of the records that have codes, by id."""
    from utils.motion.features import joints_in_metres  # late: `--help` must not wait for torch

    return {
        record.id: motion_facts(joints_in_metres(record.features, skeleton), skeleton)
        for record in Progress(records, desc="measuring motions", unit="clip", dynamic_ncols=True)
        if codes.get(record.id)
    }


def without_repeats(samples: list[Sample]) -> list[Sample]:
    """The samples without those that are equal to an earlier one in caption, codes and reasoning."""
    first: dict[tuple, Sample] = {}
    for sample in samples:
        first.setdefault((sample.caption, sample.codes, sample.reasoning), sample)
    return list(first.values())


def with_drafts(samples: list[Sample], facts: dict[str, MotionFacts], seed: int) -> list[Sample]:
    """The samples, each with a draft (see `dataset.cot.drafts`)."""
    drafts = Drafts(samples, facts, seed)
    return [replace(sample, draft=drafts.draft(index)) for index, sample in enumerate(samples)]


def codes_by_split(path: Path, nb_code: int) -> dict[str, dict[str, list[int]]]:
    """Split -> clip id -> codes, of a file of prepare.encode_motions. Raises InputError where it holds none."""
    by_split: dict[str, dict[str, list[int]]] = {}
    for clip in coded_clips(path, nb_code):
        by_split.setdefault(clip.split, {})[clip.id] = clip.codes
    if not by_split:
        raise InputError(f"{path}: no codes in it: make it with prepare.encode_motions")
    return by_split


def encoded_records(flags: CotFlags, by_split: dict[str, dict[str, list[int]]]) -> dict[str, list[MotionRecord]]:
    """The clips of the data set by the splits of the codes. Raises InputError where those are of other motions."""
    skeleton = get_skeleton(flags.dataname)
    records = {split: read_split(flags.data_root, split, skeleton) for split in by_split}
    check_encoded(Path(flags.codes), flags.data_root, by_split, records)
    return records


def main() -> None:
    (flags,) = parse_flags(CotFlags, description=__doc__)
    quiet_libraries()
    with locked(flags.out_dir):
        write(flags)


def write(flags: CotFlags) -> None:
    """The files of all splits, and what there is to say about them."""
    source = read_cot_source(flags.codes)
    if source is None:
        raise InputError(f"{flags.codes} has no .source.json beside it: make it with prepare.encode_motions")
    reasoning = reasoning_source(flags.reasoning, flags.data_root, flags.seed)
    check_cot_folder(flags.out_dir, [flags.codes, *reasoning.files])
    skeleton = get_skeleton(flags.dataname)
    by_split = codes_by_split(Path(flags.codes), source.nb_code)
    if flags.reasoning is not None:
        reasoning.check_ids({id for codes in by_split.values() for id in codes}, flags.codes)
    motions = encoded_records(flags, by_split)
    files, repeated, doubtful, outdated = {}, {}, [], 0
    for split, codes in by_split.items():
        # The reasoning of the split; templates and drafts need the measured motion.
        records = motions[split]
        needs_facts = flags.with_reflections or reasoning.needs_facts
        facts = measured(records, codes, skeleton) if needs_facts else {}
        by_task = reasoning.by_task(records, facts)
        outdated += reasoning.outdated(records)
        if reasoning.needs_facts:
            doubtful += doubtful_rows(records, facts)
        # A sample for each caption, equal ones once, with drafts where they are asked for.
        every = {task: list(samples_of(records, codes, texts, task or TASKS[0])) for task, texts in by_task.items()}
        if not any(every.values()):
            raise InputError(f"{flags.codes}: none of its {len(codes)} motions of {split} is in {flags.data_root}")
        samples = {task: without_repeats(found) for task, found in every.items()}
        if flags.with_reflections:
            samples = {task: with_drafts(found, facts, flags.seed) for task, found in samples.items()}
        # The file of the split, and beside it the tokenizer that its codes are of.
        lines = sum(map(len, samples.values()))
        files[split] = cot_path(flags.out_dir, split)
        repeated[split] = sum(map(len, every.values())) - lines
        claim_cot_folder(flags.out_dir, [files[split]])
        source_path(files[split]).unlink(missing_ok=True)  # a kill leaves no lines beside the source of other ones
        write_cot_jsonl(files[split], chain.from_iterable(samples.values()), both_tasks=BOTH in by_task)
        write_cot_source(files[split], CotSource(**{**vars(source), "data_root": flags.data_root}))
        told = (f"{lines} lines of {coded_records(records, codes)} clips, {repeated[split]} repeated ones left out",)
        for line in (*told, *unmatched(records, codes)):
            print(f"{files[split]}: {line}")
    # What was made, and what could not be.
    about = {
        "codes": flags.codes,
        "reasoning": reasoning.origin,
        "repeated_lines_left_out": repeated,
        WRITTEN: as_written(flags.out_dir, files.values()),
    }
    print(report_cot(files, source.nb_code, flags.out_dir, about))
    if reasoning.needs_facts:
        write_jsonl(Path(flags.out_dir) / DOUBTFUL_FILE, doubtful)
    if doubtful:
        print(f"{len(doubtful)} captions have no reasoning, their own motion contradicts them: {DOUBTFUL_FILE}")
    if told := left_over(flags.out_dir, files.values()):
        print(told)
    if outdated:
        print(
            f"{outdated} texts of {reasoning.origin} are of captions that their clips do not have: they were left out"
        )
    if reasoning.origin == NONE:
        print("no reasoning: --reasoning FILE adds it, --reasoning template writes it from the measured motion")


if __name__ == "__main__":
    run_command(main)
