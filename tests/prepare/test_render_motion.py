"""prepare.render_motion draws files of any kind, folders, evaluations and codes; nothing of a body is cut off."""

import json

import numpy as np
import pytest
from PIL import Image, ImageSequence

from dataset.cot.source import CotSource, write_cot_source
from prepare import render_motion
from prepare.rendering.clips import Wanted, clips_of
from tests.dataset.sources.amass.synthetic_body_model import walking, write_amass, write_body_model
from tests.test_eval_mllm import save_policy
from tests.utils.motion_files.motions import largest_error, toy
from utils.errors import InputError
from utils.motion.features import joints_from_features
from utils.motion.skeleton import T2M
from utils.motion.stick_figure import CENTRE_COLOUR, LEFT_COLOUR, RIGHT_COLOUR
from utils.motion_files.write import WrittenMotion, write_motions

SIZE = 120


def run(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["render_motion", *map(str, words)])
    render_motion.main()


def panels(path):
    with Image.open(path) as picture:
        return picture.width / SIZE


@pytest.fixture
def folder(tmp_path):
    """A motion as .npy, one as .bvh, and one as both."""
    place = tmp_path / "motions"
    for number, names in enumerate((["a.npy"], ["b.bvh"], ["c.bvh", "c.npy"])):
        for name in names:
            write_motions(place / name, [WrittenMotion(toy()[number][:20], T2M, 20.0)])
    (place / "notes.txt").write_text("nothing to draw")
    return place


