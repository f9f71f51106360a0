"""What the flags of train_mllm.py mean to supervised fine-tuning."""

from typing import TYPE_CHECKING

from options.flags.common import DEFAULT_BACKBONE
from options.train import TrainSettings
from utils.errors import InputError
from utils.run.folder import RunFolder

if TYPE_CHECKING:
    from trl import SFTConfig

    from dataset.cot.training_rows import TrainingData
    from models.language.motion_language import MotionLanguage
    from models.policy.adapters import LoraSize
    from models.policy.checkpoint import Checkpoint
    from models.policy.policy import Policy
    from models.sft.batch import SupervisionCollator
    from models.sft.config import SupervisionConfig
    from models.sft.training import SftPlan, Validation
    from models.tokenizer.motion_tokenizer import MotionTokenizer


class SftSettings(TrainSettings):
    """All flags of train_mllm.py, read for --train-stage sft."""

    def trainer_config(self, folder: RunFolder) -> "SFTConfig":
        """Our flags as fields of trl's SFTConfig: our collator and weights, trl's loop."""
        from trl import SFTConfig

        from options.trl_configs import trainer_config

        training, sft = self.training, self.sft
        fields = {
            "num_train_epochs": sft.epochs_m2t if training.training_task == "m2t" else sft.epochs_t2m,
            "per_device_train_batch_size": training.batch_size,
            "per_device_eval_batch_size": max(training.batch_size, 16),
            "logging_steps": training.print_iter or 200,
            "lr_scheduler_type": training.lr_schedule or "cosine",
            "dataloader_num_workers": self.data.cot_num_workers,
            "dataset_kwargs": {"skip_prepare_dataset": True},
            "max_length": None,
            "packing": False,
            "loss_type": "nll",
            "prediction_loss_only": True,
        }
        return trainer_config(SFTConfig, fields, self, folder)

    def codebook(self, initial: "Checkpoint | None") -> "tuple[MotionTokenizer | None, int]":
        """The motion tokenizer that goes into the checkpoint, if one is known, and the size of the codebook."""
        from models.policy.checkpoint import motion_tokenizer_of
        from models.tokenizer.loading import tokenizer_of

        given, tokenizer = self.data.motion_tokenizer, None
        if initial is not None and given is None and initial.motion_tokenizer is not None:
            tokenizer = motion_tokenizer_of(initial, None, str(self.sft.init_ckpt))
        else:
            tokenizer = tokenizer_of(self.data.cot_train_jsonl, given)
        if tokenizer is not None:
            self.shape.check_against(tokenizer.nb_code, "the motion tokenizer")
            return tokenizer, tokenizer.nb_code
        if self.shape.nb_code is None:
            raise InputError("give --motion-tokenizer FILE (it goes into the checkpoint) or --nb-code")
        return None, self.shape.nb_code

    def initial_checkpoint(self) -> "Checkpoint | None":
        """What --init-ckpt holds; None without it."""
        from models.policy.checkpoint import load_checkpoint

        return None if self.sft.init_ckpt is None else load_checkpoint(self.sft.init_ckpt)

    def start(
        self, initial: "Checkpoint | None", tokenizer: "MotionTokenizer | None", nb_code: int
    ) -> "tuple[Policy, LoraSize | None]":
        """What SFT starts from, and the size of the adapter that it trains; None: every weight is trained."""
        from models.policy.start import BackboneChoice, start_fresh, start_from
        from utils.run.devices import local_device

        model, path = self.model, self.sft.init_ckpt
        choice = BackboneChoice(
            name=model.llm_backbone or (DEFAULT_BACKBONE if path is None else None),
            finetune=model.finetune,
            dtype=self.dtype,
            style=model.prompt_style,
            rows=model.token_rows,
            in_4bit=model.load_in_4bit,
            seed=self.run.seed,
            device=local_device(self.device),
            attention=model.attn_implementation,
        )
        if initial is None:
            policy, full = start_fresh(choice, nb_code, tokenizer)
        else:
            policy, full = start_from(initial, path, choice, self.tasks, nb_code, tokenizer)
        return policy, None if full else self.lora

    def supervision(self, data: "TrainingData") -> "SupervisionConfig":
        """Which tokens are learned, and how strongly."""
        from models.sft.config import SupervisionConfig

        sft = self.sft
        return SupervisionConfig(
            use_reasoning=sft.use_reasoning,
            reasoning_weight=sft.reasoning_weight,
            motion_weight=sft.motion_weight,
            use_sample_weight=sft.use_sample_weight,
            min_sample_weight=sft.min_sample_weight,
            weight_clip=sft.reward_clip,
            max_reasoning_tokens=self.model.max_text_len,
            reflection_share=sft.reflection_share,
            weight_scale=1 / data.train.mean_weight() if sft.normalize_reward else 1.0,
        )

    def plan(self, trainer: "SFTConfig", lora: "LoraSize | None") -> "SftPlan":
        """How supervised fine-tuning goes about it: trl's settings, and the adapter (None: all weights)."""
        from models.sft.training import SftPlan

        training, rate = self.training, self.sft.token_learning_rate
        if self.sft.tokens_per_step is not None and training.gradient_accumulation > 1:
            raise InputError(
                "--tokens-per-step and --gradient-accumulation both say how many batches a step has: give one"
            )
        return SftPlan(
            trainer,
            lora,
            training.save_minutes,
            training.trainer_config,
            rate,
            reply_tokens=self.max_reply_tokens,
            length_groups=self.sft.length_groups,
            tokens_per_step=self.sft.tokens_per_step,
        )

    def validation(self, language: "MotionLanguage") -> "Validation":
        """Loss alone, or replies to held-out clips too (--best-by FID or CIDEr)."""
        from models.sft.training import Validation

        sft = self.sft
        replies = None if sft.best_by == "loss" else self.reply_validation(sft.best_by, language)
        return Validation(sft.epochs_start_val, sft.epochs_val_interval, sft.patience, sft.best_by, replies)

    def collator(self) -> "SupervisionCollator":
        """What makes batches of samples; only the text tokenizer is loaded."""
        from models.language.motion_language import MotionLanguage
        from models.language.prompts import prompt_style
        from models.language.vocabulary import MotionVocabulary
        from models.policy.backbone import load_text_tokenizer
        from models.sft.batch import SupervisionCollator

        if self.training.train_stage != "sft":
            raise InputError("--show-samples shows what supervised fine-tuning sees: give --train-stage sft")
        initial = self.initial_checkpoint()
        tokenizer, nb_code = self.codebook(initial)
        data = self.training_data(nb_code, tokenizer)
        vocabulary = MotionVocabulary(load_text_tokenizer(self.backbone), nb_code)
        style = prompt_style(self.model.prompt_style, vocabulary.tokenizer)
        language = MotionLanguage(vocabulary, tokenizer, style)
        return SupervisionCollator(data.train, language, self.supervision(data), self.run.seed)

    def in_words(self, data: "TrainingData", policy: "Policy", lora: "LoraSize | None") -> str:
        """What is trained on what, for the log."""
        weights, style = "all weights" if lora is None else "LoRA", policy.language.style.name
        lines = f"{len(data.train)} training and {len(data.validation)} validation lines"
        return f"{self.backbone} ({weights}, {style} prompts): {lines}"
