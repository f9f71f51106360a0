"""Replies that choose a checkpoint are the ones that eval_mllm.py would judge, and are judged as it does."""

import json
import os
import subprocess

import numpy as np
import pytest
import torch

from dataset.humanml.layout import read_split, tagger_of
from models.evaluation.captions import CaptionScoring
from models.evaluation.evaluate import judge_replies
from models.evaluation.judge import Judge
from models.evaluation.predictions import Prediction, from_reply, with_motions
from models.evaluation.questions import Questions
from models.evaluation.reply_validation import HeldOutClips, ReplyValidation
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.text_motion.evaluator import TextMotionEvaluator
from tests.models.languages import plain
from tests.models.sft.sft_runs import plain_policy
from tests.places import ROOT
from tests.prepare.random_motions import random_evaluator, write_motions
from tests.warm_python import warm_python
from utils.errors import InputError
from utils.metrics.criteria import CRITERIA
from utils.motion.skeleton import T2M

CLIPS = 34
SAMPLING = Sampling(temperature=1.0, max_new_tokens=12, seed=7)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_motions(folder / "data", {"train": 8, "val": CLIPS})
    for name, family in (("judge", "guo"), ("transformer", "tmr")):
        random_evaluator(family=family).save(folder / name)
    return folder


@pytest.fixture
def start(backbone):
    return plain_policy(backbone)


def validation(world, start, motion_tokenizer, name="CIDEr", tasks=("t2m", "m2t"), evaluator="judge"):
    clips = HeldOutClips(str(world / "data"), 33, str(world / evaluator))
    language = plain(start.language.vocabulary, motion_tokenizer)
    return ReplyValidation.of_folder(CRITERIA[name], clips, tasks, language, SAMPLING, torch.device("cpu"))


@pytest.mark.parametrize("evaluator", ["judge", "transformer"])
def test_the_numbers_are_those_of_an_evaluation(world, start, motion_tokenizer, evaluator):
    start.model.train()
    found = validation(world, start, motion_tokenizer, evaluator=evaluator)(start.model)
    records = read_split(world / "data", "val", T2M)[:33]
    judge = Judge(TextMotionEvaluator.load(world / evaluator), 1, SAMPLING.seed)
    tagger = tagger_of(str(world / "data"), T2M)
    expected = {}
    for task in ("t2m", "m2t"):
        questions = Questions(task, tuple(records), tagger, SAMPLING.seed)
        llm = MotionLLM(start.model, plain(start.language.vocabulary, motion_tokenizer))
        replies = llm.answer(questions.queries(motion_tokenizer)[0], SAMPLING)
        row = [from_reply(Prediction(r.id, 0, text=r.text, finished=r.finished), task) for r in replies]
        draws = [with_motions(row, motion_tokenizer)]
        expected[task] = judge_replies(questions, draws, judge, CaptionScoring()).metrics
    assert found["well_formed_t2m"] == expected["t2m"]["Well-formed"].mean
    assert found["CIDEr"] == pytest.approx(expected["m2t"]["CIDEr"].mean)
    assert found["BLEU@4"] == pytest.approx(expected["m2t"]["BLEU@4"].mean)
    fid = expected["t2m"]["FID"].mean  # random weights: too few usable replies for a FID, which is then left out
    assert ("FID" in found) == (fid is not None) and np.isfinite(list(found.values())).all()
    assert validation(world, start, motion_tokenizer, evaluator=evaluator)(start.model) == found


def test_what_is_missing_is_named(world, start, motion_tokenizer):
    for words, changes in (
        ("judges t2m, but m2t is trained", {"name": "FID", "tasks": ("m2t",)}),
        ("give --val-evaluator", {"evaluator": "nobody"}),
    ):
        with pytest.raises(InputError, match=words):
            validation(world, start, motion_tokenizer, **changes)
    with pytest.raises(InputError, match="needs --motion-tokenizer"):
        validation(world, start, None)


SCRIPT = """
import json
import sys
import torch
from accelerate import PartialState
from utils.metrics.criteria import CRITERIA
from models.evaluation.reply_validation import HeldOutClips, ReplyValidation
from models.language.decoding import Sampling
from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN
from models.policy.backbone import load_backbone
from models.tokenizer.motion_tokenizer import MotionTokenizer

world, backbone, out = sys.argv[1:]
PartialState(cpu=True)
model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
model = model.double()
replies = ReplyValidation.of_folder(
    CRITERIA["CIDEr"],
    HeldOutClips(world + "/data", 33, world + "/judge"),
    ("t2m", "m2t"),
    MotionLanguage(vocabulary, MotionTokenizer.load(world + "/tokenizer.pth"), PLAIN),
    Sampling(temperature=1.0, max_new_tokens=12, seed=7),
    torch.device("cpu"),
)
metrics = replies(model)
with open(f"{out}-{PartialState().process_index}", "w") as file:
    json.dump({"metrics": metrics, "processes": PartialState().num_processes}, file)
"""


@pytest.mark.pipeline
def test_processes_share_the_questions_and_agree_on_the_numbers(world, backbone, motion_tokenizer, tmp_path):
    motion_tokenizer.save(world / "tokenizer.pth")
    (tmp_path / "ask.py").write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}

    def ask(name, *launcher):
        words = [warm_python(environment), *launcher, tmp_path / "ask.py", world, backbone, tmp_path / name]
        done = subprocess.run(
            [*map(str, words)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return [json.loads(file.read_text()) for file in sorted(tmp_path.glob(f"{name}-*"))]

    (one,) = ask("one")
    first, second = ask("two", "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    assert (one["processes"], first["processes"]) == (1, 2)
    assert first["metrics"] == second["metrics"] == pytest.approx(one["metrics"])
    assert {"CIDEr", "well_formed_t2m", "well_formed_m2t"} <= one["metrics"].keys()