@pytest.fixture
def evaluation(tmp_path, backbone, motion_tokenizer):
    """The folder of an evaluation, with what args.json of eval_mllm.py says of its checkpoint."""
    save_policy(tmp_path / "policy.pth", backbone, motion_tokenizer)
    place = tmp_path / "experiments" / "eval"
    place.mkdir(parents=True)
    said = "Think.</think><answer><Motion><Motion_1><Motion_2><Motion_3></Motion></answer>"
    rows = [
        {"id": "x", "draw": 0, "caption": "a person walks.", "text": said, "codes": [1, 2, 3], "problem": None},
        {"id": "x", "draw": 1, "caption": "a person walks.", "text": said, "codes": [4] * 9, "problem": None},
        {"id": "y", "draw": 0, "caption": "a person waves.", "text": "?", "codes": None, "problem": "no </think>"},
        {"id": "z", "draw": 0, "caption": "a person sits.", "text": said, "codes": [5] * 6, "problem": None},
    ]
    (place / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = {"eval_ckpt": str(tmp_path / "policy.pth"), "motion_tokenizer": None}
    (place / "args.json").write_text(json.dumps(asked))
    return place


def test_files_of_each_kind_are_drawn_side_by_side(tmp_path, folder, monkeypatch, capsys):
    run(monkeypatch, "--motion", folder / "a.npy", folder / "b.bvh", "--out", tmp_path / "x.gif", "--size", SIZE)
    assert panels(tmp_path / "x.gif") == 2 and "2 motions, 20 frames at 20 fps" in capsys.readouterr().out


def test_a_folder_is_drawn_whole_each_motion_once(tmp_path, folder, monkeypatch):
    run(monkeypatch, "--motion", folder, "--out", tmp_path / "x.gif", "--size", SIZE)
    assert panels(tmp_path / "x.gif") == 3
    run(monkeypatch, "--motion", folder, "--limit", "2", "--out", tmp_path / "y.gif", "--size", SIZE)
    assert panels(tmp_path / "y.gif") == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no motion in it"):
        run(monkeypatch, "--motion", tmp_path / "empty", "--out", tmp_path / "z.gif")


def test_each_motion_can_have_a_picture_of_its_own(tmp_path, folder, monkeypatch):
    run(monkeypatch, "--motion", folder, "--each", "--out", tmp_path / "new" / "m.gif", "--size", SIZE)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["m-a.gif", "m-b.gif", "m-c.gif"]
    (tmp_path / "new" / "m-b.gif").write_bytes(b"a photograph")
    with pytest.raises(InputError, match=r"m-b\.gif: is there, and nothing in it says"):
        run(monkeypatch, "--motion", folder, "--each", "--out", tmp_path / "new" / "m.gif", "--size", SIZE)
    assert (tmp_path / "new" / "m-b.gif").read_bytes() == b"a photograph"


def test_amass_is_drawn_where_there_are_body_models(tmp_path, monkeypatch):
    write_amass(tmp_path / "walk.npz", *walking(60, 60.0))
    write_body_model(tmp_path / "bodies/smplh/male/model.npz", "smplh")
    with pytest.raises(InputError, match=r"walk\.npz: AMASS stores poses, and without --body-models"):
        run(monkeypatch, "--motion", tmp_path / "walk.npz", "--out", tmp_path / "x.gif")
    given = ["--motion", tmp_path / "walk.npz", "--body-models", tmp_path / "bodies"]
    run(monkeypatch, *given, "--out", tmp_path / "x.gif", "--size", SIZE)
    assert panels(tmp_path / "x.gif") == 1


def test_an_evaluation_is_drawn_with_the_tokenizer_of_its_checkpoint(evaluation, motion_tokenizer):
    for given in (evaluation, evaluation / "predictions.jsonl"):
        clips = clips_of(given, Wanted())
        assert [clip.name for clip in clips] == ["x_draw0", "x_draw1", "z_draw0"]
        assert [clip.clip.title for clip in clips] == [
            "x: a person walks.",
            "x #1: a person walks.",
            "z: a person sits.",
        ]
        expected = joints_from_features(motion_tokenizer.decode(np.array([1, 2, 3])), T2M)
        assert largest_error(clips[0].clip.joints, expected) < 1e-6 and len(clips[1].clip.joints) == 36


def test_ids_choose_replies_and_real_clips_beside_them(tmp_path, evaluation, monkeypatch, caplog):
    run(monkeypatch, "--motion", evaluation, "--id", "z", "--out", tmp_path / "z.png", "--size", SIZE, "--columns", "2")
    with Image.open(tmp_path / "z.png") as sheet:
        assert sheet.width == SIZE  # two frames of half the size
    write_motions(tmp_path / "data/new_joint_vecs/x.npy", [WrittenMotion(toy()[0], T2M, 20.0)])
    given = ["--motion", evaluation, "--id", "x", "--data-root", tmp_path / "data"]
    run(monkeypatch, *given, "--out", tmp_path / "x.gif", "--size", SIZE)
    assert panels(tmp_path / "x.gif") == 3  # the real one and two replies
    with pytest.raises(InputError, match="no line has motion codes"):
        run(monkeypatch, "--motion", evaluation, "--id", "y", "--out", tmp_path / "y.gif")
    assert "the reply to y has no motion: no </think>" in caplog.text
    with pytest.raises(InputError, match=r"predictions\.jsonl: no line of nobody"):
        run(monkeypatch, "--motion", evaluation, "--id", "nobody", "--out", tmp_path / "y.gif")


def test_a_run_that_was_moved_still_finds_its_tokenizer(tmp_path, evaluation, motion_tokenizer):
    """Its path was relative to the folder in which the command was started."""
    asked = {"eval_ckpt": "policy.pth", "motion_tokenizer": None}
    (evaluation / "args.json").write_text(json.dumps(asked))
    assert len(clips_of(evaluation, Wanted())) == 3
    (tmp_path / "policy.pth").unlink()
    with pytest.raises(InputError, match=r"tokenizer is not here any more .*--motion-tokenizer"):
        clips_of(evaluation, Wanted())
    motion_tokenizer.save(tmp_path / "tokenizer.pth")
    assert len(clips_of(evaluation, Wanted(motion_tokenizer=str(tmp_path / "tokenizer.pth")))) == 3


@pytest.mark.parametrize("field", ["codes", "motion_tokens"])
def test_codes_are_drawn_by_a_tokenizer(tmp_path, motion_tokenizer, field):
    motion_tokenizer.save(tmp_path / "tokenizer.pth")
    rows = [{"id": str(number), field: [1, 2, 3, number]} for number in range(12)]
    rows.append({"id": "0", field: [1, 2, 3, 0]})  # of another split, or another caption
    (tmp_path / "codes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=r"nothing beside it says which motion tokenizer .*--motion-tokenizer"):
        clips_of(tmp_path / "codes.jsonl", Wanted())
    named = Wanted(limit=5, motion_tokenizer=str(tmp_path / "tokenizer.pth"))
    assert [clip.name for clip in clips_of(tmp_path / "codes.jsonl", named)] == ["0", "1", "2", "3", "4"]
    source = CotSource(str(tmp_path / "tokenizer.pth"), motion_tokenizer.fingerprint, 16, "data")
    write_cot_source(tmp_path / "codes.jsonl", source)
    found = clips_of(tmp_path / "codes.jsonl", Wanted(ids=("7", "0")))
    assert [clip.name for clip in found] == ["0", "7"] and len(found[0].clip.joints) == 16


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "a", "codes": [1, 99]}, r":1: code 99 is not one of this motion tokenizer's 16"),
        ({"id": "a", "codes": ["x"]}, r":1: codes must be a list of whole numbers"),
        ({"codes": [1]}, r':1: expected an object with an "id"'),
        ({"id": "a", "answer": "a person walks."}, r"no line has motion codes \(captions cannot be drawn"),
    ],
)
def test_codes_that_cannot_be_drawn(tmp_path, motion_tokenizer, row, said):
    motion_tokenizer.save(tmp_path / "tokenizer.pth")
    (tmp_path / "codes.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=said):
        clips_of(tmp_path / "codes.jsonl", Wanted(motion_tokenizer=str(tmp_path / "tokenizer.pth")))


def test_mistakes_are_named(tmp_path, folder, monkeypatch, capsys):
    out = ["--out", tmp_path / "x.gif"]
    with pytest.raises(InputError, match=r"notes\.txt: expected a motion in a file that ends in \.bvh, \.npy, \.npz"):
        run(monkeypatch, "--motion", folder / "notes.txt", *out)
    with pytest.raises(InputError, match="--caption: 1 titles for 3 motions"):
        run(monkeypatch, "--motion", folder, "--caption", "one", *out)
    for words in (
        ["--motion", folder, "--id", "a"],
        ["--data-root", tmp_path],
        [],
        ["--motion", folder, "--limit", "0"],
    ):
        with pytest.raises((InputError, SystemExit)):
            run(monkeypatch, *words, *out)
    assert not (tmp_path / "x.gif").exists()


def jumping(frames=24):
    """Somebody who jumps 0.9 m high, with both arms up."""
    joints = np.repeat(toy()[0][:1], frames, axis=0)
    for side in ("left", "right"):
        shoulder = joints[:, T2M.joint(f"{side}_shoulder")]
        for joint, reach in ((f"{side}_elbow", 0.3), (f"{side}_wrist", 0.6)):
            joints[:, T2M.joint(joint)] = shoulder + np.array([0, reach, 0])
    return joints + np.sin(np.linspace(0, np.pi, frames))[:, None, None] * np.array([0, 0.9, 0])


def wide(frames=30):
    """Somebody who goes sideways faster than the camera follows, with arms stretched out to both sides."""
    joints = np.repeat(toy()[0][:1], frames, axis=0)
    for side, sign in (("left", 1), ("right", -1)):
        shoulder = joints[:, T2M.joint(f"{side}_shoulder")]
        for joint, reach in ((f"{side}_elbow", 0.4), (f"{side}_wrist", 0.8)):
            joints[:, T2M.joint(joint)] = shoulder + np.array([sign * reach, 0, 0])
    return joints + (np.arange(frames) > frames / 2)[:, None, None] * np.array([1.5, 0, 0])


def lying(frames=10):
    """Somebody on the floor, along the line of sight and across it."""
    joints = toy()[0][:1].repeat(frames, axis=0)
    return np.stack([joints[..., 0], joints[..., 2] + 0.15, joints[..., 1]], axis=-1)


def of_a_body(picture):
    """(H, W) whether a pixel has the colour of a limb or the head."""
    pixels = np.asarray(picture.convert("RGB"), int)
    return np.any(
        [np.abs(pixels - colour).max(axis=-1) < 40 for colour in (LEFT_COLOUR, RIGHT_COLOUR, CENTRE_COLOUR)], 0
    )


@pytest.mark.parametrize("motion", [jumping, wide, lying, lambda: toy()[3]], ids=["jump", "wide", "lying", "toy"])
def test_nothing_of_a_body_touches_the_border_of_its_panel(tmp_path, monkeypatch, motion):
    """Neither the edges nor the strip of the title, in any frame; and the body is large all the same."""
    np.save(tmp_path / "a.npy", motion())
    run(monkeypatch, "--motion", tmp_path / "a.npy", "--caption", "", "--out", tmp_path / "a.gif", "--size", "200")
    strip, tallest = int(200 * 0.16), 0
    with Image.open(tmp_path / "a.gif") as gif:
        for frame in ImageSequence.Iterator(gif):
            body = of_a_body(frame)[strip:]
            assert not body[:2].any() and not body[-2:].any() and not body[:, :2].any() and not body[:, -2:].any()
            rows, columns = np.nonzero(body)
            tallest = max(tallest, np.ptp(rows), np.ptp(columns))
    assert tallest > 0.4 * 200


def test_pictures_of_a_joint_that_is_far_off_still_show_the_body(tmp_path, monkeypatch):
    joints = toy()[0][:12].copy()
    joints[5, 20] += 400.0
    np.save(tmp_path / "a.npy", joints)
    run(monkeypatch, "--motion", tmp_path / "a.npy", "--caption", "", "--out", tmp_path / "a.gif", "--size", "400")
    with Image.open(tmp_path / "a.gif") as gif:
        rows, _ = np.nonzero(of_a_body(gif))
    assert np.ptp(rows) > 50
