"""Foreign chain-of-thought data become our jsonl, in every layout that is read, as a user would import them."""

import gzip
import json
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset.cot.samples import read_cot_jsonl
from dataset.cot.source import CotSource, read_cot_source, write_cot_source
from prepare.import_cot import main
from tests.places import ROOT
from tests.prepare.random_motions import random_tokenizer
from tests.warm_python import warm_python
from utils.errors import InputError
from utils.files.lock import locked

CODES = [3, 15, 0, 7]
SPELLED = "".join(f"<Motion_{code}>" for code in CODES)
ANSWER = "<answer>a man sits.</answer>"
WALK = {"caption": "a person walks.", "motion_tokens": CODES, "reasoning": "The legs step in turn."}


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def imported(tmp_path, monkeypatch, capsys):
    """Runs the command; gives (lines by split, what it printed)."""

    def run(*arguments):
        out = tmp_path / "out"
        monkeypatch.setattr("sys.argv", ["import_cot", "--out-dir", str(out), "--source", *map(str, arguments)])
        main()
        lines = {
            path.stem.removeprefix("cot_"): [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            for path in out.glob("cot_*.jsonl")
        }
        return lines, capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (WALK, WALK),
        (
            {**WALK, "task": "m2t", "id": "000021", "sample_weight": 0.5},
            {**WALK, "task": "m2t", "sample_weight": 0.5, "id": "000021"},
        ),
        ({"text": "a person walks.", "motion": SPELLED, "cot": WALK["reasoning"]}, WALK),
        ({"Motion Description": "a person walks.", "motionCodes": "3 15 0 7", "rationale": WALK["reasoning"]}, WALK),
        ({"description": "a person walks.", "tokens": "[3, 15, 0, 7]", "chain_of_thought": WALK["reasoning"]}, WALK),
        (
            {"caption": "a person walks.", "codes": "<|motion_3|><motion_id_15><motion_token_0><vq_7>", "think": "So."},
            {"caption": "a person walks.", "motion_tokens": CODES, "reasoning": "So."},
        ),
        (
            {"motion_name": "new_joints/000021.npy", "tokens": [CODES], "cot": f"<think>So.</think>{ANSWER}"},
            {"caption": "a man sits.", "motion_tokens": CODES, "reasoning": "So.", "id": "000021"},
        ),
        (  # instruction data
            {"instruction": f"Describe it: <Motion>{SPELLED}</Motion>", "output": f"<think>So.</think>{ANSWER}"},
            {"caption": "a man sits.", "motion_tokens": CODES, "reasoning": "So.", "task": "m2t"},
        ),
        (
            {"instruction": "Describe the motion.", "input": "<Motion>3 15 0 7</Motion>", "output": "a man sits."},
            {"caption": "a man sits.", "motion_tokens": CODES, "task": "m2t"},
        ),
        (
            {"instruction": "Make it.", "input": "a man sits.", "output": f"So.</think><answer>{SPELLED}</answer>"},
            {"caption": "a man sits.", "motion_tokens": CODES, "reasoning": "So.", "task": "t2m"},
        ),
        (
            {"prompt": 'Make a motion for "a man sits." now', "response": SPELLED},
            {"caption": "a man sits.", "motion_tokens": CODES, "task": "t2m"},
        ),
        (
            {"question": "Generate a motion: a man sits.", "answer": "3, 15, 0, 7"},
            {"caption": "a man sits.", "motion_tokens": CODES, "task": "t2m"},
        ),
        (  # conversations
            {
                "messages": [
                    {"role": "system", "content": "You know motions."},
                    {"role": "user", "content": f"What is {SPELLED}?"},
                    {"role": "assistant", "content": "<think>So.</think>a man sits."},
                ]
            },
            {"caption": "a man sits.", "motion_tokens": CODES, "reasoning": "So.", "task": "m2t"},
        ),
        (
            {
                "conversations": [
                    {"from": "human", "value": "Show this: a man sits."},
                    {"from": "gpt", "value": f"<think>So.</think><answer><Motion>{SPELLED}</Motion></answer>"},
                ]
            },
            {"caption": "a man sits.", "motion_tokens": CODES, "reasoning": "So.", "task": "t2m"},
        ),
        (
            {
                "messages": json.dumps(
                    [
                        {"role": "user", "content": [{"type": "text", "text": SPELLED}]},
                        {"role": "assistant", "content": "a man sits."},
                    ]
                )
            },
            {"caption": "a man sits.", "motion_tokens": CODES, "task": "m2t"},
        ),
    ],
)
def test_layouts_are_recognised(row, expected, tmp_path, imported):
    lines, printed = imported(write_lines(tmp_path / "data.jsonl", [row]))
    assert lines == {"train": [expected]}
    assert "data.jsonl: " in printed and "1 rows read" in printed


