"""What a page of finished runs holds, and that it is made of nothing but itself."""

import errno
import json
import os
import re

import numpy as np
import pytest

from models.reporting.gallery import Gallery
from models.reporting.learning import learning_curves, learning_panels
from models.reporting.report import report_of_run, write_report
from models.reporting.runs import ShownRun, find_runs
from tests.chromium import Browser, needs_chromium
from tests.models.reporting.finished_runs import (
    HOSTILE,
    grpo_rows,
    predicted,
    reply,
    write_people,
    write_policy,
    write_run,
    write_training,
)
from utils.errors import InputError

CODES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)


@pytest.fixture(scope="module")
def world(tmp_path_factory, motion_tokenizer):
    folder = tmp_path_factory.mktemp("world")
    return folder, write_people(folder / "data", 6), write_policy(folder / "policy.pth", motion_tokenizer)


@pytest.fixture
def asked(world):
    folder, _, policy = world
    return {"data_root": folder / "data", "eval_ckpt": policy, "eval_split": "test", "dataname": "t2m"}


def trace_of(id, reasoning="one more try"):
    """Three candidates, the second of which is chosen; the third is a repetition."""
    shared = {"draw": 0, "id": id, "query": 0, "lacking": None, "finished": True, "tokens": 9}
    return [
        {**shared, "round": 0, "index": 0, "chosen": False, "total": 0.25,
         "scores": {"format": 1.0, "consistency": None}, "duplicate_of": None, "text": reply(CODES, reasoning),
         "codes": list(CODES)},
        {**shared, "round": 1, "index": 1, "chosen": True, "total": 0.5, "scores": {"format": 1.0, "consistency": 0.5},
         "duplicate_of": None, "text": reply(CODES[:5]), "codes": list(CODES[:5])},
        {**shared, "round": 1, "index": 2, "chosen": False, "total": 0.25, "scores": {}, "duplicate_of": 0,
         "text": reply(CODES), "codes": list(CODES)},
    ]  # fmt: skip


@pytest.fixture
def runs(tmp_path, world, asked):
    """SFT, RLVR with Chain-of-Motion, captions, and a training."""
    _, ids, _ = world
    captions = ["a person turns left.", HOSTILE, *["a person walks."] * 4]
    rows = predicted(ids, captions, [list(CODES)] * 6, reasoning=HOSTILE)
    write_run(tmp_path / "sft", "t2m", rows, asked)
    better = predicted(ids, captions, [list(CODES[::-1])] * 6)
    better[3] |= {"codes": None, "problem": "no </think>", "text": "<b>nothing"}
    write_run(tmp_path / "com", "t2m", better, asked, trace_of(ids[0], HOSTILE), seed=1)
    answers = [
        {"id": id, "draw": 0, "text": f"{HOSTILE}</think><answer>a person {HOSTILE} turns.</answer>", "answer": HOSTILE}
        for id in ids
    ]
    write_run(tmp_path / "captions", "m2t", answers, asked)
    write_training(tmp_path / "rlvr", grpo_rows())
    return tmp_path


def text_of(runs, **more):
    page = write_report(runs / "page.html", find_runs([str(runs)]), **more)
    return page.read_text(encoding="utf-8")


def players_of(text):
    found = re.findall(r'<script type="application/json" id="([^"]*)">(.*?)</script>', text, re.DOTALL)
    return {name: json.loads(data) for name, data in found}


def test_tables_have_intervals_n_and_arrows_by_task(runs):
    text = text_of(runs)
    assert ">text to motion</h2>" in text and ">motion to text</h2>" in text and "<a href='#part0'>" in text
    for shown in ("<th>n</th>", "R@1 ↑", "FID ↓", "Diversity →", "CIDEr ↑", "± 0.012", "<td>64</td>", "<td>real</td>"):
        assert shown in text, shown
    assert "com: few &lt;clips&gt;" in text  # what a reader of the numbers must know
    assert text.index("<td>com</td>") > text.index("<td>real</td>")


