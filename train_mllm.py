"""Train a language model that speaks motion: supervised fine-tuning on reasoning, then GRPO.

    python train_mllm.py --train-stage sft --training-task t2m --cot-train-jsonl cot.jsonl --use-reasoning \\
        --exp-name morl_sft_t2m
    python train_mllm.py --train-stage rlvr --training-task t2m --cot-train-jsonl cot.jsonl \\
        --rl-reference-ckpt experiments/morl_sft_t2m/motionllm_t2m_best.pth --exp-name morl_rlvr_t2m

Run the same command again to continue an interrupted run; a finished one is left as it is.
"""

import logging
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from dataset.cot.sample import TASKS
from dataset.cot.samples import CotSamples
from dataset.cot.training_rows import read_training_data
from dataset.humanml.layout import tagger_of
from models.language.prompts import PromptStyle, prompt_style
from models.language.vocabulary import MotionVocabulary
from models.sft.batch import SupervisionCollator, SupervisionConfig
from models.sft.sample_view import describe_samples
from models.tokenizer.loading import tokenizer_of
from models.tokenizer.motion_tokenizer import MotionTokenizer
from options.flags.common import DEFAULT_BACKBONE, DataFlags, ModelFlags, RunFlags
from options.flags.parsing import FlagError, parse_flags
from options.flags.published import TokenizerShapeFlags, UnusedTrainFlags
from options.flags.rewards import RewardFlags
from options.flags.training import RlFlags, SftFlags, TrainingFlags
from utils.errors import InputError
from utils.files.atomic import append_jsonl
from utils.files.fingerprints import fingerprint_file
from utils.run.command import quiet_libraries, run_command
from utils.run.devices import model_dtype, narrow_to_gpu, resolve_device
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag
from utils.run.processes import launched_as_main

if TYPE_CHECKING:
    from models.evaluation.reply_validation import ReplyValidation
    from models.policy.policy import Start

# Flags that change where or how loudly a run works, not what it computes.
_MAY_DIFFER = ("device", "cot_num_workers", "print_iter", "reward_device", "out_dir", "resume", "report_to")


@dataclass(frozen=True)
class Settings:
    """All flags of one command line."""

    run: RunFlags
    data: DataFlags
    model: ModelFlags
    training: TrainingFlags
    sft: SftFlags
    rl: RlFlags
    rewards: RewardFlags
    shape: TokenizerShapeFlags

    @property
    def tasks(self) -> tuple[str, ...]:
        return TASKS if self.training.training_task == "both" else (self.training.training_task,)

    @property
    def backbone(self) -> str:
        return self.model.llm_backbone or DEFAULT_BACKBONE

    def as_dict(self) -> dict:
        return {name: value for group in asdict(self).values() for name, value in group.items()}


def main() -> None:
    *groups, unused = parse_flags(*Settings.__annotations__.values(), UnusedTrainFlags, description=__doc__)
    settings = Settings(*groups)
    logging.basicConfig(level=logging.INFO if launched_as_main() else logging.WARNING, format="%(message)s")
    quiet_libraries()
    unused.warn()
    if settings.data.cot_train_jsonl is None:
        raise InputError("--cot-train-jsonl is needed: a CoT jsonl made by prepare.write_cot_jsonl")
    if not Path(settings.data.cot_train_jsonl).is_file():
        raise InputError(f"--cot-train-jsonl: no such file: {settings.data.cot_train_jsonl}")
    if settings.sft.show_samples:
        show_samples(settings)
        return
    device = resolve_device(narrow_to_gpu(settings.run.device))
    stage = {"sft": run_sft, "rlvr": run_rlvr}[settings.training.train_stage]
    run = RunFolder(Path(settings.run.out_dir) / (settings.run.exp_name or "test"))
    if not settings.training.resume:
        run.set_aside()
    run.record_arguments(settings.as_dict(), may_differ=_MAY_DIFFER)
    run.record_environment(settings.run.seed, fingerprint_file(settings.data.cot_train_jsonl), str(device))
    if run.finished is None:
        run.log_to_file()
        torch.manual_seed(settings.run.seed)
        try:
            with InterruptFlag() as interrupt:
                summary = stage(settings, run, device, interrupt)
        except FlagError as error:
            raise InputError(str(error)) from error
        if interrupt.raised:
            raise KeyboardInterrupt
        if not launched_as_main():
            return
        run.finish(summary)
    print(run.summary())


