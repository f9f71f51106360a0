"""What the published training got wrong with samples, each as a test.

2 (no best checkpoint, the wrong file for m2t) and 3 (codes without offset) are also tested where they belong:
tests/test_train_mllm.py, tests/models/language/test_vocabulary.py.
"""

import pytest
from datasets import disable_progress_bars
from transformers import AutoTokenizer

from dataset.cot.sample import Sample
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN, PromptStyle, query_of
from models.language.vocabulary import MotionVocabulary, read_codes
from models.policy.backbone import load_backbone
from models.policy.checkpoint import load_checkpoint
from models.sft.batch import IGNORED_LABEL, encode_sample
from models.sft.config import SupervisionConfig
from tests.models.languages import plain
from tests.models.sft.sft_runs import run_supervise

CHAT = PromptStyle("chat", "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n")
CODES = tuple(index % 16 for index in range(150))


@pytest.fixture
def vocabulary(backbone):
    return MotionVocabulary(AutoTokenizer.from_pretrained(backbone), nb_code=16)


@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_2_sft_writes_the_best_checkpoint_of_its_own_task(cot_jsonl, backbone, tmp_path, task):
    disable_progress_bars()
    run_supervise(cot_jsonl, backbone, tmp_path, None, epochs=1, tasks=(task,))
    assert load_checkpoint(tmp_path / f"motionllm_{task}_best.pth").tasks == (task,)
    assert sorted(path.name for path in tmp_path.glob("*.pth")) == [
        f"motionllm_{task}_best.pth", f"motionllm_{task}_latest.pth",
    ]  # fmt: skip


@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_3_codes_are_learned_and_read_as_their_own_tokens(vocabulary, task):
    ids = encode_sample(Sample(task, "someone jumps.", (0, 3, 15)), plain(vocabulary), SupervisionConfig()).input_ids
    assert [token_id for token_id in ids if token_id in vocabulary.code_ids] == [
        vocabulary.code_ids[c] for c in (0, 3, 15)
    ]
    assert min(vocabulary.code_ids) >= vocabulary.new_ids[0] > 16


@pytest.mark.parametrize("style", [PLAIN, CHAT])
@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_4_inference_asks_what_training_asked(backbone, motion_tokenizer, task, style):
    sample = Sample(task, "someone jumps twice.", (4, 9, 2), "The text says: jumps.")
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    asked = []
    plain_forward = model.forward

    def forward(input_ids, **settings):
        asked.append(input_ids[0].tolist())
        return plain_forward(input_ids=input_ids, **settings)

    model.forward = forward
    language = MotionLanguage(vocabulary, motion_tokenizer, style)
    llm = MotionLLM(model, language)
    llm.answer([query_of(sample)], Sampling(max_new_tokens=1))
    encoded = encode_sample(sample, language, SupervisionConfig(use_reasoning=True))
    trained_on = [i for i, label in zip(encoded.input_ids, encoded.labels, strict=True) if label == IGNORED_LABEL]
    assert asked == [trained_on]


@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_5_long_samples_are_whole(vocabulary, task):
    sample = Sample(task, "someone jumps " * 60, CODES, "The text says: jumps. " * 20)
    encoded = encode_sample(sample, plain(vocabulary), SupervisionConfig(use_reasoning=True, max_reasoning_tokens=64))
    assert len(encoded.input_ids) > 350
    assert read_codes(vocabulary.decode(encoded.input_ids)) == list(CODES)
    assert vocabulary.decode(encoded.input_ids).count("someone jumps") == 60
    assert encoded.input_ids[-1] == vocabulary.eos_id


@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_6_ends_are_real_tokens(vocabulary, task):
    """No beginning of sequence where the tokenizer has none; the end is an id of the vocabulary, not its letters."""
    assert vocabulary.tokenizer.bos_token_id is None
    encoded = encode_sample(Sample(task, "someone jumps.", (1, 2), "r"), plain(vocabulary), SupervisionConfig())
    assert all(isinstance(token_id, int) for token_id in encoded.input_ids)
    assert encoded.input_ids.count(vocabulary.eos_id) == 1 and encoded.labels[-1] == vocabulary.eos_id
    assert encoded.weights[-1] > 0
    assert "eos" not in vocabulary.tokenizer.decode(encoded.input_ids[:-1])


def test_6_a_trained_model_ends_its_replies(cot_jsonl, backbone, tmp_path, motion_tokenizer):
    disable_progress_bars()
    model = run_supervise(cot_jsonl, backbone, tmp_path, None, epochs=12, learning_rate=1e-2)
    vocabulary = MotionVocabulary(AutoTokenizer.from_pretrained(backbone), nb_code=16)
    llm = MotionLLM(model, plain(vocabulary, motion_tokenizer))
    queries = [
        query_of(Sample("t2m", caption, (1,))) for caption in ("someone jumps twice.", "a person walks forward slowly.")
    ]
    assert all(rollout.finished for rollout in llm.answer(queries, Sampling(temperature=0.0, max_new_tokens=80)))
