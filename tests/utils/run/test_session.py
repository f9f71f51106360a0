"""A run is recorded, seeded, worked on and finished in one way; what stops it early leaves it to be continued."""

import contextlib
import json
import logging
import subprocess
import sys

import pytest
import torch

from tests.places import ROOT
from utils.errors import InputError
from utils.run.folder import RunFolder
from utils.run.inputs import Input
from utils.run.interrupt import InterruptFlag, Stopped
from utils.run.launcher import launched_as_main
from utils.run.session import PROCESSES, Run

CPU = torch.device("cpu")
ARGUMENTS = {"steps": 5, "device": "cpu"}


def asked(folder, arguments=ARGUMENTS, **more) -> Run:
    return Run(RunFolder(folder), arguments, ("device",), seed=7, device=CPU, **more)


def work(begin):
    session = begin("abc")
    (session.folder.path / "weights").write_text("w")
    return {"loss": 0.25, "steps": 5}


def never(begin):
    raise AssertionError("there was nothing to do")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_completed_run_is_recorded_and_left_alone_afterwards(tmp_path):
    folder = tmp_path / "run"
    summary = asked(folder).complete(work)
    assert str(summary) == f"finished {folder} | loss 0.2500 | steps 5" and not summary.already
    assert names(folder) == ["args.json", "environment.json", "finished.json", "run.log", "weights"]
    environment = json.loads((folder / "environment.json").read_text())
    assert (environment["seed"], environment["data_fingerprint"], environment["device"]) == (7, "abc", "cpu")

    before = {name: (folder / name).stat().st_mtime_ns for name in names(folder)}
    again = asked(folder, {**ARGUMENTS, "device": "cuda"}).complete(never)
    assert again.already and again.numbers == summary.numbers
    assert str(again) == f"already finished {folder} | loss 0.2500 | steps 5"
    assert {name: (folder / name).stat().st_mtime_ns for name in names(folder)} == before


@pytest.mark.parametrize("name", ["notes.txt", "notes.txt/run"])
@pytest.mark.parametrize("anew", [False, True])
def test_a_file_where_the_folder_should_be_is_named_and_left_alone(tmp_path, name, anew):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt is a file, and the run needs a folder .*use another name"):
        asked(tmp_path / name, anew=anew).complete(never)
    assert names(tmp_path) == ["notes.txt"] and (tmp_path / "notes.txt").read_text() == "mine"


def test_a_session_is_what_the_work_needs_with_torch_seeded(tmp_path):
    drawn = []

    def draw(begin):
        torch.manual_seed(0)  # whatever happened while the data were read
        session = begin("abc")
        assert (session.folder.path, session.device, session.seed) == (tmp_path, CPU, 7)
        assert session.data_fingerprint == "abc" and not session.interrupt.raised
        drawn.append(torch.rand(1).item())

    for _ in range(2):
        with pytest.raises(Stopped):
            asked(tmp_path).complete(draw)
    torch.manual_seed(7)
    assert drawn == [torch.rand(1).item()] * 2


def test_a_start_that_fails_before_it_begins_leaves_nothing(tmp_path):
    def misread(begin):
        raise InputError("no such data")

    with pytest.raises(InputError, match="no such data"):
        asked(tmp_path / "run").complete(misread)
    assert not (tmp_path / "run").exists()


def refused(begin):
    begin("abc")
    logging.warning("on the way")
    raise InputError("line 3 is no prediction")


def test_a_run_that_is_refused_after_it_began_leaves_nothing_that_was_not_there(tmp_path):
    with pytest.raises(InputError, match="line 3"):
        asked(tmp_path / "new" / "run").complete(refused)
    assert names(tmp_path) == []
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="line 3"):
        asked(tmp_path / "mine").complete(refused)
    assert names(tmp_path) == ["mine"] and names(tmp_path / "mine") == []


def test_what_a_refused_run_had_made_or_found_is_kept(tmp_path):
    def refused_late(begin):
        work(begin)
        raise InputError("the second file is damaged")

    with pytest.raises(InputError, match="the second file"):
        asked(tmp_path / "late").complete(refused_late)
    assert names(tmp_path / "late") == ["args.json", "environment.json", "run.log", "weights"]
    assert asked(tmp_path / "late").complete(work).numbers["steps"] == 5
    # An earlier start that was stopped before it made anything: its records are not this command's to remove.
    with pytest.raises(Stopped):
        asked(tmp_path / "stopped").complete(lambda begin: begin("abc") and None)
    with pytest.raises(InputError, match="line 3"):
        asked(tmp_path / "stopped").complete(refused)
    assert names(tmp_path / "stopped") == ["args.json", "environment.json", "run.log"]


def test_a_run_that_was_set_aside_for_one_that_is_refused_is_put_back(tmp_path):
    asked(tmp_path / "run").complete(work)
    with pytest.raises(InputError, match="line 3"):
        asked(tmp_path / "run", anew=True).complete(refused)
    assert names(tmp_path) == ["run"] and asked(tmp_path / "run").complete(never).already


