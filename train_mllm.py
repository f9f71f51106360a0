"""Train a language model that speaks motion: supervised fine-tuning on reasoning, then GRPO.

    python train_mllm.py --train-stage sft --training-task t2m --cot-train-jsonl cot.jsonl --use-reasoning \\
        --exp-name morl_sft_t2m
    python train_mllm.py --train-stage rlvr --training-task t2m --cot-train-jsonl cot.jsonl \\
        --rl-reference-ckpt experiments/morl_sft_t2m/motionllm_t2m_best.pth --exp-name morl_rlvr_t2m

Run the same command again to continue an interrupted run; a finished one is left as it is.
"""

import logging
import sys

from options.grpo import GrpoSettings
from options.inputs import backbone_of
from options.sft import SftSettings
from options.train import TrainSettings
from utils.run.command import quiet_libraries, run_command
from utils.run.session import Begin


def main() -> None:
    settings = TrainSettings.parse(__doc__).with_defaults()
    if settings.sft.show_samples:
        show_samples(SftSettings.of(settings))
        return
    run = settings.open_run()
    quiet_libraries()
    if settings.training.train_stage == "sft":
        summary = run.complete(lambda begin: run_sft(SftSettings.of(settings), begin))
    else:
        summary = run.complete(lambda begin: run_grpo(GrpoSettings.of(settings), begin))
    if summary is not None:  # None in all processes but the first
        from models.reporting.report import where_to_look

        print(summary, *where_to_look(summary.folder.path, summary.already), sep="\n")


def run_sft(settings: SftSettings, begin: Begin) -> dict | None:
    """Supervised fine-tuning: lines of reasoning -> motionllm_{task}_best.pth."""
    # Late imports, here and below: `--help` and a mistyped path must not wait for torch and trl.
    from models.sft.training import supervise

    # What --init-ckpt holds.
    initial = settings.initial_checkpoint()
    session = begin(settings.data_fingerprint, backbone_of(initial, settings.model.llm_backbone))
    # Learning rates and lengths that no flag gives.
    settings = settings.settled(initial, session.folder)
    # Before anything is loaded: of several processes it tells each its GPU.
    trainer = settings.trainer_config(session.folder)
    # The motion tokenizer that the codes are of; it goes into the checkpoint.
    tokenizer, nb_code = settings.codebook(initial)
    # CoT jsonl -> rows to learn from, rows to validate on.
    data = settings.training_data(nb_code, tokenizer)
    # A backbone with motion tokens, or the checkpoint to go on from.
    policy, lora = settings.start(initial, tokenizer, nb_code)
    # Loss alone, or replies to held-out clips too (--best-by FID or CIDEr).
    validation = settings.validation(policy.language)
    logging.info("SFT of %s", settings.in_words(data, policy, lora))
    plan = settings.plan(trainer, lora)
    return supervise(policy, data, settings.supervision(data), validation, plan, session)


def run_grpo(settings: GrpoSettings, begin: Begin) -> dict | None:
    """GRPO: a checkpoint of SFT and rewards -> motionllm_rlvr_best.pth."""
    from rewards.grpo.training import reinforce

    # The policy that is trained, and the reference of the KL divergence.
    checkpoint = settings.reference_checkpoint()
    session = begin(settings.data_fingerprint, backbone_of(checkpoint, settings.model.llm_backbone))
    settings = settings.settled(checkpoint, session.folder)
    # What replies earn, by name.
    weights = settings.reward_weights()
    # Before anything is loaded: of several processes it tells each its GPU.
    plan = settings.plan(weights, session.folder)
    tokenizer = settings.reference_tokenizer(checkpoint)
    data = settings.training_data(checkpoint.config.nb_code, tokenizer)
    # The rewards with the models behind them: whatever is missing stops the run here.
    rewarding = settings.load_rewards(weights, tokenizer)
    policy = settings.reference_policy(checkpoint, tokenizer)
    # Questions to learn from, and held-out ones that choose the best checkpoint.
    train, held_out = settings.prompts(data, tokenizer), settings.held_out(data, policy, rewarding)
    logging.info("rewards: %s", ", ".join(f"{name} x {weight:g}" for name, weight in weights.items()))
    return reinforce(policy, train, held_out, rewarding, plan, session)


def show_samples(settings: SftSettings) -> None:
    """Print the first samples as SFT with these flags would see them; only the text tokenizer is loaded."""
    settings.need_cot_jsonl()
    quiet_libraries()
    from models.sft.sample_view import describe_samples

    settings = settings.settled(settings.initial_checkpoint())
    for text in describe_samples(settings.collator(), settings.sft.show_samples, settings.tasks, sys.stdout.isatty()):
        print(text)


if __name__ == "__main__":
    run_command(main)
