"""The mapped pack: the same numbers as the files, made anew when a file changes, whole whatever happens."""

import json
import logging
import multiprocessing
import os
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from dataset.humanml import clip_pack
from dataset.humanml.clip_files import ClipFiles
from dataset.humanml.clip_pack import pack_clips

DIM = 11


@pytest.fixture
def clips(tmp_path):
    """Ten clips of 1 to 10 frames in as many forms as .npy files have."""
    rng, found = np.random.default_rng(0), []
    for index in range(10):
        motion = rng.normal(size=(index + 1, DIM)).astype(np.float64 if index == 3 else np.float32)
        np.save(tmp_path / f"{index}.npy", np.asfortranarray(motion) if index == 4 else motion)
        (tmp_path / f"{index}.txt").write_text(f"text é {index}\n", encoding="utf-8")
        found.append(ClipFiles(str(index), tmp_path / f"{index}.npy", tmp_path / f"{index}.txt"))
    return found


def load(clips, tmp_path, name="train"):
    return pack_clips(clips, DIM, tmp_path / ".cache", name)


def cached(tmp_path):
    return sorted(path.name for path in (tmp_path / ".cache").iterdir() if path.suffix != ".lock")


def built(caplog):
    """How often a pack was written so far."""
    return sum("packed" in record.message for record in caplog.records)


def assert_same_as_the_files(pack, clips):
    assert pack.ids == tuple(clip.id for clip in clips)
    for clip, features, text in zip(clips, pack.features, pack.texts, strict=True):
        assert features.dtype == np.float32 and type(features) is np.ndarray
        assert features.tobytes() == np.load(clip.motion).astype(np.float32).tobytes()
        assert features.shape == np.load(clip.motion).shape
        assert text.rstrip("\n") == clip.text.read_text(encoding="utf-8").rstrip("\n")


