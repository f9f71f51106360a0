"""Rows of a file are what stands in it: values of a csv are texts, and a row that cannot be read is one bad row."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset.cot.foreign.files import rows_of_file
from utils.errors import InputError


def rows(path, content, packed=False):
    path.write_bytes(gzip.compress(content) if packed else content)
    return list(rows_of_file(path))


@pytest.mark.parametrize("packed", [False, True])
def test_values_of_a_csv_stay_text(tmp_path, packed):
    content = b'id,caption,codes\n000001,null,"1 2"\n0,NA,\n"1.0","he says ""ha,""\nand sits.",nan\n'
    found = rows(tmp_path / ("x.csv.gz" if packed else "x.csv"), content, packed)
    assert [row.fields for row in found] == [
        {"id": "000001", "caption": "null", "codes": "1 2"},
        {"id": "0", "caption": "NA", "codes": ""},
        {"id": "1.0", "caption": 'he says "ha,"\nand sits.', "codes": "nan"},
    ]
    assert [row.number for row in found] == [1, 2, 3]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_lines_end_by_the_rules_of_all_our_files(tmp_path, end, mark):
    separated = "a\u2028b"
    csv = mark + end.join([b"id\tcaption", f"a\t{separated}".encode(), b"", b""])
    assert [row.fields for row in rows(tmp_path / "x.tsv", csv)] == [{"id": "a", "caption": separated}]
    lines = mark + end.join([json.dumps({"caption": separated}, ensure_ascii=False).encode(), b"", b""])
    for name in ("x.jsonl", "x.json"):
        assert [row.fields for row in rows(tmp_path / name, lines)] == [{"caption": separated}]


def test_a_bad_row_of_a_csv_is_one_bad_row(tmp_path):
    content = b'id,caption\na,caf\xe9\nb,one,two\nc,"x"y\n\nd,nul\0\ne,good\n'
    found = rows(tmp_path / "x.csv", content)
    assert [bool(row.problem) for row in found] == [True, True, True, True, False]
    assert "line 2: not UTF-8 text" in found[0].problem and "expected 2 values" in found[1].problem
    assert "not CSV" in found[2].problem and "NUL" in found[3].problem
    assert found[4].fields == {"id": "e", "caption": "good"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'id,caption\na,b\nc,"no end\nd,e\nf,g\n', r"x\.csv:3: a quotation mark that begins here has no end"),
        (b"id,id\na,b\n", r"x\.csv:1: two columns are called 'id'"),
    ],
)
def test_a_csv_that_cannot_be_told_apart_is_refused(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        rows(tmp_path / "x.csv", content)


def test_a_large_value_of_a_csv_is_read(tmp_path):
    (row,) = rows(tmp_path / "x.csv", b"caption\n" + b"a" * 500_000 + b"\n")
    assert len(row.fields["caption"]) == 500_000


@pytest.mark.parametrize("array", [False, True])
def test_a_bad_object_is_one_bad_row(tmp_path, array):
    good = '{"caption": "a]}[", "n": [1, {"x": "\\"]"}]}'
    bad = ["[" * 50_000 + "]" * 50_000, '{"n": ' + "9" * 400 + "}", '{"n": ' + "9" * 5000 + "}", '{"a" 1}', "3", "null"]
    texts = [good, *bad, '{"caption": "a \\ud83d", "n": 1e400}', good]
    content = "[" + ",\n".join(texts) + "]" if array else "\n".join(texts)
    found = rows(tmp_path / "x.json", content.encode())
    assert [row.fields is None for row in found] == [False, *[True] * len(bad), False, False]
    assert found[0].fields == found[-1].fields == json.loads(good)
    assert found[-2].fields == {"caption": "a \ufffd", "n": float("inf")}
    assert all(row.problem for row in found[1:-2])


def test_an_array_that_is_cut_off_says_how_far_it_was_read(tmp_path):
    with pytest.raises(InputError, match=r"x\.json: cannot be read after row 2 \(not JSON, or cut off\)"):
        rows(tmp_path / "x.json", b'[{"a": 1}, {"a": 2}, {"a": "[')
    assert rows(tmp_path / "x.json", b" \n[ ]\n") == []


def test_a_parquet_gives_numbers_as_they_are_and_bad_texts_one_by_one(tmp_path):
    texts = pa.array([b"caf\xe9", b"good"]).cast(pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": [0, 21], "caption": texts}), tmp_path / "x.parquet")
    found = list(rows_of_file(tmp_path / "x.parquet"))
    assert found[0].fields is None and "cannot be read" in found[0].problem
    assert found[1].fields == {"id": 21, "caption": "good"}
    with pytest.raises(InputError, match=r"x\.parquet: cannot be read after row 0"):
        rows(tmp_path / "x.parquet", b"PAR1 no more")
