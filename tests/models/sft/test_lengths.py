"""Budgets of tokens hold what the data hold."""

import torch
from datasets import Dataset, disable_progress_bars

from dataset.cot.sample import Sample
from dataset.cot.samples import read_cot_jsonl, write_cot_jsonl
from models.policy.backbone import load_text_tokenizer
from models.sft.lengths import Lengths, batches_of_a_step, lengths_of
from tests.models.sft.sft_runs import run_supervise
from utils.files.json_files import read_jsonl


def written(path, *samples):
    write_cot_jsonl(path, samples)
    return read_cot_jsonl(path, nb_code=16)


def test_the_longest_motion_and_what_few_texts_exceed(tmp_path, backbone):
    tokenizer = load_text_tokenizer(backbone)
    text = "a person walks forward slowly"
    count = len(tokenizer(text, add_special_tokens=False)["input_ids"])
    common = [Sample("t2m", text, (1,) * 9, text, id=str(n)) for n in range(2000)]
    odd = Sample("t2m", text * 50, (1,) * 33, text * 50, id="long")
    found = lengths_of([written(tmp_path / "a.jsonl", *common), written(tmp_path / "b.jsonl", odd)], tokenizer)
    rounded = -(-(count + 1) // 8) * 8  # with </think>
    assert found == Lengths(rounded, 40, -(-count // 8) * 8)
    # Two in two thousand are more than one in a thousand.
    more = written(tmp_path / "c.jsonl", *common[:1000], odd, odd)
    assert lengths_of([more], tokenizer).reasoning > 50 * count


def test_without_reasoning_there_is_the_published_budget(tmp_path, backbone):
    samples = written(tmp_path / "a.jsonl", Sample("t2m", "walks", (1,) * 8, "", id="a"))
    assert lengths_of([samples], load_text_tokenizer(backbone)) == Lengths(256, 8, 8)


def test_a_step_has_about_as_many_tokens_as_were_asked_for(cot_jsonl, backbone, tmp_path):
    disable_progress_bars()
    steps = {}
    for tokens in (None, 1, 10**6):
        run_supervise(cot_jsonl, backbone, tmp_path / f"{tokens}", None, epochs=1, tokens_per_step=tokens)
        rows = read_jsonl(tmp_path / f"{tokens}" / "metrics.jsonl")
        steps[tokens] = max(row["step"] for row in rows)
    assert steps[None] == steps[1] > steps[10**6] == 1


def test_batches_of_a_step_are_counted_without_padding():
    rows = Dataset.from_list([{"row": n, "task": "t2m"} for n in range(1000)])

    def collator(some):
        mask = torch.zeros(len(some), 99)
        mask[:, :50] = 1
        return {"attention_mask": mask}

    assert [batches_of_a_step(tokens, collator, rows, 8) for tokens in (1, 400, 1000, 4000)] == [1, 1, 2, 10]