def test_a_row_with_several_captions_becomes_several_lines(tmp_path, imported):
    row = {"captions": ["he walks.", "a man walks."], "codes": CODES}
    lines, _ = imported(write_lines(tmp_path / "x.jsonl", [row]))
    assert [line["caption"] for line in lines["train"]] == row["captions"]


def test_every_kind_of_file_and_the_splits_of_their_names(tmp_path, imported):
    folder = tmp_path / "data"
    write_lines(folder / "mogen_train.jsonl", [{**WALK, "caption": "one."}])
    write_lines(folder / "mound_train.json", [{**WALK, "caption": "two."}])  # lines, whatever the ending
    (folder / "valid.json").write_text(json.dumps([{**WALK, "caption": "three."}], indent=1))
    pq.write_table(pa.Table.from_pylist([{**WALK, "caption": "four."}]), folder / "test-00000.parquet")
    (folder / "dev.csv").write_text('caption,codes,cot\nfive.,"3 15 0 7",So.\n')
    (folder / "dev.tsv").write_text("caption\tcodes\nsix.\t3 15 0 7\n")
    with gzip.open(folder / "train2.jsonl.gz", "wt") as stream:
        stream.write(json.dumps({**WALK, "caption": "seven."}) + "\n")
    write_lines(folder / "rows.jsonl", [{**WALK, "caption": "eight.", "split": "test"}])
    (folder / "dataset_info.json").write_text("{}")
    lines, _ = imported(folder)
    assert {(split, line["caption"], line.get("task")) for split, rows in lines.items() for line in rows} == {
        ("train", "one.", "t2m"),
        ("train", "two.", "m2t"),
        ("val", "three.", None),
        ("test", "four.", None),
        ("val", "five.", None),
        ("val", "six.", None),
        ("train", "seven.", None),
        ("test", "eight.", None),
    }
    assert all(line["motion_tokens"] == CODES for rows in lines.values() for line in rows)


def test_bad_rows_are_kept_apart_with_the_reason_and_equal_ones_are_written_once(tmp_path, imported):
    path = write_lines(
        tmp_path / "x.jsonl",
        [
            WALK,
            WALK,
            {**WALK, "reasoning": "Another."},
            {**WALK, "caption": " "},
            {**WALK, "motion_tokens": "none"},
            {**WALK, "motion_tokens": [99]},
            {**WALK, "motion_tokens": []},
            {**WALK, "task": "dance"},
        ],
    )
    with path.open("a", encoding="utf-8") as stream:
        stream.write("{broken\n\n[1]\n" + "[" * 100_000 + "\n")
    lines, printed = imported(path, "--nb-code", 16)
    assert lines == {"train": [WALK, {**WALK, "reasoning": "Another."}]}
    rejected = [json.loads(line) for line in (tmp_path / "out/rejected.jsonl").read_text().splitlines()]
    assert [(row["row"], row["reason"].split(" (")[0]) for row in rejected] == [
        (4, "there is no caption"),
        (5, "no motion codes in 'none'"),
        (6, "motion token 99 is outside the codebook [0, 16)"),
        (7, "'motion_tokens' must be a non-empty list of integers"),
        (8, "the task 'dance' is neither t2m nor m2t"),
        (9, "not JSON"),
        (11, "expected a JSON object, found list"),
        (12, "not JSON"),
    ]
    assert rejected[0]["content"]["motion_tokens"] == CODES and rejected[5]["content"] == "{broken"
    assert "11 rows read, 1 repeated lines left out, 8 rows rejected" in printed
    statistics = json.loads((tmp_path / "out/statistics.json").read_text())
    assert (statistics["rows"], statistics["repeated_lines_left_out"]) == (11, 1)
    assert statistics["splits"]["train"]["lines"] == 2 and (tmp_path / "out/cot_statistics.png").is_file()
    path.write_text(json.dumps(WALK) + "\n")
    imported(path)
    assert not (tmp_path / "out/rejected.jsonl").exists()  # of an earlier import


