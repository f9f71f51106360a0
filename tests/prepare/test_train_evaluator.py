"""The command as a user runs it: train, run again, interrupt and continue, make mistakes."""

import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from dataset.captions.lines import Caption
from dataset.captions.word_vectors import make_word_vectors
from dataset.humanml.layout import write_mean_std, write_record, write_splits
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.real_motion import EmbeddedRecords
from prepare import train_evaluator
from prepare.train_evaluator import EvaluatorFlags
from tests.places import ROOT
from utils.metrics.report import read_results
from utils.run.command import run_command

TRANSFORMER = ("--family", "tmr", "--layers", "1")
TINY = "--hidden-size 8 --motion-hidden-size 8 --embedding-size 8 --word-size 8 --batch-size 4 --train-word-vectors"
SPLITS = {"train": 8, "val": 4, "test": 34}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    ids = {split: [f"{split}{index}" for index in range(count)] for split, count in SPLITS.items()}
    for number, id in enumerate(id for members in ids.values() for id in members):
        features = rng.normal(size=(40, 263)).astype(np.float32)
        caption = Caption("it moves.", (f"it{number % 5}/PRON", "move/VERB"), 0.0, 0.0)
        write_record(root, id, features, np.zeros((41, 22, 3)), [caption])
    write_splits(root, ids)
    write_mean_std(root, np.zeros(263), np.ones(263))
    return root


def run_here(capsys, monkeypatch, *arguments):
    """Run the command in this process -> (status, stdout, stderr)."""
    monkeypatch.setattr(sys, "argv", ["train_evaluator", *map(str, arguments)])
    status = 0
    try:
        run_command(train_evaluator.main)
    except SystemExit as exit:
        status = exit.code
    return status, *capsys.readouterr()


def read_finished(folder):
    return json.loads((folder / "finished.json").read_text())


def arguments(data_root, out, *more):
    flags = f"{TINY} --exp-name tiny --device cpu --epochs 2 --repeats 3".split()
    return ["--data-root", data_root, "--out-dir", out, *flags, *more]


@pytest.mark.parametrize("counts", [(1, 1), (3, 1), (1, 2)])
def test_two_motions_to_train_and_validate_on_are_enough(data_root, tmp_path, capsys, monkeypatch, caplog, counts):
    """As many as a data set of three clips has outside of its test split."""
    shutil.copytree(data_root, tmp_path / "data", ignore=shutil.ignore_patterns(".cache"))
    for split, count in {"train": counts[0], "val": counts[1], "test": 1}.items():
        ids = [f"{split}{index}\n" for index in range(count)]
        (tmp_path / f"data/{split}.txt").write_text("".join(ids), encoding="utf-8")
    status, output, errors = run_here(capsys, monkeypatch, *arguments(tmp_path / "data", tmp_path))
    assert status == 0, errors
    assert f"{counts[0]} motions to train and {counts[1]} to validate on are few" in caplog.text
    assert "test split too small for R-precision" in output


@pytest.mark.parametrize("family", [(), TRANSFORMER], ids=["guo", "tmr"])
def test_training_leaves_an_evaluator_and_its_own_precision(data_root, tmp_path, capsys, monkeypatch, family):
    status, output, errors = run_here(capsys, monkeypatch, *arguments(data_root, tmp_path, *family))
    assert status == 0, errors
    folder = tmp_path / "tiny"
    evaluator = TextMotionEvaluator.load(folder)
    assert evaluator.fingerprint in output
    value = read_results(folder / "results.json")["real motion"]["R@1"]
    assert (value.n, value.repeats) == (32, 3)  # whole groups of the 34
    assert 0 <= value.mean < 0.5
    signature = json.loads((folder / "results.json").read_text())["rows"]["real motion"]["R@1"]["signature"]
    assert f"eval:{evaluator.fingerprint}" in signature
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 2

    # Learned word vectors are in the folder, in the published format.
    assert "it3" in evaluator.words
    status, output, _ = run_here(capsys, monkeypatch, *arguments(data_root, tmp_path, *family))
    assert status == 0
    assert output.startswith("already finished")
    status, _, errors = run_here(capsys, monkeypatch, *arguments(data_root, tmp_path, *family, "--seed", 7))
    assert status == 2
    assert "seed was 123, now 7" in errors

    # Another evaluator can start from these word vectors; another seed gives another evaluator.
    more = (*family, "--word-vectors", folder, "--seed", 7, "--exp-name", "other")
    status, _, errors = run_here(capsys, monkeypatch, *arguments(data_root, tmp_path, *more))
    assert status == 0, errors
    other = TextMotionEvaluator.load(tmp_path / "other")
    assert other.words.words == evaluator.words.words
    assert other.fingerprint != evaluator.fingerprint