def test_values_are_those_of_the_files_and_the_second_load_opens_none(clips, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    assert_same_as_the_files(load(clips, tmp_path), clips)
    # 1 + ... + 10 frames of 11 numbers of 4 bytes
    assert built(caplog) == 1 and (tmp_path / ".cache" / cached(tmp_path)[0]).stat().st_size == 55 * 11 * 4
    assert "10 clips packed" in caplog.text and str(tmp_path / ".cache") in caplog.text
    with monkeypatch.context() as patch:
        patch.setattr(ClipFiles, "read_motion", lambda *_: pytest.fail("opened a motion"))
        patch.setattr(ClipFiles, "read_text", lambda *_: pytest.fail("opened a text"))
        pack = load(clips, tmp_path)
    assert_same_as_the_files(pack, clips)
    assert built(caplog) == 1


def test_motions_share_one_map_and_what_is_written_stays_in_the_process(clips, tmp_path):
    load(clips, tmp_path)
    files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    pack = load(clips, tmp_path)
    if files is not None:
        assert len(os.listdir("/proc/self/fd")) <= files + 1
    owner = pack.features[0].base
    assert isinstance(owner.base, np.memmap)
    assert all(features.base is owner for features in pack.features)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.from_numpy(pack.features[2]).add_(1.0)
    assert pack.features[2][0, 0] == np.load(clips[2].motion)[0, 0] + np.float32(1)
    assert_same_as_the_files(load(clips, tmp_path), clips)


@pytest.mark.parametrize("change", ["motion", "text", "time only", "added", "removed", "order", "became readable"])
def test_any_change_makes_a_new_pack_and_removes_the_old_one(clips, tmp_path, caplog, change):
    caplog.set_level(logging.INFO)
    if change == "became readable":
        clips[6].motion.write_bytes(b"half a file")
    load(clips, tmp_path)
    load(clips, tmp_path, "train-more")
    before = cached(tmp_path)
    if change in ("motion", "became readable"):
        np.save(clips[6].motion, np.full((30, DIM), 7.0, np.float32))
    if change == "text":
        clips[6].text.write_text("another text", encoding="utf-8")
    if change == "time only":
        os.utime(clips[6].motion, ns=(1, 1))
    if change == "added":
        np.save(tmp_path / "new.npy", np.zeros((3, DIM), np.float32))
        (tmp_path / "new.txt").write_text("new", encoding="utf-8")
        clips.append(ClipFiles("new", tmp_path / "new.npy", tmp_path / "new.txt"))
    if change == "removed":
        clips.pop(6).motion.unlink()
    if change == "order":
        clips.reverse()
    assert_same_as_the_files(load(clips, tmp_path), clips)
    after = cached(tmp_path)
    assert built(caplog) == 3 and len(after) == len(before) == 4
    # train-more-<key>.f32 is another pack's: it stays
    assert len(set(before) - set(after)) == 1 and set(before) - set(after) < {name for name in before if ".f32" in name}


def test_verdicts_are_kept(clips, tmp_path):
    np.save(clips[0].motion, np.full((4, DIM), np.nan, np.float32))
    clips[1].motion.write_bytes(clips[9].motion.read_bytes()[:300])
    np.save(clips[2].motion, np.zeros((4, 5, DIM)))
    clips[3].motion.unlink()
    np.save(clips[4].motion, np.full((4, DIM), 1e300))
    clips[5].text.unlink()
    clips[6].text.write_bytes(b"caf\xe9")
    clips[7].motion.write_bytes(b"")
    np.save(clips[8].motion, np.zeros((0, DIM), np.float32))
    clips.append(replace(clips[3], id="a.npy"))
    clips.append(ClipFiles("n\0ul", tmp_path / "n\0ul.npy", tmp_path / "n\0ul.txt"))
    bad_motions = {
        "0": "NaN in the motion",
        "1": "motion file unreadable",
        "2": f"motion of shape (T, 5, {DIM}), not (T, {DIM})",
        "3": "no motion file",
        "4": "NaN in the motion",
        "7": "motion file unreadable",
        "a.npy": "no motion file, listed with .npy",
        "n\0ul": "no motion file",
    }
    for pack in (load(clips, tmp_path), load(clips, tmp_path)):
        assert pack.bad_motions == bad_motions
        assert pack.bad_texts == {"5": "no text file", "6": "text file not UTF-8"}
        assert pack.ids == ("5", "6", "8", "9") and pack.texts[:2] == (None, None)
        assert [len(features) for features in pack.features] == [6, 7, 0, 10]


def test_a_pack_without_any_usable_clip(clips, tmp_path):
    for pack in (load([], tmp_path), load([], tmp_path)):
        assert pack.ids == pack.features == ()


DAMAGES = {
    "cut json": lambda index, data: index.write_bytes(index.read_bytes()[:-40]),
    "other json": lambda index, data: index.write_text("[1, 2]"),
    "brackets in brackets": lambda index, data: index.write_text("[" * 50_000),
    "not text": lambda index, data: index.write_bytes(b"\xff\xfe\x00"),
    "field gone": lambda index, data: edit(index, lambda fields: fields.pop("texts")),
    "field of another type": lambda index, data: edit(index, lambda fields: fields.update(frames=["1"] * 10)),
    "clip gone": lambda index, data: edit(index, lambda fields: fields["ids"].pop()),
    "cut data": lambda index, data: data.write_bytes(data.read_bytes()[:-4]),
    "longer data": lambda index, data: data.write_bytes(data.read_bytes() + bytes(4)),
    "no data": lambda index, data: data.unlink(),
}


def edit(index, change):
    fields = json.loads(index.read_text())
    change(fields)
    index.write_text(json.dumps(fields))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pack_is_made_again(clips, tmp_path, caplog, damage):
    caplog.set_level(logging.INFO)
    load(clips, tmp_path)
    data, index = (tmp_path / ".cache" / name for name in cached(tmp_path))
    DAMAGES[damage](index, data)
    assert_same_as_the_files(load(clips, tmp_path), clips)
    assert built(caplog) == 2
    assert_same_as_the_files(load(clips, tmp_path), clips)
    assert built(caplog) == 2


@pytest.mark.parametrize("trouble", ["folder is a file", "disk full", "no rights"])
def test_without_a_place_to_write_clips_are_held_in_memory(clips, tmp_path, caplog, monkeypatch, trouble):
    if trouble == "folder is a file":
        (tmp_path / ".cache").write_text("in the way")
    if trouble == "disk full":

        def write(path, fill):
            with (tmp_path / "sink").open("wb") as stream:
                fill(stream)  # it happens after some clips
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(clip_pack, "write_atomic", write)
    if trouble == "no rights":
        (tmp_path / ".cache").mkdir(mode=0o500)
        if os.access(tmp_path / ".cache", os.W_OK):
            pytest.skip("this user may write anywhere")
    caplog.set_level(logging.INFO)
    assert_same_as_the_files(load(clips, tmp_path), clips)
    assert len(caplog.records) == 1 and "held in memory" in caplog.text and ".cache" in caplog.text


def test_an_interrupted_packing_leaves_nothing_and_the_next_one_clears_what_a_killed_one_left(clips, tmp_path):
    stop = replace(clips[5], motion=tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClipFiles, "read_motion", lambda self, dim: interrupt() if self is stop else np.ones((2, dim)))
        with pytest.raises(KeyboardInterrupt):
            load([*clips[:5], stop], tmp_path)
    assert cached(tmp_path) == []
    left, others = ".train-0123456789ab.f32.new.tmp", ".train-b-0123456789ab.f32.new.tmp"
    for name in (left, others):
        (tmp_path / ".cache" / name).write_bytes(b"half")
    load(clips, tmp_path)
    assert len(cached(tmp_path)) == 3 and left not in cached(tmp_path) and others in cached(tmp_path)


def interrupt():
    raise KeyboardInterrupt


def _load_in_process(clips, folder, barrier, results, lockless):
    logging.getLogger().setLevel(logging.INFO)
    messages = []
    logging.getLogger().addHandler(handler := logging.Handler())
    handler.emit = lambda record: messages.append(record.getMessage())
    read_text = ClipFiles.read_text
    ClipFiles.read_text = lambda self: time.sleep(0.01) or read_text(self)  # so that they do meet
    if lockless:  # as on a file system without locks
        clip_pack.FileLock.acquire = lambda *_, **__: (_ for _ in ()).throw(OSError(95, "not supported"))
    barrier.wait()
    pack = load(clips, folder)
    assert_same_as_the_files(pack, clips)
    results.put(messages)


@pytest.mark.parametrize("lockless", [False, True])
def test_processes_that_pack_at_once_all_end_well(clips, tmp_path, lockless):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(3), context.Queue()
    arguments = (clips, tmp_path, barrier, results, lockless)
    workers = [context.Process(target=_load_in_process, args=arguments) for _ in range(3)]
    for worker in workers:
        worker.start()
    messages = [message for _ in workers for message in results.get(timeout=30)]
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    packed = sum("packed" in message for message in messages)
    assert packed >= 1 if lockless else packed == 1
    assert not any("held in memory" in message for message in messages)
    assert len(cached(tmp_path)) == 2
    assert_same_as_the_files(load(clips, tmp_path), clips)


def test_a_file_of_the_same_size_and_date_is_another_file(clips, tmp_path):
    load(clips, tmp_path)
    for path, content in ((clips[6].motion, None), (clips[6].text, b"TEXT \xc3\xa9 6\n")):
        status = path.stat()
        path.write_bytes(content or path.read_bytes()[:-4] + b"\0\0\x80\x3f")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert path.stat().st_size == status.st_size
        assert_same_as_the_files(load(clips, tmp_path), clips)
