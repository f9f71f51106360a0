"""Outputs do not replace what was read, nor what somebody else made."""

import pytest

from utils.errors import InputError
from utils.files.outputs import check_output_file, check_output_folder


def test_an_output_is_none_of_its_inputs_by_any_name(tmp_path):
    given, link = tmp_path / "a.jsonl", tmp_path / "link.jsonl"
    given.touch()
    link.symlink_to(given)
    for out in (given, link, tmp_path / "." / "a.jsonl"):
        with pytest.raises(InputError, match="is what is read here, and would be replaced"):
            check_output_file(out, [None, "no/such/file", given])
    check_output_file(tmp_path / "b.jsonl", [given])
    check_output_file(given, [tmp_path / "b.jsonl"])


def test_a_place_that_cannot_be_is_told_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    for check, out, said in (
        (lambda out: check_output_file(out, []), tmp_path, "is a folder, expected the name of a file"),
        (lambda out: check_output_file(out, []), tmp_path / "file" / "x", "file is a file, and no folder"),
        (lambda out: check_output_folder(out, None), tmp_path / "file", "is a file, expected a folder"),
        (lambda out: check_output_folder(out, None), tmp_path / "file" / "x" / "y", "file is a file, and no folder"),
    ):
        with pytest.raises(InputError, match=said):
            check(out)


def test_a_folder_is_new_empty_or_says_that_it_is_ours(tmp_path):
    folder = tmp_path / "out"
    check_output_folder(folder, "mark.json")
    folder.mkdir()
    (folder / ".hidden").touch()
    check_output_folder(folder, "mark.json")
    (folder / "theirs.txt").touch()
    for marker in ("mark.json", None):
        with pytest.raises(InputError, match=r"is not empty: holds theirs\.txt, which this command did not write"):
            check_output_folder(folder, marker)
    (folder / "mark.json").touch()
    check_output_folder(folder, "mark.json")
    with pytest.raises(InputError, match="is not empty"):
        check_output_folder(folder, None)
