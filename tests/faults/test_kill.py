"""A fast part of the suite of kills, and that the suite sees what a kill has cost."""

import os
import random
import time
from pathlib import Path

import pytest

from tests.faults.conftest import FAST
from tests.faults.counting import Count
from tests.faults.forks import Command, Moment, run_forked
from tests.faults.kill import try_kill, try_stage
from tests.faults.stages import STAGES, named
from tests.faults.trees import contents, difference, left_behind
from tests.faults.worlds import World, make_world, needed_for
from utils.files.atomic import write_text

pytestmark = pytest.mark.pipeline


@pytest.mark.parametrize("name", FAST)
def test_a_killed_command_makes_the_same_when_it_is_given_again(world, name):
    count = Count("kill")
    (stage,) = named(name)
    try_stage(stage, world, count, kills=3, seed=0)
    assert count.tried >= 3 and count.lost == 0, "\n".join(count.lines())


def test_every_stage_names_what_it_reads_and_makes():
    made = {name for stage in STAGES for name in stage.outputs}
    assert len({stage.name for stage in STAGES}) == len(STAGES) >= 21
    for stage in STAGES:
        assert stage.outputs and (set(stage.inputs) <= made or stage.prepare is not None), stage.name
    assert [stage.name for stage in needed_for(named("encode"))] == [
        "make_toy_dataset",
        "train_motion_tokenizer",
        "encode_motions",
    ]


def _slowly():
    """Writes a file bit by bit in its place, and takes what is there for whole."""
    if Path("out.txt").exists():
        return
    with open("out.txt", "w") as stream:
        for number in range(50):
            print(number, file=stream, flush=True)
            time.sleep(0.01)


def _forgetfully():
    """Leaves a file behind whose name nobody knows any more."""
    name = f".out.{os.getpid()}.tmp"
    Path(name).write_text("half")
    time.sleep(0.1)
    os.replace(name, "out.txt")


def _well():
    write_text("out.txt", "whole")


def _tried(stage, tmp_path, moment):
    place = tmp_path / "world"
    world = World(place, {}) if place.exists() else make_world(place, [stage])
    return try_kill(stage, world, tmp_path / "trial", moment, random.Random(1))


@pytest.fixture(autouse=True)
def stages_of_tests(monkeypatch):
    monkeypatch.setattr("tests.faults.worlds.needed_for", lambda stages: list(stages))


def test_the_suite_sees_a_file_that_is_half(tmp_path, careless):
    ending, repeat, kills = _tried(careless(_slowly), tmp_path, Moment(1, 0.15))
    assert kills == 1 and ending.lost == "not what an undisturbed run makes: out.txt is another"
    assert "change 1 + 150 ms" in repeat


def test_the_suite_sees_what_is_left_behind(tmp_path, careless):
    ending, _, kills = _tried(careless(_forgetfully), tmp_path, Moment(2))
    assert kills >= 1 and ending.lost.startswith("left behind: .out.")


def test_a_command_that_writes_whole_files_survives_every_moment(tmp_path, careless):
    stage = careless(_well)
    assert [_tried(stage, tmp_path, Moment(change))[0].lost for change in (1, 2, 3, 4, 5)] == [""] * 5


def test_a_moment_is_exact_and_changes_are_counted(tmp_path, careless):
    command = Command(careless(_well).module, [])
    (tmp_path / "run").mkdir()
    whole = run_forked(command, tmp_path / "run")
    assert whole.status == 0 and whole.changes == 5  # its folder, made, synced, made readable, renamed
    (tmp_path / "run/out.txt").unlink()
    killed = run_forked(command, tmp_path / "run", Moment(whole.changes))
    assert killed.killed and not (tmp_path / "run/out.txt").exists()
    assert left_behind(tmp_path / "run", ["out.txt"]) == [".out.txt.new.tmp"]


def test_folders_that_are_left_behind_are_seen_too(tmp_path):
    (tmp_path / "llm" / ".llm.new.tmp").mkdir(parents=True)
    (tmp_path / "run" / "trainer_state" / "unfinished" / "checkpoint-3").mkdir(parents=True)
    (tmp_path / "run" / "trainer_state" / "checkpoint-2.torn").mkdir()
    (tmp_path / ".new.new.tmp").mkdir()
    found = [
        ".new.new.tmp", "llm/.llm.new.tmp", "run/trainer_state/checkpoint-2.torn", "run/trainer_state/unfinished",
    ]  # fmt: skip
    assert left_behind(tmp_path, ["llm", "run", "new"]) == found
    assert left_behind(tmp_path, ["llm", "run", "new"], parts=False) == found[:2]


def test_times_are_not_compared_and_numbers_are(tmp_path):
    for name, seconds, loss in (("a", 1.0, 0.5), ("b", 2.0, 0.5), ("c", 1.0, 0.6)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "finished.json").write_text(f'{{"seconds": {seconds}, "loss": {loss}}}')
        (tmp_path / name / "run.log").write_text(name)
    first, second, third = (contents(tmp_path / name, ["finished.json", "run.log"]) for name in "abc")
    assert difference(first, second) is None and difference(first, third) == "finished.json is another"
    assert difference(first, {}) == "finished.json is missing"
