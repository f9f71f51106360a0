"""Reinforcement learning from a checkpoint to checkpoints: trl's GRPOTrainer under our rewards."""

import logging
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from accelerate.utils import broadcast_object_list, gather_object
from datasets import Dataset
from peft import LoraConfig
from trl import GRPOConfig

from models.engines.engine import ENGINE_FOLDER, Engine
from models.language.decoding import Sampling
from models.policy.adapters import LORA_TARGETS, LoraSize, lora_part
from models.policy.callbacks import AfterEpoch, FirstOfAll, SaveEvery, StopOnInterrupt, StopWhere
from models.policy.checkpoint import save_checkpoint
from models.policy.logs import ReplyLog, RunLog, TrainingBar
from models.policy.loop import train_to_the_end
from models.policy.policy import Policy
from models.policy.resumable import settings_of_trl, spread_weights
from rewards.grpo.best import BEFORE, BY_REWARD, LAST, BestBy
from rewards.grpo.hacking import HACKING, HELD_OUT_TOTAL, TRAINING_REWARD
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


@dataclass(frozen=True, eq=False)
class GrpoPlan:
    """How reinforcement learning goes about it.

    Attributes:
        tasks: what is trained; one policy answers them all.
        trainer: trl's settings, with the weights of the rewards, then of `improvement` where replies earn it.
        lora: size of the adapter that is trained; its dropout is not used.
        rules: how the replies that are trained on are drawn and weighed.
        extra_log: gets every row of metrics.
        save_minutes: between two states of the trainer inside an epoch; infinite: only its end has one.
        settings_file: holds settings of the user's own, which trl may refuse; None: there are none.
        best_by: which epoch becomes ``_best``.
        stop_on_hacking: end the run after an epoch at which rewards.grpo.hacking warns; it is never the best.
        by_vllm: vLLM draws all replies, held-out ones too, here or at the address `engine_server`; else transformers.
    """

    tasks: tuple[str, ...]
    trainer: GRPOConfig
    lora: LoraSize
    rules: ReplyRules = NO_RULES
    extra_log: Callable[[dict], None] | None = None
    save_minutes: float = math.inf
    settings_file: str | None = None
    best_by: BestBy = BY_REWARD
    stop_on_hacking: bool = False
    by_vllm: bool = False
    engine_server: str | None = None

    def __post_init__(self) -> None:
        """Raises InputError where every process would hold a piece of the weights: none could sample from it."""
        spread = spread_weights(self.trainer)
        if spread is not None:
            raise InputError(
                f"GRPO samples from the policy that it trains, which {spread} holds in pieces: launch it with "
                "options/accelerate/ddp.yaml or deepspeed.yaml (ZeRO-2), or by torchrun"
            )

    @property
    def sampling(self) -> Sampling:
        """How held-out replies are drawn: as those that are trained on, without the rules."""
        config = self.trainer
        return Sampling(config.temperature, config.top_p, config.max_completion_length, seed=config.seed)


def reinforce(
    policy: Policy, train: Prompts, held_out: HeldOut, rewarding: Rewarding, plan: GrpoPlan, session: Session
) -> dict[str, float | str] | None:
    """Train and write ``motionllm_rlvr_epoch_{n}.pth``, ``_latest`` and ``_best``.

    The policy is the merged model under a fresh LoRA, so with the adapter off it is the reference: the KL divergence
    is exactly 0 at the first step, and no second copy of the model is held.

    Args:
        policy: what is trained; its checkpoint gets one more part.
        train: prompts.
        held_out: what the validation before training and after each epoch asks; its numbers choose the best checkpoint.
        rewarding: what replies earn.

    Returns:
        rewards before and after, what chose the best checkpoint, and its path. An empty dict in all processes but the
        first; None where the training was interrupted.

    Raises:
        InputError: settings of --trainer-config that do not reach the replies; an epoch from which nothing could be
            learned; a training that diverges.
    """
    plan.rules.check(plan.trainer, plan.by_vllm)
    folder = session.folder
    engine = _vllm(policy, plan, session) if plan.by_vllm else None
    scorer = GrpoRewards(rewarding.rewards, policy.language, plan.rules.reflecting.rewards_improvement)
    trainer = _make_trainer(policy, train, scorer, plan, engine)
    log = RunLog(folder, plan.extra_log)
    validation = GrpoValidation(held_out, rewarding.rewards, policy.language, plan.sampling, folder, engine)
    epochs = _Epochs(trainer, scorer, validation, log, _Saving(policy, rewarding, plan), plan, folder.path)

    # What happens beside the loop: one bar, logs, shown replies, validations and checkpoints.
    shown = {"reward": "reward", "kl": "kl", "completions/mean_length": "length"}
    TrainingBar("GRPO", shown).attach(trainer)
    for callback in (
        log,
        ReplyLog(
            folder.path / "samples" / "replies.jsonl",
            lambda: shown_replies(trainer.last_replies(), plan.trainer.num_generations, rewarding.rewards),
        ),
        FirstOfAll(epochs.begin),
        StopOnInterrupt(session.interrupt, steps_per_batch(plan.trainer)),
        SaveEvery(plan.save_minutes, steps_per_batch(plan.trainer)),
        AfterEpoch(epochs.end),
        StopWhere(lambda step: step in epochs.over_at),
    ):
        trainer.add_callback(callback)

    if not train_to_the_end(trainer, session.interrupt, epochs.save_latest):
        return None
    if not trainer.is_world_process_zero():
        return {}
    shutil.rmtree(folder.path / ENGINE_FOLDER, ignore_errors=True)
    if not epochs.latest.is_file():
        raise InputError(
            f"{folder.path}: the training has taken no step: give more prompts (--rl-prompts), or a smaller batch"
        )
    return epochs.summary()


