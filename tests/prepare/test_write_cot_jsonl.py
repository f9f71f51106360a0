"""Codes, captions and reasoning joined; results side by side."""

import json

import numpy as np
import pytest

from dataset.captions.lines import Caption
from dataset.cot.sample import Sample
from dataset.cot.samples import read_cot_jsonl
from dataset.cot.source import CotSource, read_cot_source, write_cot_source
from dataset.facts.contradictions import contradictions
from dataset.humanml.layout import MotionRecord, read_split
from prepare import make_toy_dataset
from prepare import write_cot_jsonl as command
from prepare.cot.inputs import coded_clips, read_reasoning, rows_of_clips
from prepare.write_cot_jsonl import main, measured, samples_of, without_repeats
from utils.errors import InputError
from utils.motion.skeleton import T2M


def record(id, *captions):
    return MotionRecord(
        id, np.zeros((40, 263), np.float32), tuple(Caption(text, ("x/NOUN",), 0, 0) for text in captions)
    )


def test_reasonings_are_dealt_out_over_captions():
    samples = list(
        samples_of([record("a", "one", "two", "three"), record("b", "four")], {"a": [1, 2]}, {"a": ["r", "s"]})
    )
    assert [(s.id, s.caption, s.codes, s.reasoning) for s in samples] == [
        ("a", "one", (1, 2), "r"),
        ("a", "two", (1, 2), "s"),
        ("a", "three", (1, 2), "r"),
    ]


