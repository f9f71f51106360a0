"""Which engine is taken, and what the transformers engine does with what it is given."""

import importlib.util

import pytest
import torch
from peft import LoraConfig, get_peft_model

from dataset.captions.tags import MOTION_CLOSE, MOTION_OPEN
from models.engines.engine import taken_engine
from models.engines.transformers_engine import TransformersEngine
from models.language.decoding import Sampling
from models.policy.adapters import LORA_TARGETS
from models.policy.backbone import load_backbone
from utils.errors import InputError

CPU, GPU = torch.device("cpu"), torch.device("cuda")


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
