"""A fast part of the suite of full disks, and that the suite sees a bad end on one."""

import errno
import random

import pytest

from tests.faults.conftest import FAST
from tests.faults.counting import Count
from tests.faults.disk import Disk, FullDisk, full_disks, half_files, own_disk, try_disk, try_stage
from tests.faults.forks import Command, refuse, run_forked
from tests.faults.stages import named
from tests.faults.worlds import make_world
from utils.files.atomic import write_text

pytestmark = pytest.mark.pipeline


@pytest.mark.parametrize("name", FAST)
def test_a_full_disk_is_one_line_and_the_command_goes_on_when_there_is_room(world, tmp_path, name):
    count = Count("disk")
    (stage,) = named(name)
    with own_disk(tmp_path / "disk") as disk:
        try_stage(stage, world, disk, count, cases=3, seed=0)
    assert count.tried == 3 and count.lost == 0, "\n".join(count.lines())


def _tried(stage, tmp_path, monkeypatch, full):
    monkeypatch.setattr("tests.faults.worlds.needed_for", lambda stages: list(stages))
    world = make_world(tmp_path / "world", [stage])
    return try_disk(stage, world, tmp_path / "trial", full, random.Random(1))[0]


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


def test_the_suite_sees_a_traceback_and_half_a_file(tmp_path, monkeypatch, careless):
    ending = _tried(careless(_badly), tmp_path / "a", monkeypatch, FULL)
    assert ending.lost.startswith("a traceback: KeyError")
    later = FullDisk("ENOSPC from change 2 on", within=lambda: refuse(2, errno.ENOSPC))
    assert _tried(careless(_in_its_place), tmp_path / "b", monkeypatch, later).lost == "half a file is left: out.json"


def test_files_that_are_half_are_told_whatever_their_reader_says(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n{"a"')  # the last line of a journal may be torn
    (tmp_path / "c.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "d.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    (tmp_path / "e.pth").write_bytes(b"\x80\x02}.")
    (tmp_path / "f.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    names = ["a.json", "b.jsonl", "c.npy", "d.safetensors", "e.pth", "f.png"]
    assert half_files(tmp_path, names) == ["a.json", "c.npy", "d.safetensors", "e.pth", "f.png"]


def test_a_refusal_begins_at_the_change_that_is_named(tmp_path, careless):
    command = Command(careless(_well).module, [])
    for change, there in ((1, []), (2, []), (3, []), (4, ["out.txt"])):
        folder = tmp_path / f"run{change}"
        folder.mkdir()
        ended = run_forked(command, folder, before=lambda change=change: refuse(change, errno.ENOSPC))
        assert [path.name for path in folder.iterdir()] == there, change
        assert ended.status == (0 if there else 2)


def test_a_small_file_system_is_small(tmp_path):
    with own_disk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("a small file system can be mounted by root only")
        disk.resize(disk.used + 8192)
        with pytest.raises(OSError, match="No space left"):
            (tmp_path / "disk/a").write_bytes(bytes(100_000))


def test_full_disks_are_of_every_kind(world, tmp_path):
    disk = Disk(tmp_path, mounted=True)
    found = full_disks(random.Random(0), disk, world.ended["encode_motions"], [1000, 50_000])
    told = [next(found).what for _ in range(6)]
    assert [
        words in text for words, text in zip(("from change", "no file beyond", "room for") * 2, told, strict=True)
    ] == [True] * 6
