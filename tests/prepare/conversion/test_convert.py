"""A data set folder over several runs: nothing of anybody is lost, nothing old is taken for new."""

import json
import multiprocessing
import os
import shutil
import unicodedata

import numpy as np
import pytest

from dataset.humanml.layout import read_mean_std, read_split_ids
from dataset.sources.record import RECORD_FILE, ConversionRecord
from prepare import make_toy_dataset, motions_from_joints
from prepare.conversion.plan import one_file_on_disk
from tests.prepare.test_motions_from_joints import LINE, body
from utils.files.lock import locked
from utils.run.command import run_command

JUMPS = LINE.replace("walks", "jumps")


@pytest.fixture
def sources(tmp_path):
    """Six clips with captions."""
    for name in ("joints", "texts"):
        (tmp_path / name).mkdir()
    for number in range(6):
        add(tmp_path, f"c{number}", seed=number)
    return tmp_path


def add(sources, id, seed=0, text=LINE):
    np.save(sources / f"joints/{id}.npy", body(1 + seed / 100, frames=45, seed=seed).astype(np.float32))
    (sources / f"texts/{id}.txt").write_text(text, encoding="utf-8")


@pytest.fixture
def convert(sources, monkeypatch, capsys):
    """The command, into `sources/out`; what it printed, and as its last line what it ended with."""

    def run(*more, out="out", texts="texts", joints="joints"):
        given = ["--joints-dir", sources / joints, "--out-dir", sources / out, *more]
        given += [] if texts is None else ["--texts-dir", sources / texts]
        monkeypatch.setattr("sys.argv", ["motions_from_joints", *map(str, given)])
        capsys.readouterr()
        status = 0
        try:
            run_command(motions_from_joints.main)
        except SystemExit as end:
            status = end.code
        printed, errors = capsys.readouterr()
        errors = [line for line in errors.split("\n") if "\r" not in line]  # progress bars have one
        return f"{printed}{''.join(errors)}status {status}"

    return run


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def record_of_splits(out):
    return ConversionRecord(out).splits()


def splits(out):
    return {name: read_split_ids(out, name) for name in ("train", "val", "test")}


@pytest.mark.parametrize("there", ["data set", "texts", "splits", "motions", "toy", "other json"])
def test_a_folder_of_somebody_else_is_never_written_into(sources, convert, there, monkeypatch):
    out = sources / "out"
    if there == "data set":
        convert()
        (out / "dataset.json").unlink()
    elif there == "toy":
        monkeypatch.setattr("sys.argv", ["make_toy_dataset", "--out-dir", str(out), "--clips", "20"])
        make_toy_dataset.main()
    else:
        name = {"texts": "texts/a.txt", "splits": "train.txt", "motions": "a.npy", "other json": "dataset.json"}[there]
        (out / name).parent.mkdir(parents=True)
        (out / name).write_text('{"name": "mine"}')
    before = content(out)
    printed = convert()
    assert printed.endswith("status 2") and "left alone" in printed and "give a" in printed
    assert content(out) == before
    if there == "data set":
        assert "--data-root takes it as it is" in printed


def test_captions_survive_a_run_without_them_and_reach_the_clips_in_a_later_one(sources, convert):
    out = sources / "out"
    assert "no captions" in convert(texts=None) and not (out / "texts").exists()
    (out / "texts").mkdir()
    (out / "texts/c2.txt").write_text("by hand", encoding="utf-8")
    motions = content(out / "new_joint_vecs")
    printed = convert()
    assert (
        "0 clips converted, 6 already there" in printed
        and "5 clips that were there already got the captions" in printed
    )
    assert "1 clip (c2) keep captions" in printed
    assert content(out / "new_joint_vecs") == motions
    assert (out / "texts/c2.txt").read_text() == "by hand" and (out / "texts/c0.txt").read_text() == LINE
    before = content(out / "texts")
    np.save(sources / "joints/c0.npy", body(1.2, frames=50, seed=9))
    assert "captions tagged as given" in convert(texts=None)  # the data set still says where its captions are from
    assert content(out / "texts") == before and len(np.load(out / "new_joint_vecs/c0.npy")) == 49
    (out / "texts/c2.txt").unlink()
    convert()
    assert (out / "texts/c2.txt").read_text() == LINE