def test_unknown_columns_are_listed_and_can_be_named(tmp_path, imported):
    path = write_lines(tmp_path / "x.jsonl", [{"desc": "he walks.", "vq": CODES, "why": "So.", "kind": "dance"}])
    with pytest.raises(InputError) as error:
        imported(path)
    assert "the columns desc, vq, why, kind" in str(error.value) and "--map motion_tokens=COLUMN" in str(error.value)
    with pytest.raises(
        InputError, match=r"holds captions: .*desc, vq, why, kind\. Say which with --map caption=COLUMN"
    ):
        imported(path, "--map", "motion_tokens=vq")
    lines, _ = imported(path, "--map", "motion_tokens=vq", "caption=desc", "reasoning=why", "--task", "m2t")
    assert lines["train"] == [{"caption": "he walks.", "motion_tokens": CODES, "reasoning": "So.", "task": "m2t"}]
    with pytest.raises(InputError, match=r"names the column 'nothing', but .* has the columns desc"):
        imported(path, "--map", "caption=nothing")
    with pytest.raises(InputError, match="expected ROLE=COLUMN, ROLE one of caption"):
        imported(path, "--map", "words=desc")


def test_a_column_that_means_something_else_can_be_ignored(tmp_path, imported):
    path = write_lines(tmp_path / "x.jsonl", [{**WALK, "type": "dance"}])
    with pytest.raises(InputError, match=r"none of the 1 rows can be used, mostly because the task .*task = type"):
        imported(path)
    assert (tmp_path / "out/rejected.jsonl").is_file()
    lines, _ = imported(path, "--map", "task=")
    assert lines["train"] == [WALK]


def test_the_tokenizer_travels_beside_the_lines(tmp_path, imported):
    tokenizer = random_tokenizer()
    tokenizer.save(tmp_path / "tokenizer.pth")
    path = write_lines(tmp_path / "x.jsonl", [WALK, {**WALK, "motion_tokens": [16]}])
    lines, printed = imported(path, "--motion-tokenizer", tmp_path / "tokenizer.pth")
    source = read_cot_source(tmp_path / "out/cot_train.jsonl")
    assert (source.fingerprint, source.nb_code) == (tokenizer.fingerprint, 16)
    assert lines["train"] == [WALK] and "not known" not in printed
    _, printed = imported(path)  # 16 is no mistake where nobody says how many codes there are
    assert read_cot_source(tmp_path / "out/cot_train.jsonl") is None and "not known" in printed


def test_data_without_codes_take_them_by_id(tmp_path, imported):
    codes = write_lines(tmp_path / "codes.jsonl", [{"id": "000021", "split": "train", "codes": CODES}])
    path = write_lines(
        tmp_path / "x.jsonl",
        [{"video_name": f"{name}.mp4", "caption": "he walks.", "cot": "So."} for name in ("000021", "000022")],
    )
    with pytest.raises(InputError, match=r"codes\.jsonl has no \.source\.json"):
        imported(path, "--codes", codes)
    write_cot_source(codes, CotSource("tokenizer.pth", "abc", 16, "data"))
    lines, printed = imported(path, "--codes", codes)
    assert lines["train"] == [{"caption": "he walks.", "motion_tokens": CODES, "reasoning": "So.", "id": "000021"}]
    assert "there are no codes of" in printed
    assert read_cot_source(tmp_path / "out/cot_train.jsonl").fingerprint == "abc"


def test_what_cannot_be_read_is_said(tmp_path, imported):
    with pytest.raises(InputError, match=r"nowhere/x\.jsonl: no such file or folder"):
        imported("nowhere/x.jsonl", tmp_path)
    with pytest.raises(InputError, match=r"Nobody/nothing is no file here and cannot be loaded from the hub"):
        imported("Nobody/nothing")
    (tmp_path / "x.zip").write_bytes(b"")
    with pytest.raises(InputError, match=r"x\.zip: expected a file that ends in \.jsonl"):
        imported(tmp_path / "x.zip")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder: no file in it ends in"):
        imported(tmp_path / "folder")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match=r"x\.parquet: cannot be read"):
        imported(tmp_path / "x.parquet")
    (tmp_path / "x.json").write_text(json.dumps([WALK, WALK])[:-9])
    with pytest.raises(InputError, match=r"x\.json: cannot be read after row 1 \(not JSON, or cut off\)"):
        imported(tmp_path / "x.json")
    assert list((tmp_path / "out").glob("*")) == []  # nothing half-written is left


