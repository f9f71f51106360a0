"""eval_mllm.py by several commands, and by several processes of a launcher: the replies and numbers of one process."""

import json
import os
import subprocess
import sys

import pytest

import eval_mllm
from com.replies import MULTIMODALITY_FILE, REPLIES_FILE
from com.reply_file import parts_of
from models.engines.transformers_engine import TransformersEngine
from tests.places import ROOT
from tests.prepare.random_motions import random_evaluator, write_motions
from tests.test_eval_mllm import save_policy
from tests.warm_python import warm_python
from utils.errors import InputError
from utils.files.lock import locked, locked_part

CLIPS = 7  # neither two processes nor three commands get equally many
GIVEN = ["--max-new-tokens", "16", "--temperature", "1", "--samples", "2", "--mm-repeats", "2", "--mm-texts", "3"]
SEARCH = ["--max-new-tokens", "16", "--use-com", "--com-candidates", "2", "--com-refine-steps", "2", "--rewards"]


@pytest.fixture(scope="module")
def world(tmp_path_factory, backbone, motion_tokenizer):
    folder = tmp_path_factory.mktemp("world")
    write_motions(folder / "data", {"train": 8, "test": CLIPS})
    random_evaluator().save(folder / "judge")
    save_policy(folder / "policy.pth", backbone, motion_tokenizer)
    return folder


def words(world, name, more):
    places = {"--data-root": "data", "--eval-evaluator": "judge", "--eval-ckpt": "policy.pth", "--out-dir": "runs"}
    given = [word for flag, place in places.items() for word in (flag, world / place)]
    return [*map(str, [*given, "--exp-name", name, "--repeats", "2", "--device", "cpu", *more])]


def run(world, monkeypatch, name, *more):
    monkeypatch.setattr(sys, "argv", ["eval_mllm.py", *words(world, name, more)])
    eval_mllm.main()
    return found(world, name)


def found(world, name):
    """(numbers, replies) of an evaluation; None while it is not finished."""
    folder = world / "runs" / name
    if not (folder / "finished.json").is_file():
        return None
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    return json.loads((folder / "results.json").read_text())["rows"], rows


@pytest.fixture
def asked(monkeypatch):
    """The prompts that are answered in this process."""
    prompts, generate = [], TransformersEngine.generate

    def count(engine, given, *more):
        prompts.extend(given)
        return generate(engine, given, *more)

    monkeypatch.setattr(TransformersEngine, "generate", count)
    return prompts


@pytest.mark.parametrize("given", [GIVEN, [*SEARCH, "format=1,physical=1"]], ids=["plain", "com"])
def test_commands_that_share_the_questions_find_what_one_does(world, monkeypatch, asked, caplog, given):
    name = "com" if "--use-com" in given else "plain"
    one = run(world, monkeypatch, f"one {name}", *given)
    alone = len(asked)
    with caplog.at_level("INFO"):
        for shard in ("3/3", "1/3", "2/3"):
            assert run(world, monkeypatch, name, *given, "--shard", shard) is None
    assert "shard 2/3 is answered; of" in caplog.text and "without --shard judges them" in caplog.records[-1].message
    assert len(asked) == 2 * alone
    assert run(world, monkeypatch, name, *given) == one
    assert len(asked) == 2 * alone  # the last command has only judged
    folder = world / "runs" / name
    assert [*parts_of(folder / REPLIES_FILE), *parts_of(folder / MULTIMODALITY_FILE)] == []
    assert run(world, monkeypatch, name, *given, "--shard", "1/3") == one  # shown, as by any command that comes later


@pytest.mark.pipeline
def test_processes_of_a_launcher_go_on_and_find_what_one_does(world, monkeypatch):
    one = run(world, monkeypatch, "alone", *GIVEN)
    run(world, monkeypatch, "together", *GIVEN, "--shard", "1/5")  # as an interruption leaves it
    before = (world / "runs/together/replies-1-of-5.part.jsonl").read_text()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    launcher = [warm_python(environment), "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launcher, "eval_mllm.py", *words(world, "together", GIVEN)],
        env=environment, capture_output=True, text=True, timeout=240, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert before.count("\n") == 2 * 2 and found(world, "together") == one
    assert done.stdout.count("finished") == 1  # one of them prints


def test_what_cannot_be_shared_is_refused_in_one_line(world, monkeypatch):
    theirs = ["--from-predictions", world / "data/new_joint_vecs", "--any-posture"]
    with pytest.raises(InputError, match="given predictions are judged by one process: leave out --shard"):
        run(world, monkeypatch, "theirs", *theirs, "--shard", "1/2")
    for wrong in ("0/2", "3/2", "2", "a/b", "1/0"):
        with pytest.raises(SystemExit):
            run(world, monkeypatch, "wrong", *GIVEN, "--shard", wrong)
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        with pytest.raises(InputError, match="start it without a launcher"):
            run(world, patch, "theirs", *theirs)
        patch.setattr("torch.cuda.device_count", lambda: 1)
        with pytest.raises(InputError, match="2 processes on a machine with 1 GPU"):
            run(world, patch, "crowded", *GIVEN, "--device", "cuda")


def test_nobody_judges_while_a_part_is_answered_and_nobody_answers_a_part_twice(world, monkeypatch):
    folder = world / "runs" / "busy"
    with locked_part(folder, "shard 1 of 2"):
        with pytest.raises(InputError, match=r"busy: process .* is working here"):
            run(world, monkeypatch, "busy", *GIVEN)
        with pytest.raises(InputError, match=r"shard 1 of 2: process .* is doing this"):
            run(world, monkeypatch, "busy", *GIVEN, "--shard", "1/2")
        assert run(world, monkeypatch, "busy", *GIVEN, "--shard", "2/2") is None
    with locked(folder), pytest.raises(InputError, match=r"busy: process .* is working here"):
        run(world, monkeypatch, "busy", *GIVEN, "--shard", "1/2")
