"""The page of the launchers prints what the arithmetic of hours says, and the arithmetic is right by hand."""

import pytest

from tests.benchmarks.training_hours import MODELS, Assumed, beside_a_server, grpo, sft, table
from tests.places import ROOT


def test_the_page_holds_the_table():
    assert table(Assumed()) in (ROOT / "options" / "accelerate" / "README.md").read_text()


def test_models_have_their_published_sizes():
    assert [round(model.weights / 1e9, 2) for model in MODELS] == [0.60, 1.72, 4.02]


def test_a_step_by_hand():
    model, given = MODELS[-1], Assumed(lines=6000, batch=6, peak=1e15, share=0.2, rank=64)
    one, many = sft(model, 1, given), sft(model, 64, given)
    assert (one.steps, many.steps) == (1000, 16)
    # 6 x 4.02e9 weights x 1,200 tokens / 2e14 a second
    assert one.parts == {"arithmetic": pytest.approx(0.1448, rel=1e-3), "sum": 0}
    # twice 132 million gradients of 4 bytes, at 50 GB a second
    assert many.parts["sum"] == pytest.approx(0.0211, rel=1e-2) and one.hours == pytest.approx(0.0402, rel=1e-2)
    # 100 tokens x (36 layers x 0.9 ms + (8.04 GB of weights + 48 x 150 x 147 KB) / 2.01 TB a second)
    assert grpo(model, 1, given).parts["replies"] == pytest.approx(3.24 + 0.400 + 0.0528, rel=1e-3)
    assert grpo(model, 1, given, engine=True).parts["replies"] == pytest.approx(0.18 + 0.453, rel=1e-2)
    # 100 x (36 x 0.05 ms + (8.04 GB + 8 x 48 x 150 x 147 KB) / 2.01 TB), and 2 x 132 million x 4 bytes at 1 GB a second
    shared = beside_a_server(model, 8, given).parts
    assert shared["replies"] == pytest.approx(0.18 + 0.400 + 0.4227, rel=1e-2)
    assert shared["adapter"] == pytest.approx(1.057, rel=1e-2)
    assert shared["arithmetic"] == grpo(model, 8, given).parts["arithmetic"]  # none of the learning moves