def test_the_command_trains_what_it_imports(tmp_path):
    path = write_lines(tmp_path / "mogen.jsonl", [{**WALK, "caption": f"walk {number}."} for number in range(30)])
    command = [warm_python(), "-m", "prepare.import_cot", "--source", path, "--out-dir", tmp_path / "out"]
    root = ROOT
    done = subprocess.run([*map(str, command)], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    samples = read_cot_jsonl(tmp_path / "out/cot_train.jsonl", 16, task="t2m")
    assert len(samples) == 30 and samples.sample(29, "t2m").codes == tuple(CODES)
    done = subprocess.run([*map(str, command), "--nb-code", "8"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("error: none of the 30 rows")


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_what_is_read_is_never_replaced(tmp_path, imported):
    out = tmp_path / "out"
    path = write_lines(out / "cot_train.jsonl", [WALK])
    (tmp_path / "link.jsonl").symlink_to(path)
    before = files_of(out)
    for source in (path, tmp_path / "link.jsonl", out):
        with pytest.raises(InputError, match=r"cot_train\.jsonl: is what is read here, and would be replaced"):
            imported(source)
    assert files_of(out) == before


def test_what_somebody_else_wrote_is_never_replaced(tmp_path, imported):
    out = tmp_path / "out"
    source = write_lines(tmp_path / "x.jsonl", [WALK])
    for name in ("cot_val.jsonl", "rejected.jsonl"):  # the second: prepare.generate_cot writes such a file
        write_lines(out / name, [{"id": "a", "task": "m2t", "caption": "paid for"}])
        (out / "statistics.json").write_text('{"mean": 3}')  # of another tool
        before = files_of(out)
        with pytest.raises(InputError, match=rf"holds {name}, which this command did not write, and is left alone"):
            imported(source)
        assert files_of(out) == before
        (out / name).unlink()
    for name in ("statistics.json", "cot_statistics.png"):  # the first is there already
        (out / name).touch()
        before = files_of(out)
        with pytest.raises(InputError, match=rf"holds {name}, which this command did not write, and is left alone"):
            imported(source)
        assert files_of(out) == before
        (out / name).unlink()
    imported(source)
    assert "earlier run" not in imported(source)[1]  # what we wrote is replaced
    _, printed = imported(write_lines(tmp_path / "x_test.jsonl", [WALK]))
    assert "of an earlier run, and not written anew: cot_train.jsonl" in printed
    (out / "statistics.json").write_text('{"unfinished": true}')  # and what a kill has left
    assert imported(source)[0]["train"] == [WALK]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file: is a file, expected a folder"):
        imported(source, "--out-dir", tmp_path / "file")


def test_lines_that_somebody_has_changed_are_not_replaced(tmp_path, imported):
    out, source = tmp_path / "out", write_lines(tmp_path / "x.jsonl", [WALK])
    imported(source)
    other = write_lines(tmp_path / "x_test.jsonl", [WALK])
    imported(other)  # another split: what is known of the first one stays known
    with (out / "cot_train.jsonl").open("a") as stream:
        stream.write(json.dumps({**WALK, "caption": "by hand"}) + "\n")
    before = files_of(out)
    for given in (source, other):
        with pytest.raises(InputError, match=r"cot_train\.jsonl: was changed since it was written here.*--out-dir"):
            imported(given)
    assert files_of(out) == before
    (out / "cot_train.jsonl").rename(tmp_path / "mine.jsonl")  # the way out
    assert imported(source)[0]["train"] == [WALK]


def test_two_imports_into_one_folder_do_not_meet(tmp_path, imported):
    source = write_lines(tmp_path / "x.jsonl", [WALK])
    with locked(tmp_path / "out"), pytest.raises(InputError, match=r"out: process \d+ on .* is working here"):
        imported(source)
    assert not (tmp_path / "out").exists()


def test_lines_keep_their_motion_tokenizer(tmp_path, imported):
    tokenizer = random_tokenizer()
    tokenizer.save(tmp_path / "tokenizer.pth")
    ours = CotSource("theirs.pth", "abc", 16, "data", "def")
    path, other, unknown = (write_lines(tmp_path / f"{name}.jsonl", [{**WALK, "id": name}]) for name in "xyz")
    write_cot_source(path, ours)
    write_cot_source(other, ours)
    _, printed = imported(path, other)
    assert read_cot_source(tmp_path / "out/cot_train.jsonl") == ours and "not known" not in printed
    with pytest.raises(
        InputError, match=r"x\.jsonl holds codes of the motion tokenizer theirs\.pth \(abc\), as x\.source"
    ):
        imported(path, "--motion-tokenizer", tmp_path / "tokenizer.pth")
    assert read_cot_source(path) == ours
    with pytest.raises(InputError, match=r"--nb-code 8: .* is of a codebook of 16 codes"):
        imported(path, "--nb-code", "8")
    _, printed = imported(path, unknown)  # not all of them are known to be of one tokenizer
    assert read_cot_source(tmp_path / "out/cot_train.jsonl") is None and "not known" in printed
    write_cot_source(other, CotSource("others.pth", "123", 16, "data"))
    with pytest.raises(
        InputError, match=r"y\.jsonl holds codes of the motion tokenizer others\.pth \(123\), .*x\.jsonl"
    ):
        imported(path, other)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**WALK, "reasoning": "So.</think> And."}, "'reasoning' holds </think>, a tag that no text may hold"),
        ({**WALK, "caption": "a <Motion_3> man"}, "'caption' holds <Motion_3>"),
        ({**WALK, "motion_tokens": [True, False]}, "no list of whole numbers"),
        ({**WALK, "motion_tokens": "9" * 400}, "a motion code of 400 digits"),
        ({**WALK, "motion_tokens": f"<Motion_{'9' * 5000}>"}, "a motion code of 5000 digits"),
        ({**WALK, "motion_tokens": [[[[3]]]]}, "no list of whole numbers"),
        ({**WALK, "sample_weight": float("nan")}, "finite number"),
        ({**WALK, "sample_weight": "much"}, "must be a number, found 'much'"),
        ({**WALK, "id": [1]}, "'id' must be text"),
        ({**WALK, "id": True}, "'id' must be text"),
        *(
            (
                {**WALK, "split": name},
                f"the split {str(name)!r} is none of train, training, val, valid, validation, dev",
            )
            for name in ("holdout", "trainn", "1", 1, ["train"], {"a": 1}, True)
        ),
        ({**WALK, "motion_tokens": "<Motion_1><Motion_2> walk 3"}, "something else beside the motion codes"),
        ({**WALK, "motion_tokens": "he walks <Motion_1>"}, "something else beside the motion codes"),
        ({**WALK, "motion_tokens": "walk [1, 2]"}, "something else beside the motion codes in 'walk [1, 2]'"),
        ({**WALK, "motion_tokens": "1 2 <Motion_>"}, "no motion codes in"),
        ({**WALK, "motion_tokens": "<Motion>1 2</Motion><Motion>3 4</Motion>"}, "more than one list of motion codes"),
        ({**WALK, "motion_tokens": "<Motion_1><Motion_1x>"}, "a damaged motion code '<Motion_1x>'"),
        ({**WALK, "motion_tokens": ["<Motion_1>", "<Motion_1"]}, "a damaged motion code '<Motion_1'"),
    ],
)
def test_a_bad_row_is_rejected_and_the_others_go_on(tmp_path, imported, row, reason):
    lines, printed = imported(write_lines(tmp_path / "x.jsonl", [WALK, row, {**WALK, "caption": "he sits."}]))
    assert [line["caption"] for line in lines["train"]] == ["a person walks.", "he sits."]
    assert "1 rows rejected" in printed
    (rejected,) = map(json.loads, (tmp_path / "out/rejected.jsonl").read_text(encoding="utf-8").splitlines())
    assert reason in rejected["reason"] and rejected["row"] == 2