def _vllm(policy: Policy, plan: GrpoPlan, session: Session) -> Engine:
    """vLLM with the policy as it is before training; made before the trainer puts an adapter on it."""
    model, folder = (policy.model, policy.language.vocabulary), session.folder.path / ENGINE_FOLDER
    if plan.engine_server is not None:
        from models.engines.server_engine import ServerEngine

        return ServerEngine(plan.engine_server, policy.start(plan.tasks[0]), *model, session.device, folder)
    from models.engines.vllm_engine import VllmEngine

    return VllmEngine(*model, session.device, folder, plan.lora.r, plan.trainer.vllm_gpu_memory_utilization)


def _make_trainer(
    policy: Policy, train: Prompts, scorer: GrpoRewards, plan: GrpoPlan, engine: Engine | None
) -> MotionGRPOTrainer:
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
            prompts_an_epoch=train.an_epoch,
            engine=engine,
        )


class _Saving:
    """Writes the adapter that is trained as a further part of the policy's checkpoint."""

    def __init__(self, policy: Policy, rewarding: Rewarding, plan: GrpoPlan) -> None:
        self._checkpoint = policy.checkpoint
        self._tasks = plan.tasks
        self._about = {
            "use_reasoning": all(part.use_reasoning for part in policy.checkpoint.parts_of(plan.tasks[0])),
            "rewarded_by": rewarding.evaluator_fingerprint,
            "reply_tokens": plan.trainer.max_completion_length,
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
        plan: GrpoPlan,
        folder: Path,
    ) -> None:
        self._trainer, self._scorer, self._validation = trainer, scorer, validation
        self._log, self._save, self._folder = log, save, folder
        self._best_by, self._stops = plan.best_by, plan.stop_on_hacking
        hacked = [row["step"] for row in validation.history if row[HACKING]]
        self.over_at = set(hacked if self._stops else ())  # steps after which the run is at its end
        self.best, self.latest = (folder / f"motionllm_rlvr_{kind}.pth" for kind in ("best", "latest"))

    def begin(self) -> None:
        """Measure the policy that training starts from, unless an interrupted run has done so."""
        if BEFORE not in self._validation:
            self.end(BEFORE)

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
        hacked = False
        if trainer.is_world_process_zero():
            earned = [total for part in parts for total in part.totals]
            hacked = self._keep(epoch, numbers, earned)
        (hacked,) = broadcast_object_list([hacked])
        if hacked and self._stops:
            self.over_at.add(trainer.state.global_step)
            logging.warning("epoch %d: the training ends here (--rl-stop-on-hacking)", epoch)

    def _keep(self, epoch: int, numbers: dict[str, float], earned: list[float]) -> bool:
        """Write down what a validation found, and the checkpoints; whether it is one of reward hacking."""
        row = {"step": self._trainer.state.global_step, **self._validation.add(epoch, numbers, earned)}
        if epoch == BEFORE:
            self._log.scalars.log(row)  # the extra log begins with the first step
            return False
        self._log.write(row)
        self._save(self._folder / f"motionllm_rlvr_epoch_{epoch}.pth", self._trainer, numbers)
        self.save_latest(numbers)
        # Of all validations so far, those before an interruption too: a resumed run chooses as a straight one.
        if self._best_by.best_epoch(self._validation.until(epoch)) == epoch:
            self._save(self.best, self._trainer, numbers)
        return bool(row[HACKING])

    def save_latest(self, metrics: dict[str, float]) -> None:
        self._save(self.latest, self._trainer, metrics)

    def summary(self) -> dict[str, float | str]:
        """Rewards before and after, the number that chose the best checkpoint, and its path; without a best one the
        latest's."""
        history = self._validation.history
        earned = [row[TRAINING_REWARD] for row in history if TRAINING_REWARD in row]
        totals = [row[HELD_OUT_TOTAL] for row in history if HELD_OUT_TOTAL in row]
        numbers: dict[str, float | str] = {}
        if earned:
            numbers |= {"training_reward_first_epoch": earned[0], "training_reward_last_epoch": earned[-1]}
        if totals:
            numbers["held_out_reward_before"] = totals[0]
        epoch = self._best_by.best_epoch(history)
        if epoch is None or not self.best.is_file():
            logging.warning("no validation could compute the %s: there is no best checkpoint", self._best_by)
            return {**numbers, "latest": str(self.latest)}
        best = next(row for row in history if row["epoch"] == epoch)
        self._compare_with_start(history, best)
        for name in dict.fromkeys((HELD_OUT_TOTAL, *self._best_by.names)):
            if name in best:
                numbers[name.removesuffix("/total")] = best[name]
        return {**numbers, "best_by": str(self._best_by), "best_epoch": epoch, "best": str(self.best)}

    def _compare_with_start(self, history: Sequence[dict[str, float]], best: dict[str, float]) -> None:
        """Say so where no epoch is better than the policy that the training began with."""
        start, by = [row for row in history if row["epoch"] == BEFORE], self._best_by
        if by.kind != LAST and start and by.badness(start[0]) <= by.badness(best):
            logging.warning(
                "by the %s no epoch is better than the start: the best checkpoint is the best of the epochs, and the "
                "one that the training began with may be the better one",
                by,
            )