def run_sft(settings: Settings, run: RunFolder, device: torch.device, interrupt: InterruptFlag) -> dict:
    # Late imports: `--help` and a mistyped path must not wait for trl.
    from models.policy.adapters import LoraSize
    from models.sft.training import TrainingData, Validation, supervise
    from options.trl_configs import sft_config

    motion_tokenizer, nb_code = _codebook(settings)
    train, validation = read_samples(settings, nb_code)
    sft, dtype = settings.sft, model_dtype(settings.model.precision, device)
    # First of all: of several processes it tells each its GPU. The trainer moves the model there.
    trainer_config = sft_config(
        settings.run, settings.data, settings.training, sft, run.path / "trainer_state", device, dtype is torch.bfloat16
    )
    start, full = _start_of_sft(settings, motion_tokenizer, nb_code, dtype)
    style = start.checkpoint.config.style
    replies = (
        None if sft.best_by == "loss" else _reply_validation(settings, sft.best_by, start, motion_tokenizer, device)
    )
    logging.info(
        "SFT of %s (%s, %s prompts): %d training and %d validation lines",
        settings.backbone, "all weights" if full else "LoRA", style.name, len(train), len(validation),
    )  # fmt: skip
    return supervise(
        start,
        TrainingData(train, validation, settings.tasks, sft.t2m_share),
        trainer_config,
        _supervision(settings, train, style),
        None if full else LoraSize(*settings.model.lora_size(settings.tasks)),
        Validation(sft.epochs_start_val, sft.epochs_val_interval, sft.patience, sft.best_by, replies),
        run,
        interrupt,
    )  # fmt: skip


def _start_of_sft(
    settings: Settings, motion_tokenizer: MotionTokenizer | None, nb_code: int, dtype: torch.dtype
) -> tuple["Start", bool]:
    from models.policy.start import BackboneChoice, start_fresh, start_from

    model, path = settings.model, settings.sft.init_ckpt
    name = model.llm_backbone or (DEFAULT_BACKBONE if path is None else None)
    choice = BackboneChoice(
        name, model.finetune, dtype, model.prompt_style, model.token_rows, model.load_in_4bit, settings.run.seed
    )
    if path is None:
        return start_fresh(choice, nb_code, motion_tokenizer)
    return start_from(path, choice, settings.tasks, nb_code, settings.data.motion_tokenizer)


def _reply_validation(
    settings: Settings, metric: str, start: "Start", motion_tokenizer: MotionTokenizer | None, device: torch.device
) -> "ReplyValidation":
    """Replies to clips of the data set's val split, judged by --val-evaluator; `metric`: one that is needed of them."""
    from models.evaluation.reply_validation import ReplyValidation
    from models.language.motion_llm import Sampling
    from options.trl_configs import max_reply_tokens
    from utils.metrics.criteria import CRITERIA

    training, data = settings.training, settings.data
    return ReplyValidation.of_folder(
        CRITERIA[metric], data.data_root_or_default, settings.tasks, training.val_clips,
        training.val_evaluator or f"checkpoints/{data.dataname}", start, motion_tokenizer,
        Sampling(max_new_tokens=max_reply_tokens(settings.model), seed=settings.run.seed), device,
    )  # fmt: skip


def _supervision(settings: Settings, train: CotSamples, style: PromptStyle) -> SupervisionConfig:
    sft = settings.sft
    return SupervisionConfig(
        use_reasoning=sft.use_reasoning,
        reasoning_weight=sft.reasoning_weight,
        motion_weight=sft.motion_weight,
        use_sample_weight=sft.use_sample_weight,
        min_sample_weight=sft.min_sample_weight,
        weight_clip=sft.reward_clip,
        max_reasoning_tokens=settings.model.max_text_len,
        reflection_share=sft.reflection_share,
        weight_scale=1 / train.mean_weight() if sft.normalize_reward else 1.0,
        style=style,
    )


def show_samples(settings: Settings) -> None:
    """Print the first samples as SFT with these flags would see them; only the text tokenizer is loaded."""
    from models.policy.backbone import load_text_tokenizer

    if settings.training.train_stage != "sft":
        raise InputError("--show-samples shows what supervised fine-tuning sees: give --train-stage sft")
    _, nb_code = _codebook(settings)
    train, _ = read_samples(settings, nb_code)
    vocabulary = MotionVocabulary(load_text_tokenizer(settings.backbone), nb_code)
    style = prompt_style(settings.model.prompt_style, vocabulary.tokenizer)
    collator = SupervisionCollator(train, vocabulary, _supervision(settings, train, style), settings.run.seed)
    for text in describe_samples(collator, settings.sft.show_samples, settings.tasks, colour=sys.stdout.isatty()):
        print(text)


