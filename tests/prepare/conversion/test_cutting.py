"""Long takes in a data set, over several runs: whole takes in one split, their captions, never two cuttings mixed."""

import numpy as np
import pytest

from dataset.captions.files import read_caption_file
from dataset.humanml.layout import read_split
from dataset.sources.config import read_config
from prepare.motions_from_amass import main as amass_main
from tests.prepare.conversion.test_convert import add, convert, sources, splits  # noqa: F401
from tests.prepare.test_motions_from_joints import LINE, body
from utils.errors import InputError
from utils.motion.skeleton import T2M

TIMED = "a person sits.#a/DET person/NOUN sit/VERB#{}#{}\n"


def add_take(sources, id, frames, text=LINE, seed=0):  # noqa: F811
    add(sources, id, seed, text)
    np.save(sources / f"joints/{id}.npy", body(1 + seed / 100, frames=frames, seed=seed).astype(np.float32))


@pytest.fixture
def long(sources):  # noqa: F811
    """Six clips of 2 seconds, and a take of 24 seconds of which two captions say a time."""
    text = LINE + TIMED.format(1, 5) + "he turns left.#he/PRON turn/VERB left/NOUN#7.8#13.5\n"
    add_take(sources, "long", 480, text)
    return sources


def split_of(out, id):
    return [name for name, ids in splits(out).items() if id in ids]


def captions(out, id):
    return [(found.text, found.start, found.end) for found in read_caption_file(out / f"texts/{id}.txt")]


def test_a_take_becomes_parts_of_one_split_with_the_captions_of_their_times(long, convert):  # noqa: F811
    printed = convert("--cut-seconds", "10")
    assert "9 clips converted" in printed and printed.endswith("status 0")
    out = long / "out"
    parts = ["long_s0", "long_s1", "long_s2"]
    assert [len(np.load(out / f"new_joint_vecs/{id}.npy")) for id in parts] == [160, 159, 160]
    assert len({tuple(split_of(out, id)) for id in parts}) == 1 and not (out / "new_joint_vecs/long.npy").exists()
    assert captions(out, "long_s0") == [("a person walks.", 0.0, 0.0), ("a person sits.", 1.0, 5.0)]
    assert captions(out, "long_s1") == [("a person walks.", 0.0, 0.0), ("he turns left.", 0.0, 5.5)]
    assert captions(out, "long_s2") == [("a person walks.", 0.0, 0.0)]
    read = {record.id for split in ("train", "val", "test") for record in read_split(out, split, T2M)}
    assert {"long_s0", "long_s0_1", "long_s1", "long_s1_1", "long_s2", "c0"} <= read  # parts, and segments of parts
    # Another run converts nothing, and goes on with the same cutting without being told.
    assert "0 clips converted, 9 already there" in convert("--cut-seconds", "10")
    assert "0 clips converted, 9 already there" in convert()


def test_a_take_that_is_too_long_is_named_with_the_flag_and_cut_when_it_is_given(long, convert):  # noqa: F811
    printed = convert()
    assert "1 clip (long) are longer than 10 seconds" in printed and "--cut-seconds 10 cuts" in printed
    home = split_of(long / "out", "long")
    printed = convert("--cut-seconds", "10")
    assert "3 clips converted, 6 already there" in printed and "longer than" not in printed
    assert "1 clip (long) are of an earlier cutting" in printed
    assert [split_of(long / "out", id) for id in ("long", "long_s0", "long_s2")] == [[], home, home]
    assert "long" not in (long / "out/all.txt").read_text().split()


def test_another_cutting_leaves_no_part_of_the_one_before(long, convert):  # noqa: F811
    convert("--cut-seconds", "5", "--mirror")
    out = long / "out"
    home = split_of(out, "long_s0")
    assert split_of(out, "Mlong_s4") == home and not split_of(out, "long_s5")
    # Without --mirror the images could not be cut anew.
    printed = convert("--cut-seconds", "10")
    assert printed.endswith("status 2") and "--mirror is not given" in printed and "Mlong_s0" in printed
    assert read_config(out).cut_seconds == 5 and split_of(out, "long_s4") == home
    printed = convert("--cut-seconds", "10", "--mirror")
    assert "4 clips (" in printed and "of an earlier cutting" in printed and printed.endswith("status 0")
    assert {id for ids in splits(out).values() for id in ids if "long" in id} == {
        f"{image}long_s{index}" for image in ("", "M") for index in range(3)
    }
    assert {tuple(split_of(out, id)) for id in ("long_s0", "long_s2", "Mlong_s1")} == {tuple(home)}
    # Whoever comes back gets the same parts in the same split.
    convert("--cut-seconds", "5", "--mirror")
    assert split_of(out, "long_s4") == split_of(out, "Mlong_s4") == home


