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

import torch

from dataset.cot_samples import CotSamples, read_cot_jsonl
from dataset.cot_source import read_cot_source
from dataset.humanml_layout import read_split
from dataset.sample import TASKS
from models.motion_tokenizer import MotionTokenizer
from models.motion_vocabulary import MotionVocabulary
from models.sample_view import describe_sample
from models.sft_batch import SupervisionCollator, SupervisionConfig
from options.arguments import DataFlags, ModelFlags, RewardFlags, RlFlags, RunFlags, SftFlags, TrainingFlags
from options.parsing import FlagError, parse_flags
from options.published_flags import TokenizerShapeFlags, UnusedTrainFlags
from utils.caption_tagger import CaptionTagger
from utils.command import quiet_libraries, run_command
from utils.devices import resolve_device
from utils.errors import InputError
from utils.files import append_jsonl, fingerprint_file
from utils.interrupt import InterruptFlag
from utils.processes import launched_as_main
from utils.run_folder import RunFolder

DEFAULT_BACKBONE = "Qwen/Qwen3-4B-Instruct-2507"
# A random model this small learns nothing through adapters; a pretrained one this small does not exist.
FULL_FINETUNE_BELOW = 20_000_000
# Flags that change where or how loudly a run works, not what it computes.
_MAY_DIFFER = ("device", "cot_num_workers", "print_iter", "reward_device", "out_dir")


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
    device = resolve_device(settings.run.device)
    stage = {"sft": run_sft, "rlvr": run_rlvr}[settings.training.train_stage]
    run = RunFolder(Path(settings.run.out_dir) / (settings.run.exp_name or "test"))
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
    shown = [
        f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}" for name, value in run.finished.items()
    ]
    print(" | ".join([f"finished {run.path}", *shown]))


def run_sft(settings: Settings, run: RunFolder, device: torch.device, interrupt: InterruptFlag) -> dict:
    # Late imports: `--help` and a mistyped path must not wait for trl.
    from models.checkpoints import Checkpoint, PolicyConfig, load_backbone
    from models.sft_training import LoraSize, Validation, supervise
    from options.trainer_configs import sft_config

    motion_tokenizer, nb_code = _codebook(settings)
    train, validation = read_samples(settings, nb_code)
    backbone = settings.model.llm_backbone or DEFAULT_BACKBONE
    model, vocabulary, text_vocabulary = load_backbone(backbone, nb_code, settings.run.seed)
    full = settings.model.finetune == "full" or (
        settings.model.finetune == "auto" and model.num_parameters() < FULL_FINETUNE_BELOW
    )
    sft = settings.sft
    logging.info("SFT of %s: %d training and %d validation lines", backbone, len(train), len(validation))
    return supervise(
        model.to(device),
        vocabulary,
        train,
        validation,
        settings.tasks,
        sft_config(settings.run, settings.data, settings.training, sft, run.path / "trainer_state", device),
        _supervision(settings, train),
        None if full else _lora_size(settings, LoraSize),
        Checkpoint(
            PolicyConfig(
                backbone=backbone,
                nb_code=nb_code,
                tasks=settings.tasks,
                stage="sft",
                finetune="full" if full else "lora",
                text_vocabulary=text_vocabulary,
                use_reasoning=sft.use_reasoning,
                seed=settings.run.seed,
            ),
            base_weights=None,
            motion_tokenizer=motion_tokenizer.state() if motion_tokenizer else None,
        ),
        Validation(sft.epochs_start_val, sft.epochs_val_interval, sft.patience),
        run,
        interrupt,
    )


def _supervision(settings: Settings, train: CotSamples) -> SupervisionConfig:
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
    )


def show_samples(settings: Settings) -> None:
    """Print the first samples as SFT with these flags would see them; only the text tokenizer is loaded."""
    from models.checkpoints import load_text_tokenizer

    if settings.training.train_stage != "sft":
        raise InputError("--show-samples shows what supervised fine-tuning sees: give --train-stage sft")
    _, nb_code = _codebook(settings)
    train, _ = read_samples(settings, nb_code)
    vocabulary = MotionVocabulary(load_text_tokenizer(settings.model.llm_backbone or DEFAULT_BACKBONE), nb_code)
    collator = SupervisionCollator(train, vocabulary, _supervision(settings, train), settings.run.seed)
    for row in range(min(settings.sft.show_samples, len(train))):
        for task in settings.tasks:
            print(f"--- line {row + 1}, {task}")
            print(describe_sample(collator.encode(row, task), vocabulary, colour=sys.stdout.isatty()))