def test_equal_lines_are_written_once_in_their_order():
    one, other, third = (Sample("t2m", "a", (1, 2), reasoning, id="x") for reasoning in ("r", "s", ""))
    assert without_repeats([one, other, one, third, other]) == [one, other, third]
    same = [one, Sample("t2m", "a", (1, 2), "r", id="y")]  # another clip, but the same line to learn from
    assert without_repeats(same) == same[:1]
    assert without_repeats([one, Sample("t2m", "a", (1, 3), "r"), Sample("t2m", "b", (1, 2), "r")])[2].caption == "b"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """(folder of 40 toy clips without their reasoning, codes made up of the numbers of their programs)."""
    root = tmp_path_factory.mktemp("toy") / "data"
    make_toy_dataset.write_toy_dataset(root, 40, 0)
    rows = [json.loads(line) for line in (root / "programs.jsonl").read_text().splitlines()]
    codes = root.parent / "codes.jsonl"
    lines = [
        {"id": row["id"], "split": row["split"], "codes": [number % 16] * (row["frames"] // 4)}
        for number, row in enumerate(rows)
    ]
    codes.write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_cot_source(codes, CotSource("tokenizer.pth", "abc", 20, "data"))
    return root, codes, {row["id"]: row["reasoning"] for row in rows}


def run(monkeypatch, toy, out, *arguments):
    flags = ["--codes", toy[1], "--data-root", toy[0], "--out-dir", out, *arguments]
    monkeypatch.setattr("sys.argv", ["write_cot_jsonl", *map(str, flags)])
    main()


def test_templates_write_reasoning_that_the_motions_bear_out(toy, tmp_path, monkeypatch, capsys):
    run(monkeypatch, toy, tmp_path / "a", "--reasoning", "template", "--with-reflections")
    out = capsys.readouterr().out
    assert "lines" in out and "words a reasoning" in out and "16 of 20" in out and "no reasoning" not in out
    records = read_split(toy[0], "train", T2M)
    facts = measured(records, {record.id: [1] for record in records}, T2M)
    samples = read_cot_jsonl(tmp_path / "a/cot_train.jsonl", 20)
    assert len(samples) == 3 * len(records)
    written = [samples.sample(index, "m2t") for index in range(len(samples))]
    for sample in written:
        assert sample.reasoning and sample.draft.reasoning
        assert f"{facts[sample.id].seconds:.1f} seconds" in sample.reasoning
        assert contradictions(sample.reasoning, facts[sample.id]) == []
    assert len({sample.reasoning for sample in written}) > 0.95 * len(written)
    run(monkeypatch, toy, tmp_path / "b", "--reasoning", "template", "--with-reflections")
    run(monkeypatch, toy, tmp_path / "c", "--reasoning", "template", "--seed", "1")
    first, again, other = ((tmp_path / name / "cot_test.jsonl").read_text() for name in "abc")
    assert first == again
    assert json.loads(first.splitlines()[0])["reasoning"] != json.loads(other.splitlines()[0])["reasoning"]
    statistics = json.loads((tmp_path / "c/statistics.json").read_text())
    assert statistics["reasoning"] == "template, seed 1" and set(statistics["splits"]) == {"train", "val", "test"}
    assert statistics["splits"]["train"]["lines"] == len(samples) and (tmp_path / "c/cot_statistics.png").is_file()


def test_a_caption_that_its_motion_contradicts_gets_no_template(toy, tmp_path, monkeypatch, capsys):
    record = read_split(toy[0], "val", T2M)[0]
    file = toy[0] / "texts" / f"{record.id}.txt"
    before = file.read_text()
    facts = measured([record], {record.id: [1]}, T2M)[record.id]
    claims = ("a person raises only the left hand.", "a person turns left.", "a person turns right.")
    wrong = next(claim for claim in claims if contradictions(claim, facts))
    file.write_text(f"{wrong}#a/DET person/NOUN#0.0#0.0\n" + "".join(before.splitlines(keepends=True)[1:]))
    run(monkeypatch, toy, tmp_path, "--reasoning", "template")
    file.write_text(before)
    run(monkeypatch, toy, tmp_path / "mended", "--reasoning", "template")
    assert (tmp_path / "mended/doubtful_captions.jsonl").read_text() == ""
    assert "1 captions have no reasoning, their own motion contradicts them" in capsys.readouterr().out
    (row,) = [json.loads(line) for line in (tmp_path / "doubtful_captions.jsonl").read_text().splitlines()]
    assert (row["id"], row["caption"]) == (record.id, wrong) and "says" in row["contradictions"][0]
    samples = read_cot_jsonl(tmp_path / "cot_val.jsonl", 20)
    lines = [samples.sample(index, "t2m") for index in range(len(samples))]
    assert [line.caption for line in lines if not line.reasoning] == [wrong] and len(lines) == 6


def test_without_templates_reasoning_is_read_or_there_is_none(toy, tmp_path, monkeypatch, capsys):
    run(monkeypatch, toy, tmp_path)  # programs.jsonl lies in the data set
    assert "no reasoning" not in capsys.readouterr().out
    samples = read_cot_jsonl(tmp_path / "cot_val.jsonl", 20)
    assert all(samples.sample(index, "t2m").reasoning in toy[2][samples.sample(index, "t2m").id] for index in range(3))
    (toy[0] / "programs.jsonl").rename(toy[0] / "elsewhere.jsonl")
    run(monkeypatch, toy, tmp_path)
    assert "no reasoning: --reasoning FILE adds it, --reasoning template writes it" in capsys.readouterr().out
    assert not read_cot_jsonl(tmp_path / "cot_val.jsonl", 20).sample(0, "t2m").reasoning
    assert json.loads((tmp_path / "statistics.json").read_text())["reasoning"] == "none"
    run(monkeypatch, toy, tmp_path, "--reasoning", toy[0] / "elsewhere.jsonl")
    assert read_cot_jsonl(tmp_path / "cot_val.jsonl", 20).sample(0, "t2m").reasoning
    (toy[0] / "elsewhere.jsonl").rename(toy[0] / "programs.jsonl")


def test_a_folder_of_generated_reasoning_gives_each_task_lines_of_its_own(toy, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "annotations"
    folder.mkdir()
    with pytest.raises(InputError, match=r"annotations: expected reasoning_t2m\.jsonl or reasoning_m2t\.jsonl in it"):
        run(monkeypatch, toy, tmp_path / "out", "--reasoning", folder)
    for task in ("m2t", "t2m"):
        rows = [{"id": id, "reasoning": [f"{task} one {id}", f"{task} two {id}"]} for id in toy[2]]
        (folder / f"reasoning_{task}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(monkeypatch, toy, tmp_path / "out", "--reasoning", folder, "--with-reflections")
    assert "0 / 96 / 96" in capsys.readouterr().out  # lines for both tasks, t2m, m2t
    path = tmp_path / "out/cot_train.jsonl"
    clips = len(read_split(toy[0], "train", T2M))
    for task in ("m2t", "t2m"):
        samples = read_cot_jsonl(path, 20, task)
        assert len(samples) == 3 * clips  # the other task's lines are not among them
        for index in range(len(samples)):
            sample = samples.sample(index, task)
            assert sample.reasoning == f"{task} {('one', 'two', 'one')[index % 3]} {sample.id}"
            assert sample.draft.reasoning.startswith(task)  # a draft is an attempt at the same task
    (folder / "reasoning_m2t.jsonl").unlink()
    run(monkeypatch, toy, tmp_path / "one", "--reasoning", folder)
    assert len(read_cot_jsonl(tmp_path / "one/cot_train.jsonl", 20)) == 3 * clips
    with pytest.raises(InputError, match="no usable line for task m2t"):
        read_cot_jsonl(tmp_path / "one/cot_train.jsonl", 20, "m2t")


def test_what_has_codes_only_or_a_clip_only_is_counted(toy, tmp_path, monkeypatch, capsys):
    rows = [json.loads(line) for line in toy[1].read_text().splitlines()]
    in_val = [row for row in rows if row["split"] == "val"]
    lost, in_val[0]["id"] = in_val[0]["id"], " " + in_val[0]["id"]
    codes = tmp_path / "codes.jsonl"
    codes.write_text("".join(json.dumps(row) + "\n" for row in in_val))
    write_cot_source(codes, CotSource("tokenizer.pth", "abc", 20, "data"))
    run(monkeypatch, (toy[0], codes), tmp_path / "out")
    out = capsys.readouterr().out
    assert f"lines of {len(in_val) - 1} clips" in out
    assert f"1 of {len(in_val)} ids with codes are no clip of the data set, the first is ' {lost}'" in out
    assert f"1 of {len(in_val)} clips of the data set have no codes, the first is '{lost}'" in out


def test_lines_that_repeat_are_counted_and_foreign_codes_refused(toy, tmp_path, monkeypatch, capsys):
    reasoning = tmp_path / "same.jsonl"
    text = toy[0] / "texts" / f"{read_split(toy[0], 'val', T2M)[0].id}.txt"
    before = text.read_text()
    text.write_text(before.splitlines()[0] + "\n" + before)  # a caption given twice, as HumanML3D has them
    reasoning.write_text(json.dumps({"id": text.stem, "reasoning": "So."}) + "\n")
    run(monkeypatch, toy, tmp_path / "out", "--reasoning", reasoning)
    text.write_text(before)
    assert "1 repeated ones left out" in capsys.readouterr().out
    statistics = json.loads((tmp_path / "out/statistics.json").read_text())
    assert statistics["repeated_lines_left_out"] == {"train": 0, "val": 1, "test": 0}
    codes = tmp_path / "codes.jsonl"
    codes.write_text("")
    write_cot_source(codes, CotSource("tokenizer.pth", "abc", 20, "data"))
    with pytest.raises(InputError, match=r"no codes in it: make it with prepare\.encode_motions"):
        run(monkeypatch, (toy[0], codes), tmp_path / "out")
    codes.write_text('{"id": "nobody", "split": "val", "codes": [1]}\n')
    write_cot_source(codes, CotSource("tokenizer.pth", "abc", 20, "data"))
    with pytest.raises(InputError, match="none of its 1 motions of val is in"):
        run(monkeypatch, (toy[0], codes), tmp_path / "out")


def test_reasoning_is_matched_by_the_text_of_its_caption(toy, tmp_path, monkeypatch, capsys):
    first, second = (record for record in read_split(toy[0], "val", T2M)[:2])
    captions = [caption.text for caption in first.captions]
    folder = tmp_path / "annotations"
    folder.mkdir()
    rows = [{"id": first.id, "task": "m2t", "caption": text, "reasoning": f"It is: {text}"} for text in captions]
    rows.append({"id": second.id, "task": "m2t", "caption": "an older caption.", "reasoning": "Of the older one."})
    path = folder / "reasoning_m2t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)))  # any order
    run(monkeypatch, toy, tmp_path / "out", "--reasoning", folder)
    samples = read_cot_jsonl(tmp_path / "out/cot_val.jsonl", 20)
    lines = [samples.sample(index, "m2t") for index in range(len(samples))]
    assert {line.caption: line.reasoning for line in lines if line.id == first.id} == {
        text: f"It is: {text}" for text in captions
    }
    assert {line.reasoning for line in lines if line.id == second.id} == {""}
    assert "1 texts of" in capsys.readouterr().out
    # Folders of earlier versions hold lists by place; the captions stand in annotations.jsonl.
    (folder / "annotations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    old = {"id": first.id, "task": "m2t", "reasoning": [row["reasoning"] for row in rows[:3]][::-1]}
    path.write_text(json.dumps(old) + "\n")
    run(monkeypatch, toy, tmp_path / "old", "--reasoning", folder)
    assert (tmp_path / "old/cot_val.jsonl").read_text() == (tmp_path / "out/cot_val.jsonl").read_text()


def test_what_a_kill_has_left_is_written_again(toy, tmp_path, monkeypatch):
    run(monkeypatch, toy, tmp_path / "cot")
    before = {path.name: path.read_bytes() for path in (tmp_path / "cot").glob("cot_*.jsonl")}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # at the end, when all lines are other ones
        patch.setattr(command, "report_cot", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run(patch, toy, tmp_path / "cot", "--reasoning", "template")
    run(monkeypatch, toy, tmp_path / "cot")
    assert {path.name: path.read_bytes() for path in (tmp_path / "cot").glob("cot_*.jsonl")} == before


def test_a_list_of_reasoning_beside_a_list_of_captions_is_matched_by_their_texts(tmp_path):
    path = tmp_path / "programs.jsonl"

    def texts(captions, of=("he sits.", "he walks.")):
        row = {"id": "a", "captions": captions, "reasoning": ["So he walks.", "So he sits."][: len(captions)]}
        path.write_text(json.dumps(row) + "\n")
        return read_reasoning(path)["a"].of(of)

    assert texts(["he walks.", "he sits."]) == ["So he sits.", "So he walks."]
    assert texts(["he walks.", "he stands."]) == ["So he walks.", "So he walks."]  # none was written for the other
    # Where the line leaves open which is of which, they are dealt out in turn.
    for unclear in (["he walks.", "he sits.", "he runs."], ["he walks.", "he walks. "], [], None, ["he walks.", 3]):
        row = {"id": "a", "captions": unclear, "reasoning": ["So he walks.", "So he sits."]}
        path.write_text(json.dumps(row) + "\n")
        assert read_reasoning(path)["a"].of(["he sits.", "he walks."]) == ["So he walks.", "So he sits."]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['"reasoning": "x"', '"reasoning": "y"'], r":2: a reasoning of 'a' is on line 1 already: .*'caption'"),
        (['"reasoning": "x", "caption": "c"', '"reasoning": "y"'], ":2: a reasoning of 'a' is on line 1 already"),
        (['"reasoning": "x"', '"reasoning": "y", "caption": "c"'], ":2: a reasoning of 'a' is on line 1 already"),
        (
            ['"reasoning": "x", "caption": "c"', '"reasoning": "y", "caption": " c "'],
            ":2: another reasoning for the caption 'c' of 'a' is on line 1",
        ),
        (
            ['"reasoning": ["x", "y"], "caption": "c"'],
            ":1: a line with a 'caption', which is text, holds one reasoning",
        ),
        (['"reasoning": "x", "caption": 3'], ":1: a line with a 'caption', which is text"),
        (['"reasoning": "x</think>y"'], ":1: 'reasoning' holds </think>, a tag"),
        (['"reasoning": ["x", "<Motion_3>"]'], ":1: 'reasoning' holds <Motion_3>, a tag"),
    ],
)
def test_reasoning_that_leaves_it_open_is_refused_with_both_lines(tmp_path, lines, said):
    path = tmp_path / "r.jsonl"
    path.write_text("".join(f'{{"id": "a", {line}}}\n' for line in lines))
    with pytest.raises(InputError, match=r"r\.jsonl" + said):
        read_reasoning(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 0, "split": "val", "codes": [1]}', ":2: expected an object with a string 'id'"),
        ('{"id": "b", "codes": [1]}', ":2: 'split' must be a name such as train, found 'None'"),
        ('{"id": "b", "split": "../val", "codes": [1]}', ":2: 'split' must be a name such as train, found '../val'"),
        ('{"id": "b", "split": "val"}', ":2: 'codes' must be a list of whole numbers from 0 to 19"),
        ('{"id": "b", "split": "val", "codes": [true]}', ":2: 'codes' must be"),
        ('{"id": "b", "split": "val", "codes": [20]}', ":2: 'codes' must be"),
        ('{"id": "b", "split": "val", "codes": [1.0]}', ":2: 'codes' must be"),
        ('{"id": "b", "split": "val", "codes": [' + "9" * 5000 + "]}", ":2: not JSON"),
        ('{"id": "a", "split": "train", "codes": [2]}', ":2: 'a' has other codes on line 1"),
    ],
)
def test_codes_are_checked_line_by_line(tmp_path, line, said):
    path = tmp_path / "codes.jsonl"
    path.write_text('{"id": "a", "split": "val", "codes": [1, 2]}\n' + line + "\n")
    with pytest.raises(InputError, match=r"codes\.jsonl" + said):
        list(coded_clips(path, 20))


def test_a_clip_may_be_listed_twice_with_the_same_codes(tmp_path):
    path = tmp_path / "codes.jsonl"
    path.write_text("".join(f'{{"id": "a", "split": "{split}", "codes": [1, 2]}}\n' for split in ("val", "val", "all")))
    assert [clip.split for clip in coded_clips(path)] == ["val", "val", "all"]


def test_nothing_that_is_read_or_of_somebody_else_is_replaced(toy, tmp_path, monkeypatch):
    run(monkeypatch, toy, tmp_path / "cot")
    run(monkeypatch, toy, tmp_path / "cot")  # again: ours
    before = (tmp_path / "cot/cot_train.jsonl").read_bytes()
    with pytest.raises(InputError, match=r"cot_train\.jsonl: is what is read here, and would be replaced"):
        run(monkeypatch, toy, tmp_path / "cot", "--reasoning", tmp_path / "cot/cot_train.jsonl")
    assert (tmp_path / "cot/cot_train.jsonl").read_bytes() == before
    by_hand = before + before[: before.index(b"\n") + 1]
    (tmp_path / "cot/cot_train.jsonl").write_bytes(by_hand)
    with pytest.raises(InputError, match=r"cot_train\.jsonl: was changed since it was written here"):
        run(monkeypatch, toy, tmp_path / "cot")
    assert (tmp_path / "cot/cot_train.jsonl").read_bytes() == by_hand
    (tmp_path / "cot/statistics.json").unlink()
    with pytest.raises(InputError, match=r"holds cot_test\.jsonl, which this command did not write"):
        run(monkeypatch, toy, tmp_path / "cot")
    with pytest.raises(InputError, match=r"none of its 1 ids, such as '1', is among the 40 of"):
        path = tmp_path / "r.jsonl"
        path.write_text('{"id": "1", "reasoning": "x"}\n')
        run(monkeypatch, toy, tmp_path / "new", "--reasoning", path)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"motion_tokenizer": "a", "fingerprint": 3}'])
