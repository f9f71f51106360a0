"""The memory table of options/accelerate/README.md: its sums by hand, and its peaks by the steps themselves."""

import pytest

from tests.benchmarks.memory_table import LORA, ROW_MULTIPLE, on_meta, row
from tests.benchmarks.training_hours import MODELS
from tests.places import ROOT


def rows_of_the_page():
    """{model: numbers in GB}."""
    text = (ROOT / "options/accelerate/README.md").read_text("utf-8")
    section = text.partition("\n## Memory\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| Qwen3")]
    return {name: [float(number) for number in numbers] for name, *numbers in rows}


@pytest.mark.parametrize("sizes", MODELS, ids=lambda sizes: sizes.name)
def test_weights_and_what_is_trained_by_hand(sizes):
    model = on_meta(sizes, "sft")
    assert model.get_input_embeddings().weight.shape == (152_192, sizes.hidden) and 152_192 % ROW_MULTIPLE == 0
    # Seven projections, two norms of the hidden state and two of a head in each layer; a norm at the end.
    projections = sum(rows * columns for rows, columns in sizes.projections)
    layers = sizes.layers * (projections + 2 * sizes.hidden + 2 * 128)
    weights = layers + 152_192 * sizes.hidden + sizes.hidden
    trained = sizes.adapter(LORA.r) + 516 * sizes.hidden  # 512 codes, 4 tags that Qwen3 does not know
    of_model = [weight.numel() for weight in model.parameters() if weight.requires_grad]
    assert sum(of_model) == trained
    assert sum(weight.numel() for weight in model.parameters()) == weights + trained
    # 2 bytes in bf16; in float32 4 each for weight, gradient and two averages.
    on_page = rows_of_the_page()[sizes.name]
    assert on_page[:2] == pytest.approx([2 * weights / 1e9, 16 * trained / 1e9], rel=0.01)


def test_the_peaks_are_those_of_the_steps():
    four_billion = MODELS[-1]
    assert four_billion.name == "Qwen3-4B"
    assert row(four_billion) == pytest.approx(rows_of_the_page()["Qwen3-4B"], rel=0.05)
