"""Replies that choose a checkpoint are the ones that eval_mllm.py would judge, and are judged as it does."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from dataset.humanml.layout import read_split, tagger_of
from models.evaluation.captions import judge_captions
from models.evaluation.judge import Judge
from models.evaluation.motions import judge_motions
from models.evaluation.predictions import Prediction, from_reply, with_motions
from models.evaluation.questions import Questions
from models.evaluation.reply_validation import ReplyValidation
from models.language.motion_llm import MotionLLM, Sampling
from models.language.prompts import PLAIN
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig
from models.policy.policy import Start
from models.text_motion.evaluator import TextMotionEvaluator
from tests.places import ROOT
from tests.prepare.random_motions import random_evaluator, write_motions
from utils.errors import InputError
from utils.metrics.criteria import CRITERIA
from utils.motion.skeleton import T2M

CLIPS = 34
SAMPLING = Sampling(temperature=1.0, max_new_tokens=12, seed=7)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_motions(folder / "data", {"train": 8, "val": CLIPS})
    random_evaluator().save(folder / "judge")
    return folder


@pytest.fixture
def start(backbone):
    model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
    return Start(model, vocabulary, Checkpoint(PolicyConfig(backbone, 16, text_vocabulary)))


def validation(world, start, motion_tokenizer, name="CIDEr", tasks=("t2m", "m2t"), evaluator="judge"):
    return ReplyValidation.of_folder(
        CRITERIA[name], str(world / "data"), tasks, 33, str(world / evaluator), start, motion_tokenizer, SAMPLING,
        torch.device("cpu"),
    )  # fmt: skip


def test_the_numbers_are_those_of_an_evaluation(world, start, motion_tokenizer):
    start.model.train()
    found = validation(world, start, motion_tokenizer)(start.model)
    records = read_split(world / "data", "val", T2M)[:33]
    judge = Judge(TextMotionEvaluator.load(world / "judge"), 1, SAMPLING.seed)
    tagger = tagger_of(str(world / "data"), T2M)
    expected = {}
    for task in ("t2m", "m2t"):
        questions = Questions.draw(task, records, tagger, SAMPLING.seed)
        llm = MotionLLM(start.model, start.vocabulary, motion_tokenizer, PLAIN)
        replies = llm.answer(questions.queries(motion_tokenizer), SAMPLING)
        row = [from_reply(Prediction(r.id, 0, text=r.text, finished=r.finished), task) for r in replies]
        draws = [with_motions(row, motion_tokenizer)]
        if task == "t2m":
            tokens = [caption.tokens for caption in questions.captions]
            metrics = judge_motions(draws, tokens, [record.features for record in records], judge).metrics
        else:
            metrics = judge_captions(draws, records, tagger, judge, "raw").metrics
        expected[task] = metrics
    assert found["well_formed_t2m"] == expected["t2m"]["Well-formed"].mean
    assert found["CIDEr"] == pytest.approx(expected["m2t"]["CIDEr"].mean)
    assert found["BLEU@4"] == pytest.approx(expected["m2t"]["BLEU@4"].mean)
    fid = expected["t2m"]["FID"].mean  # random weights: too few usable replies for a FID, which is then left out
    assert ("FID" in found) == (fid is not None) and np.isfinite(list(found.values())).all()
    assert validation(world, start, motion_tokenizer)(start.model) == found


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
from models.policy.checkpoint import Checkpoint, PolicyConfig
from models.language.motion_llm import Sampling
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.policy.policy import Start, load_backbone
from models.evaluation.reply_validation import ReplyValidation

world, backbone, out = sys.argv[1:]
PartialState(cpu=True)
model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
start = Start(model.double(), vocabulary, Checkpoint(PolicyConfig(backbone, 16, text_vocabulary)))
replies = ReplyValidation.of_folder(
    CRITERIA["CIDEr"], world + "/data", ("t2m", "m2t"), 33, world + "/judge", start,
    MotionTokenizer.load(world + "/tokenizer.pth"), Sampling(temperature=1.0, max_new_tokens=12, seed=7),
    torch.device("cpu"),
)
metrics = replies(start.model)
with open(f"{out}-{PartialState().process_index}", "w") as file:
    json.dump({"metrics": metrics, "processes": PartialState().num_processes}, file)
"""


@pytest.mark.pipeline
def test_processes_share_the_questions_and_agree_on_the_numbers(world, backbone, motion_tokenizer, tmp_path):
    motion_tokenizer.save(world / "tokenizer.pth")
    (tmp_path / "ask.py").write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}

    def ask(name, *launcher):
        words = [sys.executable, *launcher, tmp_path / "ask.py", world, backbone, tmp_path / name]
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
