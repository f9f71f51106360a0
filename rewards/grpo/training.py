"""Reinforcement learning from a checkpoint to checkpoints: trl's GRPOTrainer under our rewards."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from accelerate.utils import gather_object
from datasets import Dataset
from peft import LoraConfig
from trl import GRPOConfig

from models.language.decoding import Sampling
from models.policy.adapters import LORA_TARGETS, LoraSize, lora_part
from models.policy.callbacks import AfterEpoch, SaveEvery, StopOnInterrupt
from models.policy.checkpoint import metrics_of, save_checkpoint
from models.policy.logs import ReplyLog, RunLog, TrainingBar
from models.policy.loop import train_to_the_end
from models.policy.policy import Policy
from models.policy.resumable import settings_of_trl
from rewards.grpo.hacking import HELD_OUT_TOTAL, TRAINING_REWARD
from rewards.grpo.logs import shown_replies
from rewards.grpo.prompts import Prompts
from rewards.grpo.reflection import Reflections
from rewards.grpo.rules import NO_RULES, ReplyRules
from rewards.grpo.scoring import GrpoRewards, refuse_useless_epoch
from rewards.grpo.trainer import MotionGRPOTrainer, steps_per_batch
from rewards.grpo.validation import GrpoValidation, HeldOut
from rewards.mixture.loading import Rewarding
from utils.errors import InputError
from utils.run.session import Session

BEFORE = -1  # the epoch before the first


@dataclass(frozen=True, eq=False)
class GrpoPlan:
    """How reinforcement learning goes about it.

    Attributes:
        tasks: what is trained; one policy answers them all.
        trainer: trl's settings; its reward weights are those of the rewards, then that of `improvement` where replies
            earn it.
        lora: size of the adapter that is trained; its dropout is not used.
        rules: how the replies that are trained on are drawn and weighed.
        extra_log: gets every row of metrics.
        save_minutes: between two states of the trainer inside an epoch; infinite: only its end has one.
        settings_file: holds settings of the user's own, which trl may refuse; None: there are none.
    """

    tasks: tuple[str, ...]
    trainer: GRPOConfig
    lora: LoraSize
    rules: ReplyRules = NO_RULES
    extra_log: Callable[[dict], None] | None = None
    save_minutes: float = math.inf
    settings_file: str | None = None

    @property
    def sampling(self) -> Sampling:
        """How held-out replies are drawn: as those that are trained on, without the rules."""
        config = self.trainer
        return Sampling(config.temperature, config.top_p, config.max_completion_length, seed=config.seed)


def reinforce(
    policy: Policy, train: Prompts, held_out: HeldOut, rewarding: Rewarding, plan: GrpoPlan, session: Session
) -> dict[str, float | str] | None:
    """Train and write ``motionllm_rlvr_epoch_{n}.pth``, ``_latest`` and ``_best`` (by held-out reward).

    The policy is the merged model under a fresh LoRA, so with the adapter off it is the reference: the KL divergence
    is exactly 0 at the first step, and no second copy of the model is held.

    Args:
        policy: what is trained; its checkpoint gets one more part.
        train: prompts.
        held_out: what the validation before training and after each epoch asks; it chooses the best checkpoint.
        rewarding: what replies earn.

    Returns:
        rewards before and after, and the best checkpoint's path. An empty dict in all processes but the first; None
        where the training was interrupted.

    Raises:
        InputError: a grammar mask or reflections with vLLM or continuous batching, which they do not reach; an epoch
            from which nothing could be learned; a training that diverges.
    """
    plan.rules.check(plan.trainer)
    folder = session.folder
    scorer = GrpoRewards(rewarding.rewards, policy.language, plan.rules.reflecting.rewards_improvement)
    trainer = _make_trainer(policy, train, scorer, plan)
    log = RunLog(folder, plan.extra_log)
    validation = GrpoValidation(held_out, rewarding.rewards, policy.language, plan.sampling, folder)
    epochs = _Epochs(trainer, scorer, validation, log, _Saving(policy, rewarding, plan), folder.path)

    # What happens beside the loop: one bar, logs, shown replies, validations and checkpoints.
    shown = {"reward": "reward", "kl": "kl", "completions/mean_length": "length"}
    TrainingBar("GRPO", shown).attach(trainer)
    for callback in (
        log,
        ReplyLog(
            folder.path / "samples" / "replies.jsonl",
            lambda: shown_replies(trainer.last_replies(), plan.trainer.num_generations, rewarding.rewards),
        ),
        StopOnInterrupt(session.interrupt, steps_per_batch(plan.trainer)),
        SaveEvery(plan.save_minutes, steps_per_batch(plan.trainer)),
        AfterEpoch(epochs.end),
    ):
        trainer.add_callback(callback)

    if BEFORE not in validation:
        epochs.end(BEFORE)
    if not train_to_the_end(trainer, session.interrupt, epochs.save_latest):
        return None
    if not trainer.is_world_process_zero():
        return {}
    if not epochs.latest.is_file():
        raise InputError(
            f"{folder.path}: the training has taken no step: give more prompts (--rl-prompts), or a smaller batch"
        )
    return epochs.summary()


def _make_trainer(policy: Policy, train: Prompts, scorer: GrpoRewards, plan: GrpoPlan) -> MotionGRPOTrainer:
    config, share = plan.trainer, plan.rules.reflecting.share
    reflections = None
    if share:
        reflections = Reflections(share, config.seed, config.num_generations, scorer.rewards, policy.language)
    lora = LoraConfig(
        r=plan.lora.r,
        lora_alpha=plan.lora.alpha,
        lora_dropout=0.0,  # dropout would make the trained policy another one than the one that sampled
        target_modules=list(LORA_TARGETS),
        task_type="CAUSAL_LM",
    )
    rows = Dataset.from_list(train.rows(policy.language))
    with settings_of_trl(plan.settings_file):
        return MotionGRPOTrainer(
            model=policy.model,
            language=policy.language,
            scorer=scorer,
            rules=plan.rules,
            reflections=reflections,
            args=config,
            train_dataset=rows,
            peft_config=lora,
            settings_file=plan.settings_file,
        )


class _Saving:
    """Writes the adapter that is trained as a further part of the policy's checkpoint."""

    def __init__(self, policy: Policy, rewarding: Rewarding, plan: GrpoPlan) -> None:
        self._checkpoint = policy.checkpoint
        self._tasks = plan.tasks
        self._about = {
            "use_reasoning": all(part.use_reasoning for part in policy.checkpoint.parts_of(plan.tasks[0])),
            "rewarded_by": rewarding.evaluator_fingerprint,
        }

    def __call__(self, path: Path, trainer: MotionGRPOTrainer, metrics: dict[str, float]) -> None:
        if not trainer.is_world_process_zero():
            return
        part = lora_part(trainer.model, self._tasks, "rlvr", **self._about)
        save_checkpoint(path, replace(self._checkpoint.with_part(part), metrics=metrics))