def test_each_clip_shows_real_motion_beside_every_system_in_one_player(runs, world):
    _, ids, _ = world
    players = players_of(text_of(runs))
    assert [motion["title"] for motion in players[f"t2m-{ids[0]}"]["motions"]] == ["real", "sft", "com"]
    assert [motion["frames"] for motion in players[f"t2m-{ids[0]}"]["motions"]][1:] == [40, 40]
    # A reply without a motion says why, and the others still play.
    assert [motion["title"] for motion in players[f"t2m-{ids[3]}"]["motions"]] == ["real", "sft"]
    assert "no &lt;/think&gt;" in text_of(runs)
    assert len([name for name in players if name.startswith("m2t-")]) == 6


def test_candidates_of_chain_of_motion_are_cards_with_the_chosen_one_marked(runs, world):
    _, ids, _ = world
    text = text_of(runs)
    assert "2 candidates of com" in text  # the repetition is none
    cards = re.findall(r'<div class="card( chosen)?"><h3>(.*?)</h3>', text)
    assert cards == [("", "round 1, 0.250"), (" chosen", "round 2, 0.500 (chosen)")]
    assert "format 1.000 consistency 0.500" in text
    frames = [players_of(text)[f"com-{ids[0]}-{number}"]["motions"][0]["frames"] for number in (0, 1)]
    assert frames == [40, 20]


def test_hostile_captions_replies_and_names_are_text(runs):
    text = text_of(runs, title=HOSTILE)
    assert "<img" not in text and "<b>person" not in text
    assert text.count("<script") == text.count("</script>") == len(players_of(text)) + 1
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_the_page_fetches_nothing(runs):
    outside = r"https?:|//[a-z]+\.|@import|\burl\(|<link|\ssrc=\"|\bimport\(|fetch\(|XMLHttp|WebSocket"
    assert not re.search(outside, text_of(runs))


def test_fifty_clips_of_four_systems_stay_below_ten_megabytes(tmp_path, motion_tokenizer):
    """Each as long as clips of HumanML3D can be, 196 frames, and with Chain-of-Motion's 16 candidates."""
    ids = write_people(tmp_path / "data", 50)
    policy = write_policy(tmp_path / "policy.pth", motion_tokenizer)
    asked = {"data_root": tmp_path / "data", "eval_ckpt": policy, "eval_split": "test", "dataname": "t2m"}
    longest = np.random.default_rng(0).integers(0, 16, 49).tolist()
    rows = predicted(ids, ["a person walks in a circle to the left."] * 50, [longest] * 50, "it walks. " * 40)
    trace = [
        {**trace_of(id)[0], "index": number, "codes": longest, "text": reply(longest, "it walks. " * 40)}
        for id in ids
        for number in range(16)
    ]
    for name in ("sft", "rlvr", "com", "other"):
        write_run(tmp_path / "runs" / name, "t2m", rows, asked, trace if name == "com" else ())
    page = write_report(tmp_path / "page.html", find_runs([str(tmp_path / "runs")]), samples=50)
    text = page.read_text(encoding="utf-8")
    assert len([name for name in players_of(text) if name.startswith("t2m-")]) == 50
    assert page.stat().st_size < 10e6


def test_grpo_shows_each_part_of_the_reward_kl_length_well_formed_and_the_judge(runs):
    panels = learning_panels(grpo_rows())
    assert {"reward", "reward: format", "reward: consistency", "KL from the start", "length of replies (tokens)",
            "share of replies", "FID ↓", "R@3 ↑", "loss", "entropy", "learning rate"} == set(panels)  # fmt: skip
    assert panels["reward: format"]["held out"] == [(10.0, 0.4), (20.0, 0.4)]
    assert panels["FID ↓"] == {"held-out clips, judged": [(10.0, 0.1), (20.0, 0.05)]}
    assert panels["share of replies"]["well formed"][0] == (1.0, 0.9)
    text = text_of(runs)
    assert "rlvr: learning" in text and 'aria-label="KL from the start"' in text


