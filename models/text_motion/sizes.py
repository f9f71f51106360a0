"""The sizes of the networks of both families, published ones first: flags name them, and do not wait for torch."""

from dataclasses import dataclass

from dataset.humanml.pairs import FRAMES_PER_UNIT
from utils.errors import InputError

HEADS = 4  # as in TMR, at every width: weights do not tell how many there were
FRAMES_A_TOKEN = (1, 2, FRAMES_PER_UNIT)  # what divides the units that motions are cut to


@dataclass(frozen=True)
class EvaluatorSizes:
    """The widths of the three networks; the defaults are the published ones."""

    movement_hidden: int = 512
    movement_size: int = 512
    text_hidden: int = 512
    motion_hidden: int = 1024
    embedding_size: int = 512
    word_size: int = 300
    pos_size: int = 15


PUBLISHED_SIZES = EvaluatorSizes()


@dataclass(frozen=True)
class TransformerSizes:
    """The sizes of the two encoders; the defaults are TMR's, but for `frames_per_token`, which is 1 there."""

    text_width: int = 256
    motion_width: int = 256
    layers: int = 6
    embedding_size: int = 256
    word_size: int = 300
    frames_per_token: int = FRAMES_PER_UNIT

    def __post_init__(self) -> None:
        if self.text_width % HEADS or self.motion_width % HEADS:
            raise InputError(
                f"widths {self.text_width} and {self.motion_width}: expected multiples of {HEADS}, the heads of a layer"
            )
        if self.frames_per_token not in FRAMES_A_TOKEN:
            raise InputError(f"{self.frames_per_token} frames a token: expected one of {FRAMES_A_TOKEN}")


TMR_SIZES = TransformerSizes()