def test_other_arguments_are_refused_before_any_work(tmp_path):
    asked(tmp_path).complete(work)
    with pytest.raises(InputError, match="steps was 5, now 6"):
        asked(tmp_path, {**ARGUMENTS, "steps": 6}).complete(never)


def test_a_run_to_be_begun_anew_sets_the_old_one_aside(tmp_path):
    asked(tmp_path / "run").complete(work)
    summary = asked(tmp_path / "run", {**ARGUMENTS, "steps": 6}, anew=True).complete(work)
    assert not summary.already and (tmp_path / "run.old-1" / "finished.json").is_file()
    assert json.loads((tmp_path / "run" / "args.json").read_text())["steps"] == 6


def test_what_is_stopped_is_not_finished_and_goes_on(tmp_path):
    def stop(begin):
        work(begin)

    with pytest.raises(KeyboardInterrupt):  # as a Ctrl-C that nothing held back
        asked(tmp_path).complete(stop)
    assert not (tmp_path / "finished.json").exists()
    assert not asked(tmp_path).complete(work).already


def made_of(folder, *places, **more) -> Run:
    """A run with the inputs of these names; `places`: (name, path)."""
    return asked(folder, inputs={name: Input.at(path) for name, path in places}, **more)


def interrupted(begin):
    work(begin)


@pytest.mark.parametrize("first", [work, interrupted])
def test_a_run_whose_input_was_replaced_is_neither_finished_nor_continued(tmp_path, first):
    checkpoint, folder = tmp_path / "a.pth", tmp_path / "run"
    checkpoint.write_text("first")
    with contextlib.suppress(Stopped):
        made_of(folder, ("eval_ckpt", checkpoint)).complete(first)
    checkpoint.write_text("other")
    told = r"of something else \(--eval-ckpt .* was \w{12}, now \w{12}\): put that back, or use another --exp-name$"
    with pytest.raises(InputError, match=told):
        made_of(folder, ("eval_ckpt", checkpoint)).complete(never)
    checkpoint.write_text("first")
    assert made_of(folder, ("eval_ckpt", checkpoint)).complete(work).already == (first is work)


def test_an_input_that_has_moved_is_the_same_and_so_is_a_run(tmp_path):
    def flags(name):
        return {**ARGUMENTS, "eval_ckpt": str(tmp_path / name)}

    (tmp_path / "a.pth").write_text("weights")
    asked(tmp_path / "run", flags("a.pth"), inputs={"eval_ckpt": Input.at(tmp_path / "a.pth")}).complete(work)
    (tmp_path / "a.pth").rename(tmp_path / "b.pth")
    (tmp_path / "run").rename(tmp_path / "renamed")
    again = asked(tmp_path / "renamed", flags("b.pth"), inputs={"eval_ckpt": Input.at(tmp_path / "b.pth")})
    assert again.complete(never).already
    with pytest.raises(InputError, match=r"eval_ckpt was .*a.pth', now .*c.pth'"):  # nobody can tell
        asked(tmp_path / "renamed", flags("c.pth"), inputs={"eval_ckpt": None}).complete(never)
    assert asked(tmp_path / "renamed", flags("a.pth"), inputs={"eval_ckpt": None}).complete(never).already


def test_what_the_work_comes_across_is_compared_too(tmp_path):
    backbone, folder = tmp_path / "llm", tmp_path / "run"

    def find(begin):
        begin("abc", {"backbone of the checkpoint": Input.at(backbone)})

    for content in ("first", "first"):
        backbone.write_text(content)
        with pytest.raises(Stopped):
            asked(folder).complete(find)
        (folder / "weights").write_text("w")
    backbone.write_text("other")
    with pytest.raises(InputError, match=r"backbone of the checkpoint .*llm was"):
        asked(folder).complete(never)


def test_a_run_of_before_inputs_were_recorded_still_opens(tmp_path, caplog):
    (tmp_path / "a.pth").write_text("weights")
    folder = tmp_path / "run"
    asked(folder).complete(work)
    (folder / "args.json").write_text(json.dumps(ARGUMENTS))
    assert made_of(folder, ("eval_ckpt", tmp_path / "a.pth")).complete(never).already
    (folder / "finished.json").unlink()
    with caplog.at_level(logging.INFO):
        assert not made_of(folder, ("eval_ckpt", tmp_path / "a.pth")).complete(work).already
    assert "was begun before runs recorded what they read" in caplog.text
    (tmp_path / "a.pth").write_text("other")
    with pytest.raises(InputError, match="--eval-ckpt"):  # from then on it counts
        made_of(folder, ("eval_ckpt", tmp_path / "a.pth")).complete(never)


