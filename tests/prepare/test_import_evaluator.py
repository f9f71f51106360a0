"""The command as a user runs it, on a made-up folder in the published layout."""

import json
import math
import sys
import zlib

import numpy as np
import pytest
import torch

from dataset.captions.word_vectors import make_word_vectors
from dataset.humanml.layout import write_mean_std
from models.text_motion.evaluator import TextMotionEvaluator, build_networks
from models.text_motion.sizes import EvaluatorSizes
from prepare import import_evaluator
from tests.places import ROOT
from tests.prepare.random_motions import random_evaluator
from utils.errors import InputError
from utils.files.fingerprints import fingerprint
from utils.motion.skeleton import KIT, T2M
from utils.run.command import run_command

SIZES = EvaluatorSizes(12, 10, 8, 14, 6, 5)
PARITY = ROOT / "tests" / "parity"
TOKENS = ("a/DET", "man/NOUN", "walk/VERB")


def run_here(capsys, monkeypatch, *arguments):
    """Run the command in this process -> (status, stdout, stderr)."""
    monkeypatch.setattr(sys, "argv", ["import_evaluator", *map(str, arguments)])
    status = 0
    try:
        run_command(import_evaluator.main)
    except SystemExit as exit:
        status = exit.code
    return status, *capsys.readouterr()


def statistics(skeleton):
    """Of an evaluator: the root and contact columns of its std are those of the data set divided by 25."""
    rng = np.random.default_rng(skeleton.num_joints)
    mean, std = rng.normal(size=skeleton.feature_dim), rng.uniform(0.3, 0.5, size=skeleton.feature_dim)
    std[:4] /= 25
    std[-4:] /= 25
    return mean, std


def published_folder(root, skeleton, sizes=SIZES, old_format=False, name="Comp_v6_KLD005"):
    """t2m/ or kit/ as it is published: optimiser and epoch beside the weights, an opt.txt that says a part."""
    folder = root / skeleton.name
    (folder / "text_mot_match/model").mkdir(parents=True)
    (folder / f"{name}/meta").mkdir(parents=True)
    torch.manual_seed(0)
    state = {name: network.state_dict() for name, network in build_networks(skeleton.feature_dim, sizes).items()}
    optimizer = torch.optim.Adam([torch.zeros(2, requires_grad=True)]).state_dict()
    torch.save(
        state | {"opt_text_encoder": optimizer, "epoch": 25, "iter": 17},
        folder / "text_mot_match/model/finest.tar",
        _use_new_zipfile_serialization=not old_format,
    )
    for which, values in zip(("mean", "std"), statistics(skeleton), strict=True):
        np.save(folder / f"{name}/meta/{which}.npy", values)
    (folder / f"{name}/opt.txt").write_text(
        "------------ Options -------------\n"
        f"dataset_name: {skeleton.name}\ndim_movement_enc_hidden: {sizes.movement_hidden}\n"
        f"dim_movement_latent: {sizes.movement_size}\ndim_text_hidden: {sizes.text_hidden}\n"
        "dim_z: 128\nunit_length: 4\n"
        "-------------- End ----------------\n"
    )
    return folder, state


@pytest.fixture
def glove(tmp_path):
    make_word_vectors(TOKENS, dim=5).save(tmp_path / "glove")
    return tmp_path / "glove"


