"""--eval-evaluator none and --rescore: replies are made once, and judged when there is somebody to judge them."""

import json
import sys

import pytest

import eval_mllm
from models.engines.transformers_engine import TransformersEngine
from tests.prepare.random_motions import random_evaluator
from tests.test_eval_mllm import NUMBERS, generated, run, world  # noqa: F401
from utils.errors import InputError

SMALL = ["--limit", "33", "--samples", "2"]


def again(world, monkeypatch, name, evaluator, *more):  # noqa: F811
    """--rescore of a finished evaluation by its name alone -> (its folder, results.json, predictions)."""
    given = ["--exp-name", name, "--out-dir", world / "runs", "--rescore", evaluator, *more]
    monkeypatch.setattr(sys, "argv", ["eval_mllm.py", *map(str, given)])
    with monkeypatch.context() as patch:
        patch.setattr(TransformersEngine, "generate", lambda *_: pytest.fail("the model was asked again"))
        eval_mllm.main()
    (folder,) = [path for path in (world / "runs" / name).glob(f"rescored_{evaluator.name}*") if path.is_dir()]
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    return folder, json.loads((folder / "results.json").read_text()), rows


def numbers_of(results):
    return {row: {name: (value["mean"], value["interval"]) for name, value in metrics.items()}
            for row, metrics in results["rows"].items()}  # fmt: skip


@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_what_nobody_judged_is_judged_later_as_if_it_had_been_judged_at_once(world, monkeypatch, capsys, task):  # noqa: F811
    at_once, rows = run(world, monkeypatch, f"at_once_{task}", *generated(world), *SMALL, task=task)
    given = [*generated(world), *SMALL, "--eval-evaluator", "none"]
    without, _ = run(world, monkeypatch, f"without_{task}", *given, task=task)
    printed = capsys.readouterr().out
    generated_row = without["rows"]["generated"]
    assert without["about"]["evaluator"] is None and "no evaluator judged" in printed
    assert not {"R@1", "MM-Dist", "FID", "Diversity"} & generated_row.keys()
    kept = ("Well-formed", *(("Skating",) if task == "t2m" else ("BLEU@1", "CIDEr")))
    assert [generated_row[name]["mean"] for name in kept] == [
        at_once["rows"]["generated"][name]["mean"] for name in kept
    ]

    with pytest.raises(InputError, match=r"eval_evaluator was 'none', now .*judge its replies again by --rescore EVAL"):
        run(world, monkeypatch, f"without_{task}", *generated(world), *SMALL, task=task)
    folder, later, judged = again(world, monkeypatch, f"without_{task}", world / "judge")
    assert numbers_of(later) == numbers_of(at_once) and judged == rows
    assert later["about"] == at_once["about"]  # who made the replies, how, and who judged: nothing of it is lost
    run(world, monkeypatch, f"without_{task}", *given, task=task)
    assert "already finished" in capsys.readouterr().out  # the run is as it was
    again(world, monkeypatch, f"without_{task}", world / "judge")
    assert f"already finished {folder / 'results.json'}" in capsys.readouterr().out


def test_another_judge_sees_other_numbers_and_the_signature_says_who_was_partial(world, monkeypatch, capsys):  # noqa: F811
    other = world / "other"
    random_evaluator(seed=5).save(other)
    com = ["--use-com", "--com-candidates", "2", "--com-refine-steps", "1", "--reward-evaluator", other]
    first, _ = run(world, monkeypatch, "ranked", *generated(world), "--limit", "4", *com)
    assert first["about"]["notes"] is None
    _, by_ranker, _ = again(world, monkeypatch, "ranked", other)
    assert by_ranker["about"]["notes"] == "judge=ranker" and by_ranker["about"]["com"] == "2x1"
    assert by_ranker["about"]["evaluator"] == random_evaluator(seed=5).fingerprint
    assert by_ranker["chain_of_motion"] == first["chain_of_motion"]
    eval_mllm.main()  # the same command shows it
    assert "already finished" in capsys.readouterr().out


def test_two_judges_of_one_name_have_a_run_each(world, monkeypatch, capsys):  # noqa: F811
    given = ["--eval-ckpt", world / "policy.pth", "--max-new-tokens", "8", "--limit", "4"]
    run(world, monkeypatch, "twice", *given, task="m2t")
    judges = [world / side / "judge" for side in ("a", "b")]
    for seed, judge in enumerate(judges, start=20):
        random_evaluator(seed=seed).save(judge)
        monkeypatch.setattr(sys, "argv", ["eval_mllm.py", "--exp-name", "twice", "--out-dir", str(world / "runs"),
                                          "--rescore", str(judge)])  # fmt: skip
        eval_mllm.main()
    folders = sorted((world / "runs" / "twice").glob("rescored_judge*"))
    assert len(folders) == 2 and folders[0].name == "rescored_judge"
    results = [json.loads((folder / "results.json").read_text())["about"]["evaluator"] for folder in folders]
    assert results == [random_evaluator(seed=seed).fingerprint for seed in (20, 21)]
    # Each is shown its own numbers again, wherever it lies by now.
    capsys.readouterr()
    (world / "b").rename(world / "c")
    monkeypatch.setattr(sys, "argv", [*sys.argv[:-1], str(world / "c" / "judge")])
    eval_mllm.main()
    assert f"already finished {folders[1] / 'results.json'}" in capsys.readouterr().out


