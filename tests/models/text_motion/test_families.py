"""A folder of either family judges and ranks, and every result says which."""

import json
import sys

import numpy as np
import pytest

import eval_mllm
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.families import FAMILIES, GUO, TMR, family_named
from tests.prepare.random_motions import random_evaluator, write_motions
from tests.test_eval_mllm import save_policy
from utils.errors import InputError
from utils.motion.skeleton import KIT

FEWEST = 33


def test_a_family_has_the_name_of_its_flag():
    assert {name: family.name for name, family in FAMILIES.items()} == {"guo": "guo", "tmr": "tmr"}
    assert (family_named("guo"), family_named("tmr")) == (GUO, TMR)
    for other in ("TMR", "", None, 3, ["tmr"]):
        with pytest.raises(InputError, match="expected one of guo, tmr"):
            family_named(other)


@pytest.mark.parametrize("family", FAMILIES)
def test_evaluators_of_kit_ml_too(tmp_path, family):
    evaluator = random_evaluator(KIT, family)
    evaluator.save(tmp_path)
    loaded = TextMotionEvaluator.load(tmp_path)
    assert (loaded.fingerprint, loaded.skeleton, loaded.feature_dim) == (evaluator.fingerprint, KIT, 251)
    assert loaded.embed_features([np.zeros((40, 251), np.float32)]).shape == (1, 12)


@pytest.mark.pipeline
@pytest.mark.parametrize(("judge", "ranker"), [("tmr", "guo"), ("guo", "tmr")])
def test_one_judges_and_the_other_ranks(tmp_path, monkeypatch, backbone, motion_tokenizer, judge, ranker):
    write_motions(tmp_path / "data", {"train": 8, "test": FEWEST})
    for name, family in (("judge", judge), ("ranker", ranker)):
        random_evaluator(family=family).save(tmp_path / name)
    policy = save_policy(tmp_path / "policy.pth", backbone, motion_tokenizer)
    given = ["--eval-task", "t2m", "--eval-ckpt", policy, "--data-root", tmp_path / "data", "--device", "cpu"]
    given += ["--eval-evaluator", tmp_path / "judge", "--reward-evaluator", tmp_path / "ranker", "--repeats", "2"]
    given += ["--use-com", "--com-candidates", "2", "--com-refine-steps", "1", "--com-scorers", "consistency=1"]
    given += ["--max-new-tokens", "12", "--quick", "--limit", FEWEST, "--out-dir", tmp_path, "--exp-name", "run"]
    monkeypatch.setattr(sys, "argv", ["eval_mllm.py", *map(str, given)])
    eval_mllm.main()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    fingerprint = TextMotionEvaluator.load(tmp_path / "judge").fingerprint
    assert f"eval:{fingerprint}|" in results["rows"]["real"]["R@1"]["signature"]
    assert fingerprint.startswith("tmr-") == (judge == "tmr")
    signature = results["rows"]["generated"]["Well-formed"]["signature"]
    assert "|com:2x1|" in signature and "notes" not in signature  # the judge neither rewarded nor ranked
