"""Reflections in GRPO: prompts with the policy's own drafts, and the reward for doing better than these."""

import json

import pytest
import torch

from dataset.cot.samples import read_cot_jsonl
from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN, Reflection, render_query
from models.language.replies import parse_reply
from models.language.vocabulary import MotionVocabulary
from models.policy.backbone import load_text_tokenizer
from rewards.base import RewardContext
from rewards.grpo.prompts import draw_prompts, query_of_row
from rewards.grpo.reflection import Reflections
from rewards.grpo.rules import Reflecting, ReplyRules
from rewards.grpo.scoring import GrpoRewards
from rewards.lacking import Lacking
from rewards.mixture.loading import build_rewards
from tests.rewards.grpo.grpo_runs import TASKS, run_grpo
from utils.motion.skeleton import T2M

GROUP = 4
DRAFTS = {
    "t2m": "First a step.</think><answer><Motion>" + "".join(f"<Motion_{c}>" for c in range(8)) + "</Motion></answer>",
    "m2t": "I see a step.</think><answer>a person steps.</answer>",
}


class Trial:
    """Prompts of both tasks, and a policy that always writes the same draft."""

    def __init__(self, cot_jsonl, backbone, motion_tokenizer):
        self.vocabulary = MotionVocabulary(load_text_tokenizer(backbone), 16)
        self.language = MotionLanguage(self.vocabulary, motion_tokenizer, PLAIN)
        self.rewards = build_rewards({"format": 0.5}, RewardContext(T2M, 16))
        prompts = draw_prompts(read_cot_jsonl(cot_jsonl, nb_code=16), TASKS, 8, 0)
        self.rows = [row for row in prompts.rows(self.language) for _ in range(GROUP)]
        self.asked = []

    def sample(self, prompts):
        self.asked.append(prompts)
        drafts = [DRAFTS["t2m" if "Text: " in prompt else "m2t"] for prompt in prompts]
        return [[*self.vocabulary.encode(draft), self.vocabulary.eos_id] for draft in drafts]

    def rewrite(self, share, step=0, seed=0):
        reflections = Reflections(share, seed, GROUP, self.rewards, self.language)
        return reflections.rewrite(self.rows, step, self.sample)


@pytest.fixture
def trial(cot_jsonl, backbone, motion_tokenizer):
    return Trial(cot_jsonl, backbone, motion_tokenizer)


def test_a_reflection_shows_the_draft_as_chain_of_motion_does(trial):
    rewritten = trial.rewrite(1.0)
    lacking = Lacking(T2M, 16)
    assert trial.asked == [[row["prompt"] for row in trial.rows[::GROUP]]]  # one draft a group
    for before, after in zip(trial.rows, rewritten, strict=True):
        draft = parse_reply(DRAFTS[before["task"]], before["task"])
        query = query_of_row(before)
        ids = [*trial.vocabulary.encode(DRAFTS[query.task]), trial.vocabulary.eos_id]
        (words,) = lacking(trial.language.read([query], [ids]))
        assert "malformed" not in words and "does not end" not in words
        shown = Reflection(draft.reasoning, draft.answer if query.task == "m2t" else "", words)
        assert after["prompt"] == render_query(type(query)(query.task, query.caption, query.codes, shown), PLAIN)
        assert after["draft_score"] == 0.5  # well formed: 1 x weight 0.5
        assert {name: after[name] for name in before if name != "prompt"} == {
            name: value for name, value in before.items() if name != "prompt"
        }
        assert not any(reference in after["prompt"] for reference in before["references"]) or query.task == "t2m"


def test_the_share_is_drawn_anew_each_step_and_the_same_for_a_whole_group(trial):
    chosen = []
    for step in range(50):
        rewritten = trial.rewrite(0.3, step)
        flags = [row["draft_score"] is not None for row in rewritten]
        assert all(len(set(flags[start : start + GROUP])) == 1 for start in range(0, len(flags), GROUP))
        assert [
            flag == (row["prompt"] != old["prompt"])
            for flag, row, old in zip(flags, rewritten, trial.rows, strict=True)
        ]
        chosen.append(tuple(flags[::GROUP]))
    assert 0.2 < sum(map(sum, chosen)) / (50 * 8) < 0.4
    assert len(set(chosen)) > 10
    again = trial.rewrite(0.3, 7)
    assert tuple(row["draft_score"] is not None for row in again[::GROUP]) == chosen[7]


def test_improvement_is_what_a_reply_earns_above_its_draft(trial):
    scorer = GrpoRewards(trial.rewards, trial.language, with_improvement=True)
    rows = [dict(trial.rows[0], draft_score=score) for score in (-0.25, 0.5, None)]
    good = [*trial.vocabulary.encode(DRAFTS[rows[0]["task"]]), trial.vocabulary.eos_id]
    functions = {function.__name__: function for function in scorer.functions()}
    assert list(functions) == ["format", "improvement"]
    numbers, columns = scorer.score(rows, [good, good, good], with_terms=False)
    assert functions["format"](completion_ids=[]) == [1.0, 1.0, 1.0]
    assert functions["improvement"](completion_ids=[]) == [0.75, 0.0, None]
    assert numbers["well_formed"] == 1.0 and columns["text"] == [DRAFTS[rows[0]["task"]]] * 3
    assert scorer.take_earned().totals == [0.5, 0.5, 0.5] and scorer.take_earned().totals == []


def test_a_run_trains_on_reflections_and_logs_the_improvement(tmp_path, cot_jsonl, backbone, motion_tokenizer):
    run_grpo(tmp_path / "run", cot_jsonl, backbone, motion_tokenizer, rules=ReplyRules(reflecting=Reflecting(1.0, 1.0)))
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "reward" in row]
    assert all("rewards/improvement/mean" in row and row["rewards/improvement/none"] == 0 for row in steps)
    shown = (tmp_path / "run" / "samples" / "replies.jsonl").read_text().splitlines()
    assert shown and all("Earlier attempt: " in json.loads(line)["prompt"] for line in shown)
    weights = torch.load(tmp_path / "run" / "motionllm_rlvr_latest.pth", weights_only=True)["parts"][-1]["weights"]
    assert any(value.abs().max() > 0 for name, value in weights.items() if "lora_B" in name)
