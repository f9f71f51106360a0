"""The data engine against a real server on loopback: good, malformed, slow and failing replies; kill and resume."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from dataset.captions.lines import Caption
from dataset.cot.source import CotSource, write_cot_source
from dataset.humanml.layout import write_record, write_splits
from dataset.toy.clips import toy_clips
from prepare import generate_cot, write_cot_jsonl
from prepare.annotation import run as annotation_run
from prepare.annotation.client import read_completion
from prepare.annotation.store import AnnotationStore
from tests.places import ROOT
from tests.prepare.annotation_server import AnnotationServer, Play, good_text
from tests.rewards.motion_pack import PACK, needs_pack, read_pack
from utils.errors import InputError
from utils.files.json_files import write_jsonl
from utils.files.lock import locked
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M
from utils.run.command import run_command

pytest.importorskip("openai", reason="the package openai is not installed")

CONCURRENCY = 4


def write_clips(root, clips):
    """A data set of (id, joints, captions), all of them in the split `train`."""
    for id, joints, captions in clips:
        texts = [Caption(text, ("x/NOUN",)) for text in captions]
        write_record(root, id, features_from_joints(joints, T2M), joints, texts)
    write_splits(root, {"train": [clip[0] for clip in clips]})
    return root


def distinct(clips, count):
    """The first `count` of (id, joints, captions) whose first captions all differ, so that the log tells them apart."""
    found = {}
    for clip in clips:
        if T2M.min_frames < len(clip[1]) <= T2M.max_frames:
            found.setdefault(clip[2][0], clip)
    assert len(found) >= count
    return list(found.values())[:count]


def toy_set(root, count):
    clips = ((clip.id, clip.joints, [c.text for c in clip.captions]) for clip in toy_clips(4 * count, seed=3))
    return write_clips(root, distinct(clips, count))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_set(tmp_path_factory.mktemp("toy"), 6)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    captions = {row["id"]: row["captions"] for row in map(json.loads, (PACK.parent / "meta.jsonl").open())}
    clips = ((name, joints, captions[name]) for name, joints in read_pack().items())
    return write_clips(tmp_path_factory.mktemp("real"), distinct(clips, 50))


def good(task, caption, before):
    return Play(good_text(caption))


def captions_of(root):
    """First caption by clip id, in the order of the split."""
    ids = (root / "train.txt").read_text().split()
    return {id: (root / "texts" / f"{id}.txt").read_text().split("#")[0] for id in ids}


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def arguments_of(root, out, url, *more):
    fixed = ["--data-root", root, "--out-dir", out, "--model", "m", "--base-url", url, "--concurrency", CONCURRENCY]
    return [str(word) for word in (*fixed, *more)]


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the command in this process -> (status, stdout, stderr)."""

    def command(root, out, url, *more):
        monkeypatch.setattr(sys, "argv", ["generate_cot", *arguments_of(root, out, url, *more)])
        status = 0
        try:
            run_command(generate_cot.main)
        except SystemExit as exit:
            status = exit.code
        return status, *capsys.readouterr()

    return command


def test_good_replies_become_reasoning_of_both_tasks(toy, tmp_path, run):
    with AnnotationServer(good) as server:
        status, output, errors = run(toy, tmp_path, server.url, "--price-in", 2, "--price-out", 10)
        assert status == 0, errors
        assert server.most_at_once <= CONCURRENCY
        captions = captions_of(toy)
        assert server.times_asked() == {(task, text): 1 for task in ("m2t", "t2m") for text in captions.values()}
        assert {asked.key for asked in server.log} == {"Bearer none"}
    rows = rows_of(tmp_path / "annotations.jsonl")
    assert Counter((row["id"], row["task"]) for row in rows) == Counter(
        (id, t) for id in captions for t in ("m2t", "t2m")
    )
    row = rows[0]
    assert row["caption"] == row["answer"] == captions[row["id"]] and row["caption_number"] == 0
    assert row["reasoning"].startswith("The body shows this") and "think>" not in row["reasoning"]
    assert (row["model"], row["evidence"], row["prompt_version"]) == ("m", "facts", "1")
    assert row["usage"] == {"prompt_tokens": 300, "completion_tokens": 80}
    assert "12 of 12 accepted, 0 replies rejected" in output
    assert f"3600 tokens in, 960 out; cost {(3600 * 2 + 960 * 10) / 1e6:.4f}".replace(" tokens", "") in output

    with AnnotationServer(good) as server:  # nothing is left to ask
        status, output, _ = run(toy, tmp_path, server.url)
        assert status == 0 and server.log == [] and "12 of 12 accepted" in output


