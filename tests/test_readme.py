"""The README is true: its commands exist, and take the flags that it shows."""

import importlib
import re
import shlex
import sys

import pytest

from tests.places import ROOT

BLOCKS = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
LINES = [line.strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
HANDED_ON = {"tests.benchmarks.rlvr_gain": "train_mllm", "prepare.sweep_com": "eval_mllm"}
PYTHON = [line for line in LINES if line.startswith("python ")]


def module_of(words):
    return words[2] if words[1] == "-m" else words[1].removesuffix(".py")


def commands_of(line):
    """(module, words) of a line; what follows ``--`` is handed on to another command."""
    words = shlex.split(line)
    end = words.index("--") if "--" in words else len(words)
    handed_on = words[end + 1 :]
    module = module_of(words)
    return [(module, words[:end]), *([(HANDED_ON[module], handed_on)] if handed_on else [])]


@pytest.mark.parametrize("line", PYTHON)
def test_python_commands_take_their_flags(line, monkeypatch, capsys):
    for name, words in commands_of(line):
        monkeypatch.setattr(sys, "argv", [name, "--help"])
        with pytest.raises(SystemExit) as end:
            importlib.import_module(name).main()
        assert end.value.code == 0
        known = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out))
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


def test_there_are_commands_and_scripts():
    assert len(PYTHON) >= 10
    scripts = [shlex.split(line)[1] for line in LINES if line.startswith("bash ")]
    assert {"prepare/quickstart.sh", "tests/run.sh"} <= set(scripts)
    assert all((ROOT / script).is_file() for script in scripts)


def test_linked_files_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / target).exists(), target