def run_rlvr(settings: Settings, run: RunFolder, device: torch.device, interrupt: InterruptFlag) -> dict:
    from dataclasses import replace

    from models.checkpoints import build_policy, load_checkpoint, motion_tokenizer_of
    from models.sft_training import LoraSize
    from options.trainer_configs import grpo_config
    from rewards.base import RewardContext
    from rewards.build import WeightedRewards, parse_reward_weights, usable_for
    from rewards.grpo_training import draw_prompts, reinforce

    path = settings.rl.rl_reference_ckpt
    if path is None:
        raise InputError("--rl-reference-ckpt is needed: the SFT checkpoint that GRPO starts from")
    checkpoint = load_checkpoint(path)
    missing = set(settings.tasks) - set(checkpoint.config.tasks)
    if missing:
        raise InputError(f"{path} was trained for {', '.join(checkpoint.config.tasks)}, not for {', '.join(missing)}")
    settings.shape.check_against(checkpoint.config.nb_code, path)
    motion_tokenizer = motion_tokenizer_of(checkpoint, settings.data.motion_tokenizer, path).to(device)
    train, validation = read_samples(settings, checkpoint.config.nb_code)
    flags = settings.rewards
    weights = parse_reward_weights(flags.rewards) if flags.rewards else flags.weights()
    weights = usable_for(weights, settings.tasks)
    evaluator, tagger = _reward_evaluator(settings, device) if "consistency" in weights else (None, None)
    context = RewardContext(
        skeleton=motion_tokenizer.skeleton,
        nb_code=checkpoint.config.nb_code,
        evaluator=evaluator,
        tagger=tagger,
        semantic_model_name=flags.semantic_model_name,
        nli_model_name=flags.nli_model_name,
        device=flags.reward_device or str(device),
        max_batch_size=flags.reward_max_batch_size,
    )
    rewards = WeightedRewards.build(weights, context)
    logging.info("rewards: %s", ", ".join(f"{name} x {weight:g}" for name, weight in weights.items()))
    model, vocabulary = build_policy(checkpoint, settings.model.llm_backbone)
    metrics_file = settings.rl.rl_metrics_jsonl
    return reinforce(
        model.to(device),
        vocabulary,
        motion_tokenizer,
        rewards,
        draw_prompts(train, settings.tasks, settings.rl.rl_prompts, settings.run.seed),
        draw_prompts(validation, settings.tasks, settings.rl.rl_eval_prompts, settings.run.seed),
        grpo_config(
            settings.run, settings.training, settings.rl, settings.model, list(rewards.weights),
            run.path / "trainer_state", device,
        ),
        _lora_size(settings, LoraSize),
        replace(checkpoint, config=checkpoint.config.after_rlvr(settings.tasks, evaluator and evaluator.fingerprint)),
        run,
        interrupt,
        (lambda row: append_jsonl(metrics_file, row)) if metrics_file else None,
    )  # fmt: skip


def read_samples(settings: Settings, nb_code: int) -> tuple[CotSamples, CotSamples]:
    """(training, validation) rows, none longer than --max-motion-len."""
    data = settings.data

    def read(path: str) -> CotSamples:
        task = data.cot_task_filter or (settings.tasks[0] if len(settings.tasks) == 1 else None)
        samples = read_cot_jsonl(path, nb_code, task, data.skip_bad_lines)
        fitting = samples.at_most(settings.model.max_motion_len)
        if len(fitting) == 0:
            raise InputError(f"{path}: every motion is longer than --max-motion-len {settings.model.max_motion_len}")
        if samples.dropped or len(fitting) < len(samples):
            logging.warning(
                "%s: %d malformed line(s) skipped, %d sample(s) above --max-motion-len %d dropped",
                path, samples.dropped, len(samples) - len(fitting), settings.model.max_motion_len,
            )  # fmt: skip
        return fitting

    train = read(data.cot_train_jsonl)
    if data.cot_val_jsonl is not None:
        return train, read(data.cot_val_jsonl)
    return train.split(data.val_fraction, settings.run.seed)


def _codebook(settings: Settings) -> tuple[MotionTokenizer | None, int]:
    """The motion tokenizer that goes into the checkpoint, if one is known, and the size of the codebook."""
    source = read_cot_source(settings.data.cot_train_jsonl)
    path = settings.data.motion_tokenizer or (source.motion_tokenizer if source else None)
    if path is None:
        if settings.shape.nb_code is None:
            raise InputError("give --motion-tokenizer FILE (it goes into the checkpoint) or --nb-code")
        return None, settings.shape.nb_code
    tokenizer = MotionTokenizer.load(path)
    settings.shape.check_against(tokenizer.nb_code, path)
    if source is not None and source.fingerprint != tokenizer.fingerprint:
        raise InputError(
            f"{settings.data.cot_train_jsonl} was encoded by tokenizer {source.fingerprint}, "
            f"but {path} is {tokenizer.fingerprint}"
        )
    return tokenizer, tokenizer.nb_code


def _lora_size(settings: Settings, size: type) -> object:
    model = settings.model
    if settings.tasks == ("m2t",):
        return size(model.lora_r_m2t, model.lora_alpha_m2t, model.lora_dropout)
    return size(model.lora_r_t2m, model.lora_alpha_t2m, model.lora_dropout)


def _reward_evaluator(settings: Settings, device: torch.device) -> tuple:
    """The evaluator behind the consistency reward and its caption tagger."""
    from models.text_motion_evaluator import TextMotionEvaluator

    folder = settings.rewards.reward_evaluator
    if folder is None:
        raise InputError(
            "the consistency reward needs --reward-evaluator FOLDER (made by prepare.train_evaluator); "
            "--reward-align-weight 0 leaves it out"
        )
    evaluator = TextMotionEvaluator.load(folder, device=settings.rewards.reward_device or str(device))
    records = read_split(settings.data.data_root_or_default, "train", evaluator.skeleton)
    pairs = ((caption.text, caption.tokens) for record in records for caption in record.captions)
    return evaluator, CaptionTagger.default(pairs)


if __name__ == "__main__":
    run_command(main)
