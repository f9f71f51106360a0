"""The command lines as a user runs them, at the smallest sizes: SFT, GRPO, evaluation, Chain-of-Motion, mistakes."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trl

import train_mllm
from models.policy.checkpoint import load_checkpoint
from tests.places import ROOT
from tests.warm_python import warm_python
from utils.run.command import run_command

pytestmark = pytest.mark.pipeline


def run(*arguments, status=0):
    command = [warm_python(), *map(str, arguments)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert answer.returncode == status, answer.stdout[-2000:] + answer.stderr[-4000:]
    return answer


@pytest.fixture(scope="module")
def flags(tmp_path_factory, cot_jsonl, backbone, motion_tokenizer):
    folder = tmp_path_factory.mktemp("experiments")
    motion_tokenizer.save(folder / "tokenizer.pth")
    return {
        "folder": folder,
        "common": ("--cot-train-jsonl", cot_jsonl, "--out-dir", folder, "--print-iter", 1, "--max-motion-len", 20,
                   "--max-text-len", 30, "--device", "cpu"),
        "sft": ("--motion-tokenizer", folder / "tokenizer.pth", "--llm-backbone", backbone, "--use-reasoning",
                "--batch-size", 12, "--learning-rate", 3e-3),
    }  # fmt: skip


def test_sft_then_rlvr_then_the_same_commands_again(flags):
    sft = ("train_mllm.py", "--train-stage", "sft", "--training-task", "t2m", *flags["common"], *flags["sft"],
           "--exp-name", "morl_sft_t2m", "--epochs-t2m", 8)  # fmt: skip
    assert "finished" in run(*sft).stdout
    best = flags["folder"] / "morl_sft_t2m" / "motionllm_t2m_best.pth"
    rlvr = ("train_mllm.py", "--train-stage", "rlvr", "--training-task", "t2m", *flags["common"],
            "--rl-reference-ckpt", best, "--rl-epochs", 3, "--rl-prompts", 2, "--rl-eval-prompts", 2,
            "--rl-group-size", 4, "--batch-size", 2, "--reward-align-weight", 0, "--exp-name", "morl_rlvr_t2m",
            "--rl-metrics-jsonl", flags["folder"] / "rl.jsonl", "--rl-reflection-share", 1,
            "--rl-improvement-weight", 0.5)  # fmt: skip
    told = run(*rlvr).stdout
    folder = flags["folder"] / "morl_rlvr_t2m"
    assert f"look at it: {folder / 'results.html'}" in told
    assert all(shown in (folder / "results.html").read_text() for shown in ("KL from the start", "reward: physical"))
    assert "token accuracy" in (best.parent / "results.html").read_text()
    assert (folder / "motionllm_rlvr_epoch_2.pth").is_file() and (folder / "motionllm_rlvr_best.pth").is_file()
    rows = [json.loads(line) for line in (flags["folder"] / "rl.jsonl").read_text().splitlines()]
    assert rows[0]["kl"] == 0 and "rewards/physical/mean" in rows[0] and "rewards/format/mean" in rows[0]
    assert "rewards/improvement/mean" in rows[0]
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["seed"] == 123 and environment["versions"]["trl"] and environment["data_fingerprint"]
    changed = best.stat().st_mtime_ns
    assert "finished" in run(*sft).stdout and best.stat().st_mtime_ns == changed
    other = run(*sft, "--reasoning-weight", 0.5, status=2)
    assert "reasoning_weight was 1.0, now 0.5" in other.stderr


def test_tasks_one_after_the_other_in_one_file(flags, backbone):
    """--init-ckpt keeps the other task through SFT and GRPO; the chat template of the backbone stays with the file."""
    chat = flags["folder"] / "chat_backbone"
    shutil.copytree(backbone, chat, dirs_exist_ok=True)
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja"
    shutil.copy(template, chat / "chat_template.jinja")
    common = ("train_mllm.py", *flags["common"], "--learning-rate", 3e-3, "--batch-size", 12, "--use-reasoning")
    first = ("--training-task", "t2m", "--epochs-t2m", 1, "--motion-tokenizer", flags["folder"] / "tokenizer.pth",
             "--llm-backbone", chat, "--finetune", "lora", "--lora-r-t2m", 4, "--exp-name", "chat_t2m")  # fmt: skip
    shown = run(*common, *first).stderr
    assert "LoRA, chat prompts" in shown
    second = ("--training-task", "m2t", "--epochs-m2t", 1, "--lora-r-m2t", 4, "--exp-name", "chat_m2t",
              "--motion-tokenizer", flags["folder"] / "tokenizer.pth",
              "--init-ckpt", flags["folder"] / "chat_t2m" / "motionllm_t2m_best.pth")  # fmt: skip
    run(*common, *second)
    both = load_checkpoint(flags["folder"] / "chat_m2t" / "motionllm_m2t_best.pth")
    alone = load_checkpoint(flags["folder"] / "chat_t2m" / "motionllm_t2m_best.pth")
    assert both.tasks == ("t2m", "m2t") and both.config.style.name == "chat"
    assert both.fingerprint("t2m") == alone.fingerprint("t2m")
    run("train_mllm.py", "--train-stage", "rlvr", "--training-task", "m2t", *flags["common"], "--rl-reference-ckpt",
        flags["folder"] / "chat_m2t" / "motionllm_m2t_best.pth", "--rl-epochs", 1, "--rl-prompts", 1,
        "--rl-eval-prompts", 1, "--rl-group-size", 32, "--batch-size", 1, "--rewards", "format=1",
        "--exp-name", "chat_rlvr")  # fmt: skip
    rewarded = load_checkpoint(flags["folder"] / "chat_rlvr" / "motionllm_rlvr_best.pth")
    assert rewarded.fingerprint("t2m") == alone.fingerprint("t2m")
    assert [part.stage for part in rewarded.parts_of("m2t")] == ["sft", "rlvr"]
    refused = run("train_mllm.py", "--train-stage", "rlvr", "--training-task", "both", *flags["common"],
                  "--rl-reference-ckpt", flags["folder"] / "chat_m2t" / "motionllm_m2t_best.pth",
                  "--exp-name", "no", status=2)  # fmt: skip
    assert "a policy of its own for each task" in refused.stderr


def test_a_joint_run_has_the_share_asked_for_and_can_be_begun_anew(flags):
    sft = ("train_mllm.py", "--training-task", "both", *flags["common"], *flags["sft"], "--exp-name", "mixed",
           "--epochs-t2m", 1, "--t2m-share", 0.75, "--lr-schedule", "linear", "--warm-up", 0)  # fmt: skip
    run(*sft)
    folder = flags["folder"] / "mixed"
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    rates = [row["learning_rate"] for row in rows if "loss" in row]
    # 14 clips of 15 are trained on, 3 lines each: 42 m2t rows and three times as many of t2m, 12 a step.
    assert len(rates) == 14 and rates == pytest.approx([3e-3 * (14 - step) / 14 for step in range(14)])
    assert load_checkpoint(folder / "motionllm_both_best.pth").shared_by(("t2m", "m2t"))
    refused = run(*sft[:-2], "--warm-up", 0.1, status=2)
    assert "warm_up was 0.0, now 0.1" in refused.stderr
    again = run(*sft[:-2], "--warm-up", 0.1, "--no-resume")
    assert "mixed.old-1" in again.stderr and (flags["folder"] / "mixed.old-1" / "finished.json").is_file()


def interrupt_when(line, ready):
    """Start a command in a Python of its own, send Ctrl-C once `ready()`, check how it ends."""
    command = [sys.executable, *map(str, line)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 130 and "interrupted" in errors and "Traceback" not in errors, errors[-2000:]


def logged_steps(folder):
    file = folder / "metrics.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
    return [row["step"] for row in rows if "loss" in row]


def test_samples_are_shown_and_nothing_is_trained(flags):
    sft = ("train_mllm.py", "--train-stage", "sft", "--training-task", "both", *flags["common"], *flags["sft"])
    shown = run(*sft, "--exp-name", "shown", "--show-samples", 2).stdout
    assert shown.count("[query:") == 4 and "loss weight 1" in shown and not (flags["folder"] / "shown").exists()
    refused = run("train_mllm.py", "--train-stage", "rlvr", *flags["common"], "--show-samples", 1, status=2)
    assert "--train-stage sft" in refused.stderr


def test_sft_on_two_processes_is_one_run(flags):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", 2)
    sft = ("train_mllm.py", "--train-stage", "sft", "--training-task", "t2m", *flags["common"], *flags["sft"])
    answer = run(*torchrun, *sft, "--exp-name", "two", "--epochs-t2m", 1)
    folder = flags["folder"] / "two"
    assert answer.stdout.count("finished") == 1 and len((folder / "run.log").read_text().splitlines()) == 1
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows if "loss" in row]
    assert steps == sorted(set(steps)) and len([row for row in rows if "eval_loss" in row]) == 1
    assert (folder / "motionllm_t2m_best.pth").is_file() and (folder / "finished.json").is_file()


def test_interrupted_sft_goes_on(flags):
    sft = ("train_mllm.py", *flags["common"], *flags["sft"], "--exp-name", "stopped", "--epochs-t2m", 40)
    folder = flags["folder"] / "stopped"
    interrupt_when(sft, (folder / "motionllm_t2m_latest.pth").is_file)
    before = logged_steps(folder)
    assert "finished" in run(*sft).stdout
    steps = logged_steps(folder)
    assert steps == list(range(1, 40 * 4 + 1)) and 1 < len(before) < len(steps)  # no step twice, none left out


def test_interrupted_rlvr_goes_on(flags):
    sft = ("train_mllm.py", *flags["common"], *flags["sft"], "--exp-name", "sft", "--epochs-t2m", 8)
    run(*sft)
    best = flags["folder"] / "sft" / "motionllm_t2m_best.pth"
    rlvr = ("train_mllm.py", "--train-stage", "rlvr", *flags["common"], "--rl-reference-ckpt", best, "--rl-epochs", 3,
            "--rl-prompts", 4, "--rl-eval-prompts", 2, "--rl-group-size", 2, "--batch-size", 1, "--rewards", "format=1",
            "--exp-name", "rlvr_stopped")  # fmt: skip
    folder = flags["folder"] / "rlvr_stopped"
    interrupt_when(rlvr, lambda: 2 in logged_steps(folder))
    assert (folder / "motionllm_rlvr_latest.pth").is_file()
    assert "finished" in run(*rlvr).stdout
    assert logged_steps(folder) == list(range(1, 13))
    assert all((folder / f"motionllm_rlvr_epoch_{epoch}.pth").is_file() for epoch in range(3))
    refused = run(*rlvr[:-1], "few", "--batch-size", 5, status=2)
    assert "4 prompts are fewer than the 5 of one step" in refused.stderr
    refused = run(*rlvr[:-1], "folder", "--rl-metrics-jsonl", folder, status=2)
    assert "rlvr_stopped: is a folder" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--cot-train-jsonl", "nowhere.jsonl"), "no such file: nowhere.jsonl"),
        ((), "--cot-train-jsonl is needed"),
        (("--learning-rate", "-1"), "--learning-rate must be positive"),
        (("--no-such-flag", "1"), "--no-such-flag"),
        (("--training-task", "dance"), "--training-task"),
        (("--cot-train-jsonl", "EMPTY", "--nb-code", "16"), "is empty"),
        (("--cot-train-jsonl", "MALFORMED", "--nb-code", "16"), "malformed.jsonl:1: not JSON"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--llm-backbone", "no/model"), "cannot be loaded"),
        (("--cot-train-jsonl", "GOOD"), "--motion-tokenizer"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "3"), "outside the codebook [0, 3)"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "32", "--motion-tokenizer", "TOKENIZER"), "32 contradicts"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--report-to", "pigeon"), "pigeon: not known"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--report-to", "clearml"), "clearml: its package"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--trainer-config", "TORN"), "torn.yaml: not a YAML file"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--trainer-config", "LIST"), "NAME: VALUE, found list"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--out-dir", "TOKENIZER"), "tokenizer.pth is a file"),
        (("--show-samples", "1"), "--cot-train-jsonl is needed"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--init-ckpt", "x.pth"), "no such checkpoint: x.pth"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--t2m-share", "0.5"), "--t2m-share mixes two tasks"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--best-by", "CIDEr"), "judges m2t, but t2m is trained"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--prompt-style", "chat"), "has no chat template"),
        (("--cot-train-jsonl", "GOOD", "--nb-code", "16", "--token-rows", "codebook"), "needs --motion-tokenizer"),
        (("--finetune", "full", "--load-in-4bit"), "--load-in-4bit goes with --finetune lora"),
        (("--cot-train-jsonl", "GOOD", "--train-stage", "rlvr"), "--rl-reference-ckpt is needed"),
        (("--cot-train-jsonl", "GOOD", "--train-stage", "rlvr", "--rl-reference-ckpt", "x.pth"), "no such checkpoint"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line_and_a_status(
    tmp_path, cot_jsonl, motion_tokenizer, backbone, arguments, words, monkeypatch, capsys
):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "malformed.jsonl").write_text("{oops\n")
    motion_tokenizer.save(tmp_path / "tokenizer.pth")
    (tmp_path / "torn.yaml").write_text("max_steps: [1,")
    (tmp_path / "list.yaml").write_text("- max_steps")
    names = {
        "EMPTY": tmp_path / "empty.jsonl", "MALFORMED": tmp_path / "malformed.jsonl", "GOOD": cot_jsonl,
        "TOKENIZER": tmp_path / "tokenizer.pth", "TORN": tmp_path / "torn.yaml", "LIST": tmp_path / "list.yaml",
    }  # fmt: skip
    given = [str(names.get(argument, argument)) for argument in arguments]
    given = given if "--llm-backbone" in given else [*given, "--llm-backbone", backbone]
    monkeypatch.setattr(sys, "argv", ["train_mllm.py", "--out-dir", str(tmp_path), *given])
    with pytest.raises(SystemExit) as end:
        run_command(train_mllm.main)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2 and len(errors) == 1 and words in errors[0]


def test_a_mistake_from_the_shell_has_no_traceback():
    answer = run("train_mllm.py", "--cot-train-jsonl", "nowhere.jsonl", status=2)
    assert answer.stderr.strip() == "error: --cot-train-jsonl: no such file: nowhere.jsonl"