def test_captions_can_be_compared_by_another_protocol(world, monkeypatch):  # noqa: F811
    given = ["--eval-ckpt", world / "policy.pth", "--max-new-tokens", "8", "--limit", "4"]
    run(world, monkeypatch, "spoken", *given, task="m2t")
    folder, results, _ = again(world, monkeypatch, "spoken", world / "judge", "--m2t-protocol", "words")
    assert folder.name == "rescored_judge_words" and results["about"]["protocol"] == "words"


def test_a_flag_that_is_given_counts_also_where_it_is_the_default(world, monkeypatch):  # noqa: F811
    given = ["--eval-ckpt", world / "policy.pth", "--max-new-tokens", "8", "--limit", "4", "--m2t-protocol", "words"]
    run(world, monkeypatch, "in words", *given, task="m2t")
    folder, results, _ = again(world, monkeypatch, "in words", world / "judge", "--m2t-protocol", "ptb")
    assert folder.name == "rescored_judge_ptb" and results["about"]["protocol"] == "ptb"
    with pytest.raises(InputError, match=r"eval_split was .test., now .val."):
        again(world, monkeypatch, "in words", world / "judge", "--eval-split", "val")
    with pytest.raises(InputError, match="--save-motions: only t2m answers with motions"):
        again(world, monkeypatch, "in words", world / "judge", "--save-motions", "npy")


@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_evaluations_of_earlier_versions_are_judged_again_too(world, monkeypatch, task):  # noqa: F811
    run(world, monkeypatch, f"early {task}", *generated(world), "--limit", "4", task=task)
    folder = world / "runs" / f"early {task}"
    asked = json.loads((folder / "args.json").read_text())
    del asked["rescore"]
    asked |= {"mm_repeats": None, "temperature": None, **({"m2t_protocol": "raw"} if task == "m2t" else {})}
    (folder / "args.json").write_text(json.dumps(asked))
    made = folder / "results.json"
    made.write_text(made.read_text().replace("|v:2.0", "|v:1.1"))
    _, results, _ = again(world, monkeypatch, f"early {task}", world / "judge")
    assert results["about"]["notes"] == "replies=v1.1"
    assert results["sampling"]["temperature"] == (0.7 if task == "t2m" else 0)


def test_the_whole_command_names_a_run_too(world, monkeypatch, caplog):  # noqa: F811
    """Also with what is not measured again: MultiModality, whose replies are not kept."""
    given = [*generated(world), "--limit", "4", "--mm-repeats", "3"]
    run(world, monkeypatch, "whole", *given, "--engine", "transformers")
    with pytest.raises(InputError, match=r"mm_repeats was 3, now 4"):
        again(world, monkeypatch, "whole", world / "judge", *given[:-1], "4")
    with caplog.at_level("INFO"):
        again(
            world, monkeypatch, "whole", world / "judge", *given, "--quick", "--any-posture", "--engine", "transformers"
        )
    assert "MultiModality is not measured again" in caplog.text


def test_mistakes_are_told(world, monkeypatch):  # noqa: F811
    with pytest.raises(InputError, match="holds no finished evaluation"):
        again(world, monkeypatch, "nowhere", world / "judge")
    run(world, monkeypatch, "told", *generated(world), "--limit", "3")
    with pytest.raises(InputError, match=r"made with other arguments .limit was 3, now 5.: leave them out"):
        again(world, monkeypatch, "told", world / "judge", "--limit", "5")
    with pytest.raises(InputError, match="give --exp-name of the finished evaluation"):
        monkeypatch.setattr(sys, "argv", ["eval_mllm.py", "--rescore", str(world / "judge")])
        eval_mllm.main()
    other = world / "data" / "Mean.npy"
    with pytest.raises(InputError, match="made of something else"):
        again(world, monkeypatch, "told", world / "judge", "--eval-ckpt", other)
    with pytest.raises(InputError, match="MultiModality needs an evaluator"):
        run(world, monkeypatch, "mm", *generated(world), "--eval-evaluator", "none", "--mm-repeats", "2")
