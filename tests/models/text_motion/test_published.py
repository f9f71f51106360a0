"""Reading the published evaluator's folder: what is found where, and that contradictions are named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.text_motion.published import (
    LARGEST_SCALE,
    PUBLISHED_SCALE,
    STATISTICS_PLACES,
    check_opt,
    check_scale,
    find_files,
    find_weights,
    read_opt,
    relative_scale,
    skeleton_of,
)
from models.text_motion.sizes import PUBLISHED_SIZES
from tests.places import SHARED
from utils.errors import InputError
from utils.motion.skeleton import KIT, T2M

WEIGHTS = "text_mot_match/model/finest.tar"
SAMPLE = SHARED / "data" / "humanml3d_sample"

OPT = """------------ Options -------------
checkpoints_dir: ./checkpoints
dataset_name: t2m
dim_movement_enc_hidden: 512
dim_movement_latent: 512
dim_text_hidden: 512
early: 1e-05
is_train: True
lambda_kld: 0.005
name: Comp_v6_KLD005
start: -3
unit_length: 4
url: http://a.b: c
window_size = 64
-------------- End ----------------
"""


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def statistics(folder):
    return [f"{folder}/mean.npy", f"{folder}/std.npy"]


def test_the_published_layout_is_found(tmp_path):
    root = put(tmp_path / "t2m", WEIGHTS, "Comp_v6_KLD005/opt.txt", *statistics("Comp_v6_KLD005/meta"))
    put(root, "mean.npy", "std.npy", *statistics(STATISTICS_PLACES[1]), "finest.tar")  # all of them come later
    for place in (root, root / "text_mot_match", root / WEIGHTS):
        files = find_files(place)
        assert files.weights == root / WEIGHTS
        assert files.opt == root / "Comp_v6_KLD005/opt.txt"
        assert files.mean == root / "Comp_v6_KLD005/meta/mean.npy"
        assert files.std == root / "Comp_v6_KLD005/meta/std.npy"


@pytest.mark.parametrize(
    "order",
    [
        [*STATISTICS_PLACES, "text_mot_match/model/meta", "text_mot_match/model"],
        [STATISTICS_PLACES[1], STATISTICS_PLACES[2]],
        [STATISTICS_PLACES[2], "text_mot_match/model"],
        ["text_mot_match/model/meta", "text_mot_match/model"],
        ["text_mot_match/model"],
    ],
)
def test_statistics_are_taken_from_the_first_place(tmp_path, order):
    put(tmp_path, WEIGHTS, f"{STATISTICS_PLACES[0]}/mean.npy", *(name for f in order for name in statistics(f)))
    assert find_files(tmp_path).std == tmp_path / order[0] / "std.npy"
    given = find_files(tmp_path, "my_opt.txt", ("my_mean.npy", "my_std.npy"))
    assert (given.opt, given.mean, given.std) == (Path("my_opt.txt"), Path("my_mean.npy"), Path("my_std.npy"))


def test_the_archive_of_the_authors_is_found(tmp_path):
    root = put(tmp_path / "t2m", WEIGHTS, "Comp_v6_KLD01/opt.txt", *statistics("Comp_v6_KLD01/meta"))
    put(root, "Comp_v6_KLD01/model/latest.tar", "length_est_bigru/model/finest.tar")  # of the generator beside it
    files = find_files(root)
    assert (files.opt, files.std) == (root / "Comp_v6_KLD01/opt.txt", root / "Comp_v6_KLD01/meta/std.npy")


def test_a_flat_folder_will_do(tmp_path):
    put(tmp_path, "finest.tar", "opt.txt", "mean.npy", "std.npy")
    for place in (tmp_path, tmp_path / "finest.tar"):
        files = find_files(place)
        assert (files.weights, files.opt, files.mean) == tuple(
            tmp_path / name for name in ("finest.tar", "opt.txt", "mean.npy")
        )


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(InputError, match=r"no finest\.tar \(looked for text_mot_match/model/finest\.tar"):
        find_files(tmp_path)
    put(tmp_path, f"t2m/{WEIGHTS}", f"kit/{WEIGHTS}")
    assert find_weights(tmp_path) is None
    with pytest.raises(InputError, match=rf"there are {tmp_path}/kit/.*, {tmp_path}/t2m/.*: name one"):
        find_files(tmp_path)
    with pytest.raises(InputError, match=rf"{tmp_path}/t2m/Comp_v6_KLD005/meta, .*give --mean FILE --std FILE"):
        find_files(tmp_path / "t2m")


def test_opt_values_have_their_types(tmp_path):
    path = tmp_path / "opt.txt"
    path.write_text(OPT)
    assert read_opt(path) == {
        "checkpoints_dir": "./checkpoints",
        "dataset_name": "t2m",
        "dim_movement_enc_hidden": 512,
        "dim_movement_latent": 512,
        "dim_text_hidden": 512,
        "early": 1e-5,
        "is_train": True,
        "lambda_kld": 0.005,
        "name": "Comp_v6_KLD005",
        "start": -3,
        "unit_length": 4,
        "url": "http://a.b: c",
        "window_size": 64,
    }
    path.write_text(OPT.replace("is_train: True", "is_train: False\r\nempty:"))
    assert (read_opt(path)["is_train"], read_opt(path)["empty"]) == (False, "")


def test_a_broken_opt_is_named_with_its_line(tmp_path):
    path = tmp_path / "opt.txt"
    path.write_text("--- Options ---\ndim_pose 263\n")
    with pytest.raises(InputError, match=rf"{path}:2: 'dim_pose 263'"):
        read_opt(path)
    with pytest.raises(InputError, match=str(tmp_path / "none.txt")):
        read_opt(tmp_path / "none.txt")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=str(path)):
        read_opt(path)


FULL = {
    "dataset_name": "t2m",
    "dim_pose": 263,
    "joints_num": 22,
    "dim_word": 300,
    "dim_pos_ohot": 15,
    "dim_text_hidden": 512,
    "dim_motion_hidden": 1024,
    "dim_coemb_hidden": 512,
    "dim_movement_enc_hidden": 512,
    "dim_movement_latent": 512,
    "max_motion_length": 196,
    "unit_length": 4,
}


def test_agreement_is_told():
    assert check_opt("opt.txt", FULL | {"dim_z": 128}, 263, PUBLISHED_SIZES) == FULL
    kit = FULL | {"dataset_name": "kit", "dim_pose": 251, "joints_num": 21}
    assert check_opt("opt.txt", kit, 251, PUBLISHED_SIZES) == kit
    assert check_opt("opt.txt", {"dim_z": 128}, 263, PUBLISHED_SIZES) == {}


@pytest.mark.parametrize("key", FULL)
def test_every_contradiction_names_key_value_and_what_was_expected(key):
    wrong = "kit" if key == "dataset_name" else FULL[key] + 1
    with pytest.raises(InputError, match=rf"^here/opt\.txt: {key} is {wrong}, expected {FULL[key]} \("):
        check_opt("here/opt.txt", FULL | {key: wrong}, 263, PUBLISHED_SIZES)


@pytest.mark.parametrize(
    ("size", "key"),
    [
        ("movement_hidden", "dim_movement_enc_hidden"),
        ("movement_size", "dim_movement_latent"),
        ("text_hidden", "dim_text_hidden"),
        ("motion_hidden", "dim_motion_hidden"),
        ("embedding_size", "dim_coemb_hidden"),
        ("word_size", "dim_word"),
        ("pos_size", "dim_pos_ohot"),
    ],
)
def test_each_size_of_the_weights_has_its_key(size, key):
    with pytest.raises(InputError, match=rf"{key} is {FULL[key]}, expected 77"):
        check_opt("opt.txt", FULL, 263, replace(PUBLISHED_SIZES, **{size: 77}))


def test_features_choose_the_skeleton():
    assert skeleton_of(263, "x") is T2M
    assert skeleton_of(251, "x") is KIT
    with pytest.raises(InputError, match=r"x: the weights read 135 features, expected one of 263 \(t2m\), 251 \(kit\)"):
        skeleton_of(135, "x")


@pytest.mark.parametrize("skeleton", [T2M, KIT])
def test_the_scale_of_root_and_contacts_is_measured(skeleton):
    data = np.random.default_rng(0).uniform(0.1, 2, skeleton.feature_dim)
    std = data * 1.1  # another data set's spread must not matter
    assert relative_scale(std, data, skeleton) == pytest.approx((1, 1))
    std[:4] /= 25
    assert relative_scale(std, data, skeleton) == pytest.approx((PUBLISHED_SCALE, 1))
    std[-4:] /= 25
    assert relative_scale(std, data, skeleton) == pytest.approx((PUBLISHED_SCALE, PUBLISHED_SCALE))


def test_the_published_statistics_have_the_published_scale():
    if not SAMPLE.is_dir():
        pytest.skip("the data pack's HumanML3D sample is not here")
    std, data = np.load(SAMPLE / "evaluator_t2m_std.npy"), np.load(SAMPLE / "Std.npy")
    assert relative_scale(std, data, T2M) == pytest.approx((PUBLISHED_SCALE, PUBLISHED_SCALE), rel=0.02)
    assert min(relative_scale(data, data, T2M)) > LARGEST_SCALE
    assert "foot contacts 0.0141" in check_scale("std.npy", std, T2M)
    check_scale("std.npy", std, T2M, ("data", data))
    for known in (None, ("data", data)):
        with pytest.raises(InputError, match=r"Std\.npy: this looks like the Std\.npy of a data set .*0\.3559"):
            check_scale("Std.npy", data, T2M, known)
