"""Toy clips as motion: deterministic, of fixed bone lengths, planted feet, human speeds."""

import numpy as np
import pytest

from dataset.toy.animation import animate
from dataset.toy.clips import toy_clips
from dataset.toy.programs import Action, Program, all_programs, program_families
from utils.metrics.physics import float_mm, mean_jerk, penetration_mm, skating_ratio
from utils.motion.skeleton import T2M

# One performance of every program, shared by the tests of this file (about 2 s).
PROGRAMS = all_programs()


@pytest.fixture(scope="module")
def performed():
    return {program.name: animate(program, np.random.default_rng([7, i])) for i, program in enumerate(PROGRAMS)}


def on_floor(joints):
    return joints - [0, joints[..., 1].min(), 0]


def test_program_names_are_unique_and_there_are_hundreds():
    names = [program.name for program in PROGRAMS]
    assert len(set(names)) == len(names) >= 250


def test_same_generator_same_bytes_other_generator_other_clip():
    program = Program((Action("walk", "forward", count=4),))
    first, again, other = (animate(program, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == np.float32
    assert first.tobytes() == again.tobytes()
    frames = min(len(first), len(other))
    assert np.abs(first[:frames] - other[:frames]).max() > 0.01


def test_lengths_suit_the_readers_and_the_tokenizer(performed):
    lengths = np.array([len(joints) for joints in performed.values()])
    assert all((lengths - 1) % 4 == 0)
    assert lengths.min() - 1 >= 40 and lengths.max() <= 141
    assert lengths.mean() < 85


def test_bone_lengths_never_change(performed):
    parents = np.array(T2M.parents)
    clips = {n: np.linalg.norm(joints[:, 1:] - joints[:, parents[1:]], axis=-1) for n, joints in performed.items()}
    expected = clips[PROGRAMS[0].name][0]
    assert expected.min() > 0.05
    for name, lengths in clips.items():
        assert np.abs(lengths - expected).max() < 1e-4, name


def test_the_body_is_an_adult_of_human_proportions(performed):
    standing = performed["wave-left-normal-x2"][0]
    assert 0.90 < standing[T2M.joint("pelvis"), 1] < 0.96
    assert 1.45 < standing[T2M.joint("head"), 1] < 1.75
    assert standing[T2M.joint("left_hip"), 0] > 0 > standing[T2M.joint("right_hip"), 0]
    assert standing[T2M.joint("left_foot"), 2] > standing[T2M.joint("left_ankle"), 2] + 0.1


@pytest.mark.parametrize("family", program_families())
def test_feet_stay_where_they_stand_and_above_the_floor(performed, family):
    clips = [on_floor(performed[program.name]) for program in program_families()[family]]
    assert np.mean([skating_ratio(joints) for joints in clips]) < 0.03
    assert max(skating_ratio(joints) for joints in clips) < 0.12
    assert max(penetration_mm(joints) for joints in clips) == 0.0
    if family not in ("jump", "run", "run_turn", "sequence"):  # these have a flight
        assert max(float_mm(joints) for joints in clips) < 5.0


def test_some_foot_is_exactly_still_while_it_stands(performed):
    joints = performed["walk-forward-normal-x4"]
    toes = joints[:, [T2M.joint("left_foot"), T2M.joint("right_foot")]]
    steps = np.linalg.norm(np.diff(toes, axis=0), axis=-1).min(1)
    assert np.quantile(steps, 0.9) < 1e-3


def test_average_skating_is_below_two_percent(performed):
    assert np.mean([skating_ratio(on_floor(joints)) for joints in performed.values()]) < 0.02


def test_jerk_is_that_of_people(performed):
    # Motion capture (Bandai-Namco set): 3-10 gestures, 60-180 walks, 230-340 runs; single peaks up to 3400 m/s^3.
    jerk = {
        family: np.mean([mean_jerk(performed[p.name]) for p in programs])
        for family, programs in program_families().items()
    }
    assert jerk["raise"] < 20 and jerk["bow"] < 20 and jerk["walk"] < 120 and jerk["run"] < 340
    peaks = [np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1).max() * T2M.fps**3 for joints in performed.values()]
    assert max(peaks) < 4000


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("walk-forward-slow", 0.4, 0.8),
        ("walk-forward-normal", 0.8, 1.35),
        ("walk-forward-quick", 1.2, 1.9),
        ("run-straight-slow", 1.7, 2.5),
        ("run-straight-normal", 2.2, 3.1),
        ("run-straight-quick", 2.9, 4.0),
    ],
)
def test_speeds_of_travel(performed, name, low, high):
    root = performed[name][:, 0, [0, 2]]
    middle = slice(len(root) // 3, 2 * len(root) // 3)
    speed = np.linalg.norm(np.diff(root, axis=0), axis=-1)[middle].mean() * T2M.fps
    assert low < speed < high


def test_clips_begin_at_the_origin_facing_forward(performed):
    for name, joints in performed.items():
        first = joints[0]
        assert np.abs(first[0, [0, 2]]).max() < 0.35, name  # a seated pelvis is behind the feet
        across = first[T2M.joint("left_hip")] - first[T2M.joint("right_hip")]
        assert abs(np.degrees(np.arctan2(across[2], across[0]))) < 20, name


def test_clips_of_a_seed():
    clips = list(toy_clips(60, seed=3))
    assert [clip.id for clip in clips] == [f"{i:06d}" for i in range(60)]
    again = list(toy_clips(60, seed=3))
    for clip, other in zip(clips, again, strict=True):
        assert clip.joints.tobytes() == other.joints.tobytes()
        assert (clip.captions, clip.reasoning) == (other.captions, other.reasoning)
    others = {clip.program.name for clip in toy_clips(60, seed=4)}
    assert others != {clip.program.name for clip in clips}
    counts = [sum(clip.split == split for clip in clips) for split in ("train", "val", "test")]
    assert counts == [48, 3, 9]