@pytest.mark.parametrize(("skeleton", "old_format"), [(T2M, True), (KIT, False)])
def test_the_published_layout_becomes_a_folder_that_evaluation_finds(
    tmp_path, glove, capsys, monkeypatch, skeleton, old_format
):
    """Even in place: the result lies in t2m/ beside the published folders, checkpoints/t2m being the default."""
    published, state = published_folder(tmp_path / "checkpoints", skeleton, old_format=old_format)
    with pytest.raises(InputError, match=rf"prepare\.import_evaluator --published {published} "):
        TextMotionEvaluator.load(published)
    with pytest.raises(InputError, match=r"prepare\.import_evaluator --published .*finest\.tar "):
        TextMotionEvaluator.load(published / "text_mot_match/model/finest.tar")

    flags = ("--published", published, "--word-vectors", glove, "--out-dir", tmp_path / "checkpoints")
    status, output, errors = run_here(capsys, monkeypatch, *flags)
    assert (status, errors) == (0, "")
    evaluator = TextMotionEvaluator.load(tmp_path / "checkpoints" / skeleton.name)
    mean, std = (values.astype(np.float32) for values in statistics(skeleton))
    for said in (
        f"imported: {published}, evaluator {evaluator.fingerprint}",
        f"{skeleton.name}: {skeleton.num_joints} joints, {skeleton.feature_dim} features",
        "movement 12 -> 10, text 8, motion 14, embedding 6, words 5 + 15 classes",
        f"Comp_v6_KLD005/opt.txt: agrees with the weights (dataset_name {skeleton.name}, dim_movement_enc_hidden 12",
        f"Comp_v6_KLD005/meta/mean.npy, std.npy: fingerprint {fingerprint(mean, std)}",
        f"{glove}: 6 of size 5",
    ):
        assert said in output

    assert evaluator.skeleton is skeleton
    assert (evaluator.mean == mean).all() and (evaluator.std == std).all()
    for name, tensors in state.items():
        assert all(torch.equal(tensors[key], value) for key, value in evaluator.state()[name].items())
    assert evaluator.embed_captions([TOKENS]).shape == (1, 6)

    before = (published / "evaluator.json").stat().st_mtime_ns
    status, output, _ = run_here(capsys, monkeypatch, *flags)
    assert status == 0
    assert output.startswith(f"already imported: {published}")
    assert (published / "evaluator.json").stat().st_mtime_ns == before


def test_any_folder_with_given_statistics(tmp_path, glove, capsys, monkeypatch):
    published, _ = published_folder(tmp_path, T2M)
    alone = tmp_path / "elsewhere" / "finest.tar"
    alone.parent.mkdir()
    (published / "text_mot_match/model/finest.tar").rename(alone)
    flags = ("--published", alone, "--word-vectors", glove, "--out-dir", tmp_path / "out", "--exp-name", "mine")
    status, _, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 2
    assert "give --mean FILE --std FILE" in errors
    meta = published / "Comp_v6_KLD005/meta"
    status, output, errors = run_here(
        capsys, monkeypatch, *flags, "--mean", meta / "mean.npy", "--std", meta / "std.npy"
    )
    assert status == 0, errors
    assert "none found: the skeleton follows from the 263 features" in output
    assert TextMotionEvaluator.load(tmp_path / "out" / "mine").skeleton is T2M


def test_the_archive_of_the_authors_keeps_statistics_and_sizes_in_another_folder(tmp_path, glove, capsys, monkeypatch):
    published, _ = published_folder(tmp_path, T2M, name="Comp_v6_KLD01")
    status, output, errors = run_here(
        capsys, monkeypatch, "--published", published, "--word-vectors", glove, "--out-dir", tmp_path / "out"
    )
    assert (status, errors) == (0, "")
    assert "Comp_v6_KLD01/meta/mean.npy, std.npy" in output and "Comp_v6_KLD01/opt.txt: agrees" in output
    assert np.allclose(TextMotionEvaluator.load(tmp_path / "out" / "t2m").std, statistics(T2M)[1])


@pytest.mark.parametrize("with_data_root", [True, False])
def test_a_data_sets_own_statistics_are_refused_unless_they_are_meant(
    tmp_path, glove, capsys, monkeypatch, with_data_root
):
    published, _ = published_folder(tmp_path, T2M)
    mean, std = statistics(T2M)
    std[:4] *= 25
    std[-4:] *= 25
    write_mean_std(tmp_path / "data", mean, std)
    data = ("--data-root", tmp_path / "data") if with_data_root else ()
    flags = ("--published", published, "--word-vectors", glove, *data)
    status, output, _ = run_here(capsys, monkeypatch, *flags, "--out-dir", tmp_path / "right")
    assert status == 0
    assert ("root 0.040, foot contacts 0.040 of" in output) == with_data_root

    own = ("--mean", tmp_path / "data" / "Mean.npy", "--std", tmp_path / "data" / "Std.npy")
    status, _, errors = run_here(capsys, monkeypatch, *flags, *own, "--out-dir", tmp_path / "wrong")
    assert status == 2 and errors.count("\n") == 1 and not (tmp_path / "wrong").exists()
    for said in ("Std.npy: this looks like the Std.npy of a data set", "25 times smaller", "--data-statistics"):
        assert said in errors

    status, output, _ = run_here(
        capsys, monkeypatch, *flags, *own, "--data-statistics", "--out-dir", tmp_path / "meant"
    )
    assert status == 0 and "taken as it is (--data-statistics)" in output
    found = {out: TextMotionEvaluator.load(tmp_path / out / "t2m").fingerprint for out in ("meant", "right")}
    assert found["meant"] != found["right"]