def test_another_cutting_is_refused_where_a_take_has_gone(long, convert):  # noqa: F811
    convert("--cut-seconds", "10")
    (long / "joints/long.npy").unlink()
    assert "3 clips (long_s0, long_s1, long_s2) stay, though" in convert()
    before = splits(long / "out")
    printed = convert("--cut-seconds", "5")
    assert printed.endswith("status 2") and "cut with 10" in printed and "long_s0" in printed
    assert splits(long / "out") == before and read_config(long / "out").cut_seconds == 10


def test_a_take_that_became_shorter_leaves_no_part_of_its_former_length(long, convert):  # noqa: F811
    convert("--cut-seconds", "10")
    home = split_of(long / "out", "long_s0")
    add_take(long, "long", 300, (long / "texts/long.txt").read_text())
    printed = convert()
    assert "2 clips converted" in printed and "1 clip (long_s2) are of an earlier cutting" in printed
    add_take(long, "long", 100)
    assert "3 clips (long_s0, long_s1, long_s2) are of an earlier cutting" in convert()
    assert split_of(long / "out", "long") == home and not split_of(long / "out", "long_s0")


def test_takes_that_come_later_move_no_part(long, convert):  # noqa: F811
    convert("--cut-seconds", "5", "--mirror")
    before = {id: name for name, ids in splits(long / "out").items() for id in ids}
    for number in range(8):
        add_take(long, f"more{number}", 300, seed=number)
    convert("--mirror")
    after = {id: name for name, ids in splits(long / "out").items() for id in ids}
    assert all(after[id] == name for id, name in before.items() if name != "train")
    for take in ("long", *(f"more{number}" for number in range(8))):
        homes = {name for id, name in after.items() if id.lstrip("M").startswith(f"{take}_s")}
        assert len(homes) == 1
    assert {name for id, name in after.items() if id.startswith("more")} <= {"train", "val", "test"}


def test_parts_without_a_caption_are_named_and_lose_an_old_one(long, convert):  # noqa: F811
    (long / "texts/long.txt").write_text(TIMED.format(9, 12) + TIMED.format(17, 18), encoding="utf-8")
    assert "1 clip (long_s0) have no caption" in convert("--cut-seconds", "10")
    assert not (long / "out/texts/long_s0.txt").exists() and (long / "out/texts/long_s2.txt").exists()
    (long / "texts/long.txt").write_text(TIMED.format(0, 2), encoding="utf-8")
    assert "2 clips (long_s1, long_s2) have no caption" in convert()
    assert sorted(path.stem for path in (long / "out/texts").glob("long*")) == ["long_s0"]
    # A text that somebody wrote stays; one that is given for a part comes before those of its take.
    (long / "out/texts/long_s1.txt").write_text("by hand", encoding="utf-8")
    (long / "texts/long_s2.txt").write_text(TIMED.format(2, 4), encoding="utf-8")
    assert "1 clip (long_s1) keep captions" in convert()
    assert (long / "out/texts/long_s1.txt").read_text() == "by hand"
    assert captions(long / "out", "long_s2") == [("a person sits.", 2.0, 4.0)]


def test_mirror_images_of_parts_have_mirrored_captions_of_their_time(long, convert):  # noqa: F811
    convert("--cut-seconds", "10", "--mirror")
    assert captions(long / "out", "Mlong_s1") == [("a person walks.", 0.0, 0.0), ("he turns right.", 0.0, 5.5)]


def test_a_file_with_the_name_of_a_part_is_named(long, convert):  # noqa: F811
    add_take(long, "long_s1", 50)
    printed = convert("--cut-seconds", "10")
    assert "bad clip long_s1: 2 files have this id: a part of" in printed and printed.endswith("status 2")
    assert split_of(long / "out", "long_s0") and not split_of(long / "out", "long_s1")


def test_a_given_split_that_lists_a_take_has_its_parts(long, convert):  # noqa: F811
    (long / "splits").mkdir()
    for name, ids in {"train": "c0 long c1", "val": "c2", "test": "c3 c4 c5"}.items():
        (long / f"splits/{name}.txt").write_text(ids.replace(" ", "\n"), encoding="utf-8")
    assert convert("--cut-seconds", "5", "--splits-dir", long / "splits").endswith("status 0")
    parts = [f"long_s{index}" for index in range(5)]
    assert splits(long / "out")["train"] == ["c0", *parts, "c1"]


def test_parts_that_no_reader_takes_are_refused(long, convert, monkeypatch):  # noqa: F811
    assert "give 4.05 or more" in convert("--cut-seconds", "3") and not (long / "out/train.txt").exists()
    given = ["motions_from_amass", "--amass-dir", str(long), "--body-models", str(long), "--out-dir", str(long / "o")]
    monkeypatch.setattr("sys.argv", [*given, "--index", "index.csv", "--cut-seconds", "10"])
    with pytest.raises(InputError, match="cut already"):
        amass_main()
