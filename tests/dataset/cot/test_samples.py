"""CoT jsonl: published fields, errors with file:line, splits by clip, and what is kept of a parsed file."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import datasets.config
import numpy as np
import pytest

from dataset.cot import lines as cot_lines
from dataset.cot.sample import Sample
from dataset.cot.samples import read_cot_jsonl, write_cot_jsonl
from utils.errors import InputError

GOOD = {"caption": "a person walks.", "motion_tokens": [1, 2, 3], "reasoning": "Feet move.", "id": "a"}


def write(path, *lines):
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def line_of(number):
    """Line `number` (from 1) of a large file: three lines a clip, every fifth for one task only."""
    row = {"caption": f"caption {number}", "motion_tokens": [number % 512, 7], "id": f"{(number - 1) // 3:06d}"}
    return {**row, "task": "t2m"} if number % 5 == 0 else row


def kept_files(path):
    """What readings of `path` left beside it, without the lock."""
    return sorted(file for file in (path.parent / ".cache").iterdir() if file.suffix != ".lock")


def test_all_published_fields(tmp_path):
    path = write(
        tmp_path / "cot.jsonl",
        GOOD,
        "",
        {"caption": " b ", "motion_tokens": "4 5 6", "task": "m2t", "reward": 0.5, "advantage": 9.0},
    )
    samples = read_cot_jsonl(path, nb_code=10)
    assert len(samples) == 2
    assert samples.sample(0, "t2m") == Sample("t2m", "a person walks.", (1, 2, 3), "Feet move.", 1.0, "a")
    assert samples.sample(1, "m2t") == Sample("m2t", "b", (4, 5, 6), "", 0.5, " row 1")
    assert len(read_cot_jsonl(path, nb_code=10, task="t2m")) == 1


def test_gzip(tmp_path):
    path = tmp_path / "cot.jsonl.gz"
    content = gzip.compress((json.dumps(GOOD) + "\n").encode() * 2)
    path.write_bytes(content)
    assert read_cot_jsonl(path, nb_code=10).sample(1, "t2m").codes == (1, 2, 3)
    path.write_bytes(content[:-9])
    with pytest.raises(InputError, match="damaged gzip"):
        read_cot_jsonl(path, nb_code=10)
    path.write_bytes(gzip.compress((json.dumps(GOOD) + "\n{\n").encode()))
    with pytest.raises(InputError, match=r"cot.jsonl.gz:2: not JSON"):
        read_cot_jsonl(path, nb_code=10)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{not json", "not JSON"),
        ("[1]", "expected a JSON object"),
        ("[" * 100_000, "too many brackets"),
        ({"motion_tokens": [1]}, "'caption'"),
        ({"caption": "x"}, "'motion_tokens'"),
        ({"caption": "x", "motion_tokens": []}, "'motion_tokens'"),
        ({"caption": "x", "motion_tokens": [1.5]}, "'motion_tokens'"),
        ({"caption": "x", "motion_tokens": "1 two"}, "space-separated integers"),
        ({"caption": "x", "motion_tokens": [3, 10]}, "motion token 10 is outside the codebook [0, 10)"),
        ({"caption": "x", "motion_tokens": [-1]}, "motion token -1"),
        ({**GOOD, "task": "walk"}, "'task'"),
        ({**GOOD, "sample_weight": "much"}, "finite number"),
        ({"caption": "x", "motion_tokens": "1_0"}, "space-separated integers"),
        ({"caption": "x", "motion_tokens": "9" * 5000}, "space-separated integers"),
        ({"caption": "x", "motion_tokens": [True, False]}, "'motion_tokens'"),
        ({**GOOD, "sample_weight": 10**400}, "a whole number of 401 digits"),
        ('{"caption": "x", "motion_tokens": [' + "9" * 5000 + "]}", "a whole number of 5000 digits"),
        ('{"caption": "x", "motion_tokens": [1], "sample_weight": 1e400}', "finite number, found 'inf'"),
        ({**GOOD, "sample_weight": float("nan")}, "finite number, found 'nan'"),
        ({**GOOD, "sample_weight": True}, "finite number"),
        ({**GOOD, "reasoning": 0}, "'reasoning' must be a string"),
        ({**GOOD, "task": ["t2m"]}, "'task'"),
        ({**GOOD, "id": 21.0}, "'id' must be text, found 21.0 (a number by mistake?)"),
        ({**GOOD, "id": True}, "'id' must be text, found True"),
        ({**GOOD, "reasoning": "So.</think> And then?"}, "'reasoning' holds </think>, a tag that no text may hold"),
        ({**GOOD, "reasoning": "First <Motion_3>, then."}, "'reasoning' holds <Motion_3>, a tag"),
        ({**GOOD, "reasoning": "So.<|im_end|>"}, "'reasoning' holds <|im_end|>"),
        ({**GOOD, "caption": "a man <Answer>walks."}, "'caption' holds <Answer>"),
        ({**GOOD, "draft": {"reasoning": "<think>So."}}, "'draft_reasoning' holds <think>"),
    ],
)
def test_malformed_line_is_named_and_can_be_skipped(tmp_path, line, words):
    path = write(tmp_path / "cot.jsonl", GOOD, line)
    with pytest.raises(InputError) as error:
        read_cot_jsonl(path, nb_code=10)
    assert f"{path}:2:" in str(error.value) and words in str(error.value)
    kept = read_cot_jsonl(path, nb_code=10, skip_bad_lines=True)
    assert len(kept) == 1 and kept.dropped == 1


def test_what_no_line_of_text_holds(tmp_path):
    path = tmp_path / "cot.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b'\r\n\r\n{"caption": "caf\xe9", "motion_tokens": [1]}\n')
    with pytest.raises(InputError, match=r"cot.jsonl:3: not UTF-8 text \(byte 0xe9\)"):
        read_cot_jsonl(path, nb_code=10)
    write(path, GOOD, {**GOOD, "motion_tokens": [1, 2**31]})
    with pytest.raises(InputError, match=f":2: motion token {2**31} is outside"):  # whatever the codebook
        read_cot_jsonl(path, nb_code=None)


def test_a_row_without_id_is_never_taken_for_a_clip_called_like_its_number(tmp_path):
    rows = [{**GOOD, "id": id, "caption": f"caption {n}"} for n, id in enumerate(["1", None, 2, "", "0", 0])]
    samples = read_cot_jsonl(write(tmp_path / "cot.jsonl", *rows), nb_code=10)
    assert samples.captions_by_clip() == {
        "1": ("caption 0",),
        " row 1": ("caption 1",),
        "2": ("caption 2",),
        " row 3": ("caption 3",),
        "0": ("caption 4", "caption 5"),  # the number 0 is an id too
    }
    padded = write(tmp_path / "other.jsonl", {**GOOD, "id": " row 1"}, {**GOOD, "id": None})
    assert list(read_cot_jsonl(padded, nb_code=10).captions_by_clip()) == ["row 1", " row 1"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encode", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_where_an_editor_ends_them(tmp_path, packed, encode, end):
    caption = "a person\u2028walks \x85 on."
    rows = [json.dumps({**GOOD, "caption": caption}, ensure_ascii=False), "", json.dumps(GOOD), "{", "", ""]
    content = end.join(rows).encode(encode)
    path = tmp_path / "cot.jsonl"
    path.write_bytes(gzip.compress(content) if packed else content)
    samples = read_cot_jsonl(path, nb_code=10, skip_bad_lines=True)
    assert [samples.sample(row, "t2m").caption for row in range(len(samples))] == [caption, GOOD["caption"]]
    with pytest.raises(InputError, match=r"cot\.jsonl:4: not JSON"):
        read_cot_jsonl(path, nb_code=10)


def test_half_a_character_is_replaced(tmp_path):
    path = write(tmp_path / "cot.jsonl", {**GOOD, "reasoning": "a \ud83d"})
    assert read_cot_jsonl(path, nb_code=10).sample(0, "t2m").reasoning == "a \ufffd"


def test_missing_empty_and_useless_files(tmp_path):
    with pytest.raises(InputError, match="no such"):
        read_cot_jsonl(tmp_path / "none.jsonl", nb_code=10)
    with pytest.raises(InputError, match="is empty"):
        read_cot_jsonl(write(tmp_path / "empty.jsonl"), nb_code=10)
    with pytest.raises(InputError, match=r"no usable line \(0 malformed\)"):
        read_cot_jsonl(write(tmp_path / "blank.jsonl", "", "  "), nb_code=10)
    with pytest.raises(InputError, match="no usable line for task m2t"):
        read_cot_jsonl(write(tmp_path / "t2m.jsonl", {**GOOD, "task": "t2m"}), nb_code=10, task="m2t")


def test_split_never_divides_a_clip(cot_jsonl):
    rest, held_out = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=3)
    assert len(held_out) + len(rest) == 45 and len(held_out) % 3 == 0  # 15 clips, 3 captions each
    assert 0 < len(held_out) < 24 and not set(rest.rows["id"]) & set(held_out.rows["id"])
    again = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=3)[1]
    assert again.rows["id"] == held_out.rows["id"]


def test_what_was_held_out_stays_held_out_when_lines_are_added_or_left_out(tmp_path):
    def held_out(name, ids):
        rows = ({**GOOD, "id": id} for id in ids)
        rest, held_out = read_cot_jsonl(write(tmp_path / name, *rows), nb_code=10).split(0.1, seed=0)
        assert not set(rest.rows["id"]) & set(held_out.rows["id"])
        return set(held_out.rows["id"])

    few = [f"{number:06d}" for number in range(200)]
    before = held_out("few.jsonl", few)
    more = [*(f"000_{number}" for number in range(300)), *reversed(few), *(f"M{id}" for id in few)]
    after = held_out("more.jsonl", more)
    assert 5 < len(before) < 40
    assert after & set(few) == before and {id for id in after if id[0] == "M"} == {f"M{id}" for id in before}
    assert held_out("fewer.jsonl", few[::2]) == before & set(few[::2])


def test_at_least_so_many_clips_are_held_out_and_one_is_left(cot_jsonl):
    samples = read_cot_jsonl(cot_jsonl, 16)
    for wanted, found in ((1, 1), (2, 2), (5, 5), (15, 14), (99, 14)):
        rest, held_out = samples.split(1e-6, 0, at_least=wanted)
        clips = [set(part.captions_by_clip()) for part in (rest, held_out)]
        assert len(clips[1]) == found and len(clips[0]) == 15 - found and not clips[0] & clips[1]


def test_rows_without_id_are_held_out_by_their_codes(tmp_path):
    rows = [{"caption": f"c{number}", "motion_tokens": [number, number // 2]} for number in range(100)]
    again = [{**row, "caption": "in other words"} for row in rows]
    parts = [
        samples.split(0.2, seed=0)[1]
        for samples in (
            read_cot_jsonl(write(tmp_path / "few.jsonl", *rows), nb_code=100),
            read_cot_jsonl(write(tmp_path / "more.jsonl", *again[::-1], *rows), nb_code=100),
        )
    ]
    few, more = ([tuple(codes) for codes in part.rows["codes"]] for part in parts)
    assert 5 < len(few) < 40 and sorted(more) == sorted(few * 2)


def test_write_and_read_back(tmp_path):
    samples = [Sample("t2m", "a", (1, 2), "r", 0.25, "x"), Sample("t2m", "b", (3,), "", 1.0, "y")]
    write_cot_jsonl(tmp_path / "out.jsonl", samples)
    read = read_cot_jsonl(tmp_path / "out.jsonl", nb_code=4)
    assert [read.sample(index, "t2m") for index in range(2)] == samples


def test_too_long_motions_are_left_out(tmp_path):
    path = write(tmp_path / "cot.jsonl", *({**GOOD, "motion_tokens": [1] * length} for length in (9, 3, 4, 2)))
    short = read_cot_jsonl(path, nb_code=10).at_most(3)
    assert [len(short.sample(row, "t2m").codes) for row in range(len(short))] == [3, 2]
    assert [len(short.at_most(2).sample(row, "t2m").codes) for row in range(len(short.at_most(2)))] == [2]


def test_a_row_without_id_is_a_clip_of_its_own(tmp_path):
    rows = [{"caption": f"c{number}", "motion_tokens": [number], "sample_weight": number} for number in range(9)]
    samples = read_cot_jsonl(write(tmp_path / "cot.jsonl", {**GOOD, "id": "0"}, *rows, GOOD, GOOD), nb_code=10)
    captions = samples.captions_by_clip()
    assert captions["a"] == ("a person walks.",) * 2 and captions[" row 9"] == ("c8",) and len(captions) == 11
    assert captions[samples.sample(9, "t2m").id] == ("c8",)
    rest, held_out = samples.split(3 / 11, seed=0)
    assert 0 < len(held_out) < 12 and len(rest) + len(held_out) == 12
    assert samples.mean_weight() == (sum(range(9)) + 3) / 12
    with pytest.raises(InputError, match=r"1 clip\(s\) are too few"):
        samples.only(np.arange(12) > 9).split(0.2, seed=0)


def test_selected_rows_are_those_of_the_file(tmp_path):
    path = write(tmp_path / "cot.jsonl", "", *(line_of(number) for number in range(1, 3001)), "{")
    samples = read_cot_jsonl(path, nb_code=512, task="m2t", skip_bad_lines=True)
    assert len(samples) == 2400 and samples.dropped == 1 and samples.usable_for("m2t").all()
    train, validation = samples.split(0.1, seed=1)
    odd = validation.only(np.arange(len(validation)) % 2 == 1).only(np.arange(len(validation) // 2) > 3)
    assert [odd.sample(row, "m2t") for row in (0, 1)] == [validation.sample(row, "m2t") for row in (9, 11)]
    seen = []
    for part in (train, validation):
        for index in range(len(part)):
            sample = part.sample(index, "m2t")
            number = int(sample.caption.split()[1])
            assert sample.codes == (number % 512, 7) and sample.id == f"{(number - 1) // 3:06d}"
            assert part.rows[index]["caption"] == sample.caption
            seen.append(number)
    assert sorted(seen) == [number for number in range(1, 3001) if number % 5]


def test_large_file_is_parsed_once_and_read_the_same_again(tmp_path, monkeypatch):
    written = []
    write_atomic = cot_lines.write_atomic
    monkeypatch.setattr(cot_lines, "write_atomic", lambda *file: (written.append(file), write_atomic(*file)))
    path = write(tmp_path / "cot.jsonl", *(line_of(number) for number in range(1, 20_001)))
    with ThreadPoolExecutor(4) as pool:  # several processes of one run read the same file at the same time
        readings = list(pool.map(lambda _: read_cot_jsonl(path, nb_code=512), range(4)))
    readings.append(read_cot_jsonl(path, nb_code=512))
    assert len(kept_files(path)) == len(written) == 1
    assert len(readings[0]) == 20_000
    assert readings[0].sample(14_998, "t2m").caption == "caption 14999"
    for again in readings[1:]:
        assert again.rows[:] == readings[0].rows[:]


def test_one_bad_line_of_many_is_found(tmp_path):
    lines = [line_of(number) for number in range(1, 20_001)]
    lines[14_999] = {**lines[14_999], "motion_tokens": [600]}
    path = write(tmp_path / "cot.jsonl", *lines)
    for _ in range(2):  # a file that was parsed before still says so
        with pytest.raises(InputError) as error:
            read_cot_jsonl(path, nb_code=512)
        assert str(error.value) == f"{path}:15000: motion token 600 is outside the codebook [0, 512)"
    assert len(read_cot_jsonl(path, nb_code=512, skip_bad_lines=True)) == 19_999
    assert len(read_cot_jsonl(path, nb_code=601)) == 20_000


def test_edited_file_is_parsed_again_and_its_former_content_goes(tmp_path):
    path, other = (write(tmp_path / name, GOOD) for name in ("cot.jsonl", "cot.jsonl.2"))
    first, unlike = read_cot_jsonl(path, nb_code=10), read_cot_jsonl(other, nb_code=10)
    assert len(read_cot_jsonl(path, nb_code=None)) == 1  # without a codebook another file is kept
    left, theirs = (tmp_path / f".cache/.{path.name}.10-{end}" for end in ("0123456789ab.arrow.new.tmp", "mine.tmp"))
    for file in (left, theirs):
        file.write_text("of a process that was killed, and of somebody")
    write(path, {**GOOD, "caption": "a person waves."})  # as long as before
    second = read_cot_jsonl(path, nb_code=10)
    assert second.sample(0, "t2m").caption == "a person waves."
    assert first.sample(0, "t2m").caption == unlike.sample(0, "t2m").caption == "a person walks."  # still mapped
    assert not left.exists() and theirs.exists()
    theirs.unlink()
    assert [file.name.split("-")[0] for file in kept_files(path)] == [
        "cot.jsonl.10",
        "cot.jsonl.2.10",
        "cot.jsonl.None",
    ]


def test_folder_that_cannot_be_written(tmp_path, monkeypatch, caplog):
    path = write(tmp_path / "cot.jsonl", GOOD)
    (tmp_path / ".cache").write_text("in the way")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "elsewhere")
    for _ in range(2):
        assert len(read_cot_jsonl(path, nb_code=10)) == 1
    assert len(list(tmp_path.glob("elsewhere/cot_jsonl/*/*.arrow"))) == 1
    assert f"parsed into {tmp_path / 'elsewhere'}" in caplog.text
