"""What has to be downloaded (or made), what for, and the command that gets it: the words of every message about it.

`prepare.assets.catalogue` says where each thing comes from; `prepare.check_assets` shows all of them.
"""

from dataclasses import dataclass

CHECK_COMMAND = "python -m prepare.check_assets"


@dataclass(frozen=True)
class AssetHint:
    """
    Attributes:
        needed_for: half a line.
        command: to be typed as it is, or a sentence where no command will do.
    """

    needed_for: str
    command: str


HINTS = {
    "evaluator-t2m": AssetHint(
        "evaluation and the consistency reward on HumanML3D", "python -m prepare.download evaluator-t2m"
    ),
    "evaluator-kit": AssetHint(
        "evaluation and the consistency reward on KIT-ML", "python -m prepare.download evaluator-kit"
    ),
    "glove": AssetHint(
        "prepare.train_evaluator and prepare.import_evaluator (word vectors)", "python -m prepare.download glove"
    ),
    "morl-weights": AssetHint("evaluation of the published MoRL", "python -m prepare.download morl-weights"),
    "motion-agent": AssetHint(
        "the published motion tokenizer and the language model before MoRL", "python -m prepare.download motion-agent"
    ),
    "cot-data": AssetHint("training on the published chains of thought", "python -m prepare.download cot-data"),
    "humanml3d": AssetHint(
        "evaluation, tokenizer and evaluator training (--dataname t2m)",
        "prepare/HUMANML3D.md (from AMASS, or as its authors hand it out); to try things out, python -m "
        "prepare.make_toy_dataset --out-dir data/toy",
    ),
    "kit-ml": AssetHint(
        "evaluation, tokenizer and evaluator training (--dataname kit)",
        "dataset/README.md (as its authors hand it out)",
    ),
    "backbone": AssetHint(
        "train_mllm.py, eval_mllm.py (--llm-backbone)",
        "hf download NAME, then --llm-backbone NAME; to try things out, python -m prepare.make_tiny_llm",
    ),
}  # fmt: skip


def how_to_get(name: str) -> str:
    """The end of a message about something missing; `name` is a key of `HINTS`."""
    return f"to get it: {HINTS[name].command} ({CHECK_COMMAND} shows all that is missing)"
