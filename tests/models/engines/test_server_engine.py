"""A server draws what this process would, from each state of an adapter; whatever is wrong with it is one line."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model

from models.engines import server_client, server_engine
from models.engines.server_client import ServerClient
from models.engines.server_engine import ServerEngine
from models.engines.transformers_engine import TransformersEngine
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.guidance import Wanted
from models.language.prompts import Query
from models.policy.adapters import LORA_TARGETS, lora_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import save_checkpoint
from models.policy.policy import build_policy
from tests.models.engines.servers import SmallServer
from tests.models.languages import plain
from tests.rewards.grpo.grpo_runs import policy_of
from utils.errors import InputError

START, CPU = "0123456789ab", torch.device("cpu")
SAMPLING, GREEDY = Sampling(0.8, max_new_tokens=24, seed=3), Sampling(0.0, max_new_tokens=24)


@pytest.fixture
def parts(backbone):
    """(a model, its vocabulary)"""
    return load_backbone(backbone, 16, seed=0)[:2]


@pytest.fixture
def server(backbone):
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    with SmallServer(model, vocabulary, f"{START}-float32") as server:
        yield server


def engine_of(server, parts, folder, **how):
    return ServerEngine(server.url, START, *parts, CPU, folder, **how)


def adapter_on(model, seed=1):
    adapter = get_peft_model(
        model, LoraConfig(r=4, lora_alpha=8, target_modules=list(LORA_TARGETS), task_type="CAUSAL_LM")
    )
    change(adapter, seed)
    return adapter.eval()


def change(adapter, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, weight in adapter.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.2


def prompts_of(vocabulary, count=4):
    language = plain(vocabulary)
    return [language.ask(Query("t2m", caption="someone walks" + " and jumps" * (n % 3))) for n in range(count)]


@torch.no_grad()
def logprobs_of(model, prompt, ids):
    logits = model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1] / SAMPLING.temperature
    return logits.log_softmax(dim=-1)[torch.arange(len(ids)), torch.tensor(ids)]


def test_each_state_of_the_adapter_goes_to_the_server_once_and_the_one_before_leaves_it(server, parts, tmp_path):
    engine, prompts = engine_of(server, parts, tmp_path), prompts_of(parts[1])
    assert engine.label == "vllm0.32.0"
    plain_replies = engine.generate(prompts, range(4), GREEDY)
    adapter, seen = adapter_on(parts[0]), []
    for state in (1, 2, 2):
        change(adapter, state)
        drawn = engine.generate(prompts, range(4), SAMPLING, adapter)
        for prompt, one in zip(prompts, drawn, strict=True):
            assert torch.allclose(torch.tensor(one.logprobs), logprobs_of(adapter, prompt, one.ids), atol=1e-5)
        greedy = TransformersEngine(adapter, parts[1]).generate(prompts, range(4), GREEDY)
        assert [one.ids for one in engine.generate(prompts, range(4), GREEDY, adapter)] == [one.ids for one in greedy]
        assert [*server.adapters.values()] == [str(path) for path in (tmp_path / "adapters").iterdir()]
        seen.append([one.ids for one in drawn])
    assert seen[0] != seen[1] == seen[2]
    assert [path for path, _ in server.log].count("/v1/load_lora_adapter") == 2
    with adapter.disable_adapter():
        greedy = TransformersEngine(adapter, parts[1]).generate(prompts, range(4), GREEDY)
    assert [one.ids for one in greedy] == [one.ids for one in plain_replies]


def test_what_is_asked_leaves_nothing_to_the_defaults_of_the_server(server, parts, tmp_path):
    engine, prompts = engine_of(server, parts, tmp_path), prompts_of(parts[1], 2)
    engine.generate(prompts, [7, 8], SAMPLING, wanted=[Wanted("t2m", min_codes=2), Wanted("t2m", min_codes=3)])
    one, other = (body for path, body in server.log[-2:])
    assert {one["seed"], other["seed"]}.isdisjoint({7, 8}) and one["seed"] != other["seed"]
    assert one["structured_outputs"]["grammar"] != other["structured_outputs"]["grammar"]
    shown = {name: one[name] for name in one if name not in ("prompt", "seed", "structured_outputs")}
    assert shown == {
        "model": f"{START}-float32", "max_tokens": 24, "temperature": 0.8, "top_p": 1.0, "top_k": 0, "min_p": 0.0,
        "repetition_penalty": 1.0, "stop_token_ids": [parts[1].eos_id], "logprobs": 0, "return_token_ids": True,
        "add_special_tokens": False,
    }  # fmt: skip
    [alone] = engine.generate(prompts[:1], [7], SAMPLING)
    assert [one.ids == alone.ids for one in engine.generate(prompts[:1] * 3, [9, 7, 8], SAMPLING)] == [
        False,
        True,
        False,
    ]


def test_what_a_killed_run_left_on_the_server_goes(server, parts, tmp_path):
    server.adapters |= {"of-the-run": str(tmp_path.resolve() / "adapters" / "x"), "of-another": "/elsewhere/adapters/x"}
    engine_of(server, parts, tmp_path)
    assert [*server.adapters] == ["of-another"]


def test_a_process_that_is_not_the_first_waits_for_its_adapter(server, parts, tmp_path, monkeypatch):
    adapter, prompts = adapter_on(parts[0]), prompts_of(parts[1])
    monkeypatch.setattr(server_engine, "_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(server_engine, "_LOADING_TIME", 0.1)
    monkeypatch.setenv("RANK", "1")
    second = engine_of(server, parts, tmp_path)
    with pytest.raises(InputError, match=r"lacks the adapter \w{12}, which the first process loads"):
        second.generate(prompts, range(4), SAMPLING, adapter)
    monkeypatch.setenv("RANK", "0")
    drawn = engine_of(server, parts, tmp_path).generate(prompts, range(4), SAMPLING, adapter)
    assert second.generate(prompts, range(4), SAMPLING, adapter) == drawn
    assert [path for path, _ in server.log].count("/v1/load_lora_adapter") == 1


def test_an_adapter_that_comes_with_a_model_goes_to_the_server(server, parts, tmp_path):
    own = adapter_on(parts[0])
    engine = engine_of(server, (own, parts[1]), tmp_path)
    prompts = prompts_of(parts[1])
    expected = TransformersEngine(own, parts[1]).generate(prompts, range(4), GREEDY)
    assert [one.ids for one in engine.generate(prompts, range(4), GREEDY, own)] == [one.ids for one in expected]


def test_demo_asks_a_server_for_a_checkpoint(backbone, motion_tokenizer, tmp_path):
    policy = policy_of(backbone, motion_tokenizer)
    save_checkpoint(tmp_path / "sft.pth", policy.checkpoint)
    name = f"{policy.checkpoint.fingerprint('t2m')}-bfloat16"  # on the server's GPU
    with SmallServer(policy.model, policy.language.vocabulary, name) as server:
        llm = MotionLLM.load(tmp_path / "sft.pth", device="cpu", engine_server=server.url)
        asked = [Query("t2m", caption="someone walks")]
        [rollout] = llm.answer(asked, GREEDY)
        here = MotionLLM.load(tmp_path / "sft.pth", device="cpu").answer(asked, GREEDY)
    assert [rollout.token_ids] == [one.token_ids for one in here]
    assert sum(path == "/v1/completions" for path, _ in server.log) == 2  # the probe, and the question


def test_a_model_of_which_no_export_can_be_served_is_one_line(cot_jsonl, backbone, motion_tokenizer):
    policy = policy_of(backbone, motion_tokenizer)
    assert policy.start("t2m") == policy.checkpoint.fingerprint("t2m")
    adapter = adapter_on(policy.model)
    grown = policy.checkpoint.with_part(lora_part(adapter, ("t2m", "m2t"), "rlvr"))
    half = build_policy(grown, "t2m", as_trained=True, dtype=torch.bfloat16)
    assert half.start("t2m") == policy.checkpoint.fingerprint("t2m") != grown.fingerprint("t2m")
    with_rows = replace(grown.parts[-1], lora={**grown.parts[-1].lora, "trainable_token_indices": {"x": [1]}})
    with pytest.raises(InputError, match=r"--engine-server: below float32 .* give --precision fp32"):
        replace(half, checkpoint=replace(grown, parts=(grown.parts[0], with_rows))).start("t2m")


@pytest.mark.parametrize("url", ["node7:8000", "ftp://node7", "http://node7:8000/v2", "http://:80", "http://a:b"])
def test_what_is_no_address_is_one_line(url):
    with pytest.raises(InputError, match="not the address of a server, expected one such as http://node7:8000"):
        ServerClient(url)


def test_a_server_that_is_not_there_is_one_line(parts, tmp_path):
    with pytest.raises(InputError, match=r"--engine-server http://127.0.0.1:9: cannot be reached \(Conn.* start it"):
        ServerEngine("http://127.0.0.1:9", START, *parts, CPU, tmp_path)


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/version", (200, "<html>"), "is no vLLM server: answers /version with '<html>'"),
        ("/version", (404, "no"), r"refuses /version \(status 404: no\)"),
        ("/v1/models", (200, {"data": [{"name": 3}]}), "is no vLLM server: answers /v1/models"),
        ("/v1/models", (401, {"error": "Unauthorized"}), "wants a key .* in VLLM_API_KEY"),
        ("/v1/models", (200, {"data": []}), rf"has no model, expected {START}-float32 .*vllm_server.sh"),
        ("/v1/completions", (400, {"error": {"message": "grammar"}}), r"refuses /v1/completions \(status 400: grammar"),
        ("/v1/completions", (200, {"choices": []}), "is no vLLM server"),
        ("/v1/completions", (200, {"choices": [{"text": "a", "token_ids": None}]}), "tells no token ids"),
    ],
)
def test_a_server_that_answers_otherwise_is_one_line(server, parts, tmp_path, path, answer, said):
    server.answer[path] = answer
    with pytest.raises(InputError, match=f"--engine-server {server.url}: {said}"):
        engine_of(server, parts, tmp_path)


def test_another_model_or_other_numbers_are_one_line(server, parts, tmp_path):
    with pytest.raises(InputError, match=r"has 0123456789ab-float32 \(/exports/it\), expected feedfeedfeed-float32"):
        ServerEngine(server.url, "feedfeedfeed", *parts, CPU, tmp_path)
    half = parts[0].to(torch.bfloat16), parts[1]
    with pytest.raises(InputError, match=r"expected 0123456789ab-bfloat16 .* export it with --dtype bfloat16, or"):
        engine_of(server, half, tmp_path)
    assert engine_of(server, half, tmp_path, any_precision=True)


def test_log_probabilities_of_another_distribution_are_one_line(server, parts, tmp_path):
    server.raw = True
    with pytest.raises(InputError, match="start it with --logprobs-mode processed_logprobs"):
        engine_of(server, parts, tmp_path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {"detail": "Not Found"}), "takes no adapters while it runs: start it by .*vllm_server.sh"),
        ((404, {"error": {"message": "Loading lora x failed: No adapter found"}}), "refuses the adapter in .*No adapt"),
        ((500, {"error": {"message": "LoRA rank 64 is greater than max_lora_rank 16"}}), "rank 64 .*--max-lora-rank"),
    ],
)
def test_an_adapter_that_is_refused_is_one_line(server, parts, tmp_path, answer, said):
    engine = engine_of(server, parts, tmp_path)
    server.answer["/v1/load_lora_adapter"] = answer
    with pytest.raises(InputError, match=said):
        engine.generate(prompts_of(parts[1]), range(4), SAMPLING, adapter_on(parts[0]))


def test_what_is_too_long_is_one_line(server, parts, tmp_path):
    with pytest.raises(
        InputError, match=r"replies of 5\d\d tokens, and this model has room for 512: .*--max-model-len"
    ):
        engine_of(server, parts, tmp_path).generate(prompts_of(parts[1]), range(4), Sampling(max_new_tokens=500))


def test_a_connection_that_breaks_is_tried_again_and_a_server_that_goes_is_one_line(
    server, parts, tmp_path, monkeypatch
):
    monkeypatch.setattr(server_client, "_PAUSE", 0.001)
    engine, prompts = engine_of(server, parts, tmp_path), prompts_of(parts[1], 2)
    expected = engine.generate(prompts, range(2), SAMPLING)
    server.breaks = 3
    assert engine.generate(prompts, range(2), SAMPLING) == expected
    server.breaks = 1000
    with pytest.raises(InputError, match=r"cannot be reached .* and run the same command again"):
        engine.generate(prompts, range(2), SAMPLING)


def test_flags_say_that_it_is_vllm_and_refuse_a_contradiction():
    from options.flags.common import EngineFlags

    assert EngineFlags(engine_server="http://node7:8000").engine == "vllm"
    with pytest.raises(ValueError, match="--engine transformers draws here, and --engine-server elsewhere"):
        EngineFlags("transformers", "http://node7:8000")


def test_the_key_of_the_environment_is_sent(server, parts, monkeypatch):
    heard = []
    handle = server.handle
    monkeypatch.setattr(server, "handle", lambda http, body: (heard.append(http.headers), handle(http, body)))
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    ServerClient(server.url).models()
    assert heard[0]["authorization"] == "Bearer secret"


def test_the_script_starts_a_server_that_is_named_by_what_it_serves(tmp_path):
    (tmp_path / "bin").mkdir()
    shown = tmp_path / "shown.json"
    fake = tmp_path / "bin" / "python"
    fake.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "if sys.argv[1] == '-c': os.execv(sys.executable, ['python', *sys.argv[1:]])\n"
        f"kept = {{k: v for k, v in os.environ.items() if k.startswith('VLLM')}}\n"
        f"json.dump([sys.argv[1:], kept], open({str(shown)!r}, 'w'))\n"
    )
    fake.chmod(0o755)
    export = tmp_path / "an export"
    export.mkdir()
    (export / "morl.json").write_text(json.dumps({"checkpoint": START, "dtype": "bfloat16"}))
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ""}
    command = ["bash", "options/accelerate/vllm_server.sh", str(export), "--port", "8001"]
    subprocess.run(command, env=environment, check=True)
    words, kept = json.loads(shown.read_text())
    assert words[:4] == ["-m", "vllm.entrypoints.openai.api_server", "--model", str(export)]
    assert " ".join(words[4:]).startswith(f"--served-model-name {START}-bfloat16 --dtype bfloat16 ")
    assert words[-2:] == ["--port", "8001"] and "--enable-lora" in words
    assert kept["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
