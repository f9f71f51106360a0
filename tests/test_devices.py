"""Every step that a GPU takes is taken on a pretended one: nothing is mixed with the host, and nobody waits unasked.

The tables below are the list of the places in this project where the host waits for the GPU: how often in the steps of
the test, and why it may. A new one fails here. What trl and transformers wait for by themselves is not in them.
"""

from collections import Counter

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState, PartialState
from datasets import disable_progress_bars
from transformers import modeling_utils

from dataset.captions.tagger import CaptionTagger
from dataset.cot.samples import read_cot_jsonl
from dataset.cot.training_rows import TrainingData
from dataset.humanml.pairs import TextMotionPairs
from dataset.humanml.windows import MotionWindows
from models.evaluation.reply_validation import HeldOutClips, ReplyValidation
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.guidance import Wanted
from models.language.prompts import Query
from models.language.rollout import Rollout
from models.policy.adapters import LoraSize, add_sft_adapter, full_part, lora_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig
from models.policy.policy import build_policy, continue_policy
from models.sft.training import SftPlan, Validation, _make_trainer
from models.text_motion.trainer import EvaluatorTrainer, TrainerConfig
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.trainer import TokenizerTrainer
from rewards.base import RewardContext
from rewards.grpo.rules import ReplyRules
from rewards.mixture.loading import load_reward
from tests.models.languages import plain
from tests.models.sft import sft_runs
from tests.models.text_motion.test_training import FAMILIES, MEAN, STD, TRAIN, WORDS
from tests.models.tokenizer.test_training import CONFIG, smooth_clips
from tests.prepare.random_motions import random_evaluator, write_motions
from tests.pretended_gpu import GPU, pretended_gpu
from tests.rewards.grpo import grpo_runs
from utils.metrics.criteria import CRITERIA
from utils.motion.skeleton import T2M
from utils.run.processes import Processes

TASKS = ("t2m", "m2t")
STEPS = 2  # of the optimiser, each test of training


@pytest.fixture(autouse=True)
def quiet():
    disable_progress_bars()


@pytest.fixture
def gpu():
    with pretended_gpu() as devices:
        yield devices


def on_gpu(trainer, monkeypatch):
    """What trl's trainer does at its start where there is a GPU; it looks for one in ways that cannot be pretended."""
    for state in (PartialState, AcceleratorState):
        monkeypatch.setitem(state._shared_state, "device", GPU)
    monkeypatch.setitem(vars(trainer.args), "_setup_devices", GPU)
    for module in ("trl.kernels.chunked_logprob", "trl.trainer.utils"):  # triton, where installed, wants a real GPU
        monkeypatch.setattr(f"{module}._use_triton", lambda device: False)
    trainer.model.to(GPU)
    return trainer


def ours(devices):
    """Places of this project, each with how often it waited."""
    found = Counter()
    for (place, library, _), count in devices.waits.items():
        if not library:
            found[place] += count
    return dict(found)


def rollout_of(motion):
    codes = np.arange(10)
    return Rollout("t2m", "a man walks", "", "", "", codes, motion, ("a man walks",), True, "", (), "")


def often(table):
    return {place: count for place, (count, _) in table.items()}


def test_a_policy_is_read_straight_to_the_gpu_and_merged_there(backbone, gpu, monkeypatch):
    monkeypatch.setenv("HF_DEACTIVATE_ASYNC_LOAD", "1")  # modes are of one thread
    monkeypatch.setattr(modeling_utils, "caching_allocator_warmup", lambda *_: None)  # asks CUDA for its memory
    model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
    full = full_part({name: value.clone() for name, value in model.state_dict().items()}, ("t2m",), "sft")
    adapter = lora_part(add_sft_adapter(model, vocabulary, LoraSize(4, 8, 0.0)), ("t2m",), "sft")
    for parts in ((adapter, adapter), (full, adapter)):
        checkpoint = Checkpoint(PolicyConfig(backbone, 16, text_vocabulary), parts)
        loading = {"device": GPU, "dtype": torch.bfloat16}
        for policy in (
            build_policy(checkpoint, "t2m", **loading),
            continue_policy(checkpoint, ("m2t",), False, **loading),
        ):
            assert {(w.device, w.dtype) for w in policy.model.parameters()} == {(GPU, torch.bfloat16)}
            assert {buffer.device for buffer in policy.model.buffers()} == {GPU}
    assert set(ours(gpu)) == {"utils/files/torch_files.py:check_finite"}  # each weight, once