def run_rlvr(settings: Settings, run: RunFolder, device: torch.device, interrupt: InterruptFlag) -> dict:
    from models.policy.adapters import LoraSize
    from models.policy.checkpoint import load_checkpoint, motion_tokenizer_of
    from models.policy.policy import Start, build_policy
    from options.trl_configs import grpo_config
    from rewards.grpo.prompts import draw_prompts
    from rewards.grpo.reflection import Reflecting
    from rewards.grpo.training import reinforce
    from rewards.grpo.validation import HeldOut, refuse_rewarding_judge
    from rewards.mixture.loading import load_rewards
    from rewards.mixture.weighted import parse_reward_weights, usable_for

    if (path := settings.rl.rl_reference_ckpt) is None:
        raise InputError("--rl-reference-ckpt is needed: the SFT checkpoint that GRPO starts from")
    checkpoint = load_checkpoint(path)
    checkpoint.check_tasks(settings.tasks, path)
    if not checkpoint.shared_by(settings.tasks):
        raise InputError(f"{path} has a policy of its own for each task: give --training-task t2m or m2t")
    settings.shape.check_against(checkpoint.config.nb_code, path)
    flags, rl = settings.rewards, settings.rl
    weights = parse_reward_weights(flags.rewards) if flags.rewards else flags.weights()
    weights = usable_for(weights, settings.tasks)
    dtype = model_dtype(settings.model.precision, device)
    reflecting = Reflecting(rl.rl_reflection_share, rl.rl_improvement_weight)
    factors = [*weights.values(), *([reflecting.improvement_weight] if reflecting.rewards_improvement else [])]
    # Before anything is loaded: of several processes it tells each its GPU.
    trainer_config = grpo_config(
        settings.run, settings.training, rl, settings.model, factors, run.path / "trainer_state", device,
        dtype is torch.bfloat16,
    )  # fmt: skip
    motion_tokenizer = motion_tokenizer_of(checkpoint, settings.data.motion_tokenizer, path).to(device)
    train, validation = read_samples(settings, checkpoint.config.nb_code)
    rewards, ranker = load_rewards(
        weights, motion_tokenizer, flags.reward_evaluator,
        lambda: tagger_of(settings.data.data_root_or_default, motion_tokenizer.skeleton),
        flags.semantic_model_name, flags.nli_model_name, flags.reward_device or str(device),
        flags.reward_max_batch_size,
    )  # fmt: skip
    rewarded_by = None if ranker is None else ranker.fingerprint
    logging.info("rewards: %s", ", ".join(f"{name} x {weight:g}" for name, weight in weights.items()))
    model, vocabulary = build_policy(checkpoint, settings.tasks[0], settings.model.llm_backbone)
    start = Start(model.to(dtype), vocabulary, checkpoint)
    replies = None
    if (judge := settings.training.val_evaluator) is not None:
        needed = "FID" if "t2m" in settings.tasks else "CIDEr"
        replies = _reply_validation(settings, needed, start, motion_tokenizer, device)
        refuse_rewarding_judge(judge, (rewarded_by, *checkpoint.rewarded_by(settings.tasks[0])))
    held_out = draw_prompts(validation, settings.tasks, rl.rl_eval_prompts, settings.run.seed)
    return reinforce(
        start,
        settings.tasks,
        motion_tokenizer,
        rewards,
        rewarded_by,
        draw_prompts(train, settings.tasks, rl.rl_prompts, settings.run.seed),
        HeldOut(held_out, replies, rl.rl_val_epochs, rl.rl_eval_samples),
        trainer_config,
        LoraSize(*settings.model.lora_size(settings.tasks)),
        run,
        interrupt,
        (lambda row: append_jsonl(rl.rl_metrics_jsonl, row)) if rl.rl_metrics_jsonl else None,
        rl.constrain_grammar,
        reflecting,
        rl.rl_advantage_clip,
    )  # fmt: skip


def read_samples(settings: Settings, nb_code: int) -> tuple[CotSamples, CotSamples]:
    """(training, validation) rows, none longer than --max-motion-len."""
    data = settings.data
    task = data.cot_task_filter or (settings.tasks[0] if len(settings.tasks) == 1 else None)
    return read_training_data(
        data.cot_train_jsonl, data.cot_val_jsonl, nb_code, task, settings.model.max_motion_len, data.skip_bad_lines,
        data.val_fraction, settings.run.seed,
    )  # fmt: skip


def _codebook(settings: Settings) -> tuple[MotionTokenizer | None, int]:
    """The motion tokenizer that goes into the checkpoint, if one is known, and the size of the codebook."""
    tokenizer = tokenizer_of(settings.data.cot_train_jsonl, settings.data.motion_tokenizer)
    if tokenizer is not None:
        settings.shape.check_against(tokenizer.nb_code, "the motion tokenizer")
        return tokenizer, tokenizer.nb_code
    if settings.shape.nb_code is None:
        raise InputError("give --motion-tokenizer FILE (it goes into the checkpoint) or --nb-code")
    return None, settings.shape.nb_code


if __name__ == "__main__":
    run_command(main)
