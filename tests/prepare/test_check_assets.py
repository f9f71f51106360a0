"""The table of what is here, and the hints where something is missing."""

import platform
import shlex
import shutil
import sys

import numpy as np
import pytest
import torch

from dataset.captions.word_vectors import WordVectorizer, make_word_vectors
from models.policy.backbone import load_text_tokenizer
from models.text_motion.evaluator import TextMotionEvaluator
from prepare import check_assets, download
from prepare.assets.catalogue import ASSETS, BY_NAME, GROUPS, HubFolder
from prepare.assets.state import look, write_receipt
from tests.prepare.hub_layout import write_hub_evaluator
from tests.prepare.random_motions import random_evaluator, write_motions
from utils.asset_hints import HINTS, how_to_get
from utils.errors import InputError
from utils.run.command import run_command


def run_here(capsys, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["check_assets", *map(str, words)])
    status = 0
    try:
        run_command(check_assets.main)
    except SystemExit as exit:
        status = exit.code
    return status, *capsys.readouterr()


def states(output):
    """name -> status."""
    lines = [line.split() for line in output.partition("\n\n")[2].splitlines() if not line.startswith(" ")]
    return {words[0]: words[1] for words in lines}


def block(output, name):
    """The lines about one asset."""
    lines = output.splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith(f"{name} "))
    end = next((i for i in range(begin + 1, len(lines)) if not lines[i].startswith(" ")), len(lines))
    return "\n".join(lines[begin:end])


