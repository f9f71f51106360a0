"""Splits by id: each has a clip from three on, and clips that come later move none that are held out."""

import random

import pytest

from dataset.humanml.splits import NO_SPLIT, draw_splits, is_mirror_of, mirror_id, original_id, place_of


def of(splits):
    return {id: name for name, ids in splits.items() for id in ids}


def test_a_clip_and_its_mirror_image_share_a_place():
    assert mirror_id("000021") == "M000021" and original_id("M000021") == original_id("MM000021") == "000021"
    assert place_of("000021", 0) == place_of("M000021", 0) != place_of("000021", 1)
    assert original_id("Marching") == "arching"  # by its name alone, whatever other clips there are


def test_the_shares_are_those_of_humanml3d_and_the_same_clips_are_drawn_each_time():
    ids = [f"{number:06d}" for number in range(5000)]
    splits = draw_splits(ids, seed=0)
    assert [round(len(splits[name]) / 5000, 2) for name in ("train", "val", "test")] == [0.8, 0.05, 0.15]
    assert splits == draw_splits(reversed(ids), seed=0) != draw_splits(ids, seed=1)
    assert splits["test"][:3] == ["000003", "000007", "000008"]  # on every machine


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9, 14, 20])
def test_each_split_has_a_clip_from_three_on(count):
    for seed in range(40):
        splits = draw_splits([f"c{number}" for number in range(count)], seed)
        assert sum(map(len, splits.values())) == count
        if count < 3:
            assert len(splits["train"]) == count
        else:
            assert all(splits.values())


def test_an_m_alone_makes_no_mirror_image():
    assert is_mirror_of("M000021", {"000021"})
    assert not is_mirror_of("M000021", {"M000021"}) and not is_mirror_of("000021", {"000021", "00021"})
    assert not is_mirror_of("Mary", {"Maria"}) and is_mirror_of("Mary", {"ary": None})


def test_two_clips_and_their_mirror_images_are_too_few():
    assert len(draw_splits(["a", "b", "Ma", "Mb"], seed=0)["train"]) == 4


def test_no_clip_is_ever_held_out_and_trained_on_later():
    for seed in range(50):
        rng, ids, earlier = random.Random(seed), set(), {}
        for _ in range(10):
            ids |= {f"{rng.choice('Mab')}{rng.randrange(1000)}" for _ in range(rng.randrange(6))}
            ids |= {mirror_id(id) for id in sorted(ids) if rng.random() < 0.2}
            splits = draw_splits(ids, seed, earlier)
            now = of(splits)
            assert now.keys() == ids
            assert all(now[id] == split for id, split in earlier.items() if split != "train")
            groups = {}
            for id, split in now.items():
                groups.setdefault(original_id(id), set()).add(split)
            assert all(len(found) == 1 for found in groups.values())
            assert len(groups) < 3 or all(splits.values())
            earlier = now


def test_earlier_splits_stay_in_their_order_and_new_clips_come_behind():
    earlier = {"z": "train", "b": "train", "y": "val", "x": "test", "out": NO_SPLIT}
    splits = draw_splits(["x", "Mx", "a", "b", "y", "z", "out"], seed=0, earlier=earlier)
    assert splits == {"train": ["z", "b", "a"], "val": ["y"], "test": ["x", "Mx"]}


def test_clips_that_readers_leave_out_do_not_fill_a_split():
    ids = [f"c{number}" for number in range(12)]
    for seed in range(40):
        splits = draw_splits(ids, seed, short=ids[:8])
        assert all(set(members) - set(ids[:8]) for members in splits.values())
        assert of(splits).keys() == set(ids)
        assert all(draw_splits(ids, seed, short=ids).values()) and all(draw_splits(ids, seed, short=ids[1:]).values())


def test_an_empty_split_takes_a_clip_that_was_trained_on_where_there_is_no_new_one():
    earlier = dict.fromkeys("abcde", "train")
    splits = draw_splits("abcde", seed=0, earlier=earlier)
    assert [len(splits[name]) for name in ("train", "val", "test")] == [3, 1, 1]
    splits = draw_splits("abcdefg", seed=0, earlier=earlier)
    assert splits["train"] == list("abcde") and sorted(splits["val"] + splits["test"]) == ["f", "g"]
    held_out = {"a": "test", "b": "test", "c": "val"}
    assert draw_splits("abc", seed=0, earlier=held_out)["train"] == []  # never out of what is held out