def test_an_interrupted_run_goes_on_with_as_many_processes_and_a_finished_one_is_shown_to_any(tmp_path):
    with pytest.raises(Stopped):
        asked(tmp_path, {**ARGUMENTS, PROCESSES: 2}).complete(interrupted)
    with pytest.raises(InputError, match=r"processes was 2, now 1\)"):
        asked(tmp_path, {**ARGUMENTS, PROCESSES: 1}).complete(never)
    asked(tmp_path, {**ARGUMENTS, PROCESSES: 2}).complete(work)
    assert asked(tmp_path, {**ARGUMENTS, PROCESSES: 1}).complete(never).already


def test_no_resume_of_nothing_sets_nothing_aside(tmp_path):
    asked(tmp_path / "run", anew=True).complete(work)
    assert names(tmp_path) == ["run"]
    asked(tmp_path / "run", anew=True).complete(work)
    assert names(tmp_path) == ["run", "run.old-1"] and not (tmp_path / "run.old-1" / ".lock").exists()


WORKING = """
import sys, time
from utils.run.folder import RunFolder
from utils.run.session import Run

def work(begin):
    session = begin("")
    session.folder.log({"step": 1})
    print("working", flush=True)
    time.sleep(60)

Run(RunFolder(sys.argv[1]), {"steps": 5, "device": "cpu"}, ("device",), 7, "cpu").complete(work)
"""


@pytest.fixture
def working(tmp_path):
    """A process that works on the run tmp_path/run."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKING, str(tmp_path / "run")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "working\n"
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("anew", [False, True])
def test_of_two_processes_on_one_run_the_second_is_told_and_changes_nothing(tmp_path, working, anew):
    before = {name: (tmp_path / "run" / name).read_bytes() for name in names(tmp_path / "run")}
    told = rf"run: process {working.pid} on \S+ is working here: wait for it, end it, or use another folder"
    with pytest.raises(InputError, match=told):
        asked(tmp_path / "run", anew=anew).complete(never)
    assert names(tmp_path) == ["run"]
    assert {name: (tmp_path / "run" / name).read_bytes() for name in names(tmp_path / "run")} == before
    assert RunFolder(tmp_path / "run").metrics.rows() == [{"step": 1}]


@pytest.mark.parametrize("anew", [False, True])
def test_after_a_kill_the_run_is_free(tmp_path, working, anew):
    working.kill()
    working.wait()
    assert asked(tmp_path / "run", anew=anew).complete(work) is not None
    assert names(tmp_path) == (["run", "run.old-1"] if anew else ["run"])
    assert not any((folder / ".lock").exists() for folder in tmp_path.iterdir())


def test_run_log_holds_what_this_run_logged_and_is_closed(tmp_path):
    def logging_work(begin):
        logging.warning("before")
        numbers = work(begin)
        logging.warning("within")
        return numbers

    handlers = list(logging.getLogger().handlers)
    asked(tmp_path).complete(logging_work)
    logging.warning("after")
    assert (tmp_path / "run.log").read_text().split(": ", 1)[1] == "within\n"

    def break_down(begin):
        begin("")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asked(tmp_path / "other").complete(break_down)
    assert logging.getLogger().handlers == handlers


def test_of_several_processes_only_the_first_writes_and_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not launched_as_main()
    folder, seen = tmp_path / "run", []

    def other(begin):
        seen.append(begin("abc").seed)
        return {}

    assert asked(folder).complete(other) is None
    assert seen == [7] and not folder.exists()
    monkeypatch.setenv("RANK", "0")
    assert asked(folder, anew=True).complete(work) is not None
    with pytest.raises(InputError, match="with several processes"):
        asked(folder, anew=True).complete(never)
    monkeypatch.setenv("RANK", "1")
    assert asked(folder).complete(never) is None


def test_the_interrupt_of_a_session_is_a_flag_only_within_its_context(tmp_path):
    def interrupted(begin):
        session = begin("")
        assert isinstance(session.interrupt, InterruptFlag)
        with session.interrupt as interrupt:
            interrupt.raised = True
        return {"steps": 1}  # the loop had come to its end all the same

    assert asked(tmp_path).complete(interrupted).numbers == {"steps": 1}


def test_command_lines_do_not_wait_for_torch():
    code = (
        "import sys, utils.run.session, utils.run.command, utils.run.devices, utils.run.launcher\n"
        "print([name for name in ('torch', 'numpy') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_a_run_that_was_begun_without_inputs_is_not_taken_for_one_of_before_they_were_recorded(tmp_path, caplog):
    caplog.set_level(logging.INFO)

    def stops(begin):
        (begin("abc").folder.path / "weights").touch()

    with pytest.raises(Stopped):
        asked(tmp_path / "run", inputs={"model": None}).complete(stops)
    (tmp_path / "model.pth").write_text("m")
    asked(tmp_path / "run", inputs={"model": Input.at(tmp_path / "model.pth")}).complete(work)
    assert "was begun before" not in caplog.text
    recorded = json.loads((tmp_path / "run/args.json").read_text())["inputs"]
    assert recorded["model"]["path"] == str(tmp_path / "model.pth")