def test_nothing_is_here(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, output, errors = run_here(capsys, monkeypatch)
    assert (status, errors) == (0, "")
    found = states(output)
    assert set(found) >= set(HINTS)
    assert all(found[asset.name] == "missing" for asset in ASSETS)
    assert "python -m prepare.download evaluator-t2m" in block(output, "evaluator-t2m")
    assert "evaluation and the consistency reward on HumanML3D" in block(output, "evaluator-t2m")
    assert "hf download Qwen/Qwen3-4B-Instruct-2507" in block(output, "backbone")


def test_every_command_of_the_table_takes_its_words():
    """The words of every hint are understood by the command that it names."""
    for asset in ASSETS:
        words = shlex.split(asset.hint.command)
        assert words[:3] == ["python", "-m", "prepare.download"]
        assert download.find_assets(words[3:]) == [asset]
    assert {name for members in GROUPS.values() for name in members} <= set(BY_NAME)


def test_what_is_here_is_seen(tmp_path, capsys, monkeypatch):
    """Evaluators in each of their forms, word vectors, a data set."""
    write_hub_evaluator(random_evaluator(), tmp_path / "checkpoints/t2m")
    make_word_vectors(["a/DET"], dim=3).save(tmp_path / "glove")
    write_motions(tmp_path / "data/HumanML3D", {"train": 2, "test": 2})
    kit = tmp_path / "checkpoints/kit"
    (kit / "text_mot_match/model").mkdir(parents=True)
    (kit / "text_mot_match/model/finest.tar").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert states(run_here(capsys, monkeypatch)[1])["evaluator-kit"] == "partial"  # without statistics
    (kit / "Comp_v6_KLD005/meta").mkdir(parents=True)
    for name in ("mean", "std"):
        np.save(kit / f"Comp_v6_KLD005/meta/{name}.npy", np.ones(251))
    status, output, _ = run_here(capsys, monkeypatch, "--require", "evaluator-t2m", "glove", "humanml3d")
    assert status == 0
    found = states(output)
    assert [found[name] for name in ("evaluator-t2m", "glove", "humanml3d")] == ["present"] * 3
    assert "downloaded, to be imported" in block(output, "evaluator-kit")
    assert "prepare.import_evaluator --published checkpoints/kit " in block(output, "evaluator-kit")
    random_evaluator().save(kit)
    assert states(run_here(capsys, monkeypatch)[1])["evaluator-kit"] == "present"

    (tmp_path / "data/HumanML3D/Mean.npy").unlink()
    (tmp_path / "glove/our_vab_idx.pkl").write_bytes(b"")
    status, output, errors = run_here(capsys, monkeypatch, "--require", "glove", "humanml3d", "evaluator-t2m")
    assert status == 2 and errors == "error: not here: glove, humanml3d\n"
    assert "lacks Mean.npy" in block(output, "humanml3d")


def test_a_receipt_knows_what_was_damaged(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asset = BY_NAME["morl-weights"]
    target = asset.target()
    target.mkdir(parents=True)
    for name in ("a.pth", "b.pth"):
        (target / name).write_bytes(b"weights")
    assert look(asset, target).status == "partial"  # nobody says that this is all
    write_receipt(asset, target, ["a.pth", "b.pth"], "here")
    assert states(run_here(capsys, monkeypatch)[1])["morl-weights"] == "present"
    (target / "a.pth").write_bytes(b"Weights")
    assert states(run_here(capsys, monkeypatch)[1])["morl-weights"] == "present"  # by sizes
    _, output, _ = run_here(capsys, monkeypatch, "--contents", "yes")
    assert "a.pth has SHA-256" in block(output, "morl-weights")
    (target / "b.pth").unlink()
    assert "b.pth is missing" in block(run_here(capsys, monkeypatch)[1], "morl-weights")


def test_mistakes_are_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, output, errors = run_here(capsys, monkeypatch, "--require", "cats")
    assert status == 2 and output == "" and errors.startswith("error: --require cats: not among evaluator-t2m, ")
    receipt = tmp_path / "glove/.glove.download.json"
    receipt.parent.mkdir()
    receipt.write_text("{")
    status, _, errors = run_here(capsys, monkeypatch)
    assert status == 2 and "not a manifest" in errors and errors.count("\n") == 1


@pytest.mark.parametrize(
    ("missing", "name"),
    [
        (lambda root: TextMotionEvaluator.load(root / "t2m"), "evaluator-t2m"),
        (lambda root: TextMotionEvaluator.load(root / "kit"), "evaluator-kit"),
        (lambda root: WordVectorizer.load(root / "glove"), "glove"),
        (lambda root: load_text_tokenizer("no/model"), "backbone"),
    ],
)
def test_whoever_misses_something_says_how_to_get_it(tmp_path, missing, name):
    with pytest.raises(InputError) as error:
        missing(tmp_path)
    assert str(error.value).endswith(how_to_get(name))
    assert "\n" not in str(error.value)


def test_the_table_holds_the_published_sources():
    assert BY_NAME["evaluator-t2m"].drive.url == "https://drive.google.com/uc?id=1FIiqtkt4F-GVWmnBgtZnv9W3cPWS-oM-"
    assert BY_NAME["cot-data"].hub == HubFolder("AIGeeksGroup/MoUnd-MoGen-CoT-140K", kind="dataset")
    assert [asset.name for asset in download.find_assets(["extractor", "evaluator-t2m"])] == [
        "evaluator-t2m",
        "evaluator-kit",
    ]


def test_the_machine_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "KIT-ML").mkdir(parents=True)
    (tmp_path / "data" / "KIT-ML" / "train.txt").write_bytes(b"x" * 2_000_000)
    _, output, _ = run_here(capsys, monkeypatch)
    lines = output.splitlines()
    assert lines[0] == f"python  {platform.python_version()}"
    assert lines[1].startswith(f"torch   {torch.__version__}")
    assert any(line.startswith("memory  ") and "cores" in line for line in lines)
    disk = next(line for line in lines if line.startswith("disk "))
    free = float(disk.split()[1])
    assert disk.endswith("free for checkpoints, glove, data, experiments")
    assert free == pytest.approx(shutil.disk_usage(tmp_path).free / 1e9, rel=0.2)
    assert "(2.0 MB)" in block(output, "kit-ml") and "(8 GB)" in block(output, "backbone")
