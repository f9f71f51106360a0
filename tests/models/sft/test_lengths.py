"""Budgets of tokens hold what the data hold."""

from dataset.cot.sample import Sample
from dataset.cot.samples import read_cot_jsonl, write_cot_jsonl
from models.policy.backbone import load_text_tokenizer
from models.sft.lengths import Lengths, lengths_of


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
