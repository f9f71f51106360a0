"""A model is asked for motions and captions: lengths are exact, beginnings are kept, long motions become windows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.inference.asking import (
    CONTEXT_CODES,
    MotionWish,
    _Start,
    as_in_data_sets,
    describe_motion,
    generate_motions,
)
from models.inference.motion_llm import MotionLLM
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from tests.kit_body import kit_joints
from utils.errors import InputError
from utils.motion.features import features_from_joints, joints_from_features
from utils.motion.rotations import rotate_about_y
from utils.motion.skeleton import KIT, T2M

UNIT, LONGEST = 4, 49  # frames a code; codes of the longest motion of HumanML3D's protocol


def codes_of(motions):
    return [motion.codes.tolist() for motion in motions]


def test_a_hundred_lengths_are_exact(speaker):
    """One code is 0.2 s."""
    for codes in (1, 2, 7, 25, 50):
        for motion in speaker.generate("someone walks", seconds=codes * 0.2, samples=20, seed=codes):
            assert motion.seconds == pytest.approx(codes * 0.2) and len(motion.codes) == codes
            assert motion.joints.shape == (codes * UNIT, 22, 3) and motion.motion.shape == (codes * UNIT, 263)


def test_a_length_is_rounded_to_codes(speaker):
    for seconds, frames in ((0.01, 4), (0.29, 4), (0.31, 8), (3.33, 68)):
        [motion] = speaker.generate("someone walks", seconds=seconds)
        assert len(motion.joints) == frames, seconds


def test_bounds_are_kept_and_are_the_protocols_by_default(speaker):
    bounded = speaker.generate("someone walks", min_seconds=1.0, max_seconds=2.0, samples=12)
    assert {len(motion.codes) for motion in bounded} <= set(range(5, 11))
    free = speaker.generate("someone walks", samples=12)
    assert all(1 <= len(motion.codes) <= LONGEST for motion in free)
    long = speaker.generate("someone walks", min_seconds=15)
    assert len(long[0].codes) == 75  # beyond the protocol where that is asked for


def test_a_seed_decides_and_neighbours_do_not(speaker):
    alone = speaker.generate("someone jumps", seconds=2, samples=3, seed=4)
    assert len({tuple(codes) for codes in codes_of(alone)}) == 3
    assert codes_of(speaker.generate("someone jumps", seconds=2, samples=3, seed=4)) == codes_of(alone)
    assert codes_of(speaker.generate("someone jumps", seconds=2, samples=3, seed=5)) != codes_of(alone)
    among = speaker.generate(["someone jumps", "a person walks in a circle"], seconds=2, samples=2, seed=4)
    assert codes_of(among[:2]) == codes_of(alone[:2])
    assert [motion.caption for motion in among] == ["someone jumps"] * 2 + ["a person walks in a circle"] * 2


def test_a_motion_goes_on_from_its_start(speaker, walk):
    tokenizer = speaker.language.motion_tokenizer
    [motion] = speaker.generate("someone jumps", seconds=2, start=walk)
    before = (len(walk) - 1) // UNIT  # features have one frame less
    assert len(motion.codes) == before + 10 and len(motion.joints) == (before + 10) * UNIT
    [other] = speaker.generate("someone waves", seconds=1, start=walk, seed=9)
    assert other.codes[:before].tolist() == motion.codes[:before].tolist()
    features = motion.motion[: before * UNIT]
    [again] = speaker.generate("someone jumps", seconds=1, start=features)
    assert again.codes[:before].tolist() == tokenizer.encode(features).tolist()


def test_what_goes_on_is_told_only_the_last_codes(speaker, walk, monkeypatch):
    asked = []
    answer = MotionLLM.answer

    def watch(llm, queries, *rest, **named):
        asked.extend(llm._guide(query) for query in queries)
        return answer(llm, queries, *rest, **named)

    monkeypatch.setattr(MotionLLM, "answer", watch)
    [motion] = speaker.generate("someone jumps", seconds=2, start=walk)
    [wanted] = asked
    before = (len(walk) - 1) // UNIT
    assert before > CONTEXT_CODES and wanted.start == tuple(motion.codes[before - CONTEXT_CODES : before])
    assert wanted.min_codes == wanted.max_codes == CONTEXT_CODES + 10


def test_captions_in_a_row_are_one_motion(speaker):
    captions = ["someone walks", "someone waves", "someone jumps"]
    made = speaker.generate(captions, seconds=3, as_one=True, samples=2)
    assert len(made) == 2
    for motion in made:
        assert len(motion.codes) == 45 and motion.seconds == pytest.approx(9)
        assert motion.parts == (("someone walks", 0), ("someone waves", 60), ("someone jumps", 120))
        assert motion.caption == "someone walks, then someone waves, then someone jumps"
        whole = speaker.language.motion_tokenizer.decode(motion.codes)
        assert np.array_equal(whole, motion.motion)  # decoded together: no seam of ours


@pytest.mark.parametrize("skeleton", [T2M, KIT], ids=lambda skeleton: skeleton.name)
def test_what_goes_on_stands_where_the_start_stood(walk, skeleton):
    """Features begin at the origin and face +Z; behind a start they are put back to where it began."""
    torch.manual_seed(0)
    config = NetworkConfig(feature_dim=skeleton.feature_dim, nb_code=16, code_dim=16, width=16, depth=1,
                           output_emb_width=16)  # fmt: skip
    size = skeleton.feature_dim
    tokenizer = MotionTokenizer(MotionVQ(config), np.zeros(size), np.ones(size), skeleton)
    joints = walk if skeleton is T2M else KIT.in_metres(kit_joints(walk))
    turned = rotate_about_y(torch.from_numpy(joints), torch.tensor(2.0, dtype=torch.float64)).numpy()
    turned[..., [0, 2]] += (3.0, -1.5)
    features = features_from_joints(skeleton.from_metres(turned), skeleton)
    origin = skeleton.in_metres(joints_from_features(features, skeleton))
    put = _Start.of(tokenizer, turned).put(origin)
    put[..., 1] += turned[0, 0, 1] - put[0, 0, 1]  # features put the floor at 0
    assert np.abs(put - turned[:-1]).max() < 1e-3


def test_a_long_motion_is_described_in_windows(speaker, walk):
    long = np.concatenate([walk + np.array([number * 0.01, 0, 0]) for number in range(9)])[:451]
    [windows] = speaker.caption(long)
    frames = len(long) - 1
    assert [window.start for window in windows] == [0.0, *(window.end for window in windows[:-1])]
    assert windows[-1].end == pytest.approx(frames / 20) and len(windows) == 3
    for window in windows:
        assert len(window.joints) == round((window.end - window.start) * 20) and len(window.codes) >= 1
        assert (window.end - window.start) * 20 <= T2M.max_frames
    one, two = speaker.caption([walk, walk])
    assert len(one) == 1 and one[0].as_dict() == two[0].as_dict()
    again = describe_motion(speaker, walk, seed=3)  # greedy: a caption is an answer, not a draw
    assert again[0].as_dict() == one[0].as_dict()


def test_what_cannot_be_is_said(speaker, walk):
    silent = speaker.without_motions()
    for llm, ask, message in (
        (speaker, lambda llm: llm.generate([]), "at least one caption"),
        (speaker, lambda llm: llm.generate(["walk", "  "]), "none of them empty"),
        (speaker, lambda llm: llm.generate("walk <Motion_3>"), "holds <Motion_3>, a tag that no text may hold"),
        (speaker, lambda llm: llm.generate("walk", seconds=0), "above 0"),
        (speaker, lambda llm: llm.generate("walk", seconds=float("nan")), "above 0"),
        (speaker, lambda llm: llm.generate("walk", seconds=2, max_seconds=3), "either the seconds"),
        (speaker, lambda llm: llm.generate("walk", min_seconds=3, max_seconds=2), "at least 3 s and at most 2 s"),
        (speaker, lambda llm: llm.generate("walk", samples=0), "at least 1"),
        (speaker, lambda llm: llm.generate("walk", start=walk[:, :5]), "expected|must be joints"),
        (speaker, lambda llm: llm.caption(walk[:4]), "too short"),
        (speaker, lambda llm: llm.caption(walk[:, :, :2]), "must be joints"),
        (silent, lambda llm: llm.generate("walk"), "no motion tokenizer"),
        (MotionLLM(speaker.model, speaker.language, ("m2t",)), lambda llm: llm.generate("walk"), "trained for m2t"),
        (MotionLLM(speaker.model, speaker.language, ("t2m",)), lambda llm: llm.caption(walk), "trained for t2m"),
    ):
        with pytest.raises(InputError, match=message):
            ask(llm)


def test_a_search_chooses_the_replies(speaker):
    """Chain-of-Motion is handed the guided model, and what it finds is what comes back, with its scores."""
    from models.inference.asking import FoundReply

    seen = []

    def search(llm, queries, sampling):
        seen.append((len(queries), sampling.seed))
        found = llm.answer(queries, replace(sampling, seed=sampling.seed + 1))
        return [FoundReply(rollout, {"total": 0.5}, ({"chosen": True},)) for rollout in found]

    made = generate_motions(speaker, ["walk", "jump"], MotionWish(seconds=2, seed=6, search=search))
    assert seen == [(2, 6)]
    assert all(motion.scores == {"total": 0.5} and motion.trace and len(motion.codes) == 10 for motion in made)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("a person walks", "a person walks."),
        ("A person walks. ", "a person walks."),
        ("Walk!", "walk!"),
        (" kick  twice\nleft", "kick twice left."),
    ],
)
def test_a_sentence_is_asked_as_data_sets_write_it_and_shown_as_it_was_typed(speaker, monkeypatch, typed, asked):
    assert as_in_data_sets(typed) == asked
    [plain], [typed_so] = (speaker.generate([text], seconds=1, seed=3) for text in (asked, typed))
    assert typed_so.caption == typed.strip() and np.array_equal(plain.codes, typed_so.codes)
