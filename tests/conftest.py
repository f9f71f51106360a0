"""The smallest real things that several tests need: a tiny Qwen3, a motion tokenizer, a CoT jsonl."""

import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

NB_CODE = 16
CAPTIONS = ("a person walks forward slowly.", "someone jumps twice.", "a person turns right and waves.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test comes first: begun last, it would keep one process busy when the others have finished."""
    items.sort(key=lambda item: item.path.name != "test_quickstart.py")


@pytest.fixture(autouse=True)
def the_level_of_logging() -> Iterator[None]:
    """Commands that run inside a test set it; the next test begins as if they had not."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


@pytest.fixture(scope="session")
def cot_jsonl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """45 lines, 15 clips of 3 kinds; the codes follow from the caption."""
    path = tmp_path_factory.mktemp("cot") / "cot_train.jsonl"
    rng = random.Random(0)
    rows = []
    for clip in range(15):
        kind = clip % 3
        codes = [kind * 5 + step % 5 for step in range(rng.randrange(6, 10))]
        for _ in range(3):
            reasoning = f"The text says: {CAPTIONS[kind]}"
            rows.append({"id": f"c{clip}", "caption": CAPTIONS[kind], "motion_tokens": codes, "reasoning": reasoning})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory, cot_jsonl: Path) -> str:
    """Folder of a random Qwen3 of 64 x 2."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from dataset.cot.samples import read_cot_jsonl
    from prepare.make_tiny_llm import train_tokenizer, training_text

    folder = tmp_path_factory.mktemp("backbone")
    tokenizer = train_tokenizer(training_text(read_cot_jsonl(cot_jsonl, NB_CODE)), vocab_size=350)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, head_dim=32, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def motion_tokenizer():
    """Random weights, 16 codes."""
    from models.tokenizer.motion_tokenizer import MotionTokenizer
    from models.tokenizer.network import MotionVQ, NetworkConfig
    from utils.motion.skeleton import T2M

    torch.manual_seed(0)
    config = NetworkConfig(feature_dim=263, nb_code=NB_CODE, code_dim=16, width=16, depth=1, output_emb_width=16)
    return MotionTokenizer(MotionVQ(config), np.zeros(263, np.float32), np.ones(263, np.float32), T2M)
