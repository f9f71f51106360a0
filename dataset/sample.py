"""One line of a chain-of-thought jsonl as a value: what the language model is trained on."""

from dataclasses import dataclass

TASKS = ("t2m", "m2t")


@dataclass(frozen=True)
class Sample:
    """A caption, the codes of a motion that it describes, and the reasoning that links them.

    Attributes:
        task: ``t2m`` (caption -> codes) or ``m2t`` (codes -> caption).
        caption: what the person does.
        codes: codebook indices in [0, nb_code), never vocabulary ids.
        reasoning: chain of thought; empty when the line has none.
        weight: factor on the loss of this sample.
        id: clip id where known.
    """

    task: str
    caption: str
    codes: tuple[int, ...]
    reasoning: str = ""
    weight: float = 1.0
    id: str = ""
