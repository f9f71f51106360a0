"""A fast part of the suite of full disks, and that the suite sees a bad end on one."""

import errno
import random

import pytest

from tests.faults.conftest import FAST
from tests.faults.counting import Count
from tests.faults.disk import FullDisk, full_disks, half_files, own_disk, resize, try_disk, try_stage, used
from tests.faults.forks import Command, refuse, run_forked
from tests.faults.stages import make_world, named
from utils.files.atomic import write_text

pytestmark = pytest.mark.pipeline


@pytest.mark.parametrize("name", FAST)
def test_a_full_disk_is_one_line_and_the_command_goes_on_when_there_is_room(world, tmp_path, name):
    place, undisturbed = world
    count = Count("disk")
    (stage,) = named(name)
    with own_disk(tmp_path / "disk") as mounted:
        try_stage(stage, place, tmp_path / "disk", mounted, undisturbed[name], count, cases=3, seed=0, url="")
    assert count.tried == 3 and count.lost == 0, "\n".join(count.lines())


def _tried(stage, tmp_path, monkeypatch, full):
    monkeypatch.setattr("tests.faults.stages.needed_for", lambda stages: list(stages))
    make_world(tmp_path / "world", [stage], "")
    return try_disk(stage, tmp_path / "world", tmp_path / "trial", full, random.Random(1), "")[0]


def _well():
    write_text("out.txt", "whole")


def _badly():
    try:
        write_text("out.txt", "whole")
    except OSError:
        raise KeyError("out.txt") from ValueError("another thing")


def _in_its_place():
    with open("out.json", "w") as stream:
        stream.write("{")
        stream.flush()
        write_text("out.txt", "whole")
        stream.write("}")


FULL = FullDisk("ENOSPC from change 1 on", within=lambda: refuse(1, errno.ENOSPC))


def test_a_command_that_says_it_in_one_line_survives(tmp_path, monkeypatch, careless):
    ending = _tried(careless(_well), tmp_path, monkeypatch, FULL)
    assert not ending.lost and ending.line.startswith("error: ") and "No space left on device" in ending.line


def test_the_suite_sees_half_a_file(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n{"a"')  # the last line of a journal may be torn
    (tmp_path / "c.npy").write_bytes(b"\x93NUMPY")
    assert half_files(tmp_path, ["a.json", "b.jsonl", "c.npy"]) == ["a.json", "c.npy"]


def test_a_refusal_begins_at_the_change_that_is_named(tmp_path, careless):
    command = Command(careless(_well).module, [])
    for change, there in ((1, []), (2, []), (3, []), (4, ["out.txt"])):
        folder = tmp_path / f"run{change}"
        folder.mkdir()
        ended = run_forked(command, folder, before=lambda change=change: refuse(change, errno.ENOSPC))
        assert [path.name for path in folder.iterdir()] == there, change
        assert ended.status == (0 if there else 2)


def test_a_small_file_system_is_small(tmp_path):
    with own_disk(tmp_path / "disk") as mounted:
        if not mounted:
            pytest.skip("a small file system can be mounted by root only")
        resize(tmp_path / "disk", used(tmp_path / "disk") + 8192)
        with pytest.raises(OSError, match="No space left"):
            (tmp_path / "disk/a").write_bytes(bytes(100_000))


def test_full_disks_are_of_every_kind(world):
    _, undisturbed = world
    found = full_disks(random.Random(0), None, True, undisturbed["encode_motions"], [1000, 50_000])
    told = [next(found).what for _ in range(6)]
    assert [
        words in text for words, text in zip(("from change", "no file beyond", "room for") * 2, told, strict=True)
    ] == [True] * 6
