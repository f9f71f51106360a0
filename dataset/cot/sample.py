"""A line of a chain-of-thought jsonl is a `Sample`: what the language model is trained on."""

from dataclasses import dataclass

TASKS = ("t2m", "m2t")


@dataclass(frozen=True)
class Draft:
    """An attempt that a sample improves on: what the query of a reflection shows.

    Attributes:
        reasoning: of the attempt.
        caption: of the attempt.
        lacking_t2m: what the attempt's motion lacks for the sample's caption, in words; may be empty.
        lacking_m2t: what the attempt's caption lacks for the sample's motion, in words; may be empty.
    """

    reasoning: str
    caption: str
    lacking_t2m: str = ""
    lacking_m2t: str = ""

    def lacking(self, task: str) -> str:
        return {"t2m": self.lacking_t2m, "m2t": self.lacking_m2t}[task]


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
        draft: a worse attempt at the same, where the line has one.
    """

    task: str
    caption: str
    codes: tuple[int, ...]
    reasoning: str = ""
    weight: float = 1.0
    id: str = ""
    draft: Draft | None = None
