"""Data sets in the layout of the hub, loaded by `datasets` from a folder as they would be from there."""

import json

import pytest

from dataset.cot.foreign.loading import _hub_parts, source_parts, split_of
from utils.errors import InputError

README = """---
configs:
- config_name: mound
  data_files:
  - split: train
    path: mound/*.jsonl
- config_name: mogen
  data_files:
  - split: train
    path: mogen/train.jsonl
  - split: validation
    path: mogen/held_out.jsonl
---
"""


@pytest.fixture
def hub_folder(tmp_path):
    for name in ("mound/a.jsonl", "mogen/train.jsonl", "mogen/held_out.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(json.dumps({"caption": f"{name} {row}"}) + "\n" for row in range(3)))
    (tmp_path / "README.md").write_text(README)
    return str(tmp_path)


def test_a_data_set_with_configurations_lists_them(hub_folder):
    with pytest.raises(InputError, match=r"cannot be loaded from the hub \(.*'mound', 'mogen'.*--config NAME"):
        _hub_parts(hub_folder, None)


def test_splits_of_the_hub_become_ours_and_are_streamed(hub_folder):
    parts = _hub_parts(hub_folder, "mogen")
    assert [(part.name.removeprefix(hub_folder), part.split) for part in parts] == [
        (" mogen train", "train"),
        (" mogen validation", "val"),
    ]
    assert [(row.number, row.fields) for row in parts[1].rows()][-1] == (3, {"caption": "mogen/held_out.jsonl 2"})
    (part,) = _hub_parts(hub_folder, "mound")
    assert len(list(part.rows())) == len(list(part.rows())) == 3  # can be read again


def test_files_are_assigned_by_their_names_and_folders(tmp_path):
    names = (
        "a.jsonl",
        "dev/b.jsonl",
        "mogen_val.jsonl",
        "cot-TEST-00001-of-00002.jsonl",
        ".cache/c.jsonl",
        "x.source.json",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"caption": "x"}\n')
    found = {part.name.removeprefix(f"{tmp_path}/"): part.split for part in source_parts([str(tmp_path)])}
    assert found == dict(zip(names[:4], ("train", "val", "val", "test"), strict=True))
    assert split_of("contest.jsonl") is None and split_of("eval_set") == "test"
