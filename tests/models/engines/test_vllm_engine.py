"""vLLM draws what transformers would: greedy replies, log-probabilities with and without an adapter, grammars."""

from contextlib import nullcontext

import pytest
import torch
from peft import LoraConfig, get_peft_model

from dataset.captions.tags import MARKERS
from models.engines.transformers_engine import TransformersEngine
from models.inference.asking import MotionWish, generate_motions
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.prompts import Query
from models.policy.adapters import LORA_TARGETS
from models.policy.backbone import load_backbone
from tests.models.languages import plain
from utils.errors import InputError

pytest.importorskip("vllm", reason="vLLM is not installed here: tests/vllm/environment.sh makes an environment with it")

SAMPLING, GREEDY = Sampling(0.8, max_new_tokens=24, seed=3), Sampling(0.0, max_new_tokens=24)


@pytest.fixture(scope="module")
def made(backbone, tmp_path_factory):
    """(a model under an adapter that does something, its vocabulary, an engine of the model below it, its folder)"""
    from models.engines.vllm_engine import VllmEngine

    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    folder = tmp_path_factory.mktemp("run")
    engine = VllmEngine(model, vocabulary, torch.device("cpu"), folder, rank=4)
    adapter = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=list(LORA_TARGETS)))
    change(adapter, 1)
    return adapter.eval(), vocabulary, engine, folder


def change(adapter, seed):
    """Another state of the adapter, as after a step."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in adapter.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.2


def prompts_of(vocabulary, count=6):
    language = plain(vocabulary)
    return [language.ask(Query("t2m", caption="someone walks" + " and jumps" * (n % 3))) for n in range(count)]


@torch.no_grad()
def logprobs_of(model, prompt, ids):
    logits = model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1] / SAMPLING.temperature
    return logits.log_softmax(dim=-1)[torch.arange(len(ids)), torch.tensor(ids)]


def test_each_state_of_the_adapter_is_the_one_that_draws(made):
    adapter, vocabulary, engine, folder = made
    prompts, seen = prompts_of(vocabulary), []
    for state in (1, 2, None, 2):
        if state is not None:
            change(adapter, state)
        given = adapter if state is not None else None
        with nullcontext() if given else adapter.disable_adapter():
            drawn = engine.generate(prompts, range(6), SAMPLING, given)
            expected = [logprobs_of(adapter, prompt, one.ids) for prompt, one in zip(prompts, drawn, strict=True)]
            greedy = TransformersEngine(adapter, vocabulary).generate(prompts, range(6), GREEDY)
        for one, values in zip(drawn, expected, strict=True):
            assert torch.allclose(torch.tensor(one.logprobs), values, atol=1e-4)
        assert [one.ids for one in engine.generate(prompts, range(6), GREEDY, given)] == [one.ids for one in greedy]
        seen.append([one.ids for one in drawn])
    assert seen[1] == seen[3] and len({str(ids) for ids in seen}) == 3
    assert len(list((folder / "adapters").iterdir())) == 1  # those of earlier steps are gone


def test_a_reply_hangs_on_seed_and_key_alone(made):
    adapter, vocabulary, engine, _ = made
    prompts, state = prompts_of(vocabulary), torch.get_rng_state()
    together = [one.ids for one in engine.generate(prompts, [5, 6, 7, 8, 9, 5], SAMPLING, adapter)]
    alone = [engine.generate([prompts[row]], [key], SAMPLING, adapter)[0].ids for row, key in ((3, 8), (0, 5))]
    assert alone == [together[3], together[0]]
    same, other = (engine.generate([prompts[0]] * 2, keys, SAMPLING, adapter) for keys in ([4, 4], [4, 9]))
    assert same[0].ids == same[1].ids == other[0].ids != other[1].ids
    assert torch.equal(torch.get_rng_state(), state)  # the trainer's own draws are not moved


def test_replies_are_whole_and_as_long_as_wanted(made, motion_tokenizer):
    adapter, vocabulary, engine, _ = made
    llm = MotionLLM(adapter, plain(vocabulary, motion_tokenizer), engine=engine)
    motions = generate_motions(llm, ["someone walks", "someone jumps"], MotionWish(seconds=1.4, samples=2))
    assert [len(motion.codes) for motion in motions] == [7] * 4
    start = motion_tokenizer.decode(motions[0].codes)
    [longer] = generate_motions(llm, ["someone waves"], MotionWish(seconds=0.6, start=start))
    assert len(longer.codes) == len(motion_tokenizer.encode(start)) + 3
    [[described]] = llm.caption([start])
    assert described.caption and not any(tag in described.caption for tag in MARKERS)


def test_a_motion_that_is_begun_stays_whole_under_the_grammar(made):
    adapter, vocabulary, engine, _ = made
    opened = vocabulary.encode("<Motion>")[0]
    prompts = [prompt + vocabulary.encode("so</think><answer>") for prompt in prompts_of(vocabulary, 16)]
    drawn = engine.generate(prompts * 4, range(64), Sampling(1.0, max_new_tokens=60), adapter, grammar=True)
    begun = [one.ids[one.ids.index(opened) + 1 :] for one in drawn if opened in one.ids]
    closed, answered = (vocabulary.marker_id(tag) for tag in ("</Motion>", "</answer>"))
    assert len(begun) > 2
    for ids in begun:
        codes = ids[: ids.index(closed)] if closed in ids else ids
        assert codes and set(codes) <= set(vocabulary.code_ids)
        assert ids[len(codes) :] in ([], [closed], [closed, answered], [closed, answered, vocabulary.eos_id])


def test_an_adapter_that_comes_with_the_model_is_asked(made, backbone, tmp_path):
    from models.engines.vllm_engine import VllmEngine

    vocabulary = made[1]
    prompts = prompts_of(vocabulary)
    model, _, _ = load_backbone(backbone, 16, seed=0)
    own = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=list(LORA_TARGETS)))
    change(own, 1)
    expected = TransformersEngine(own, vocabulary).generate(prompts, range(6), GREEDY)
    engine = VllmEngine(own, vocabulary, torch.device("cpu"), tmp_path)
    assert [one.ids for one in engine.generate(prompts, range(6), GREEDY, own)] == [one.ids for one in expected]
    assert {weight.device.type for weight in model.parameters()} == {"meta"}  # vLLM holds them


def test_what_is_too_long_is_one_line(made):
    adapter, vocabulary, engine, _ = made
    with pytest.raises(InputError, match=r"--engine vllm: prompts with replies of .* room for"):
        engine.generate(prompts_of(vocabulary, 1), [0], Sampling(max_new_tokens=10**6), adapter)