OF_TRAINING = {
    "models/policy/resumable.py:_get_grad_norm": (
        2 * STEPS,
        "losses and norm of a step are looked at before the optimiser moves, so that nothing is learned of no number",
    ),
}
OF_SFT = {
    **OF_TRAINING,
    "models/sft/trainer.py:_count": (1, "a row of metrics"),
    "models/sft/trainer.py:_record_validation": (2, "a batch of a validation: sums leave the GPU in float64"),
}


@pytest.mark.parametrize("lora", [LoraSize(4, 8, 0.0), None])
def test_sft(cot_jsonl, backbone, tmp_path, gpu, monkeypatch, lora):
    """4 micro-batches a step and one row of metrics: none of them waits."""
    train, held_out = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=0)
    fields = {
        "gradient_accumulation_steps": 4,
        "per_device_train_batch_size": 2,
        "eval_strategy": "steps",
        "eval_steps": STEPS,
        "max_steps": STEPS,
        "logging_steps": STEPS,
        "logging_nan_inf_filter": False,
    }
    policy, data = sft_runs.plain_policy(backbone), TrainingData(train, held_out, TASKS)
    plan = SftPlan(sft_runs.config(tmp_path, **fields), lora)
    trainer = on_gpu(_make_trainer(policy, data, sft_runs.SUPERVISION, Validation(), plan), monkeypatch)
    trainer.train()
    assert trainer.state.global_step == STEPS
    assert ours(gpu) == often(OF_SFT)


OF_GRPO = {
    **OF_TRAINING,
    "models/policy/resumable.py:since_log": (1, "a state is saved"),
    "models/engines/decoding.py:draw": (3 * STEPS, "which replies have ended, every 8 of 20 tokens; the replies"),
    "models/language/sampling.py:told": (STEPS, "how likely they were"),
    "rewards/grpo/trainer.py:_log_difference": (STEPS, "how far sampler and trainer are apart"),
}


def test_grpo(cot_jsonl, backbone, motion_tokenizer, tmp_path, gpu, monkeypatch):
    """Sampling under the grammar and from merged weights, log-probabilities, loss, KL: the whole of trl's step."""
    policy = grpo_runs.policy_of(backbone, motion_tokenizer)
    rules = ReplyRules(constrain_grammar=True, advantage_clip=1.0)
    trainer, _ = grpo_runs.trainer_of(tmp_path, cot_jsonl, policy, {"a": [0.0, 1.0] * 8}, rules, max_steps=STEPS)
    on_gpu(trainer, monkeypatch).train()
    assert trainer.state.global_step == STEPS
    assert ours(gpu) == often(OF_GRPO)


TOKENS = 20
OF_REPLIES = {
    "models/engines/decoding.py:draw": (3, "which replies of a batch have ended, every 8 of 20 tokens; the replies"),
    "models/tokenizer/motion_tokenizer.py:_in_batches": (1, "their motions"),
}
OF_GUIDE = {"models/language/guidance.py:__call__": "a token: what follows is decided on the host"}


@pytest.mark.parametrize("guided", [False, True])
def test_replies(backbone, motion_tokenizer, gpu, guided):
    policy = sft_runs.plain_policy(backbone, MotionTokenizer.from_state(motion_tokenizer.state()).to(GPU))
    llm = MotionLLM(policy.model.to(GPU), policy.language)
    if guided:
        llm = llm.guided(lambda query: Wanted(query.task, (3,), 2, 4, 5))
    queries = [Query("t2m", "a person walks."), Query("t2m", "a person walks."), Query("m2t", codes=(3, 5))]
    rollouts = llm.answer(queries, Sampling(0.8, 0.9, TOKENS))
    found = ours(gpu)
    if guided:
        assert rollouts[0].motion is not None
        longest = max(len(one.token_ids) for one in rollouts)
        assert longest <= found.pop(*OF_GUIDE) < longest + 8
        found["models/engines/decoding.py:draw"] += 1  # of at most 16 tokens
    else:  # a random model seldom comes to a motion
        found.setdefault("models/tokenizer/motion_tokenizer.py:_in_batches", 1)
    assert found == often(OF_REPLIES)