def test_a_damaged_source_says_what_to_do(tmp_path, content):
    (tmp_path / "cot.source.json").write_text(content)
    with pytest.raises(InputError, match=r"cot\.source\.json.*; delete it, or write the jsonl again"):
        read_cot_source(tmp_path / "cot.jsonl")


def test_mistakes_name_file_and_line(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    path.write_text('{"id": "a", "reasoning": "x"}\n{"id": "b", "reasoning": 3}\n')
    with pytest.raises(InputError, match=r"r\.jsonl:2: 'reasoning'"):
        read_reasoning(path)
    path.write_text("{}\n")
    with pytest.raises(InputError, match=r"r\.jsonl:1: expected an object with a string 'id'"):
        list(rows_of_clips(path))
    arguments = ["x", "--codes", str(path), "--data-root", str(tmp_path), "--out-dir", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(InputError, match=r"no \.source\.json beside it"):
        main()


def test_source_travels_beside_the_jsonl(tmp_path):
    source = CotSource("tokenizer.pth", "abc", 16, "data")
    write_cot_source(tmp_path / "cot.jsonl", source)
    assert read_cot_source(tmp_path / "cot.jsonl") == source
    assert read_cot_source(tmp_path / "cot.jsonl.gz") == source
    assert read_cot_source(tmp_path / "other.jsonl") is None
    assert json.loads((tmp_path / "cot.source.json").read_text())["nb_code"] == 16
