"""Metrics of replies to held-out clips during supervised fine-tuning, when they choose the best checkpoint."""

from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from transformers import PreTrainedModel

from dataset.humanml.layout import read_split, tagger_of
from models.evaluation.captions import judge_captions
from models.evaluation.judge import Judge
from models.evaluation.motions import judge_motions
from models.evaluation.questions import Questions, predictions_of
from models.language.motion_llm import MotionLLM, Sampling
from models.language.prompts import PromptStyle, Query
from models.language.vocabulary import MotionVocabulary
from models.policy.policy import Start
from models.text_motion.evaluator import TextMotionEvaluator
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.metrics.criteria import Criterion

_REPORTED = {"t2m": ("FID", "R@3", "MM-Dist"), "m2t": ("CIDEr", "BLEU@4", "ROUGE-L")}


class ReplyValidation:
    """One reply to each question, the same ones at every validation, judged as `eval_mllm.py` would.

    Several processes answer a share each; what a question is answered does not depend on their number.

    Args:
        questions: held-out clips, one entry a task.
        judge: evaluator and its repeats.
        vocabulary, motion_tokenizer, style, sampling: how the model is asked.
    """

    def __init__(
        self,
        questions: Sequence[Questions],
        judge: Judge,
        vocabulary: MotionVocabulary,
        motion_tokenizer: MotionTokenizer,
        style: PromptStyle,
        sampling: Sampling,
    ) -> None:
        self._asked = [(part, part.queries(motion_tokenizer)) for part in questions]
        self._judge = judge
        self._vocabulary = vocabulary
        self._motion_tokenizer = motion_tokenizer
        self._style = style
        self._sampling = sampling

    @classmethod
    def of_folder(
        cls, criterion: Criterion, root: str, tasks: Sequence[str], clips: int, evaluator: str, start: Start,
        motion_tokenizer: MotionTokenizer | None, sampling: Sampling, device: torch.device,
    ) -> "ReplyValidation":  # fmt: skip
        """Questions about the first `clips` of the val split of the data set at `root`, for the metric `criterion`.

        Raises:
            InputError: the metric judges another task, or an evaluator or tokenizer is missing.
        """
        if criterion.task not in tasks:
            raise InputError(f"--best-by {criterion.name} judges {criterion.task}, but {', '.join(tasks)} is trained")
        if motion_tokenizer is None:
            raise InputError(f"--best-by {criterion.name} needs --motion-tokenizer")
        if not Path(evaluator).exists():
            raise InputError(f"no text-motion evaluator at {evaluator}: give --val-evaluator FOLDER")
        judge = Judge(TextMotionEvaluator.load(evaluator, device=str(device)), repeats=1, seed=sampling.seed)
        records = read_split(root, "val", judge.evaluator.skeleton)[:clips]
        tagger = tagger_of(root, judge.evaluator.skeleton)
        return cls(
            [Questions.draw(task, records, tagger, sampling.seed) for task in tasks],
            judge,
            start.vocabulary,
            motion_tokenizer.to(device),
            start.checkpoint.config.style,
            sampling,
        )

    def __call__(self, model: PreTrainedModel) -> dict[str, float]:
        """Metrics by name; one that could not be computed is left out. Every process must call it."""
        processes = PartialState()
        llm = MotionLLM(model, self._vocabulary, self._motion_tokenizer, self._style)
        metrics: dict[str, float] = {}
        for questions, queries in self._asked:
            own = range(processes.process_index, len(queries), processes.num_processes)
            rollouts = llm.answer([queries[index] for index in own], self._sampling, keys=own)
            rows = gather_object([
                {"draw": 0, "query": index, "id": rollout.id, "text": rollout.text, "finished": rollout.finished}
                for index, rollout in zip(own, rollouts, strict=True)
            ])  # fmt: skip
            if processes.is_main_process:
                metrics |= self._measure(questions, queries, sorted(rows, key=lambda row: row["query"]))
        (metrics,) = broadcast_object_list([metrics])
        return metrics

    def _measure(self, questions: Questions, queries: Sequence[Query], rows: list[dict]) -> dict[str, float]:
        draws = [predictions_of(rows, queries, self._motion_tokenizer)]
        records = questions.records
        if questions.task == "t2m":
            tokens = [caption.tokens for caption in questions.captions]
            judged = judge_motions(draws, tokens, [record.features for record in records], self._judge)
        else:
            judged = judge_captions(draws, records, questions.tagger, self._judge, "raw")
        found = {name: judged.metrics[name].mean for name in _REPORTED[questions.task]}
        found[f"well_formed_{questions.task}"] = judged.metrics["Well-formed"].mean
        return {name: value for name, value in found.items() if value is not None}
