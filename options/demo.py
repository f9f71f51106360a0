"""What the flags of demo.py mean: which model answers, how it is asked, what ranks its candidates.

Imports are late: `--help` must not wait for torch and transformers.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from options.flags.com import ComFlags
from options.flags.common import EngineFlags, RunFlags
from options.flags.demo import DemoFlags, LengthFlags, PageFlags, ReadingFlags
from options.flags.rewards import RewardFlags
from options.search import default_tagger, scorers_of, search_of
from options.settings import Settings
from utils.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from com.reply_search import ComConfig
    from models.inference.asking import FoundReply, MotionWish, Search
    from models.inference.motion_llm import MotionLLM
    from models.language.decoding import Sampling
    from models.language.prompts import Query
    from utils.motion.skeleton import Skeleton

# Checkpoints that training leaves, in the order in which they are looked for in a run.
_BEST, _LATEST = "motionllm_*_best.pth", "motionllm_*_latest.pth"
_TASK_NAMES = {"t2m": "text to motion", "m2t": "motion to text"}


def _names(*groups: type, but: str = "") -> list[str]:
    return [field.name for group in groups for field in fields(group) if field.name != but]


@dataclass(frozen=True)
class DemoSettings(Settings):
    """All flags of demo.py."""

    FIRST = ("ckpt", "caption", "motion", "out", "seconds", "samples", "use_com", "seed")

    run: RunFlags
    demo: DemoFlags
    length: LengthFlags
    com: ComFlags
    rewards: RewardFlags
    reading: ReadingFlags
    page: PageFlags
    engine: EngineFlags

    def unused(self) -> dict[str, Sequence[str]]:
        asks = bool(self.demo.caption or self.demo.captions)
        describes, page = bool(self.demo.motion), not (asks or self.demo.motion)
        searches = self.com.use_com or page  # the page has a switch for it
        reads = describes or page or self.length.start is not None
        return {
            "demo.py keeps no run": ("exp_name",),
            "without --use-com": () if searches or describes else _names(ComFlags, RewardFlags),
            "motions are described, not made": _names(LengthFlags, ComFlags, RewardFlags) if describes else (),
            "no motion is read": () if reads else _names(ReadingFlags, but="body_models"),
            "no page is opened": () if page else _names(PageFlags),
        }

    # --- Who answers ---

    def model(self, task: str) -> "MotionLLM":
        """The model of --ckpt that knows `task`, or the newest one there is. Raises InputError without one."""
        return self._models[task] if task in self._models else self._load(task)

    @cached_property
    def _models(self) -> "dict[str, MotionLLM]":
        return {}

    @cached_property
    def _sources(self) -> dict[str, str]:
        """Where the models are from, by task."""
        return {}

    def _load(self, task: str) -> "MotionLLM":
        from models.inference.motion_llm import MotionLLM

        problems = []
        for source in self.demo.ckpt or self._found(task):
            try:
                drawing = {"engine": self.engine.engine, "engine_server": self.engine.engine_server}
                model = MotionLLM.load(source, task, self.run.device, **drawing)
            except InputError as error:
                problems.append(str(error))
                continue
            logging.info("%s by %s", _TASK_NAMES[task], source)
            self._models.update(dict.fromkeys(model.tasks, model))
            self._sources.update(dict.fromkeys(model.tasks, str(source)))
            return model
        if problems:
            raise InputError("; ".join(problems[:2]))
        raise InputError(
            f"no checkpoint for {_TASK_NAMES[task]} in {self.run.out_dir}: give --ckpt FILE, or train one "
            "(bash prepare/quickstart.sh makes a small one)"
        )

    def _found(self, task: str) -> list[str]:
        """Checkpoints below --out-dir, the newest run first; of a run the best before the latest."""
        root = Path(self.run.out_dir)
        files = [*root.rglob(_BEST), *root.rglob(_LATEST)]
        best = {file.parent for file in files if file.match(_BEST)}
        kept = [file for file in files if file.match(_BEST) or file.parent not in best]
        other = {"t2m": "m2t", "m2t": "t2m"}[task]
        # A run says in its own name which task it is of; what it does not say is tried.
        fitting = [file for file in kept if other not in f"{file.parent.name} {file.name}"]
        return [str(file) for file in sorted(fitting, key=lambda file: file.stat().st_mtime, reverse=True)]

    # --- What is asked ---

    def check_outputs(self) -> None:
        """Raise InputError for a file of --out of no kind that we write, or that is read here."""
        from utils.files.outputs import check_output_file
        from utils.motion_files.write import AMASS_ENDING, check_ending

        for path in self.demo.out:
            check_ending(path)
            if Path(path).suffix.lower() == AMASS_ENDING and self.reading.body_models is None:
                raise InputError(f"--out {path}: AMASS stores poses of a body: give --body-models FOLDER (SMPL bodies)")
            check_output_file(path, [*self.demo.motion, *self.demo.ckpt, self.length.start, self.demo.captions])

    def captions(self) -> list[str]:
        """The sentences of --caption and --captions."""
        from dataset.captions.tags import check_captions
        from utils.files.text_files import numbered_lines

        listed = [] if self.demo.captions is None else [line.strip() for _, line in numbered_lines(self.demo.captions)]
        found = [*self.demo.caption, *listed]
        check_captions(found)
        return found

    def count_of(self, captions: Sequence[str]) -> int:
        """How many motions are made of so many captions."""
        return self.length.samples * (1 if self.length.join else len(captions))

    def wish(self, llm: "MotionLLM") -> "MotionWish":
        """How motions are asked for."""
        from models.inference.asking import MotionWish

        length = self.length
        return MotionWish(
            seconds=length.seconds,
            min_seconds=length.min_seconds,
            max_seconds=length.max_seconds,
            start=None if length.start is None else self.read(length.start, llm.language.motion_tokenizer.skeleton),
            samples=length.samples,
            as_one=length.join,
            seed=self.run.seed,
            temperature=length.temperature,
            top_p=length.top_p,
            search=self.search(llm) if self.com.use_com else None,
        )

    def read(self, path: str, skeleton: "Skeleton") -> "np.ndarray":
        """Joints in metres, or features, of a motion file."""
        from dataset.sources.bvh.joint_mapping import load_mapping
        from dataset.sources.units import check_up, parse_unit
        from models.inference.motion_files import MotionReading, read_motion

        flags = self.reading
        reading = MotionReading(
            mapping=None if flags.mapping == "auto" else load_mapping(flags.mapping),
            metres_per_unit=None if flags.unit == "auto" else parse_unit(flags.unit),
            up=None if flags.up is None else check_up(flags.up),
            fps=flags.fps,
            body_models=flags.body_models,
            any_posture=flags.any_posture,
        )
        return read_motion(path, skeleton, reading)

    # --- What ranks ---

    def search(self, llm: "MotionLLM") -> "Search":
        """Chain-of-Motion as the flags say."""
        from com.reply_search import QueryBatch, search_replies
        from models.inference.asking import FoundReply

        config = self._chain_of_motion(llm)

        def search(model: "MotionLLM", queries: "list[Query]", sampling: "Sampling") -> "list[FoundReply]":
            found = search_replies(model, QueryBatch.all(queries), sampling, config, "Chain-of-Motion")
            replies = []
            for one in found:
                trace = one.record["trace"]
                chosen = next(row for row in trace if row["chosen"])
                replies.append(FoundReply(one.best, {"total": chosen["total"], **chosen["scores"]}, tuple(trace)))
            return replies

        return search

    def _evaluator_of_the_run(self, task: str) -> str | None:
        """The evaluator that rewarded the run which the model is of, where it is still there."""
        from utils.files.json_files import read_json

        arguments = Path(self._sources.get(task, "")).parent / "args.json"
        if not arguments.is_file():
            return None
        folder = read_json(arguments).get("reward_evaluator")
        return folder if isinstance(folder, str) and Path(folder).is_dir() else None

    def _chain_of_motion(self, llm: "MotionLLM") -> "ComConfig":
        com, flags = self.com, self.rewards
        evaluator = flags.reward_evaluator or self._evaluator_of_the_run("t2m")
        weights = scorers_of(com, flags, "t2m")
        if evaluator is None and not (com.com_scorers or flags.rewards) and weights.pop("consistency", None):
            logging.info("without --reward-evaluator nothing ranks how well a motion fits its caption")
        models = flags.models(str(llm.engine.device), evaluator)

        return search_of(com, weights, models, llm.language.motion_tokenizer, default_tagger)[0]