def test_an_edited_caption_stays_and_one_that_is_not_given_any_more_too(sources, convert):
    convert()
    (sources / "out/texts/c1.txt").write_text(JUMPS, encoding="utf-8")
    for id in ("c1", "c2"):
        (sources / f"texts/{id}.txt").write_text(LINE * 2, encoding="utf-8")
    (sources / "texts/c3.txt").unlink()
    printed = convert()
    assert "1 clip (c1) keep captions" in printed and "nothing for 1 clip (c3)" in printed and "0 bad" in printed
    found = content(sources / "out/texts")
    assert found["c1.txt"] == JUMPS.encode() and found["c2.txt"] == (LINE * 2).encode()
    assert found["c3.txt"] == LINE.encode()


def test_older_files_in_the_place_of_sources_are_seen(sources, convert):
    convert()
    motion, text = sources / "joints/c1.npy", sources / "texts/c0.txt"
    np.save(motion, body(1.3, frames=45, seed=77).astype(np.float32))
    text.write_text(JUMPS, encoding="utf-8")
    for path in (motion, text):
        os.utime(path, (1, 1))
    before = content(sources / "out")
    assert "1 clips converted, 5 already there" in convert()
    changed = {name for name, found in content(sources / "out").items() if before.get(name) != found}
    assert {"new_joint_vecs/c1.npy", "new_joints/c1.npy", "texts/c0.txt"} <= changed
    assert not any("c2" in name or "c3" in name for name in changed)
    for path in sources.rglob("*.npy"):
        os.utime(path)  # dates alone change nothing
    assert "0 clips converted, 6 already there" in convert()


def test_another_folder_of_captions_with_older_files_is_seen(sources, convert):
    convert()
    (sources / "older").mkdir()
    for number in range(6):
        (sources / f"older/c{number}.txt").write_text(JUMPS, encoding="utf-8")
        os.utime(sources / f"older/c{number}.txt", (1, 1))
    assert "6 clips that were there already got the captions" in convert(texts="older")
    assert set(content(sources / "out/texts").values()) == {JUMPS.encode()}


def test_captions_whose_tags_are_others_now_arrive(sources, convert):
    for number in range(6):
        (sources / f"texts/c{number}.txt").write_text("a person walks.", encoding="utf-8")
    lexicon = sources / "lexicon"
    lexicon.mkdir()
    (lexicon / "a.txt").write_text(LINE, encoding="utf-8")
    convert("--lexicon-texts", str(lexicon))
    assert b"/VERB" in content(sources / "out/texts")["c0.txt"]
    (sources / "out/texts/c1.txt").write_text(JUMPS, encoding="utf-8")
    (lexicon / "a.txt").write_text(LINE.replace("/VERB", "/NOUN"), encoding="utf-8")
    printed = convert("--lexicon-texts", str(lexicon))
    assert "5 clips that were there already got the captions" in printed and "1 clip (c1) keep captions" in printed
    found = content(sources / "out/texts")
    assert b"walk/NOUN" in found["c0.txt"] and found["c1.txt"] == JUMPS.encode()
    assert "got the captions" not in convert("--lexicon-texts", str(lexicon))


def test_a_clip_whose_name_begins_with_m_is_no_mirror_image(sources, convert):
    for id in ("Mary", "k0"):
        add(sources, id)
    convert("--mirror")
    for path in (sources / "joints").glob("*.npy"):
        if path.stem == "Mary":
            path.unlink()
    printed = convert()
    assert "2 clips (" in printed and "stay, though what they were made from is not there any more" in printed
    assert "7 clips (" in printed and "stay as they are: only with --mirror" in printed


def test_a_data_set_from_before_the_record_is_continued(sources, convert):
    convert()
    out = sources / "out"
    (out / RECORD_FILE).unlink()
    np.save(sources / "joints/c5.npy", body(1.3, frames=60, seed=5))
    os.utime(sources / "joints/c5.npy", (2e9, 2e9))
    held_out = splits(out)
    printed = convert()
    assert "1 clips converted, 5 already there, 0 bad" in printed and "5 clips were made before" in printed
    assert splits(out) == held_out
    printed = convert()
    assert "0 clips converted, 6 already there" in printed and "were made before" not in printed


def test_its_random_splits_stay_as_they_are(sources, convert):
    convert()
    out = sources / "out"
    (out / RECORD_FILE).unlink()
    drawn = {"train": ["c5", "c0", "c1"], "val": ["c2"], "test": ["c4", "c3"]}
    for name, ids in drawn.items():
        (out / f"{name}.txt").write_text("\n".join(ids), encoding="utf-8")
    for number in range(20):
        add(sources, f"a{number}", seed=number)
    convert()
    found = splits(out)
    assert all(found[name][: len(ids)] == ids for name, ids in drawn.items())
    assert sum(map(len, found.values())) == 26


