"""What is measured of a policy in GRPO on prompts and clips that it is never trained on."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from statistics import fmean

from transformers import PreTrainedModel

from models.engines.engine import Engine
from models.evaluation.sharing import shared_answers
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.motion_language import MotionLanguage
from models.language.prompts import Query
from models.text_motion.evaluator import TextMotionEvaluator
from rewards.grpo.hacking import HACKING, HELD_OUT, HELD_OUT_TOTAL, TRAINING_REWARD, hacked_metrics
from rewards.grpo.prompts import Prompts
from rewards.mixture.weighted import WeightedRewards
from utils.errors import InputError
from utils.run.folder import RunFolder


@dataclass(frozen=True)
class HeldOut:
    """What a validation asks.

    Attributes:
        prompts: their reward is measured at every validation.
        replies: metrics by an evaluator that gives no reward (`models.evaluation.reply_validation`), called in every
            process; None for none.
        every: epochs between two measurements of `replies`; the first is before training, another after its end.
        samples: replies to each of the prompts.
    """

    prompts: Prompts
    replies: Callable[[PreTrainedModel, Engine | None], dict[str, float]] | None = None
    every: int = 1
    samples: int = 1


class GrpoValidation:
    """Validations of one run, which it writes down and can tell hacking from.

    Args:
        held_out: what is asked.
        rewards: what the replies to the held-out prompts earn.
        language, sampling: how they are asked.
        folder: its metrics.jsonl holds the validations before an interruption.
        engine: draws the replies; None: transformers.
    """

    def __init__(
        self,
        held_out: HeldOut,
        rewards: WeightedRewards,
        language: MotionLanguage,
        sampling: Sampling,
        folder: RunFolder,
        engine: Engine | None = None,
    ) -> None:
        self._held_out = held_out
        self._rewards = rewards
        self._language = language
        self._sampling = sampling
        self._engine = engine
        self._by_epoch = _validations_in(folder)

    def __contains__(self, epoch: int) -> bool:
        return epoch in self._by_epoch

    @property
    def first_query(self) -> Query:
        """One of those that are asked."""
        return self._held_out.prompts.queries[0]

    @property
    def history(self) -> list[dict[str, float]]:
        """Every validation so far, by epoch."""
        return self.until(max(self._by_epoch, default=0))

    def until(self, epoch: int) -> list[dict[str, float]]:
        """Every validation up to that of `epoch`: a run that goes on may know of later ones, which it makes again."""
        return [self._by_epoch[known] for known in sorted(self._by_epoch) if known <= epoch]

    def measure(self, model: PreTrainedModel, epoch: int, last: bool = False) -> dict[str, float]:
        """Numbers by name: ``held_out_reward/...`` in the first process, and ``held_out/...`` when it is their turn.

        Every process must call it: they share the questions, and the first one scores the replies of all.

        Args:
            model: the policy; left in training mode.
            epoch: the one that has ended, -1 before training.
            last: no epoch follows.
        """
        numbers = self._reward(model)
        if self._held_out.replies is not None and (last or (epoch + 1) % self._held_out.every == 0):
            judged = self._held_out.replies(model, self._engine)
            numbers |= {f"{HELD_OUT}{name}": value for name, value in judged.items()}
        model.train()
        return numbers

    def add(self, epoch: int, numbers: dict[str, float], earned: Sequence[float]) -> dict[str, float]:
        """Remember a validation and warn of reward hacking. Returns the row to log.

        Args:
            epoch, numbers: as given to and by `measure`.
            earned: rewards of the replies that were trained on since the validation before.
        """
        if HELD_OUT_TOTAL not in numbers and not self._by_epoch:
            logging.warning(
                "epoch %d: no reward judges any of the held-out replies, so that none of the checkpoints can be the "
                "best by it (more --rl-eval-prompts, or further --rewards, may help)",
                epoch,
            )
        training = {TRAINING_REWARD: fmean(earned)} if earned else {}
        self._by_epoch[epoch] = {"epoch": epoch, **training, **numbers}
        hacked = hacked_metrics(self.until(epoch))
        if hacked:
            logging.warning(
                "epoch %d: the training reward rises while %s got worse at each of the last validations: the policy "
                "may be learning to please the reward only (a smaller learning rate, a larger --rl-kl-coef or other "
                "rewards may help)",
                epoch,
                ", ".join(hacked),
            )
        self._by_epoch[epoch] |= {HACKING: len(hacked), **{f"{HACKING}/{name}": 1 for name in hacked}}
        return dict(self._by_epoch[epoch])

    def _reward(self, model: PreTrainedModel) -> dict[str, float]:
        llm = MotionLLM(model, self._language, engine=self._engine)
        prompts, times = self._held_out.prompts, self._held_out.samples
        replies = shared_answers(llm, prompts.queries * times, self._sampling, prompts.references * times)
        if replies is None:
            return {}
        table = self._rewards.table(replies)
        columns = {**table, "total": self._rewards.combine(table)}
        means = {}
        for name, column in columns.items():
            values = [value for value in column if value is not None]
            if values:
                means[f"held_out_reward/{name}"] = fmean(values)
        return means


def refuse_rewarding_judge(folder: str, rewarding: Collection[str | None]) -> None:
    """Raise InputError where the evaluator in `folder` gives a reward, now or in an earlier stage.

    Args:
        folder: of the judge.
        rewarding: fingerprints of the evaluators that do, None among them where a stage has none.
    """
    if TextMotionEvaluator.load(folder).fingerprint in rewarding:
        raise InputError(
            f"--val-evaluator {folder} gives the reward: held-out metrics need another evaluator (train one with "
            "another --seed)"
        )


def _validations_in(folder: RunFolder) -> dict[int, dict[str, float]]:
    """Validations that an interrupted run wrote down, by epoch."""
    return {row["epoch"]: row for row in folder.metrics.rows() if HACKING in row}