@pytest.mark.parametrize("family", [(), TRANSFORMER], ids=["guo", "tmr"])
def test_seeds_make_evaluators_and_the_same_seed_the_same_one(data_root, tmp_path, capsys, monkeypatch, family):
    """From the same word vectors: what differs is the networks."""
    make_word_vectors(("it0/PRON", "move/VERB"), dim=8).save(tmp_path / "words")
    found = []
    for number, seed in enumerate((7, 8, 7)):
        more = (*family, "--word-vectors", tmp_path / "words", "--seed", seed, "--exp-name", f"run{number}")
        status, _, errors = run_here(capsys, monkeypatch, *arguments(data_root, tmp_path, *more))
        assert status == 0, errors
        found.append(TextMotionEvaluator.load(tmp_path / f"run{number}").fingerprint)
    assert found[0] == found[2] != found[1]


def test_a_run_of_another_family_is_another_run(data_root, tmp_path, capsys, monkeypatch):
    assert run_here(capsys, monkeypatch, *arguments(data_root, tmp_path))[0] == 0
    before = TextMotionEvaluator.load(tmp_path / "tiny").fingerprint
    status, _, errors = run_here(capsys, monkeypatch, *arguments(data_root, tmp_path, *TRANSFORMER))
    assert status == 2
    assert "family was 'guo', now 'tmr'" in errors
    assert TextMotionEvaluator.load(tmp_path / "tiny").fingerprint == before


def test_sizes_that_are_not_given_are_those_published_for_the_family():
    found = [EvaluatorFlags("data", family=family) for family in ("guo", "tmr")]
    assert [(f.hidden_size, f.motion_hidden_size, f.embedding_size) for f in found] == [
        (512, 1024, 512),
        (256, 256, 256),
    ]
    assert [
        EvaluatorFlags("data", family="tmr", semantic_model_name=name).similar_captions for name in (None, "some")
    ] == [0.8, 0.6]


def test_the_test_split_is_seen_once_after_everything_is_chosen(data_root, tmp_path, capsys, monkeypatch):
    seen = []
    embed = EmbeddedRecords.of

    def spy(evaluator, records):
        seen.append(({record.id.rstrip("0123456789") for record in records}, evaluator.fingerprint))
        return embed(evaluator, records)

    monkeypatch.setattr(EmbeddedRecords, "of", spy)
    status, _, errors = run_here(capsys, monkeypatch, *arguments(data_root, tmp_path, "--epochs", 3))
    assert status == 0, errors
    assert [splits for splits, _ in seen] == [{"val"}, {"val"}, {"val"}, {"test"}]
    # The evaluator that the test measured is the saved one: that of the epoch with the best validation rank.
    rows = [json.loads(line) for line in (tmp_path / "tiny" / "metrics.jsonl").read_text().splitlines()]
    best = max(range(3), key=lambda index: rows[index]["val_mrr"])
    assert seen[-1][1] == seen[best][1] == TextMotionEvaluator.load(tmp_path / "tiny").fingerprint
    assert read_finished(tmp_path / "tiny")["best_epoch"] == best + 1


def test_two_validation_clips_are_enough(data_root, tmp_path, capsys, monkeypatch):
    """Fewer than the three ranks of R-precision."""
    shutil.copytree(data_root, tmp_path / "data")
    (tmp_path / "data" / "val.txt").write_text("val0\nval1\n")
    status, _, errors = run_here(capsys, monkeypatch, *arguments(tmp_path / "data", tmp_path, "--epochs", 1))
    assert status == 0, errors


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--data-root", "/nowhere"), "/nowhere: no such data set folder"),
        (("--word-vectors", "/nowhere"), "/nowhere/our_vab_words.pkl"),
        (("--learning-rate", "1e30"), "the loss is nan: the training has diverged; give a smaller --learning-rate"),
        (("--batch-size", "1"), "--batch-size 1: must be at least 2"),
        (("--hidden", "8"), "--hidden"),
        (("--family", "clip"), "--family"),
        (("--layers", "2"), "of no use here: --layers (needs --family tmr)"),
        ((*TRANSFORMER, "--hidden-size", "6"), "widths 6 and 8: expected multiples of 4"),
        ((*TRANSFORMER, "--frames-per-token", "3"), "3 frames a token: expected one of (1, 2, 4)"),
        ((*TRANSFORMER, "--semantic-model-name", "/nowhere"), "/nowhere"),
        (("--dataname", "kit"), "none of its 8 clips is usable"),
    ],
)
def test_mistakes_are_one_line(data_root, tmp_path, capsys, monkeypatch, more, said):
    status, _, errors = run_here(capsys, monkeypatch, *arguments(data_root, tmp_path, *more))
    assert status == 2
    assert said in errors
    assert "Traceback" not in errors


def test_ctrl_c_and_the_same_command_again(data_root, tmp_path, capsys, monkeypatch):
    flags = arguments(data_root, tmp_path, "--epochs", 9999, "--patience", 9999, "--max-minutes", "0.05")
    command = [sys.executable, "-m", "prepare.train_evaluator", *map(str, flags)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    log = tmp_path / "tiny" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not log.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert b"run the same command again" in errors
    assert b"Traceback" not in errors
    reached = json.loads(log.read_text().splitlines()[-1])["epoch"]
    TextMotionEvaluator.load(tmp_path / "tiny")

    status, output, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 0, errors
    assert "R@1" in output
    epochs = [json.loads(line)["epoch"] for line in log.read_text().splitlines()]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) > reached