def test_sft_shows_losses_and_what_its_validation_judged():
    rows = [
        {"step": 10, "loss": 2.0, "mean_token_accuracy": 0.4, "learning_rate": 1e-3},
        {"step": 10, "eval_loss": 1.5, "eval_token_accuracy": 0.5, "eval_FID": 3.0, "eval_runtime": 2.0, "epoch": 1.0},
    ]
    panels = learning_panels(rows)
    assert panels["loss"] == {"training": [(10.0, 2.0)], "held out": [(10.0, 1.5)]}
    assert panels["FID ↓"] == {"held-out clips, judged": [(10.0, 3.0)]}
    assert "eval_runtime" not in str(panels) and learning_curves([]) == ""


def test_a_finished_run_gets_its_page_once_and_again_when_it_is_gone(runs):
    folder = runs / "sft"
    page = report_of_run(folder, already=False)
    assert page == folder / "results.html" and "t2m-" in page.read_text()
    page.write_text("mine")
    assert report_of_run(folder, already=True) == page and page.read_text() == "mine"
    page.unlink()
    assert report_of_run(folder, already=True) == page and "t2m-" in page.read_text()
    assert "KL from the start" in report_of_run(runs / "rlvr", already=False).read_text()


@pytest.mark.parametrize("broken", ["results.json", "args.json", "predictions.jsonl", "trace.jsonl"])
@pytest.mark.parametrize("content", ["", "[1, 2]", '{"rows": {"generated": 3}}', '{"id": 3, "codes": "x"}\n', "\0\0"])
def test_damaged_files_cost_the_page_and_never_the_run(runs, broken, content, caplog):
    folder = runs / "com"
    (folder / broken).write_text(content)
    page = report_of_run(folder, already=False)  # raises nothing
    assert page is not None or "could not be made" in caplog.text


def test_a_full_disk_costs_the_page_only_until_there_is_room(runs, monkeypatch):
    folder = runs / "sft"
    with monkeypatch.context() as full:
        full.setattr("models.reporting.report.write_text", _refuse)
        with pytest.raises(OSError, match="No space left"):
            report_of_run(folder, already=False)
    assert "t2m-" in report_of_run(folder, already=True).read_text()


def _refuse(path, text):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_without_data_or_checkpoint_there_are_tables_and_a_word_about_it(runs, caplog):
    folder = runs / "sft"
    arguments = json.loads((folder / "args.json").read_text())
    (folder / "args.json").write_text(json.dumps({**arguments, "eval_ckpt": str(runs / "gone.pth")}))
    text = report_of_run(folder, already=False).read_text()
    assert "FID ↓" in text and "t2m-" not in text and "no gallery of sft" in caplog.text
    assert Gallery.of("t2m", [ShownRun("captions", runs / "rlvr")]) is None


def test_runs_are_found_by_folder_by_name_and_below_a_folder(runs):
    assert [run.name for run in find_runs([str(runs)])] == ["sft", "com", "captions", "rlvr"]  # as they came
    assert [run.name for run in find_runs([f"RLVR + CoM={runs / 'com'}", str(runs / "sft" / "results.json")])] == [
        "RLVR + CoM", "sft",
    ]  # fmt: skip
    (runs / "more").mkdir()
    (runs / "sft").rename(runs / "more" / "com")
    names = [run.name for run in find_runs([str(runs / "com"), str(runs / "more")])]
    assert names == [f"{runs.name}/com", "more/com"]
    with pytest.raises(InputError, match="no such folder"):
        find_runs([str(runs / "nowhere")])
    (runs / "empty").mkdir()
    with pytest.raises(InputError, match="holds neither"):
        find_runs([str(runs / "empty")])


@needs_chromium
@pytest.mark.parametrize("phone", [False, True])
def test_chromium_shows_the_whole_page_without_a_complaint(runs, tmp_path, phone):
    text_of(runs, title=HOSTILE)
    window = {"width": 390, "height": 844, "phone": True} if phone else {}
    with Browser(tmp_path) as browser:
        page = browser.open(runs / "page.html", **window)
        page.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        for number in range(page.run("document.querySelectorAll('.player').length")):
            one = f"document.querySelectorAll('.player')[{number}]"
            page.run(f"{one}.scrollIntoView()")
            page.wait(f"{one}.player")
        assert page.run("document.documentElement.scrollWidth") <= page.run("innerWidth")
        assert page.run("document.images.length") == 0 and page.problems() == []
        assert [url for url in page.requested() if not url.startswith("file:")] == []
