"""What the flags of eval_mllm.py mean: each method makes one thing that an evaluation needs.

Imports are late: `--help` and a mistyped path must not wait for torch and transformers.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from options.flags.com import ComFlags
from options.flags.common import DataFlags, ModelFlags, RunFlags
from options.flags.evaluation import EvalFlags
from options.flags.published import IGNORED_IN_EVALUATION, ONLY_TRAINING, PUBLISHED_FOR_EVALUATION, TokenizerShapeFlags
from options.flags.rewards import RewardFlags
from options.inputs import evaluation_inputs, not_read
from options.settings import Settings
from utils.errors import InputError
from utils.run.folder import RunFolder
from utils.run.session import Run

if TYPE_CHECKING:
    import torch

    from com.replies import ReplyPlan
    from com.reply_search import ComConfig
    from dataset.captions.tagger import Tagger
    from models.evaluation.captions import CaptionScoring
    from models.evaluation.judge import Judge
    from models.evaluation.predictions import Replies
    from models.evaluation.questions import Questions
    from models.policy.checkpoint import Checkpoint
    from models.policy.policy import Policy
    from models.text_motion.evaluator import TextMotionEvaluator
    from models.tokenizer.motion_tokenizer import MotionTokenizer
    from utils.metrics.bert_score import BertScorer
    from utils.motion.skeleton import Skeleton

# Flags that change where an evaluation works and what it shows, not what it finds.
_MAY_DIFFER = (
    "device", "reward_device", "profile", "eval_batch_size", "show_trace", "save_motions", "out_dir", "exp_name",
    "any_posture",
)  # fmt: skip


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
    TOLERATED = PUBLISHED_FOR_EVALUATION

    run: RunFlags
    data: DataFlags
    model: ModelFlags
    evaluation: EvalFlags
    com: ComFlags
    rewards: RewardFlags
    shape: TokenizerShapeFlags

    def unused(self) -> dict[str, Sequence[str]]:
        given = self.evaluation.from_predictions is not None  # the answers of a search, perhaps
        of_searches = [] if self.com.use_com or given else [field.name for field in fields(ComFlags)]
        of_given = {"without --from-predictions": [] if given else ["any_posture"]}
        return {"of train_mllm.py": ONLY_TRAINING, "without --use-com": of_searches, **of_given}

    # --- The run ---

    def open_run(self) -> Run:
        """The folder of the evaluation with what it was asked. Raises InputError with nothing to evaluate."""
        flags = self.evaluation
        if flags.eval_ckpt is None and flags.from_predictions is None:
            raise InputError("--eval-ckpt is needed: the checkpoint to evaluate (or --from-predictions FILE)")
        judged = Path(flags.from_predictions or flags.eval_ckpt)
        name = f"eval_{flags.eval_task}_{judged.stem}" + ("_com" if self.com.use_com else "")
        path = judged.parent / name if self.run.exp_name is None else Path(self.run.out_dir) / self.run.exp_name
        inputs, folder = evaluation_inputs(self), RunFolder(path)
        renamed = flags.go_on(folder.recorded() or {})
        if flags.from_predictions is None:
            _ = self.draws  # a mistake is told before anything is loaded
        may_differ = (*_MAY_DIFFER, *not_read(inputs), *renamed)
        return Run(folder, self.as_dict(), may_differ, self.run.seed, self.device, inputs=inputs)

    @cached_property
    def device(self) -> "torch.device":
        from utils.run.devices import resolve_device

        return resolve_device(self.run.device)

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
        self._check_skeleton("motion tokenizer", tokenizer.skeleton)
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

    def judge(self) -> "Judge":
        """The evaluator that measures, how many repeats it takes, and their seed."""
        from models.evaluation.judge import Judge
        from models.text_motion.evaluator import TextMotionEvaluator

        folder = self.evaluation.eval_evaluator or self.data.default_evaluator
        evaluator = TextMotionEvaluator.load(folder, device=str(self.device))
        self._check_skeleton("evaluator", evaluator.skeleton)
        return Judge(evaluator, self.evaluation.repeats, self.run.seed)

    def _check_skeleton(self, what: str, found: "Skeleton") -> None:
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

    def given_replies(self, questions: "Questions", tokenizer: "MotionTokenizer | None") -> "Replies":
        """The predictions of --from-predictions, in the order of the questions."""
        from models.evaluation.predictions import Replies, arrange
        from models.evaluation.predictions_file import read_predictions
        from utils.run.inputs import Input

        flags, path = self.evaluation, Path(self.evaluation.from_predictions)
        found = read_predictions(path, flags.eval_task, self.skeleton, tokenizer, look=not flags.any_posture)
        ids = [record.id for record in questions.records]
        if flags.limit is not None:
            wanted = set(ids)
            found = [prediction for prediction in found if prediction.id in wanted]
        given = Input.at(path).content()
        return Replies(arrange(found, ids, str(path), logging.warning), notes=(f"predictions={given}",))

    # --- Who answers, and how ---

    @property
    def temperature(self) -> float:
        return self.evaluation.temperature_where(self.com.use_com)

    @property
    def draws(self) -> int:
        return self.evaluation.draws_where(self.com.use_com)

    def policy(self, checkpoint: "Checkpoint", tokenizer: "MotionTokenizer") -> "Policy":
        from models.policy.policy import build_policy
        from utils.run.devices import model_dtype

        policy = build_policy(checkpoint, self.evaluation.eval_task, tokenizer, self.model.llm_backbone)
        policy.model.to(self.device, model_dtype(self.model.precision, self.device))
        return policy

    def reply_plan(self, questions: "Questions", tokenizer: "MotionTokenizer", judge: "Judge | None") -> "ReplyPlan":
        """How many replies are asked for, how they are sampled and, with --use-com, searched.

        Raises InputError where the judge would rank too."""
        from com.answering import Asking
        from com.replies import ReplyPlan
        from models.evaluation.multimodality import SAMPLES
        from models.language.decoding import Sampling

        flags, com, ranker = self.evaluation, None, None
        if self.com.use_com:
            com, ranker = self._chain_of_motion(tokenizer, questions.tagger)
            if ranker is not None and judge is not None and ranker.fingerprint == judge.evaluator.fingerprint:
                self._refuse_judge_as_ranker()
        mm_replies = flags.mm_repeats if flags.mm_repeats is not None else (0 if com else SAMPLES)
        sampling = Sampling(
            self.temperature, flags.top_p, flags.max_new_tokens, flags.eval_batch_size, seed=self.run.seed
        )
        return ReplyPlan(
            asking=Asking(sampling, com),
            draws=self.draws,
            oracle=self.com.com_oracle,
            mm_texts=flags.mm_texts,
            mm_replies=mm_replies,
            com_label=self.com.label,
            ranked_by=None if ranker is None else ranker.fingerprint,
        )

    def _refuse_judge_as_ranker(self) -> None:
        if not self.com.allow_judge_as_ranker:
            raise InputError(
                "the evaluator that judges would also rank what it judges, and the numbers flatter: give "
                "--reward-evaluator FOLDER, another one than --eval-evaluator (prepare.train_evaluator with another "
                "--seed makes one), rank without consistency (--com-scorers), or give --allow-judge-as-ranker"
            )

    def _chain_of_motion(
        self, tokenizer: "MotionTokenizer", tagger: "Tagger"
    ) -> "tuple[ComConfig, TextMotionEvaluator | None]":
        """Chain-of-Motion as the flags say, and the evaluator among its scorers."""
        from com.reply_search import ComConfig
        from com.scorers import AGREEMENT, Ranking
        from rewards.lacking import Lacking
        from rewards.mixture.loading import load_rewards, parse_reward_weights
        from rewards.mixture.ranking import scorer_weights
        from rewards.text_models import SentenceEncoder

        # What ranks: the scorers that were named, or the rewards of training that read no true caption.
        com, flags = self.com, self.rewards
        weights = parse_reward_weights(named) if (named := com.com_scorers or flags.rewards) else flags.weights()
        task, by_name = self.evaluation.eval_task, com.com_scorers is not None
        weights = scorer_weights(weights, task, AGREEMENT, by_name, com.com_oracle)
        votes = weights.pop(AGREEMENT, 0.0)
        if "consistency" in weights and flags.reward_evaluator is None:
            self._refuse_judge_as_ranker()
        models = flags.models(str(self.device), self.evaluation.eval_evaluator or self.data.default_evaluator)
        rewarding = load_rewards(weights, tokenizer, models, lambda: tagger)
        factors, embed = dict(zip(rewarding.rewards.names, rewarding.rewards.weights, strict=True)), None
        if votes:
            factors[AGREEMENT] = votes
            embed = SentenceEncoder(models.semantic, models.device, models.max_batch_size).embed
        shown = ", ".join(f"{name} x {weight:g}" for name, weight in factors.items())
        logging.info("Chain-of-Motion ranks by %s", shown)
        settings = ComConfig(
            com.com_candidates,
            com.com_refine_steps,
            Ranking(rewarding.rewards.table, factors, embed),
            Lacking(tokenizer.skeleton, tokenizer.nb_code, models.device),
            com.com_patience,
            tuple(com.com_temperature),
            com.com_max_new_tokens,
        )
        return settings, rewarding.evaluator
