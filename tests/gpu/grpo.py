"""Parts of GRPO: a step with all that it is made of, and how far what samples is from what learns."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback

from models.engines.engine import Engine, taken_engine
from models.policy.policy import Policy
from options.grpo import GrpoSettings
from rewards.grpo.prompts import Prompts
from rewards.grpo.scoring import GrpoRewards
from rewards.grpo.trainer import _DRAWN, MotionGRPOTrainer
from rewards.grpo.training import GrpoPlan, _make_trainer, _vllm
from tests.gpu.bench import Bench, Figure, NotHere, Stopwatch
from tests.gpu.policies import grpo_settings, policy_of, replies_with_motions, rewards_of
from tests.gpu.replies import by_batch, searched
from tests.gpu.shapes import NB_CODE
from utils.errors import InputError
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag
from utils.run.session import Session

# Of the adapter's second matrices in the check: far enough from 0 to be seen beside the rounding of bf16.
UPDATE = 0.01
NEARER = 4  # times, that the sampler must be to the policy than to its reference
WHOLE = "whole step"


def grpo(bench: Bench) -> Iterator[Figure]:
    """A step by transformers."""
    policy = policy_of(bench)
    yield from step(bench, policy, grpo_settings(bench, policy, "transformers"), None, "transformers")


def vllm(bench: Bench) -> Iterator[Figure]:
    """Rollouts, Chain-of-Motion and a GRPO step by vLLM, which is started once for all of them."""
    try:
        taken_engine("vllm", bench.device)
    except InputError as error:
        raise NotHere(str(error)) from None
    policy = policy_of(bench)
    settings = grpo_settings(bench, policy, "vllm")
    plan = settings.plan(settings.reward_weights(), RunFolder(bench.folder / "rlvr"))
    session = Session(RunFolder(bench.folder / "rlvr"), bench.device, 0, "", InterruptFlag())
    seconds, engine = bench.timed(lambda: _vllm(policy, plan, session))
    yield Figure("start of vLLM", seconds, "s", f"{engine.label}, adapters of rank {plan.lora.r}, beside the policy")
    yield from by_batch(bench, policy, engine, "vLLM")
    yield from searched(bench, policy, engine, "vLLM")
    yield from step(bench, policy, settings, engine, "vLLM")


def grpo_trainer(
    bench: Bench, policy: Policy, settings: GrpoSettings, engine: Engine | None, steps: int
) -> tuple[MotionGRPOTrainer, Prompts, GrpoPlan]:
    """The trainer of train_mllm.py, its prompts and its plan."""
    plan = settings.plan(settings.reward_weights(), RunFolder(bench.folder / "rlvr"))
    plan.trainer.max_steps, plan.trainer.save_strategy = steps, "no"
    scorer = GrpoRewards(rewards_of(settings, policy), policy.language)
    prompts = settings.prompts(settings.training_data(NB_CODE, None), policy.language.motion_tokenizer)
    trainer = _make_trainer(policy, prompts, scorer, plan, engine)
    trainer.remove_callback(PrinterCallback)
    return trainer, prompts, plan


def step(bench: Bench, policy: Policy, settings: GrpoSettings, engine: Engine | None, name: str) -> Iterator[Figure]:
    """The parts of a step, then the check of the sampler."""
    work, (unmeasured, measured) = bench.work, bench.work.grpo_steps
    trainer, prompts, plan = grpo_trainer(bench, policy, settings, engine, unmeasured + measured)
    steps = _measured_steps(bench, trainer, policy)[unmeasured:]
    medians = {part: statistics.median(step[part] for step in steps) for part in steps[-1]}
    whole, longest = medians.pop(WHOLE), plan.trainer.max_completion_length
    how = f"{work.prompts} prompts x {work.group} replies of at most {longest} tokens, LoRA {plan.lora.r}, {name}"
    yield Figure(WHOLE, whole, "s", f"{how}, median of {len(steps)}")
    for part, seconds in {**medians, "the rest": whole - sum(medians.values())}.items():
        yield Figure(part, seconds, "s", f"{seconds / whole:.0%} of the step by {name}", alone=False)
    lengths = [row["completions/mean_length"] for row in trainer.state.log_history if "completions/mean_length" in row]
    drawn = work.prompts * work.group * statistics.mean(lengths[-len(steps) :])
    rate = drawn / medians["sampling"]
    yield Figure(f"{name}, with the adapter", rate, "tokens/s", f"{drawn:.0f} tokens a step", alone=False)
    yield _check(trainer, prompts.rows(policy.language)[: work.prompts], work.group, name)


def _measured_steps(bench: Bench, trainer: MotionGRPOTrainer, policy: Policy) -> list[dict[str, float]]:
    """Train; the seconds of each step, by its parts."""
    watch, steps = Stopwatch(bench), []

    def of_log_probs() -> str:
        return "log-probabilities, policy" if torch.is_grad_enabled() else "log-probabilities, reference"

    # Each part is the trainer's own method with a clock around it.
    for method, part in (
        ("_generate_single_turn", "sampling"),
        ("_calculate_rewards", "decoding and rewards"),
        ("_get_per_token_logps_and_entropies", of_log_probs),
    ):
        setattr(trainer, method, watch.around(part, getattr(trainer, method)))
    trainer.accelerator.backward = watch.around("backward", trainer.accelerator.backward)
    _judge_motions(trainer, policy)

    class EachStep(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            watch.seconds.clear()
            bench.wait()
            self.began = time.perf_counter()

        def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
            bench.wait()
            self.learned = time.perf_counter()

        def on_optimizer_step(self, *_: Any, **__: Any) -> None:
            bench.wait()
            watch.seconds["optimiser"] = time.perf_counter() - self.learned

        def on_step_end(self, *_: Any, **__: Any) -> None:
            bench.wait()
            steps.append({**watch.seconds, WHOLE: time.perf_counter() - self.began})

    trainer.add_callback(EachStep())
    trainer.train()
    return steps


def _judge_motions(trainer: MotionGRPOTrainer, policy: Policy) -> None:
    """Have replies with motions scored in place of those that were sampled and are learned from."""
    reply = replies_with_motions(policy.language.vocabulary, 0, trainer.args.max_completion_length)
    judge = trainer._calculate_rewards
    trainer._calculate_rewards = lambda *given: judge(*given[:-1], [reply() for _ in given[-1]])


@torch.no_grad()
def _check(trainer: MotionGRPOTrainer, rows: list[dict], group: int, name: str) -> Figure:
    """Whether replies come from the policy that learns: |log p of the sampler - log p of the policy| of their tokens,
    beside the same with the reference, which is what a sampler without the adapter would be."""
    draw = torch.Generator().manual_seed(0)
    for weight_name, weight in trainer.model.named_parameters():
        if "lora_B" in weight_name:
            weight.copy_(torch.randn(weight.shape, generator=draw) * UPDATE)
    trainer.model.train()
    inputs = trainer._generate_and_score_completions([row for row in rows for _ in range(group)])
    apart = (inputs["ref_per_token_logps"] - inputs[_DRAWN]).abs()
    reference = apart[inputs["completion_mask"].bool()].mean().item()
    trainer.compute_loss(trainer.model, inputs)
    mean, most = (trainer._metrics["train"][f"sampling/logp_difference/{kind}"][-1] for kind in ("mean", "max"))
    how = (
        f"mean over {int(inputs['completion_mask'].sum())} tokens (largest {most:.2g}), adapter of spread {UPDATE}, "
        f"weights {str(trainer.model.dtype).removeprefix('torch.')}; from the reference {reference:.2g}: must be "
        f"{NEARER} times as far"
    )
    label = f"log-probabilities, {name} from the policy"
    return Figure(label, mean, "nats", how, passed=NEARER * mean < reference)
