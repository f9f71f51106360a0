"""Which engine is taken, and what the transformers engine does with what it is given."""

import importlib.util

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GenerationConfig, LogitsProcessorList

from dataset.captions.tags import MOTION_CLOSE, MOTION_OPEN
from models.engines.decoding import Prompts, draw
from models.engines.engine import taken_engine
from models.engines.transformers_engine import TransformersEngine
from models.language.decoding import Sampling
from models.language.sampling import SeededSampling
from models.policy.adapters import LORA_TARGETS
from models.policy.backbone import load_backbone
from utils.errors import InputError

CPU, GPU = torch.device("cpu"), torch.device("cuda")
GREEDY = Sampling(0.0, max_new_tokens=5)


@pytest.mark.parametrize(
    ("name", "device", "installed", "taken"),
    [
        ("auto", CPU, True, "transformers"),
        ("auto", GPU, True, "vllm"),
        ("auto", GPU, False, "transformers"),
        ("auto", torch.device("cuda:1"), True, "transformers"),
        ("transformers", GPU, True, "transformers"),
        ("vllm", CPU, True, "vllm"),
    ],
)
def test_auto_is_vllm_where_it_is_installed_and_a_gpu_is_used(monkeypatch, name, device, installed, taken):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    assert taken_engine(name, device) == taken


def test_vllm_that_is_missing_is_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--engine vllm: vLLM is not installed here .* leave --engine out"):
        taken_engine("vllm", CPU)


def test_what_vllm_cannot_do_is_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(InputError, match=r"takes the first GPU .* give --device cuda, with CUDA_VISIBLE_DEVICES=1"):
        taken_engine("vllm", torch.device("cuda:1"))
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match=r"--engine vllm works in one process, and a launcher started 4"):
        taken_engine("vllm", GPU)
    assert taken_engine("auto", GPU) == "transformers"


def test_transformers_draws_from_the_adapter_and_under_the_grammar(backbone):
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    engine, prompts = TransformersEngine(model, vocabulary), [vocabulary.encode("<Motion><Motion_3>")] * 16
    sampling = Sampling(1.0, max_new_tokens=30)
    before = engine.generate(prompts, range(16), sampling)
    torch.manual_seed(0)  # draws the adapter
    adapter = get_peft_model(model, LoraConfig(r=4, target_modules=list(LORA_TARGETS), init_lora_weights=False)).eval()
    with adapter.disable_adapter():
        assert engine.generate(prompts, range(16), sampling, adapter) == before
    assert engine.generate(prompts, range(16), sampling, adapter) != before
    opened, closed = (vocabulary.marker_id(tag) for tag in (MOTION_OPEN, MOTION_CLOSE))
    bound = engine.generate(prompts * 8, range(128), sampling, adapter, grammar=True)  # so that some begin a motion
    begun = [one.ids[one.ids.index(opened) + 1 :] for one in bound if opened in one.ids]
    assert begun and all(
        set(ids[: ids.index(closed)] if closed in ids else ids) <= set(vocabulary.code_ids) for ids in begun
    )


@pytest.fixture(scope="module")
def chatty(backbone):
    """A model whose replies end after very different numbers of tokens, in double precision: no draw is a tie."""
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    with torch.no_grad():
        states = model.model(torch.tensor([vocabulary.encode("a person walks forward slowly.")])).last_hidden_state[0]
        middle = states.mean(dim=0)
        model.get_input_embeddings().weight[vocabulary.eos_id] = middle * 4 / (states @ middle).mean()
    return model.double(), vocabulary


PROMPTS = ["a person walks", "someone jumps twice.", "a person walks", "a person turns right and waves.", "jumps"] * 5


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_replies_are_those_of_transformers_own_loop(chatty, temperature):
    """Padded, equal prompts among them, and replies that leave the batch when they have ended."""
    model, vocabulary = chatty
    prompts, eos = [vocabulary.encode(text) for text in PROMPTS], vocabulary.eos_id
    keys, rows = range(len(prompts)), []
    model.register_forward_pre_hook(lambda _, given, named: rows.append(len(named["input_ids"])), with_kwargs=True)
    found = TransformersEngine(model, vocabulary).generate(prompts, keys, Sampling(temperature, 0.9, 60, seed=3))
    model._forward_pre_hooks.clear()
    assert (
        rows[0] == 4 and rows[1] == len(prompts) and rows[-1] < len(prompts)
    )  # 4 kinds of prompts, then all, then few
    assert len(rows) == 1 + max(len(one.ids) for one in found)
    batch = Prompts.padded(prompts, vocabulary.tokenizer.pad_token_id, CPU)
    sampled = [SeededSampling(temperature, 0.9, 3, keys, batch.ids.shape[1])] if temperature else []
    settings = GenerationConfig(max_new_tokens=60, do_sample=False, eos_token_id=eos, pad_token_id=eos)
    theirs = model.generate(
        input_ids=batch.ids, attention_mask=batch.mask, generation_config=settings,
        logits_processor=LogitsProcessorList(sampled),
    )[:, batch.ids.shape[1] :].tolist()  # fmt: skip
    for own, other in zip(found, theirs, strict=True):
        assert own.ids == other[: len(own.ids)] and set(other[len(own.ids) :]) <= {eos}
        assert own.ids[-1] == eos or len(own.ids) == 60
    assert len({len(one.ids) for one in found}) > 5 or temperature == 0


@pytest.mark.filterwarnings("error::FutureWarning")
def test_the_loop_calls_a_model_by_names_that_transformers_keeps(chatty):
    """Each version: the keys and values of the tokens before have had two names."""
    model, vocabulary = chatty
    prompts = [[5, 6, 7], [5, 6, 7], [8]]
    batch = Prompts.padded(prompts, vocabulary.tokenizer.pad_token_id, model.device)
    assert [len(reply) for reply in draw(model, batch, [], 3, -1)] == [3, 3, 3]


def test_what_is_told_of_a_draw_is_its_likelihood(chatty):
    model, vocabulary = chatty
    prompts = [vocabulary.encode(text) for text in PROMPTS]
    engine = TransformersEngine(model, vocabulary, tells=True)
    for reply, prompt in zip(
        engine.generate(prompts, range(len(prompts)), Sampling(0.7, 1.0, 20)), prompts, strict=True
    ):
        with torch.no_grad():
            scores = model(torch.tensor([[*prompt, *reply.ids]])).logits[0, len(prompt) - 1 : -1] / 0.7
        wanted = scores.log_softmax(-1)[range(len(reply.ids)), reply.ids].tolist()
        assert reply.logprobs == pytest.approx(wanted, abs=1e-5)
    assert all(
        one.logprobs is None for one in TransformersEngine(model, vocabulary).generate(prompts, range(25), GREEDY)
    )


def test_a_lone_token_and_no_token_left(chatty):
    model, vocabulary = chatty
    batch = Prompts.padded([[5], [5]], vocabulary.tokenizer.pad_token_id, CPU)
    assert batch.mask is None
    with torch.no_grad():
        assert [len(reply) for reply in draw(model, batch, [], 1, vocabulary.eos_id)] == [1, 1]
