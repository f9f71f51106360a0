"""A reading of a data set depends on the files of its splits, present or not, and on no others."""

from dataset.humanml.contents import files_read


def test_the_files_of_the_splits_that_are_read(tmp_path):
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "val.txt").write_text("c\n")
    assert files_read(tmp_path, ["val"], ["val", "train"]) == [
        "val.txt", "new_joint_vecs/c.npy", "texts/c.txt", "train.txt", "texts/a.txt", "texts/b.txt",
    ]  # fmt: skip
    assert files_read(tmp_path, ["val"], statistics=True) == [
        "Mean.npy", "Std.npy", "val.txt", "new_joint_vecs/c.npy",
    ]  # fmt: skip


def test_a_split_that_cannot_be_read_is_named_all_the_same(tmp_path):
    assert files_read(tmp_path, ["test"]) == ["test.txt"]
    (tmp_path / "test.txt").mkdir()
    assert files_read(tmp_path, ["test"]) == ["test.txt"]
