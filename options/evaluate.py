"""What the flags of eval_mllm.py mean: each method makes one thing that an evaluation needs.

Imports are late: `--help` and a mistyped path must not wait for torch and transformers.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from options.flags.com import ComFlags
from options.flags.common import DataFlags, EngineFlags, ModelFlags, RunFlags
from options.flags.evaluation import NO_EVALUATOR, OF_A_MODEL, OF_MULTIMODALITY, OF_THIS_VERSION, EvalFlags
from options.flags.published import IGNORED_IN_EVALUATION, ONLY_TRAINING, PUBLISHED_FOR_EVALUATION, TokenizerShapeFlags
from options.flags.rewards import RewardFlags
from options.inputs import evaluation_inputs, not_read
from options.settings import Settings
from utils.errors import InputError
from utils.run.folder import RunFolder
from utils.run.launcher import launched_processes
from utils.run.session import Run

if TYPE_CHECKING:
    import torch

    from com.sharing import Share
    from models.evaluation.captions import CaptionScoring
    from models.evaluation.judge import Judge
    from models.evaluation.questions import Questions
    from models.policy.checkpoint import Checkpoint
    from models.tokenizer.motion_tokenizer import MotionTokenizer
    from utils.metrics.bert_score import BertScorer
    from utils.motion.skeleton import Skeleton

# Flags that change where an evaluation works and what it shows, not what it finds.
_MAY_DIFFER = (
    "device", "reward_device", "profile", "eval_batch_size", "show_trace", "save_motions", "out_dir", "exp_name",
    "any_posture", "rescore", "shard", "engine_server",
)  # fmt: skip
_OF_ENGINE = [field.name for field in fields(EngineFlags)]


@dataclass(frozen=True)
class EvalSettings(Settings):
    """All flags of eval_mllm.py."""

    FIRST = (
        "eval_task",
        "eval_ckpt",
        "data_root",
        "eval_evaluator",
        "samples",
        "limit",
        "use_com",
        "reward_evaluator",
        "from_predictions",
        "exp_name",
    )
    IGNORED = IGNORED_IN_EVALUATION
    TOLERATED = PUBLISHED_FOR_EVALUATION | {*OF_MULTIMODALITY, *_OF_ENGINE}  # a sweep hands them on

    run: RunFlags
    data: DataFlags
    model: ModelFlags
    evaluation: EvalFlags
    com: ComFlags
    rewards: RewardFlags
    shape: TokenizerShapeFlags
    engine: EngineFlags

    def unused(self) -> dict[str, Sequence[str]]:
        flags = self.evaluation
        given = (flags.from_predictions or flags.rescore) is not None  # the answers of a search, perhaps
        copies = flags.baseline is not None
        asks = flags.eval_task == "t2m" and flags.from_predictions is None and not copies
        return {
            "of train_mllm.py": ONLY_TRAINING,
            "without --use-com": [] if self.com.use_com or given else self._of_a_search,
            "without --from-predictions": [] if given else ["any_posture"],
            "with --from-predictions, which asks no model": [] if flags.from_predictions is None else _OF_ENGINE,
            "with --baseline, which asks no model": OF_A_MODEL if copies else [],
            "only where t2m is asked": [] if asks else OF_MULTIMODALITY,
        }

    @property
    def _of_a_search(self) -> list[str]:
        """Flags of Chain-of-Motion; a copy by the judge is allowed by one of them."""
        kept = {"allow_judge_as_ranker"} if self.evaluation.baseline is not None else set()
        return [field.name for field in fields(ComFlags) if field.name not in kept]

    # --- The run ---

    def open_run(self) -> Run:
        """The folder of the evaluation with what it was asked. Raises InputError with nothing to evaluate."""
        flags = self.evaluation
        if flags.eval_ckpt is None and not flags.asks_no_model:
            raise InputError(
                "--eval-ckpt is needed: the checkpoint to evaluate (or --from-predictions FILE, or --baseline nn-copy)"
            )
        if flags.baseline is not None and self.com.use_com:
            raise InputError(
                "--baseline copies and asks no model, which --use-com searches with: leave one of them out"
            )
        way_out = "use another --exp-name" if flags.rescore is None else "remove it first"
        self._refuse_to_share()
        inputs, folder = evaluation_inputs(self), RunFolder(self.folder, way_out)
        before = folder.recorded() or {}
        if before.get("eval_evaluator", flags.eval_evaluator) != flags.eval_evaluator:
            folder = RunFolder(self.folder, f"{way_out}, or judge its replies again by --rescore EVALUATOR")
        renamed = flags.go_on(before)
        self.com.go_on(before)
        self.rewards.go_on(before)
        if not flags.asks_no_model:  # mistakes are told before anything is loaded
            _ = self.draws
            if flags.eval_task == "t2m" and flags.mm_repeats and self.temperature == 0:
                raise InputError("--mm-repeats: greedy replies are all alike: give a --temperature")
        may_differ = (*_MAY_DIFFER, *ONLY_TRAINING, *not_read(inputs), *renamed)
        arguments = {**self.as_recorded(before, OF_THIS_VERSION), "shard": None}  # of this command, not of the run
        part = None if flags.shard is None else f"shard {flags.shard.replace('/', ' of ')}"
        return Run(folder, arguments, may_differ, self.run.seed, self.device, inputs=inputs, part=part)

    def _refuse_to_share(self) -> None:
        """Raises InputError where several processes are to do what one must."""
        if self.evaluation.asks_no_model and (self.evaluation.shard or launched_processes() > 1):
            judged = "copies" if self.evaluation.baseline is not None else "given predictions"
            raise InputError(
                f"{judged} are judged by one process: leave out --shard, and start it without a launcher (torchrun, "
                "accelerate)"
            )

    @property
    def folder(self) -> Path:
        """Where the evaluation goes: as --exp-name says, or beside what is judged."""
        flags = self.evaluation
        if self.run.exp_name is not None:
            return Path(self.run.out_dir) / self.run.exp_name
        if flags.baseline is not None:
            return Path(self.run.out_dir) / f"eval_{flags.eval_task}_{flags.baseline}"
        judged = Path(flags.from_predictions or flags.eval_ckpt)
        return judged.parent / (f"eval_{flags.eval_task}_{judged.stem}" + ("_com" if self.com.use_com else ""))

    @cached_property
    def device(self) -> "torch.device":
        from utils.run.processes import own_device

        return own_device(self.run.device)

    @contextmanager
    def share(self) -> "Iterator[Share]":
        """The part of the questions that this process answers, beside those that a launcher started with it.

        Raises InputError where they cannot work together on --device.
        """
        from com.sharing import Share
        from utils.run.processes import joined_processes

        with joined_processes(self.run.device) as processes:
            yield Share(processes, *self.evaluation.part)

    # --- What is judged, by whom ---

    @property
    def skeleton(self) -> "Skeleton":
        from utils.motion.skeleton import get_skeleton

        return get_skeleton(self.data.dataname)

    def checkpoint(self) -> "Checkpoint | None":
        """The checkpoint to evaluate; None where predictions are given."""
        from models.policy.checkpoint import load_checkpoint

        path = self.evaluation.eval_ckpt
        if path is None:
            return None
        checkpoint = load_checkpoint(path)
        checkpoint.check_tasks([self.evaluation.eval_task], path)
        self.shape.check_against(checkpoint.config.nb_code, path)
        return checkpoint

    def motion_tokenizer(self, checkpoint: "Checkpoint | None") -> "MotionTokenizer | None":
        """The checkpoint's tokenizer, or the one named for given predictions (None: they may not need one)."""
        from models.policy.checkpoint import motion_tokenizer_of
        from models.tokenizer.motion_tokenizer import MotionTokenizer

        path = self.data.motion_tokenizer
        if checkpoint is not None:
            tokenizer = motion_tokenizer_of(checkpoint, path, self.evaluation.eval_ckpt).to(self.device)
        elif path is not None:
            tokenizer = MotionTokenizer.load(path, self.device)
        else:
            return None
        self.check_skeleton("motion tokenizer", tokenizer.skeleton)
        return tokenizer

    def questions(self) -> "Questions":
        """The motions of a split, and a caption drawn for each."""
        from dataset.humanml.layout import has_texts, read_split, tagger_of
        from models.evaluation.questions import Questions

        root, flags = self.data.data_root_or_default, self.evaluation
        needs_text = flags.eval_task == "t2m" or has_texts(root, flags.eval_split)
        records = read_split(root, flags.eval_split, self.skeleton, needs_text)[: flags.limit]
        return Questions(flags.eval_task, tuple(records), tagger_of(root, self.skeleton), self.run.seed)

    def data_fingerprint(self, questions: "Questions") -> str:
        """Names the motions and captions that are asked about."""
        from utils.files.fingerprints import fingerprint

        parts = ((record.id, record.features, *(c.text for c in record.captions)) for record in questions.records)
        return fingerprint(*(part for record in parts for part in record))

    @property
    def judging_evaluator(self) -> str | None:
        """The folder of the evaluator that judges; None with --eval-evaluator none."""
        folder = self.evaluation.eval_evaluator or self.data.default_evaluator
        return None if folder == NO_EVALUATOR else folder

    def judge(self) -> "Judge":
        """The evaluator that measures, how many repeats it takes, and their seed."""
        from models.evaluation.judge import Judge
        from models.text_motion.evaluator import TextMotionEvaluator

        folder, flags = self.judging_evaluator, self.evaluation
        if folder is None:
            return Judge(None, flags.repeats, self.run.seed, self.skeleton)
        if not Path(folder).exists():
            logging.info("--eval-evaluator %s asks the model now, and --rescore judges its replies later", NO_EVALUATOR)
        evaluator = TextMotionEvaluator.load(folder, device=str(self.device))
        self.check_skeleton("evaluator", evaluator.skeleton)
        return Judge(evaluator, flags.repeats, self.run.seed)

    def check_skeleton(self, what: str, found: "Skeleton") -> None:
        """Raise InputError where `what` was made for other bodies than --dataname's."""
        if found != self.skeleton:
            raise InputError(f"the {what} is for --dataname {found.name}, not {self.skeleton.name}")

    def caption_scoring(self) -> "CaptionScoring":
        """How captions are compared (m2t)."""
        from models.evaluation.captions import CaptionScoring

        scorer = self.bert_scorer
        return CaptionScoring(self.evaluation.m2t_protocol, None if scorer is None else scorer.score)

    @cached_property
    def bert_scorer(self) -> "BertScorer | None":
        """None where BERTScore is not wanted or its model is not to be had: it is then reported as not computed."""
        from utils.hub import find_model
        from utils.metrics.bert_score import BertScorer

        name = self.evaluation.bertscore_model
        if self.evaluation.eval_task != "m2t" or name == "none":
            return None
        try:
            return BertScorer.load(find_model(name, "give --bertscore-model a folder"), name=name, device=self.device)
        except InputError as error:
            logging.warning("BERTScore is not computed: %s", error)
            return None

    # --- How it is asked ---

    @property
    def temperature(self) -> float:
        return self.evaluation.temperature_where(self.com.use_com)

    @property
    def draws(self) -> int:
        return self.evaluation.draws_where(self.com.use_com)