def test_added_clips_move_none_out_of_what_is_held_out(sources, convert):
    for number in range(30):
        add(sources, f"k{number:02d}", seed=number)
    convert("--mirror")
    before = splits(sources / "out")
    for number in range(10):
        add(sources, f"a{number}", seed=number)
    convert("--mirror", "--seed", "7")
    after = splits(sources / "out")
    assert all(set(before[name]) <= set(after[name]) for name in before)
    for ids in after.values():
        assert {f"M{id}" for id in ids if id[0] != "M"} == {id for id in ids if id[0] == "M"}


@pytest.mark.parametrize("given", [False, True])
def test_a_held_out_clip_that_was_bad_for_a_while_is_held_out_again(sources, convert, given):
    convert()
    out = sources / "out"
    place = sources / "splits" if given else out
    place.mkdir(exist_ok=True)
    (place / "test.txt").write_text("c0\nc1\n", encoding="utf-8")
    (place / "train.txt").write_text("c2\nc3\nc4\n", encoding="utf-8")
    (place / "val.txt").write_text("c5\n", encoding="utf-8")
    if given:  # a file that is no split of its own, as HumanML3D has one
        (place / "train_val.txt").write_text("c0\nc1\nc2\nc3\nc4\nc5\n", encoding="utf-8")
        convert("--splits-dir", str(place))
        assert len(read_split_ids(out, "train_val")) == 6
    else:
        convert()
    good = (sources / "joints/c1.npy").read_bytes()
    (sources / "joints/c1.npy").write_bytes(b"junk")
    assert "bad clip c1" in convert("--skip-bad") and read_split_ids(out, "test") == ["c0"]
    (sources / "joints/c1.npy").write_bytes(good)
    convert()
    assert read_split_ids(out, "test") == ["c0", "c1"]
    assert set(record_of_splits(out).values()) == {"train", "val", "test"}


def test_clips_without_a_source_stay_and_one_that_was_taken_out_stays_out(sources, convert):
    convert()
    out, before = sources / "out", splits(sources / "out")
    shutil.move(sources / "joints", sources / "first")
    (sources / "joints").mkdir()
    add(sources, "new")
    printed = convert()
    assert "1 clips converted, 6 already there" in printed and "6 clips (" in printed and "stay" in printed
    assert all(set(before[name]) <= set(splits(out)[name]) for name in before)
    lost = before["train"][0]
    (out / "train.txt").write_text("\n".join(id for id in before["train"] if id != lost), encoding="utf-8")
    convert()
    assert not any(lost in ids for ids in splits(out).values())


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_clips(sources, convert, count):
    for number in range(count, 6):
        (sources / f"joints/c{number}.npy").unlink()
    printed = convert()
    sizes = {name: len(ids) for name, ids in splits(sources / "out").items()}
    if count < 3:
        assert sizes == {"train": count, "val": 0, "test": 0}
        assert "val.txt, test.txt without a clip" in printed and "from 3 clips on" in printed
    else:
        assert sizes == {"train": count - 2, "val": 1, "test": 1} and "note" not in printed


def test_a_bad_clip_leaves_no_split_empty(sources, convert):
    convert()
    only = read_split_ids(sources / "out", "val")
    assert len(only) == 1
    (sources / f"joints/{only[0]}.npy").write_bytes(b"junk")
    convert("--skip-bad", out="fresh")
    assert all(splits(sources / "fresh").values())


def test_a_clip_that_is_too_short_for_readers_is_no_split_alone(sources, convert):
    for number in range(3):
        np.save(sources / f"joints/c{number}.npy", body(frames=20, seed=number))
    convert()
    assert all(set(ids) & {"c3", "c4", "c5"} for ids in splits(sources / "out").values())


def test_names_that_a_disk_takes_for_one():
    bad = one_file_on_disk(["Walk", "walk", "run", "Wal"])
    assert bad.keys() == {"Walk", "walk"} and "the same name as walk" in bad["Walk"]


def test_what_is_read_is_never_what_is_written(sources, convert):
    convert()
    before = content(sources / "out")
    assert "--splits-dir" in convert("--splits-dir", sources / "out", "--skip-bad")
    assert "move the folder to another place" in convert(texts="out/texts")
    assert "has its own motions" in convert(joints="out/new_joints")
    assert content(sources / "out") == before


