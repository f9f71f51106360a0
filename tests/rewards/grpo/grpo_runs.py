"""GRPO at the smallest sizes: a random policy, and trainers and runs around it."""

from pathlib import Path

import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from trl import GRPOConfig

from dataset.captions.tags import MOTION_OPEN
from dataset.cot.samples import read_cot_jsonl
from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN
from models.policy.adapters import LORA_TARGETS, LoraSize, full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig
from models.policy.policy import Policy
from rewards.base import Reward, RewardContext
from rewards.grpo.best import BY_REWARD
from rewards.grpo.prompts import draw_prompts
from rewards.grpo.rules import NO_RULES
from rewards.grpo.scoring import Earned
from rewards.grpo.trainer import MotionGRPOTrainer
from rewards.grpo.training import GrpoPlan, reinforce
from rewards.grpo.validation import HeldOut
from rewards.mixture.loading import Rewarding
from rewards.mixture.weighted import WeightedReward, WeightedRewards
from tests.models.tiny_trl import TINY
from tests.sessions import session_in
from utils.motion.skeleton import T2M

TASKS = ("t2m", "m2t")


class ShortReply(Reward):
    """A reward that a random model can earn."""

    name = "short"

    def score_applicable(self, rollouts):
        return [-len(rollout.token_ids) / 10 for rollout in rollouts]


def short_replies():
    return WeightedRewards([WeightedReward("short", ShortReply(RewardContext(T2M, 16)), 1.0)])


def policy_of(backbone, motion_tokenizer):
    """A random policy for both tasks, some of whose replies come to an end."""
    model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
    _make_likely(model, vocabulary, vocabulary.eos_id, 3.0)
    part = full_part({key: value.clone() for key, value in model.state_dict().items()}, TASKS, "sft")
    checkpoint = Checkpoint(PolicyConfig(backbone, 16, text_vocabulary), (part,), motion_tokenizer.state())
    return Policy(model, MotionLanguage(vocabulary, motion_tokenizer, PLAIN), checkpoint)


def config(folder: Path, **fields):
    """16 replies a step to 4 prompts."""
    defaults = {
        **TINY,
        "output_dir": str(folder / "trainer_state"),
        "per_device_train_batch_size": 16,
        "num_generations": 4,
        "max_completion_length": 20,
        "learning_rate": 5e-3,
        "num_train_epochs": 2,
        "beta": 0.02,
        "save_strategy": "epoch",
        "seed": 3,
        "top_k": 0,
    }
    return GRPOConfig(**{**defaults, **fields})


class Judge:
    """All that is asked of the evaluator among the rewards is its name."""

    fingerprint = "judge"


def run_grpo(
    folder,
    cot_jsonl,
    backbone,
    motion_tokenizer,
    rewards=None,
    replies=None,
    every=1,
    extra_log=None,
    interrupt=None,
    rules=NO_RULES,
    best_by=BY_REWARD,
    stop_on_hacking=False,
    drawn_for=1,
    held_out_prompts=4,
    by_vllm=False,
    engine_server=None,
    **fields,
):
    """8 prompts an epoch, so 2 steps; drawn for so many epochs. Returns the summary."""
    disable_progress_bars()
    train, held_out = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=0)
    return reinforce(
        policy_of(backbone, motion_tokenizer),
        draw_prompts(train, TASKS, 8, 0, drawn_for),
        HeldOut(draw_prompts(held_out, TASKS, held_out_prompts, 0), replies, every),
        Rewarding(rewards or short_replies(), Judge()),
        GrpoPlan(
            TASKS,
            config(folder, **fields),
            LoraSize(8, 8, 0.0),
            rules,
            extra_log,
            best_by=best_by,
            stop_on_hacking=stop_on_hacking,
            by_vllm=by_vllm or engine_server is not None,
            engine_server=engine_server,
        ),
        session_in(folder, interrupt),
    )


class GivenScores:
    """A scorer that gives fixed scores, whatever the replies."""

    def __init__(self, scores):
        self.scores = scores
        self.earned = Earned()

    def functions(self):
        def function(name):
            def give(**columns):
                return list(self.scores[name])

            give.__name__ = name
            return give

        return [function(name) for name in self.scores]

    def score(self, rows, replies, with_terms):
        return {}, {"text": [str(reply) for reply in replies]}


def trainer_of(folder, cot_jsonl, policy, scores, rules=NO_RULES, **fields):
    """A trainer of a policy one step away from its reference, under fixed scores.

    Args:
        scores: name -> one score for each reply of the batch.

    Returns:
        (trainer, rows of the first batch, each prompt as often as it is answered)
    """
    disable_progress_bars()
    prompts = draw_prompts(read_cot_jsonl(cot_jsonl, nb_code=16), TASKS, 8, 0)
    rows = prompts.rows(policy.language)
    trainer = MotionGRPOTrainer(
        model=policy.model,
        language=policy.language,
        scorer=GivenScores(scores),
        rules=rules,
        args=config(folder, **fields),
        train_dataset=Dataset.from_list(rows),
        peft_config=LoraConfig(r=4, lora_alpha=4, target_modules=list(LORA_TARGETS), task_type="CAUSAL_LM"),
    )
    trainer.current_gradient_accumulation_steps = 1  # what `train` sets before the first step
    generator = torch.Generator().manual_seed(0)
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.05
    trainer.model.train()
    group = trainer.num_generations
    count = len(next(iter(scores.values()))) // group
    return trainer, [row for row in rows[:count] for _ in range(group)]


def like_motions(policy):
    """Change the policy so that it often begins a motion: its row of the head points where its states point."""
    marker = policy.language.vocabulary.marker_id(MOTION_OPEN)
    _make_likely(policy.model, policy.language.vocabulary, marker, 4.0)
    return marker


def _make_likely(model, vocabulary, token, logit):
    ids = torch.tensor([vocabulary.encode("a person walks forward slowly. someone jumps twice.")])
    with torch.no_grad():
        states = model.model(ids).last_hidden_state[0]
        middle = states.mean(dim=0)
        model.get_input_embeddings().weight[token] = middle * logit / (states @ middle).mean()