EXCHANGE = {"prompt": "Make this: a person walks.", "response": f"<think>So.</think>{SPELLED}"}


@pytest.mark.parametrize(
    ("query", "reply", "reason"),
    [
        (f"Go on from {SPELLED}.", f"<think>So.</think>{SPELLED}", "codes in the query and in the reply"),
        (f"What is {SPELLED}?", "<think>unclosed <Motion_1>", "<think> stands beside them"),
        (f"What is {SPELLED}?", "<think>he walks.", "<think> stands beside them"),
        (f"What is {SPELLED}?", "<Thought>a<answer>he walks.</answer>", "<Thought> stands beside them"),
        (f"What is {SPELLED}?", "<think>a</think>he<think>b</think> walks.", "<think> stands beside them"),
        ("Make this: he walks.", f"<think>So. {SPELLED}", "<think> stands beside them"),
        ("Make this: he walks.", f"<think>So.</think>{SPELLED}<Motion_7x>", "a damaged motion code '<Motion_7x>'"),
        ("Make this: he walks.", f"<think>So.</think>{SPELLED}<Motion_7", "a damaged motion code '<Motion_7'"),
    ],
)
@pytest.mark.parametrize("layout", ["columns", "conversation"])
def test_an_exchange_that_would_lose_something_is_rejected(tmp_path, imported, query, reply, reason, layout):
    rows = [EXCHANGE, {"prompt": query, "response": reply}, {**EXCHANGE, "prompt": "Make this: a man sits."}]
    if layout == "conversation":
        turns = (("user", "prompt"), ("assistant", "response"))
        rows = [{"messages": [{"role": role, "content": row[name]} for role, name in turns]} for row in rows]
    lines, printed = imported(write_lines(tmp_path / "x.jsonl", rows))
    assert [line["caption"] for line in lines["train"]] == ["a person walks.", "a man sits."]
    (rejected,) = map(json.loads, (tmp_path / "out/rejected.jsonl").read_text(encoding="utf-8").splitlines())
    assert reason in rejected["reason"] and rejected["row"] == 2 and "1 rows rejected" in printed


