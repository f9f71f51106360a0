"""YAML is read as it is meant, and nothing in it is executed."""

import pytest

from utils.errors import InputError
from utils.files.yaml_files import read_yaml


def test_values_are_those_that_are_meant(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1e-5\nb: -2.5E+3\nc: 1\nd: yes\ne: a 1e-5 text\nf: [1e2, x]\n")
    assert read_yaml(path) == {"a": 1e-5, "b": -2500.0, "c": 1, "d": True, "e": "a 1e-5 text", "f": [100.0, "x"]}


def test_an_empty_file_holds_nothing(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# nothing\n")
    assert read_yaml(path) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "'a' is listed twice.*line 3"),
        ("a: [1\n", "not a YAML file"),
        ("a: " + "[" * 5000, "not a YAML file"),
        ("a: " + "9" * 5000, "not a YAML file"),
        ("a: !!python/object/apply:os.system ['touch x']\n", "not a YAML file.*python/object"),
        ("a: \t1\n\tb: 2\n", "not a YAML file"),
    ],
    ids=["twice", "unclosed", "deep", "5,000 digits", "Python object", "tabs"],
)
def test_what_is_no_yaml_is_one_line(tmp_path, text, said):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as raised:
        read_yaml(path)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 500


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "a.yaml")