def test_validations(backbone, motion_tokenizer, tmp_path, gpu):
    """Replies to held-out clips of both tasks, decoded, embedded and judged."""
    write_motions(tmp_path / "data", {"train": 2, "val": 6})
    random_evaluator().save(tmp_path / "judge")
    policy = sft_runs.plain_policy(backbone)
    policy.model.to(GPU)
    language = plain(policy.language.vocabulary, MotionTokenizer.from_state(motion_tokenizer.state()))
    clips = HeldOutClips(str(tmp_path / "data"), 6, str(tmp_path / "judge"))
    validation = ReplyValidation.of_folder(CRITERIA["FID"], clips, TASKS, language, Sampling(0.8, 1.0, 8), GPU)
    gpu.waits.clear()
    assert "CIDEr" in validation(policy.model)
    replies = next(place for place in OF_REPLIES if "engine" in place)
    assert ours(gpu) == {replies: 2, "models/evaluation/judge.py:to_numpy": 3}  # a batch a task; three kinds of rows


OF_TOKENIZER = {
    "models/tokenizer/quantizers.py:forward": (1, "a batch with padding: how many latents are real, known there only"),
    "models/tokenizer/trainer.py:recent": (2, "every tenth step, for the bar, and a row of metrics"),
}
OF_ENCODING = {
    "models/tokenizer/motion_tokenizer.py:run": (1, "a batch: whether all features are finite"),
    "models/tokenizer/motion_tokenizer.py:_encode_padded": (1, "a batch: which clips are encoded alone"),
    "models/tokenizer/motion_tokenizer.py:_in_batches": (2, "a batch: codes or motions leave the GPU"),
}


# How often the first step looks whether there is a codebook, and averages; no other step does.
@pytest.mark.parametrize(("quantizer", "looks"), [("ema_reset", 2), ("ema", 2), ("orig", 0), ("reset", 1)])
def test_tokenizer(gpu, quantizer, looks):
    sizes = {"nb_code": 16, "code_dim": 8, "output_emb_width": 8, "width": 32, "depth": 1}
    network = MotionVQ(NetworkConfig(**sizes, quantizer=quantizer, vq_norm="GN"))
    windows = MotionWindows(smooth_clips(6, 14) + smooth_clips(3, 30), np.zeros(263), np.ones(263), 16, 4, 0)
    trainer = TokenizerTrainer(network, windows, T2M, CONFIG, 0, Processes(device=GPU))
    for _ in range(STEPS):
        trainer.train_step()
    trainer.recent()
    found = ours(gpu)
    assert found.pop("models/tokenizer/quantizers.py:_prepare", 0) == looks
    assert found == often(OF_TOKENIZER)

    trainer.load_state(network.state_dict(), trainer.state())
    trainer.train_step()
    gpu.waits.clear()
    tokenizer = MotionTokenizer(network, np.zeros(263), np.ones(263), T2M)
    tokenizer.decode_batch(tokenizer.encode_batch(smooth_clips(3, 20) + smooth_clips(2, 30)))
    assert ours(gpu) == often(OF_ENCODING)


OF_REWARDS = {
    "rewards/text_motion_consistency.py:_unit_rows": (2, "embeddings of captions and of motions, kept on the host"),
    "rewards/physical_plausibility.py:penalty": (1, "the penalties of a batch"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_evaluators_and_rewards(gpu, family):
    kind, sizes = FAMILIES[family]
    trainer = EvaluatorTrainer(T2M, sizes, WORDS, TrainerConfig(1e-2, 0.01, 0.1, True, 0.05, kind), GPU)
    pairs, rng = TextMotionPairs(TRAIN, MEAN, STD, WORDS), np.random.default_rng(0)
    for batch, _ in zip(pairs.epoch(12, rng), range(STEPS), strict=False):
        trainer.step(batch, 1.0)
    assert ours(gpu) == {"models/text_motion/trainer.py:step": STEPS}  # loss and norm of the gradient, together

    evaluator = trainer.evaluator(MEAN, STD)
    assert evaluator.embed_captions([caption.tokens for caption in TRAIN[0].captions]).device == GPU
    gpu.waits.clear()
    tagger = CaptionTagger.from_pairs([("a man walks", ("man/NOUN", "walk/VERB"))])
    context = RewardContext(T2M, 16, evaluator, tagger, device=str(GPU))
    rollouts = [rollout_of(record.features) for record in TRAIN[:5]]
    for name in ("consistency", "physical"):
        assert None not in load_reward(name, context).score(rollouts)
    assert ours(gpu) == often(OF_REWARDS)


def test_a_mistake_is_found(gpu):
    """What a step would do wrong, in small: a mask made on the host, and a look at a number."""
    network, batch = torch.nn.Linear(3, 3).to(GPU), torch.ones(2, 3, device=GPU)
    with pytest.raises(RuntimeError, match="at least two devices"):
        network(batch) * torch.ones(2, 3)
    assert gpu.waits.total() == 0
    assert network(batch).sum().item() is not None
    assert list(gpu.waits.values()) == [1]