def test_rows_say_their_split_by_its_usual_names_or_not_at_all(tmp_path, imported):
    names = {"Train": "train", "validation": "val", " dev ": "val", "test": "test", "": "train", None: "train"}
    rows = [{**WALK, "caption": f"he walks {number} steps.", "split": name} for number, name in enumerate(names)]
    lines, printed = imported(write_lines(tmp_path / "x.jsonl", rows))
    assert {split: len(found) for split, found in lines.items()} == {"train": 3, "val": 2, "test": 1}
    assert "0 rows rejected" in printed
    odd = write_lines(tmp_path / "y.jsonl", [{**WALK, "split": "holdout"}])
    assert imported(odd, "--map", "split=")[0]["train"] == [WALK]


def test_codes_of_a_column_may_stand_in_tags_and_lists(tmp_path, imported):
    spelled = [
        SPELLED,
        f"<Motion>{SPELLED}</Motion>",
        f"<|motion_start|>{SPELLED}<|motion_end|>",
        "[ 3 15  0  7]\n",
        str([f"<Motion_{code}>" for code in CODES]),
        "<Motion>3, 15, 0, 7</Motion>",
        "<mot_start>[3,15,0,7]",
    ]
    rows = [{**WALK, "caption": f"he walks {number}.", "motion_tokens": text} for number, text in enumerate(spelled)]
    lines, _ = imported(write_lines(tmp_path / "x.jsonl", rows))
    assert [line["motion_tokens"] for line in lines["train"]] == [CODES] * len(spelled)


def test_ids_and_captions_of_tables_are_texts(tmp_path, imported):
    path = tmp_path / "x.csv"
    path.write_text('id,caption,codes,weight\n000001,null,"3 15 0 7",0.5\n0,NA,"3 15 0 7",\n')
    lines, _ = imported(path)
    assert lines["train"] == [
        {"caption": "null", "motion_tokens": CODES, "sample_weight": 0.5, "id": "000001"},
        {"caption": "NA", "motion_tokens": CODES, "id": "0"},
    ]
    table = pa.table({"id": [0.0, None], "caption": ["he walks.", "he sits."], "motion_tokens": [CODES, CODES]})
    pq.write_table(table, tmp_path / "x.parquet")
    assert [line.get("id") for line in imported(tmp_path / "x.parquet")[0]["train"]] == ["0", None]


def test_a_file_without_a_row_does_not_end_the_others(tmp_path, imported):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_text("")
    (tmp_path / "in/b.jsonl").write_text("no JSON\n" * 300 + json.dumps(WALK) + "\n")
    lines, printed = imported(tmp_path / "in")
    assert lines["train"] == [WALK] and "a.jsonl: no row that can be read" in printed and "300 rows rejected" in printed


def test_nothing_to_import_names_the_source_or_the_row(tmp_path, imported):
    (tmp_path / "x.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match=r"--source .*x\.jsonl: no row in it"):
        imported(tmp_path / "x.jsonl")
    path = write_lines(tmp_path / "y.jsonl", [{"caption": "a", "motion_tokens": "none"}])
    with pytest.raises(
        InputError, match=r"none of the 1 rows .* mostly because no motion codes in 'none' \(.*y\.jsonl, row 1"
    ):
        imported(path)
