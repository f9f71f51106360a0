"""A model in training answers held-out clips here: to choose the best checkpoint (SFT), or beside the reward (GRPO)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate.utils import broadcast_object_list
from transformers import PreTrainedModel

from dataset.humanml.layout import read_split, tagger_of
from models.engines.engine import Engine
from models.evaluation.captions import CaptionScoring
from models.evaluation.evaluate import judge_replies
from models.evaluation.judge import Judge
from models.evaluation.predictions import Prediction, with_motions
from models.evaluation.questions import Questions
from models.evaluation.sharing import shared_answers
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.motion_language import MotionLanguage
from models.text_motion.evaluator import TextMotionEvaluator
from utils.errors import InputError
from utils.metrics.criteria import VALIDATED, Criterion


@dataclass(frozen=True)
class HeldOutClips:
    """Clips that a model in training is asked about, and who judges its replies.

    Attributes:
        root: data set; the first `count` clips of its val split are asked about.
        evaluator: folder of the text-motion evaluator that judges.
    """

    root: str
    count: int
    evaluator: str


class ReplyValidation:
    """One reply to each question, the same ones at every validation, judged as `eval_mllm.py` would.

    Several processes answer a share each; what a question is answered does not depend on their number.

    Args:
        questions: held-out clips, one entry a task.
        judge: evaluator and its repeats.
        language, sampling: how the model is asked.
    """

    def __init__(
        self, questions: Sequence[Questions], judge: Judge, language: MotionLanguage, sampling: Sampling
    ) -> None:
        self._asked = [(part, part.queries(language.motion_tokenizer)[0]) for part in questions]
        self._judge = judge
        self._language = language
        self._sampling = sampling

    @classmethod
    def of_folder(
        cls,
        criterion: Criterion,
        clips: HeldOutClips,
        tasks: Sequence[str],
        language: MotionLanguage,
        sampling: Sampling,
        device: torch.device,
    ) -> "ReplyValidation":
        """Questions about held-out clips, for the metric `criterion`.

        Raises:
            InputError: the metric judges another task, or an evaluator or tokenizer is missing.
        """
        if criterion.task not in tasks:
            raise InputError(f"--best-by {criterion.name} judges {criterion.task}, but {', '.join(tasks)} is trained")
        if language.motion_tokenizer is None:
            raise InputError(f"--best-by {criterion.name} needs --motion-tokenizer")
        if not Path(clips.evaluator).exists():
            raise InputError(f"no text-motion evaluator at {clips.evaluator}: give --val-evaluator FOLDER")
        evaluator = TextMotionEvaluator.load(clips.evaluator, device=str(device))
        records = read_split(clips.root, "val", evaluator.skeleton)[: clips.count]
        tagger = tagger_of(clips.root, evaluator.skeleton)
        questions = [Questions(task, tuple(records), tagger, sampling.seed) for task in tasks]
        language = replace(language, motion_tokenizer=language.motion_tokenizer.to(device))
        return cls(questions, Judge(evaluator, repeats=1, seed=sampling.seed), language, sampling)

    def __call__(self, model: PreTrainedModel, engine: Engine | None = None) -> dict[str, float]:
        """Metrics by name; one that could not be computed is left out. Every process must call it.

        `engine` draws the replies of `model`; None: transformers.
        """
        llm = MotionLLM(model, self._language, engine=engine).without_motions()
        metrics: dict[str, float] = {}
        for questions, queries in self._asked:
            rollouts = shared_answers(llm, queries, self._sampling)
            if rollouts is not None:
                replies = [Prediction.of_rollout(rollout, 0) for rollout in rollouts]
                metrics |= self._measure(questions, with_motions(replies, self._language.motion_tokenizer))
        (metrics,) = broadcast_object_list([metrics])
        return metrics

    def _measure(self, questions: Questions, replies: list[Prediction]) -> dict[str, float]:
        judged = judge_replies(questions, [replies], self._judge, CaptionScoring())
        found = {name: judged.metrics[name].mean for name in VALIDATED[questions.task]}
        found[f"well_formed_{questions.task}"] = judged.metrics["Well-formed"].mean
        return {name: value for name, value in found.items() if value is not None}
