"""What the flags of train_mllm.py mean to GRPO."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from options.flags.recipes import PUBLISHED
from options.train import TrainSettings
from utils.errors import InputError
from utils.files.journal import Journal
from utils.files.outputs import check_output_file
from utils.run.folder import RunFolder
from utils.run.launcher import launched_processes

if TYPE_CHECKING:
    from trl import GRPOConfig

    from dataset.cot.questions import Question
    from dataset.cot.training_rows import TrainingData
    from models.policy.checkpoint import Checkpoint
    from models.policy.policy import Policy
    from models.tokenizer.motion_tokenizer import MotionTokenizer
    from rewards.grpo.prompts import Prompts
    from rewards.grpo.training import GrpoPlan
    from rewards.grpo.validation import HeldOut
    from rewards.mixture.loading import Rewarding


class GrpoSettings(TrainSettings):
    """All flags of train_mllm.py, read for --train-stage rlvr."""

    def reference_checkpoint(self) -> "Checkpoint":
        """The checkpoint of --rl-reference-ckpt, which must have one policy for all tasks."""
        from models.policy.checkpoint import load_checkpoint

        if (path := self.rl.rl_reference_ckpt) is None:
            raise InputError("--rl-reference-ckpt is needed: the SFT checkpoint that GRPO starts from")
        checkpoint = load_checkpoint(path)
        checkpoint.check_tasks(self.tasks, path)
        if not checkpoint.shared_by(self.tasks):
            raise InputError(f"{path} has a policy of its own for each task: give --training-task t2m or m2t")
        self.shape.check_against(checkpoint.config.nb_code, path)
        return checkpoint

    def reward_weights(self) -> dict[str, float]:
        """The rewards that judge what is trained, by name."""
        from rewards.mixture.loading import parse_reward_weights, usable_for

        named = self.rewards.rewards
        return usable_for(parse_reward_weights(named) if named else self.rewards.weights(), self.tasks)

    def plan(self, weights: dict[str, float], folder: RunFolder) -> "GrpoPlan":
        """How GRPO goes about it: trl's settings, the adapter, and our rules for replies."""
        from models.engines.engine import taken_engine
        from rewards.grpo.best import BestBy
        from rewards.grpo.rules import Reflecting, ReplyRules
        from rewards.grpo.training import GrpoPlan

        rl = self.rl
        reflecting = Reflecting(rl.rl_reflection_share, rl.rl_improvement_weight)
        factors = [*weights.values(), *([rl.rl_improvement_weight] if reflecting.rewards_improvement else [])]
        return GrpoPlan(
            tasks=self.tasks,
            trainer=self.trainer_config(factors, folder),
            lora=self.lora,
            rules=ReplyRules(rl.constrain_grammar, reflecting, rl.rl_advantage_clip),
            extra_log=self.extra_log(folder),
            save_minutes=self.training.save_minutes,
            settings_file=self.training.trainer_config,
            best_by=BestBy(rl.rl_best_by, self.tasks, rl.rl_stop_on_hacking),
            stop_on_hacking=rl.rl_stop_on_hacking,
            by_vllm=taken_engine(self.engine.engine, self.device, self.engine.engine_server) == "vllm",
            engine_server=self.engine.engine_server,
        )

    def extra_log(self, folder: RunFolder) -> "Callable[[dict], None] | None":
        """Appends a row of metrics to --rl-metrics-jsonl. Raises InputError where that holds something else, or the
        rows of another run than that of `folder`."""
        if self.rl.rl_metrics_jsonl is None:
            return None
        file = Path(self.rl.rl_metrics_jsonl)
        read = [self.data.cot_train_jsonl, self.data.cot_val_jsonl, self.rl.rl_prompts_file]
        check_output_file(file, read, "--rl-metrics-jsonl")
        wanted = "a row of metrics: give --rl-metrics-jsonl a file of its own"
        journal = Journal(file, wanted, ("step",))
        if file.is_file() and not journal.rows() and file.stat().st_size:  # nothing is appended to anybody's text
            raise InputError(f"{file}:1: not {wanted}")
        if journal.rows() and not folder.metrics.rows():
            raise InputError(f"{file}: holds metrics of another run: give --rl-metrics-jsonl a file of its own")
        return journal.append

    def trainer_config(self, reward_weights: list[float], folder: RunFolder) -> "GRPOConfig":
        """Our flags as fields of trl's GRPOConfig: group size, KL, clipping, aggregation of rewards."""
        from trl import GRPOConfig

        from options.trl_configs import trainer_config

        training, rl = self.training, self.rl
        completions = training.batch_size * rl.rl_group_size
        if completions % training.gradient_accumulation:
            raise InputError(
                f"--gradient-accumulation {training.gradient_accumulation} must divide --batch-size x "
                f"--rl-group-size = {completions}"
            )
        if self.training.val_evaluator is None and rl.rl_best_by == "reward":
            logging.info(
                "the best epoch is the one of the highest held-out reward, which rises too where the policy only "
                "learns to please the reward; --val-evaluator gives a judge that decides instead"
            )
        aggregation = "sum_then_normalize" if rl.disable_rl_component_norm else "normalize_then_sum"
        fields = {
            "num_train_epochs": rl.rl_epochs,
            "per_device_train_batch_size": completions // training.gradient_accumulation,
            "logging_steps": training.print_iter or 1,
            "num_generations": rl.rl_group_size,
            "max_completion_length": self.max_reply_tokens,
            "beta": rl.rl_kl_coef,
            "epsilon": rl.rl_clip_eps,
            "multi_objective_aggregation": aggregation,
            "scale_rewards": rl.rl_scale_rewards,
            "reward_weights": reward_weights,
            "temperature": rl.rl_temperature,
            "top_p": rl.rl_top_p,
            "top_k": 0,
            "loss_type": "dapo",
            "vllm_importance_sampling_mode": "token_truncate",  # truncated importance sampling, with --engine vllm
            "lr_scheduler_type": training.lr_schedule or PUBLISHED.lr_schedule,
            "log_completions": False,
        }
        return trainer_config(GRPOConfig, fields, self, folder)

    def reference_tokenizer(self, checkpoint: "Checkpoint") -> "MotionTokenizer":
        from models.policy.checkpoint import motion_tokenizer_of

        given = self.data.motion_tokenizer
        return motion_tokenizer_of(checkpoint, given, self.rl.rl_reference_ckpt).to(self.device)

    def reference_policy(self, checkpoint: "Checkpoint", tokenizer: "MotionTokenizer") -> "Policy":
        """The policy that is trained; with its adapter off it is the reference of the KL divergence."""
        from models.policy.policy import build_policy

        return build_policy(checkpoint, self.tasks[0], tokenizer, self.model.llm_backbone, **self.loading)

    def load_rewards(self, weights: dict[str, float], tokenizer: "MotionTokenizer") -> "Rewarding":
        """The rewards with the models behind them."""
        from dataset.humanml.layout import tagger_of
        from rewards.mixture.loading import load_rewards

        models = self.rewards.models(str(self.device))
        return load_rewards(
            weights, tokenizer, models, lambda: tagger_of(self.data.data_root_or_default, tokenizer.skeleton)
        )

    def prompts(self, data: "TrainingData", tokenizer: "MotionTokenizer") -> "Prompts":
        """Questions to learn from, an epoch of them at least those of one step."""
        from rewards.grpo.prompts import draw_prompts, draw_questions

        rl = self.rl
        how = (self.tasks, rl.rl_prompts, self.run.seed, rl.rl_epochs if rl.rl_new_prompts else 1)
        if rl.rl_prompts_file is None:
            prompts = draw_prompts(data.train, *how)
        else:
            prompts = draw_questions(self._questions(tokenizer), *how)
        a_step = self.training.batch_size * launched_processes()
        if prompts.an_epoch < a_step:
            raise InputError(
                f"{prompts.an_epoch} prompts are fewer than the {a_step} of one step: give a smaller --batch-size, "
                "a larger --rl-prompts, or a longer file"
            )
        return prompts

    def _questions(self, tokenizer: "MotionTokenizer") -> "list[list[Question]]":
        """What --rl-prompts-file asks, for each task; motions above --max-motion-len are left out and counted."""
        from dataset.cot.questions import questions_for, read_questions
        from models.tokenizer.loading import check_codes

        path, longest = self.rl.rl_prompts_file, self.model.max_motion_len
        check_codes(path, tokenizer, self.data.motion_tokenizer or self.rl.rl_reference_ckpt)
        questions = read_questions(path, tokenizer.nb_code, "--rl-prompts-file")
        fitting = [question for question in questions if len(question.codes) <= longest]
        if len(fitting) < len(questions):
            logging.warning(
                "%s: %d question(s) above --max-motion-len %d dropped", path, len(questions) - len(fitting), longest
            )
        return questions_for(fitting, self.tasks, path)

    def held_out(self, data: "TrainingData", policy: "Policy", rewarding: "Rewarding") -> "HeldOut":
        """What a validation asks: prompts whose reward is measured, and clips for --val-evaluator."""
        from rewards.grpo.prompts import draw_prompts
        from rewards.grpo.validation import HeldOut, refuse_rewarding_judge

        rl, replies = self.rl, None
        if (judge := self.training.val_evaluator) is not None:
            replies = self.reply_validation("FID" if "t2m" in self.tasks else "CIDEr", policy.language)
            earlier = policy.checkpoint.rewarded_by(self.tasks[0])
            refuse_rewarding_judge(judge, (rewarding.evaluator_fingerprint, *earlier))
        asked = draw_prompts(data.validation, self.tasks, rl.rl_eval_prompts, self.run.seed)
        return HeldOut(asked, replies, rl.rl_val_epochs, rl.rl_eval_samples)