NAMES = {
    "x" * 245: None,
    "😀" * 55: None,
    "with blank": None,
    "C0": None,
    "y" * 251: "bytes long",  # its mirror image has no name
    "new\nline": "control character",
    "bell\x07": "control character",
    " leading": "blank",
    ".hidden": "dot",
    "latin\udce9": "no text",
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_cannot_be_used_makes_its_clip_bad_and_no_other(sources, convert, name):
    os.rename(sources / "joints/c5.npy", sources / f"joints/{name}.npy")
    os.rename(sources / "texts/c5.txt", sources / f"texts/{name}.txt")
    printed = convert("--skip-bad", "--mirror")
    reason = NAMES[name]
    assert printed.endswith("status 0") and "Traceback" not in printed
    made = read_split_ids(sources / "out", "all")
    if reason is None:
        assert len(made) == 12 and " 0 bad" in printed
    else:
        assert {f"c{number}" for number in range(5)} <= set(made) and reason in printed
        assert all(line.startswith(("bad clip", str(sources), "note", "status")) for line in printed.split("\n"))


def _absurd():
    header = np.lib.format.header_data_from_array_1_0(body())
    return {**header, "shape": (10**12, 22, 3)}


VALUES = {
    "nan": lambda: np.where(body() > 2, np.nan, body()),
    "one frame of 1e200": lambda: np.where(np.arange(61)[:, None, None] == 5, 1e200, body()),
    "no frame": lambda: body()[:0],
    "text": lambda: np.full((61, 22, 3), "x"),
    "objects": lambda: np.array([{}], dtype=object),
}


@pytest.mark.parametrize("what", [*VALUES, "absurd shape", "dangling link"])
def test_what_is_in_a_file_makes_its_clip_bad_and_statistics_stay_finite(sources, convert, what):
    path = sources / "joints/odd.npy"
    if what in VALUES:
        np.save(path, VALUES[what](), allow_pickle=True)
    elif what == "absurd shape":
        with path.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, _absurd())
    else:
        path.symlink_to(sources / "nowhere.npy")
    (sources / "texts/odd.txt").write_text(LINE, encoding="utf-8")
    printed = convert("--skip-bad", "--target-clip", "c0")
    assert "bad clip odd:" in printed and "6 clips converted" in printed and printed.endswith("status 0")
    assert np.isfinite(np.concatenate(read_mean_std(sources / "out"))).all()
    assert not list((sources / "out").rglob("*odd*"))


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("folder", ["new_joint_vecs", "new_joints"])
def test_a_motion_of_the_data_set_that_is_not_whole_is_made_again(sources, convert, split, folder):
    convert()
    before = content(sources / "out")
    path = sources / "out" / folder / f"{read_split_ids(sources / 'out', split)[0]}.npy"
    path.write_bytes(path.read_bytes()[:500])
    assert "1 clips converted, 5 already there, 0 bad" in convert()
    assert content(sources / "out") == before


def test_a_motion_of_the_data_set_that_was_damaged_since_is_named(sources, convert):
    convert()
    id = read_split_ids(sources / "out", "train")[0]
    path = sources / f"out/new_joint_vecs/{id}.npy"
    np.save(path, np.full((44, 263), np.nan, np.float32))
    printed = convert("--skip-bad")
    assert f"bad clip {id}: {path}" in printed and "delete it" in printed and printed.endswith("status 0")
    assert id not in read_split_ids(sources / "out", "all")
    path.unlink()
    assert "1 clips converted, 5 already there, 0 bad" in convert()
    assert id in read_split_ids(sources / "out", "train")


def test_split_files_that_list_what_is_not_there(sources, convert):
    given = sources / "splits"
    given.mkdir()
    (given / "train.txt").write_text("c0\nnobody\nc1.npy\n", encoding="utf-8")
    (given / "._train.txt").write_bytes(b"\0\5\26\7")  # what macOS leaves on foreign disks
    (given / "notes.txt").write_text("drawn in May,\nby hand\n", encoding="utf-8")
    printed = convert("--splits-dir", given)
    assert f"bad clip nobody: no such file for an id of train.txt: looked for {sources}/joints/nobody.npy" in printed
    assert "listed with .npy" in printed and not (sources / "out/notes.txt").exists()
    assert "val.txt, test.txt without a clip" in printed
    (given / "train.txt").write_text("c0, c1, c2", encoding="utf-8")
    assert f"{given}/train.txt:1: expected one id a line" in convert("--splits-dir", given)
    assert "no such folder" in convert("--splits-dir", sources / "nowhere")