class _Epochs:
    """What happens before training and after each epoch: measure, write down, save."""

    def __init__(
        self,
        trainer: MotionGRPOTrainer,
        scorer: GrpoRewards,
        validation: GrpoValidation,
        log: RunLog,
        save: _Saving,
        folder: Path,
    ) -> None:
        self._trainer, self._scorer, self._validation = trainer, scorer, validation
        self._log, self._save, self._folder = log, save, folder
        self.best, self.latest = (folder / f"motionllm_rlvr_{kind}.pth" for kind in ("best", "latest"))

    def end(self, epoch: int) -> None:
        """Validate after `epoch` and keep the best checkpoint; `BEFORE` measures the start. Every process calls it.

        Raises:
            InputError: nothing could be learned from the replies of the epoch.
        """
        trainer = self._trainer
        # What the replies of the epoch earned, in all processes.
        parts = gather_object([self._scorer.take_earned()])
        if epoch != BEFORE:
            refuse_useless_epoch(epoch, parts, trainer.args.max_completion_length, self._scorer.rewards.names)
            trainer.refuse_divergence(self._validation.first_query)
        last = epoch != BEFORE and trainer.state.global_step >= trainer.state.max_steps
        numbers = self._validation.measure(trainer.accelerator.unwrap_model(trainer.model), epoch, last)
        if not trainer.is_world_process_zero():
            return
        earned = [total for part in parts for total in part.totals]
        row = {"step": trainer.state.global_step, **self._validation.add(epoch, numbers, earned)}
        if epoch == BEFORE:
            self._log.scalars.log(row)  # the extra log begins with the first step
            return
        self._log.write(row)
        self._save(self._folder / f"motionllm_rlvr_epoch_{epoch}.pth", trainer, numbers)
        self.save_latest(numbers)
        if numbers.get(HELD_OUT_TOTAL, -math.inf) > self._best_total():
            self._save(self.best, trainer, numbers)

    def save_latest(self, metrics: dict[str, float]) -> None:
        self._save(self.latest, self._trainer, metrics)

    def summary(self) -> dict[str, float | str]:
        """Rewards before and after, and the path of the best checkpoint; without a best one of the latest."""
        history = self._validation.history
        earned = [row[TRAINING_REWARD] for row in history if TRAINING_REWARD in row]
        totals = [row[HELD_OUT_TOTAL] for row in history if HELD_OUT_TOTAL in row]
        return {
            **({"training_reward_first_epoch": earned[0], "training_reward_last_epoch": earned[-1]} if earned else {}),
            **({"held_out_reward_before": totals[0]} if totals else {}),
            **(
                {"held_out_reward": self._best_total(), "best": str(self.best)}
                if self.best.is_file()
                else {"latest": str(self.latest)}
            ),
        }

    def _best_total(self) -> float:
        return metrics_of(self.best)[HELD_OUT_TOTAL] if self.best.is_file() else -math.inf