def test_what_somebody_else_put_there_is_not_replaced(tmp_path, glove, capsys, monkeypatch):
    published, _ = published_folder(tmp_path, T2M)
    place = tmp_path / "out" / "t2m"
    place.mkdir(parents=True)
    np.save(place / "mean.npy", np.arange(3.0))
    before = (place / "mean.npy").read_bytes()
    flags = ("--published", published, "--word-vectors", glove, "--out-dir", tmp_path / "out")
    status, _, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 2 and f"{place / 'mean.npy'}: is another file than the one to be written" in errors
    assert [path.name for path in place.iterdir()] == ["mean.npy"] and (place / "mean.npy").read_bytes() == before
    # A copy that a kill cut off between two files goes on.
    (place / "mean.npy").unlink()
    assert run_here(capsys, monkeypatch, *flags)[0] == 0
    (place / "evaluator.json").unlink()
    assert run_here(capsys, monkeypatch, *flags)[0] == 0
    TextMotionEvaluator.load(place)


def broken_opt(folder):
    path = folder / "Comp_v6_KLD005/opt.txt"
    path.write_text(path.read_text().replace("dim_text_hidden: 8", "dim_text_hidden: 512"))


def other_skeletons_std(folder):
    np.save(folder / "Comp_v6_KLD005/meta/std.npy", np.full(251, 0.01))


def not_positive_std(folder):
    np.save(folder / "Comp_v6_KLD005/meta/std.npy", np.zeros(263))


def lost_network(folder):
    path = folder / "text_mot_match/model/finest.tar"
    state = torch.load(path)
    torch.save({key: value for key, value in state.items() if key != "motion_encoder"}, path)


def lost_tensor(folder):
    path = folder / "text_mot_match/model/finest.tar"
    state = torch.load(path)
    del state["text_encoder"]["gru.bias_hh_l0"]
    torch.save(state, path)


def not_weights(folder):
    (folder / "text_mot_match/model/finest.tar").write_bytes(b"<html>quota exceeded</html>")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (broken_opt, "Comp_v6_KLD005/opt.txt: dim_text_hidden is 512, expected 8 (as in the weights)"),
        (other_skeletons_std, "meta/std.npy: shape (251,), expected (263,)"),
        (not_positive_std, "std positive"),
        (lost_network, "finest.tar: not the weights of a text-motion evaluator (KeyError('motion_encoder'))"),
        (lost_tensor, "gru.bias_hh_l0"),
        (not_weights, "finest.tar: not a readable checkpoint"),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(tmp_path, glove, capsys, monkeypatch, harm, said):
    published, _ = published_folder(tmp_path, T2M)
    harm(published)
    flags = ("--published", published, "--word-vectors", glove, "--out-dir", tmp_path / "out")
    status, output, errors = run_here(capsys, monkeypatch, *flags)
    assert (status, output) == (2, "")
    assert said in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--published", "/nowhere"), "/nowhere: no finest.tar"),
        (("--word-vectors", "/nowhere"), "/nowhere/our_vab_words.pkl"),
        (("--opt", "/nowhere/opt.txt"), "/nowhere/opt.txt"),
        (("--std", "/nowhere/std.npy"), "--mean and --std belong together"),
        (("--mean", "/nowhere/m.npy", "--std", "/nowhere/s.npy"), "/nowhere/m.npy: no such file"),
        (("--data-root", "/nowhere"), "/nowhere"),
    ],
)
def test_mistakes_are_one_line(tmp_path, glove, capsys, monkeypatch, more, said):
    published, _ = published_folder(tmp_path, T2M)
    flags = ("--published", published, "--word-vectors", glove, "--out-dir", tmp_path / "out", *more)
    status, _, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 2
    assert said in errors
    assert "Traceback" not in errors