def test_settings_that_are_damaged_or_of_another_unit_are_refused_in_one_line(sources, convert):
    convert()
    path = sources / "out/dataset.json"
    good = json.loads(path.read_text())
    for fields in ({"target_offsets": [["a"]]}, {"target_offsets": [[1.0], [1.0, 2.0]]}, {"fps": {}}, {"more": 1}):
        path.write_text(json.dumps({"conversion": {**good["conversion"], **fields}}))
        assert convert().endswith("status 2")
    path.write_text(json.dumps({"conversion": {**good["conversion"], "metres_per_unit": 0.001}}))
    assert "other settings (metres_per_unit" in convert()
    del good["conversion"]["metres_per_unit"]  # as it was before the unit was written down
    path.write_text(json.dumps(good))
    assert "6 already there" in convert()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_the_place_of_the_folder(sources, convert, place):
    (sources / "file").write_text("mine")
    printed = convert(out=place)
    assert (printed.endswith("status 2") and "is a file" in printed) or "Not a directory" in printed
    assert (sources / "file").read_text() == "mine"


def _hold(folder, ready, done):
    with locked(folder):
        ready.set()
        done.wait(60)


def test_two_conversions_do_not_work_in_one_folder(sources, convert):
    convert()
    before = content(sources / "out")
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(sources / "out", ready, done))
    other.start()
    try:
        assert ready.wait(60)
        np.save(sources / "joints/c0.npy", body(1.2, frames=50))
        assert f"process {other.pid} on" in convert()
        assert {name: found for name, found in content(sources / "out").items() if name != ".lock"} == before
    finally:
        done.set()
        other.join()
    assert "1 clips converted" in convert()


def test_splits_that_are_given_leave_none_of_an_earlier_run(sources, convert):
    convert()
    held_out = [*read_split_ids(sources / "out", "val"), *read_split_ids(sources / "out", "test")]
    (sources / "given").mkdir()
    (sources / "given/train.txt").write_text("".join(f"c{number}\n" for number in range(5)))
    printed = convert("--splits-dir", sources / "given")
    assert (
        len(held_out) == 2
        and "val.txt, test.txt without a clip" in printed
        and "1 clip (c5) are in no split" in printed
    )
    assert [len(read_split_ids(sources / "out", name)) for name in ("train", "val", "test", "all")] == [5, 0, 0, 6]


def test_other_texts_beside_split_files_may_be_anything(sources, convert):
    (sources / "given").mkdir()
    (sources / "given/notes.txt").write_bytes("für Müller".encode("latin-1"))
    (sources / "given/small.txt").write_text("c0\nc1\n")
    for name, ids in (("train", "c0\nc1\nc2\nc3\n"), ("val", "c4"), ("test", "c5")):
        (sources / f"given/{name}.txt").write_text(ids)
    assert convert("--splits-dir", sources / "given").endswith("status 0")
    assert sorted(path.stem for path in (sources / "out").glob("*.txt")) == ["all", "small", "test", "train", "val"]
    (sources / "given/val.txt").write_bytes("für Müller".encode("latin-1"))
    assert "val.txt:1: not UTF-8" in convert("--splits-dir", sources / "given")


def test_names_with_accents_are_found_in_either_spelling(sources, convert):
    apart, together = (unicodedata.normalize(form, "Müller läuft") for form in ("NFD", "NFC"))
    add(sources, apart)
    (sources / f"texts/{apart}.txt").rename(sources / f"texts/{together}.txt")
    (sources / "given").mkdir()
    (sources / "given/train.txt").write_text(f"c0\nc1\n{together}\n", encoding="utf-8")
    assert "7 clips converted, 0 already there, 0 bad" in convert("--splits-dir", sources / "given")
    assert apart in read_split_ids(sources / "out", "train") and apart != together


def test_mirror_images_of_an_earlier_run_are_said_to_stay_behind_without_the_flag(sources, convert):
    convert("--mirror")
    before = content(sources / "out/new_joint_vecs")
    add(sources, "c3", seed=9)
    printed = convert()
    assert (
        "6 clips (" in printed and "only with --mirror do mirror images follow" in printed and "any more" not in printed
    )
    after = content(sources / "out/new_joint_vecs")
    assert after["Mc3.npy"] == before["Mc3.npy"] and after["c3.npy"] != before["c3.npy"]
    assert "1 clips converted, 11 already there" in convert("--mirror")
    assert content(sources / "out/new_joint_vecs")["Mc3.npy"] != before["Mc3.npy"]


def test_captions_whose_line_ends_were_changed_on_the_way_are_still_ours(sources, convert):
    convert()
    for path in (sources / "out/texts").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    for number in range(6):
        (sources / f"texts/c{number}.txt").write_text(JUMPS)
    assert "6 clips that were there already got the captions given" in convert()
    assert (sources / "out/texts/c0.txt").read_text() == JUMPS


def test_a_split_file_that_was_lost_is_written_again(sources, convert):
    convert()
    before = content(sources / "out")
    for lost in ("val", "test", "train"):
        (sources / f"out/{lost}.txt").unlink()
        convert()
        assert content(sources / "out") == before
