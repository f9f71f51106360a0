"""A whole system goes to a hub and comes back: prepare.export_hf --push-to-hub, then MotionLLM.load by its name."""

import subprocess
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from tests.places import ROOT
from tests.prepare.hub_python import hub_python
from tests.prepare.loopback import OpenHub, running
from tests.prepare.test_export_card import evaluation
from tests.test_eval_mllm import save_policy

# Asks a model for a motion and writes it.
ASK = """
import sys
import numpy as np
from models.inference.motion_llm import MotionLLM
from utils.run.command import run_command

def main():
    llm = MotionLLM.load(sys.argv[1], device="cpu")
    [motion] = llm.generate("someone jumps twice.", seconds=2, seed=5)
    np.save(sys.argv[2], motion.joints)

run_command(main)
"""


@pytest.fixture
def checkpoint(tmp_path, backbone, motion_tokenizer):
    return save_policy(tmp_path / "c.pth", backbone, motion_tokenizer)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    home = tmp_path_factory.mktemp("hub") / "home"
    with hub_python(home, HF_HUB_DISABLE_XET="1", HF_TOKEN="secret", PYTHONPATH=str(ROOT)) as python:
        yield python


@pytest.fixture
def hub(python):
    with running(OpenHub(port=python.port)) as hub:
        yield hub


@pytest.fixture
def run(python):
    """run(*words, **environment) -> the ended process: Python with the hub as HF_ENDPOINT."""
    python.forget()

    def run(*words, **environment):
        command, env = [python.python, *map(str, words)], python.environment | environment
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "ask.py").write_text(ASK)
    return tmp_path / "ask.py"


def export(checkpoint, folder, *more):
    return ["-m", "prepare.export_hf", "--ckpt", checkpoint, "--out-dir", folder, *more]


@pytest.mark.pipeline
def test_a_system_goes_to_the_hub_and_comes_back(tmp_path, checkpoint, hub, run, ask, python):
    """Policy, text tokenizer, motion tokenizer, statistics and card; the motions are the same on another machine."""
    numbers = evaluation(tmp_path / "run", checkpoint)
    words = export(checkpoint, tmp_path / "out", "--results", numbers, "--push-to-hub", "walker", "--private")
    ended = run(*words)
    assert ended.returncode == 0, ended.stderr
    assert f"{hub.address}/me/walker: there" in ended.stdout and 'MotionLLM.load("me/walker")' in ended.stdout
    assert hub.repo == "me/walker" and hub.private is True
    local = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert hub.files == local and hub.commits == [sorted(local)]
    needed = {"model.safetensors", "config.json", "tokenizer.json", "motion_tokenizer.pth", "morl.json", "README.md"}
    assert needed <= set(local) and hub.lfs == ("model.safetensors",)
    assert ModelCard(local["README.md"].decode()).data.eval_results[0].metric_name == "R@1"
    assert "secret" not in ended.stdout + ended.stderr

    # Somebody else, whose machine has nothing of it.
    python.forget()
    for name, home in ((str(tmp_path / "out"), "home"), ("me/walker", "other")):
        ended = run(ask, name, tmp_path / f"{home}.npy")
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "home.npy").read_bytes() == (tmp_path / "other.npy").read_bytes()
    # What was fetched once is used without the hub.
    ended = run(ask, "me/walker", tmp_path / "again.npy", HF_HUB_OFFLINE="1")
    assert ended.returncode == 0 and (tmp_path / "again.npy").read_bytes() == (tmp_path / "home.npy").read_bytes()
    # What a kill in the middle of a download leaves is fetched, and not taken for all.
    [weights] = Path(python.environment["HF_HOME"]).rglob("snapshots/*/model.safetensors")
    weights.unlink()
    ended = run(ask, "me/walker", tmp_path / "mended.npy")
    assert ended.returncode == 0 and weights.exists(), ended.stderr


@pytest.mark.pipeline
def test_what_a_hub_refuses_is_one_line_and_the_same_command_goes_on(tmp_path, checkpoint, hub, run):
    hub.refused = "storage is full"
    words = export(checkpoint, tmp_path / "out", "--push-to-hub", "me/walker")
    ended = run(*words)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert (
        "--push-to-hub me/walker:" in ended.stderr and "the folder is finished: give the same command" in ended.stderr
    )
    hub.refused = None
    ended = run(*words)
    assert ended.returncode == 0 and "exported already" in ended.stdout, ended.stderr
    assert len(hub.commits) == 1 and hub.private is False
    ended = run(*export(checkpoint, tmp_path / "out", "--push-to-hub", "others/walker"))
    assert ended.returncode == 2 and "--push-to-hub others/walker:" in ended.stderr


@pytest.mark.pipeline
def test_mistakes_are_told_before_anything_is_exported(tmp_path, checkpoint, hub, run):
    words = export(checkpoint, tmp_path / "out", "--push-to-hub", "me/walker")
    for environment, said in (
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set: unset it"),
        ({"HF_TOKEN": ""}, "set HF_TOKEN or run `hf auth login`"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "http://127.0.0.1:9 cannot be reached"),
    ):
        ended = run(*words, **environment)
        assert ended.returncode == 2 and said in ended.stderr and "Traceback" not in ended.stderr
    ended = run(*export(checkpoint, tmp_path / "out", "--push-to-hub", "a/b/c"))
    assert ended.returncode == 2 and "expected the name of a repository" in ended.stderr
    assert not (tmp_path / "out").exists() and hub.requests == []


@pytest.mark.pipeline
def test_a_name_that_the_hub_does_not_know(tmp_path, hub, run, ask):
    ended = run(ask, "me/nobody", tmp_path / "x.npy")
    assert ended.returncode == 2 and "me/nobody: no such file or folder, and no model of the hub" in ended.stderr
    assert "Traceback" not in ended.stderr