def test_nothing_of_other_content_is_replaced(tmp_path, glove, capsys, monkeypatch):
    published, state = published_folder(tmp_path, T2M)
    mean, std = statistics(T2M)
    networks = TextMotionEvaluator.from_published(state, mean + 1, std, T2M).networks
    other = TextMotionEvaluator(networks, mean + 1, std, T2M, make_word_vectors(TOKENS, dim=5))
    other.save(tmp_path / "out" / "t2m")
    flags = ("--published", published, "--word-vectors", glove, "--out-dir", tmp_path / "out")
    status, _, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 2
    assert f"holds another evaluator ({other.fingerprint})" in errors
    assert TextMotionEvaluator.load(tmp_path / "out" / "t2m").fingerprint == other.fingerprint

    # finest.tar itself is not overwritten by the imported one, which has no optimiser.
    model = published / "text_mot_match/model"
    content = (model / "finest.tar").read_bytes()
    status, _, errors = run_here(capsys, monkeypatch, *flags[:4], "--out-dir", model.parent, "--exp-name", "model")
    assert status == 2
    assert "holds finest.tar itself" in errors
    assert (model / "finest.tar").read_bytes() == content


def test_the_reference_embeddings_after_the_whole_way(tmp_path, capsys, monkeypatch):
    """Published sizes and names through the command, from denormalised features and any batch order, to 1e-4."""
    shapes = json.loads((PARITY / "state_dict_keys.json").read_text())["evaluator_t2m"]
    reference = np.load(PARITY / "evaluator_t2m.npz")
    folder, _ = published_folder(tmp_path, T2M)
    state = {
        part: {key: _rule_tensor(f"dev/evaluator_t2m/{part}", key, tuple(shape)) for key, shape in keys.items()}
        for part, keys in shapes.items()
    }
    torch.save(state, folder / "text_mot_match/model/finest.tar")
    opt = folder / "Comp_v6_KLD005/opt.txt"
    opt.write_text("dataset_name: t2m\ndim_text_hidden: 512\ndim_movement_enc_hidden: 512\ndim_movement_latent: 512\n")
    make_word_vectors(TOKENS, dim=300).save(tmp_path / "glove")
    status, _, errors = run_here(
        capsys, monkeypatch, "--published", folder, "--word-vectors", tmp_path / "glove", "--out-dir", tmp_path / "out"
    )
    assert status == 0, errors
    evaluator = TextMotionEvaluator.load(tmp_path / "out" / "t2m")
    frames = reference["motion_lengths"]
    expected = evaluator.embed_motion(torch.from_numpy(reference["motions"]), torch.from_numpy(frames)).numpy()
    np.testing.assert_allclose(expected, reference["motion_embedding"], atol=1e-4)
    # Clip by clip and zero-padded, which the reference's made-up motions are not.
    padded = np.where(np.arange(196)[None, :, None] < (frames // 4 * 4)[:, None, None], reference["motions"], 0)
    expected = evaluator.embed_motion(torch.from_numpy(padded), torch.from_numpy(frames)).numpy()
    clips = [m[:n] * evaluator.std + evaluator.mean for m, n in zip(reference["motions"], frames, strict=True)]
    found = evaluator.embed_features(clips[::-1], batch_size=3).numpy()[::-1]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def _rule_tensor(tag, key, shape):
    """The reference's rule for made-up weights."""
    values = np.random.RandomState(zlib.crc32(f"{tag}/{key}".encode())).standard_normal(shape).astype(np.float32)
    if not key.endswith("hidden"):
        if ".1.weight" in key and len(shape) == 1:
            values = 1 + 0.02 * values
        else:
            values *= 1.4 / math.sqrt(math.prod(shape[1:])) if len(shape) >= 2 else 0.02
    return torch.from_numpy(values)


def test_an_evaluator_of_the_other_family_needs_no_import(tmp_path, glove, capsys, monkeypatch):
    random_evaluator(family="tmr").save(tmp_path / "judge")
    flags = ("--published", tmp_path / "judge", "--word-vectors", glove, "--out-dir", tmp_path / "out")
    status, _, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 2
    assert "not the weights of a text-motion evaluator" in errors
    assert f"{tmp_path / 'judge'} is no published folder, it is ready as it is" in errors
    assert not (tmp_path / "out").exists()


def test_one_of_the_other_family_is_not_replaced_either(tmp_path, glove, capsys, monkeypatch):
    published, _ = published_folder(tmp_path, T2M)
    other = random_evaluator(family="tmr")
    other.save(tmp_path / "out" / "t2m")
    flags = ("--published", published, "--word-vectors", glove, "--out-dir", tmp_path / "out")
    status, _, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 2
    assert f"holds another evaluator ({other.fingerprint})" in errors