def test_the_model_is_told_the_caption_and_what_was_measured(toy, tmp_path, run):
    with AnnotationServer(good) as server:
        options = '{"temperature": 0.7, "reasoning_effort": "low"}'
        assert run(toy, tmp_path, server.url, "--task", "m2t", "--limit", 1, "--request-options", options)[0] == 0
    (asked,) = server.log
    assert (asked.request["model"], asked.request["temperature"], asked.request["reasoning_effort"]) == (
        "m",
        0.7,
        "low",
    )
    for fact in ("duration: ", "travel: ", "heading: ", "left hand: ", "right hand: "):
        assert f"\n{fact}" in asked.text
    assert "<think>reasoning</think><answer>one sentence</answer>" in asked.request["messages"][0]["content"]


def test_with_video_a_picture_is_sent_and_no_measurement(toy, tmp_path, run):
    with AnnotationServer(good) as server:
        assert run(toy, tmp_path, server.url, "--task", "t2m", "--limit", 1, "--with-video")[0] == 0
    text, image = server.log[0].request["messages"][1]["content"]
    assert "Measured" not in text["text"] and "Left limbs are blue" in text["text"]
    head, _, data = image["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as sheet:
        assert sheet.width == 6 * 192
        assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 20
    (row,) = rows_of(tmp_path / "annotations.jsonl")
    assert row["evidence"] == "video"


SPANISH = (
    "<think>El cuerpo se mueve por etapas y cada una tiene que verse junto con las otras: peso, tronco, brazos y "
    "piernas trabajan juntos desde el primer momento hasta el final.</think><answer>una persona se mueve.</answer>"
)
BAD = {
    "no JSON": (Play(body="<html>gateway</html>"), "response", "not JSON"),
    "deep": (Play(body="[" * 100_000), "response", "not JSON"),
    "no choices": (Play(body='{"choices": [], "usage": {}}'), "response", "holds no reply"),
    "empty": (Play(None, finish="content_filter"), "response", "finish_reason 'content_filter'"),
    "cut off": (Play("<think>The body", finish="length"), "response", "cut off"),
    "no tags": (Play("Sure! The person moves."), "malformed", "no </think>"),
    "no answer": (Play("<think>The body moves.</think>The end."), "malformed", "no <answer>"),
    "chat around it": (Play(f"Sure!\n{good_text('x.')}"), "malformed", "tags inside the reasoning"),
    "other language": (Play(SPANISH), "language", "common English"),
    "short": (Play("<think>It moves.</think><answer>a person moves.</answer>"), "length", "2 words"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_replies_are_kept_apart_with_their_reason_and_never_asked_again(name, toy, tmp_path, run):
    play, reason, detail = BAD[name]
    bad = next(iter(captions_of(toy).values()))

    def plays(task, caption, before):
        return play if caption == bad else good(task, caption, before)

    with AnnotationServer(plays) as server:
        for _ in range(2):
            status, output, errors = run(toy, tmp_path, server.url, "--task", "m2t")
            assert status == 0, errors
        assert set(server.times_asked().values()) == {1}
        assert "5 of 6 accepted, 1 replies rejected" in output and f"1 {reason}" in output
    (row,) = rows_of(tmp_path / "rejected.jsonl")
    assert (row["caption"], row["reason"]) == (bad, reason) and detail in row["detail"]
    assert row["reply"] == (play.text if play.text else play.content())
    assert len(rows_of(tmp_path / "annotations.jsonl")) == 5


def walking(frames=60):
    """A clip of the toy people that walks straight ahead."""
    clips = (clip for clip in toy_clips(400, seed=1) if clip.program.actions[0].kind == "walk")
    return next(c for c in clips if len(c.program.actions) == 1 and (c.program.actions[0].way == "forward")).joints


def test_contradictions_with_the_measured_motion(tmp_path, run):
    root = write_clips(
        tmp_path / "data",
        [("a", walking(), ["a person walks."]), ("b", walking(), ["a person walks backwards."])],
    )
    wrong = good_text("the person walks backwards, step by step.")
    with AnnotationServer(lambda *_: Play(wrong)) as server:
        status, output, _ = run(root, tmp_path / "out", server.url, "--task", "m2t")
        assert status == 0 and [asked.caption for asked in server.log] == ["a person walks."]
        (row,) = rows_of(tmp_path / "out" / "rejected.jsonl")
        assert (
            row["reason"] == "contradiction"
            and row["detail"] == "the answer says moves backward, but the motion moves forward"
        )
        (doubt,) = rows_of(tmp_path / "out" / "doubtful_captions.jsonl")
        assert doubt["id"] == "b" and doubt["contradictions"] == ["says moves backward, but moves forward"]
        assert "1 captions were not asked for" in output
        # Without the check both are taken as they come.
        status, output, _ = run(root, tmp_path / "all", server.url, "--task", "m2t", "--no-fact-check")
        assert status == 0 and "2 of 2 accepted" in output


def test_failing_and_slow_servers_are_asked_again(toy, tmp_path, run):
    limited, broken, slow = list(captions_of(toy).values())[:3]

    def plays(task, caption, before):
        if before == 0 and caption == limited:
            return Play(status=429, body='{"error": {"message": "slow down"}}', headers={"retry-after": "1.2"})
        if before < 2 and caption == broken:
            return Play(status=500, body="oops")
        if before == 0 and caption == slow:
            return Play(good_text(caption), delay=3.0)
        return good(task, caption, before)

    with AnnotationServer(plays) as server:
        status, output, errors = run(toy, tmp_path, server.url, "--task", "m2t", "--timeout", 1)
        assert status == 0, errors
        times = server.times_asked()
        asked = [asked.at for asked in server.log if asked.caption == limited]
    assert {caption: count for (_, caption), count in times.items() if count > 1} == {limited: 2, broken: 3, slow: 2}
    assert asked[1] - asked[0] >= 1.2  # as Retry-After says
    assert "6 of 6 accepted" in output and "10 HTTP requests in this run" in output
    assert len(rows_of(tmp_path / "annotations.jsonl")) == 6


def test_what_got_no_answer_is_not_stored_and_asked_next_time(toy, tmp_path, run):
    down = next(iter(captions_of(toy).values()))

    def plays(task, caption, before):
        return Play(status=503, body="down") if caption == down and before < 2 else good(task, caption, before)

    with AnnotationServer(plays) as server:
        status, output, errors = run(toy, tmp_path, server.url, "--task", "m2t", "--max-retries", 1)
        assert status == 2 and "1 requests got no answer (the last: status 503" in errors
        assert "run the same command again" in errors and "5 of 6 accepted" in output
        assert rows_of(tmp_path / "rejected.jsonl") == []
        status, output, _ = run(toy, tmp_path, server.url, "--task", "m2t", "--max-retries", 1)
        assert status == 0 and "6 of 6 accepted" in output
        assert sum(server.times_asked().values()) == 6 + 2


def test_a_wrong_key_stops_the_run_at_once(toy, tmp_path, run):
    body = '{"error": {"message": "bad key"}}'
    with AnnotationServer(lambda *_: Play(status=401, body=body)) as server:
        status, _, errors = run(toy, tmp_path, server.url)
        assert status == 2 and "stopped: " in errors and "status 401" in errors and "bad key" in errors
        assert len(server.log) <= CONCURRENCY


def test_a_server_that_refuses_everything_is_not_asked_for_everything(toy, tmp_path, run, monkeypatch):
    monkeypatch.setattr(annotation_run, "_GIVE_UP_AFTER", 3)
    with AnnotationServer(lambda *_: Play(status=400, body="no")) as server:
        status, _, errors = run(toy, tmp_path, server.url)
        assert status == 2 and "stopped: " in errors
        assert 3 <= len(server.log) < 3 + CONCURRENCY


def test_rejected_ones_are_asked_once_more_over_all_runs(toy, tmp_path, run):
    bad, worse = list(captions_of(toy).values())[:2]

    def plays(task, caption, before):
        is_bad = (caption == bad and before == 0) or caption == worse
        return Play("no tags") if is_bad else good(task, caption, before)

    with AnnotationServer(plays) as server:
        run(toy, tmp_path, server.url, "--task", "m2t")
        assert set(server.times_asked().values()) == {1}
        for _ in range(2):
            status, output, _ = run(toy, tmp_path, server.url, "--task", "m2t", "--retry-rejected", 1)
            assert status == 0 and "5 of 6 accepted, 3 replies rejected" in output
        assert {c: n for (_, c), n in server.times_asked().items() if n > 1} == {bad: 2, worse: 2}


def test_requests_keep_to_the_rate(toy, tmp_path, run):
    with AnnotationServer(good) as server:
        assert run(toy, tmp_path, server.url, "--task", "m2t", "--requests-per-minute", 240)[0] == 0
    times = sorted(asked.at for asked in server.log)
    assert len(times) == 6 and times[-1] - times[0] >= 5 * 0.25 - 0.1


def test_a_dry_run_asks_nothing_and_writes_nothing(toy, tmp_path, run):
    out = tmp_path / "out"
    with AnnotationServer(good) as server:
        status, output, _ = run(toy, out, server.url, "--dry-run", "--price-in", 1, "--price-out", 1)
        assert status == 0 and server.log == [] and not out.exists()
        assert "--- m2t of" in output and "--- t2m of" in output and output.count("Measured on the motion:") == 2
        assert "12 of 12 requests are left" in output and "cost about 0.0" in output
        run(toy, out, server.url, "--limit", 2)
        status, output, _ = run(toy, out, server.url, "--dry-run", "--show-prompts", 0)
        assert "8 of 12 requests are left" in output and "---" not in output
        assert "about 2400 tokens in and 640 out (as the 4 answers so far)" in output


def test_several_captions_and_write_cot_jsonl(toy, tmp_path, run, monkeypatch, capsys):
    ids = list(captions_of(toy))
    second = (toy / "texts" / f"{ids[0]}.txt").read_text().splitlines()[1].split("#")[0]

    def plays(task, caption, before):
        return Play("no tags") if caption == second else good(task, caption, before)

    with AnnotationServer(plays) as server:
        assert run(toy, tmp_path, server.url, "--captions-per-clip", 3)[0] == 0
    write_jsonl(tmp_path / "codes.jsonl", [{"id": id, "split": "train", "codes": [1, 2]} for id in ids])
    write_cot_source(tmp_path / "codes.jsonl", CotSource("tokenizer.pth", "abc", 16, str(toy)))
    flags = ["--codes", tmp_path / "codes.jsonl", "--data-root", toy, "--out-dir", tmp_path / "cot"]
    monkeypatch.setattr(sys, "argv", ["x", *map(str, flags), "--reasoning", str(tmp_path / "reasoning_m2t.jsonl")])
    write_cot_jsonl.main()
    assert re.search(r"without reasoning +0\n", capsys.readouterr().out)
    lines = rows_of(tmp_path / "cot" / "cot_train.jsonl")
    assert len(lines) == 18
    for line in lines:  # each has its own, but for the one whose reply was rejected
        first = captions_of(toy)[line["id"]]
        assert (first if line["caption"] == second else line["caption"]) in line["reasoning"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--task", "x"), "--task must be m2t, t2m or both"),
        (("--concurrency", "0"), "--concurrency must be at least 1"),
        (("--price-in", "1"), "--price-in and --price-out belong together"),
        (("--max-words", "5"), "--max-words 5 is below --min-words 20"),
        (("--request-options", "{"), "--request-options is not JSON"),
        (("--request-options", "[" * 50_000), "--request-options is not JSON (too many brackets"),
        (("--request-options", '{"stream": true}'), "--request-options must leave model, messages, stream, n alone"),
        (("--base-url", "127.0.0.1:8000"), "--base-url must begin with http"),
        (("--provider", "x"), "--provider must be one of openai, gemini"),
        (("--key-variable", "NO_SUCH_KEY"), "the environment variable NO_SUCH_KEY is not set"),
        (("--data-root", "/nowhere"), "/nowhere: no such data set folder"),
        (("--split", "val"), "val.txt: no such split file"),
    ],
)
def test_mistakes_are_one_line(toy, tmp_path, run, more, said):
    status, _, errors = run(toy, tmp_path, "http://127.0.0.1:9/v1", *more)
    assert status == 2 and said in errors and "Traceback" not in errors


def test_keys_come_from_the_environment_and_go_to_their_provider_only(toy, tmp_path, run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with AnnotationServer(good) as server:
        run(toy, tmp_path / "a", server.url, "--limit", 1, "--task", "m2t")
        run(toy, tmp_path / "b", server.url, "--limit", 1, "--task", "m2t", "--key-variable", "OPENAI_API_KEY")
        assert [asked.key for asked in server.log] == ["Bearer none", "Bearer sk-secret"]
    for path in tmp_path.rglob("*.jsonl"):
        assert "sk-secret" not in path.read_text()


def test_without_the_package_the_command_says_what_to_install(toy, tmp_path, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    status, _, errors = run(toy, tmp_path, "http://127.0.0.1:9/v1")
    assert status == 2 and "pip install openai" in errors
    status, output, _ = run(toy, tmp_path, "http://127.0.0.1:9/v1", "--dry-run")
    assert status == 0 and "12 of 12 requests are left" in output


def test_one_process_a_folder(toy, tmp_path, run):
    with locked(tmp_path):
        status, _, errors = run(toy, tmp_path, "http://127.0.0.1:9/v1")
    assert status == 2 and f"process {os.getpid()} on " in errors and "is working here" in errors


def test_a_torn_last_line_is_cut_and_a_broken_one_is_named(tmp_path):
    path = tmp_path / "annotations.jsonl"
    row = {"id": "a", "task": "m2t", "caption": "c", "caption_number": 0, "reasoning": "r"}
    path.write_text(json.dumps(row) + "\n" + '{"id": "b", "task": "m2t", "capt', encoding="utf-8")
    store = AnnotationStore(tmp_path)
    assert store.accepted == [row] and path.read_text().endswith("capt")  # reading changes nothing
    with store.opened():
        store.accept({**row, "id": "b"})
    assert [found["id"] for found in rows_of(path)] == ["a", "b"]
    assert AnnotationStore(tmp_path).times_rejected(("b", "m2t", "c")) is None
    path.write_text('{"id": "b"}\n' + json.dumps(row) + "\n")
    with pytest.raises(Exception, match=r"annotations\.jsonl:1: not an annotation"):
        AnnotationStore(tmp_path)


@pytest.mark.parametrize("name", ["id", "task", "caption", "reasoning", "caption_number"])
@pytest.mark.parametrize("value", [None, 3.5, True, [1], {"a": 1}])
def test_an_annotation_of_other_values_is_named_with_its_line(tmp_path, name, value):
    row = {"id": "a", "task": "m2t", "caption": "c", "caption_number": 0, "reasoning": "r"}
    path = tmp_path / "annotations.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, name: value}) + "\n")
    with pytest.raises(InputError, match=r"annotations\.jsonl:2: not an annotation"):
        AnnotationStore(tmp_path)
    (tmp_path / "rejected.jsonl").write_text('{"source": "x.csv", "row": 3, "reason": "of prepare.import_cot"}\n')
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=r"rejected\.jsonl:1: not an annotation"):
        AnnotationStore(tmp_path)


def test_reasoning_that_somebody_else_wrote_is_left_alone(tmp_path):
    path = tmp_path / "reasoning_t2m.jsonl"
    path.write_text('{"id": "a", "reasoning": "mine"}\n')
    store, said = AnnotationStore(tmp_path), r"holds reasoning_t2m\.jsonl, which this command did not write"
    with pytest.raises(InputError, match=said), store.opened():
        pass
    assert path.read_text() == '{"id": "a", "reasoning": "mine"}\n'


def test_reasoning_says_which_caption_it_is_of(tmp_path):
    store = AnnotationStore(tmp_path)
    rows = [("b", "two", 1), ("a", "one", 0), ("b", "one", 0)]
    with store.opened():
        for id, caption, number in rows:
            store.accept(
                {"id": id, "task": "t2m", "caption": caption, "caption_number": number, "reasoning": f"{id} {caption}"}
            )
        assert store.write_reasoning() == [tmp_path / "reasoning_t2m.jsonl"]
    assert [tuple(row.values()) for row in rows_of(tmp_path / "reasoning_t2m.jsonl")] == [
        ("a", "t2m", "one", "a one"),
        ("b", "t2m", "one", "b one"),
        ("b", "t2m", "two", "b two"),
    ]


@pytest.mark.parametrize(
    "body", ["[]", "3", '{"choices": [3]}', '{"choices": [{"message": null}]}', '{"usage": 3}', ""]
)
def test_no_response_is_too_strange(body):
    answer = read_completion(body)
    assert answer.text is None and answer.problem and answer.raw == body


def test_half_a_character_can_be_stored():
    assert read_completion('{"choices": [{"message": {"content": "a\\ud800b"}}]}').text == "a\ufffdb"


def test_hidden_thoughts_are_counted():
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}
    choice = {"message": {"content": "x"}, "finish_reason": "stop"}
    answer = read_completion(json.dumps({"choices": [choice], "usage": usage}))
    assert (answer.text, answer.problem, answer.prompt_tokens, answer.completion_tokens) == ("x", None, 10, 105)


def mixed(captions):
    """Plays of a bad day: most replies are good after a moment, some are malformed, limited or broken at first."""
    numbers = {caption: number for number, caption in enumerate(captions)}

    def plays(task, caption, before):
        number = numbers[caption]
        if number % 10 == 3:
            return Play("no tags", delay=0.1)
        if number % 10 == 5 and before == 0:
            return Play(status=429, body="{}", headers={"retry-after": "0.2"})
        if number % 10 == 7 and before == 0:
            return Play(status=500, body="oops")
        return Play(good_text(caption), delay=0.15 + 0.02 * (number % 7))

    return plays


def stored(out):
    """(task, caption) of all complete lines of both files."""
    keys = []
    for name in ("annotations", "rejected"):
        path = out / f"{name}.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
        keys += [(row["task"], row["caption"]) for row in map(json.loads, lines)]
    return keys


def start(arguments):
    command = [sys.executable, "-m", "prepare.generate_cot", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_until(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.01)


def kill_and_resume(root, out):
    """50 clips, killed when about 20 are answered, run again: no clip lost, no stored answer asked for twice."""
    captions = list(captions_of(root).values())
    assert len(captions) == 50
    with AnnotationServer(mixed(captions)) as server:
        arguments = arguments_of(root, out, server.url, "--task", "m2t")
        process = start(arguments)
        wait_until(lambda: len(stored(out)) >= 20, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before, asked_before = stored(out), len(server.log)
        assert 20 <= len(before) < 50
        again = start(arguments)
        output = again.communicate(timeout=120)[0]
        assert again.returncode == 0, output
    every = {("m2t", caption) for caption in captions}
    doubtful = {("m2t", row["caption"]) for row in rows_of(out / "doubtful_captions.jsonl")}
    assert doubtful == set() and server.times_asked().keys() == every
    after = stored(out)
    assert len(after) == 50 and set(after) == every  # none lost, none paid for and stored twice
    asked_later = {(asked.task, asked.caption) for asked in server.log[asked_before:]}
    assert asked_later == every - set(before)  # exactly what was not stored
    refused = {("m2t", c) for number, c in enumerate(captions) if number % 10 in (5, 7)}
    answered = Counter(server.times_asked())
    answered.subtract(refused)  # the first time they got no answer
    twice = [key for key, count in answered.items() if count > 1]
    assert len(twice) <= CONCURRENCY and not set(twice) & set(before)  # in flight at the kill
    assert "45 of 50 accepted, 5 replies rejected" in output
    assert len(rows_of(out / "reasoning_m2t.jsonl")) == 45


@needs_pack
def test_50_real_clips_killed_in_the_middle_and_resumed(real, tmp_path):
    kill_and_resume(real, tmp_path / "out")


def test_50_toy_clips_killed_in_the_middle_and_resumed(tmp_path):
    kill_and_resume(toy_set(tmp_path / "toy", 50), tmp_path / "out")


def test_ctrl_c_finishes_what_is_in_flight_and_keeps_it(tmp_path):
    root, out = toy_set(tmp_path / "toy", 20), tmp_path / "out"

    def plays(task, caption, before):
        return Play(good_text(caption), delay=0.7)

    with AnnotationServer(plays) as server:
        arguments = arguments_of(root, out, server.url, "--task", "m2t")
        process = start(arguments)
        wait_until(lambda: len(stored(out)) >= 4 and len(server.log) >= 8, process)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 130, output
        assert "finishing the requests in flight" in output and "run the same command again" in output
        kept = len(stored(out))
        assert kept == len(server.log) < 20  # every request that was sent was kept
        assert len(rows_of(out / "reasoning_m2t.jsonl")) == kept
        assert start(arguments).wait(timeout=60) == 0
        assert set(server.times_asked().values()) == {1} and len(server.log) == 20
