"""A seed decides the clips of the toy data set: joints with their program, captions and reasoning.

`dataset.toy.programs` draws what a clip shows, `dataset.toy.animation` turns that program into joints, and
`dataset.toy.captions`, `dataset.toy.lexicon` and `dataset.toy.reasoning` turn it into language.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dataset.captions.lines import Caption
from dataset.toy.animation import animate
from dataset.toy.captions import write_captions
from dataset.toy.lexicon import tag_caption
from dataset.toy.programs import Program, sample_programs
from dataset.toy.reasoning import write_reasoning

TEST_SHARE, VAL_SHARE = 0.15, 0.05
# R-precision ranks captions in groups of 32. Where there are enough clips, the test split has at least five groups
# and is cut to whole ones, with a few clips more than that.
MIN_TEST, EVALUATION_GROUP, SPARE_TEST = 160, 32, 4


@dataclass(frozen=True, eq=False)
class ToyClip:
    """One clip.

    Attributes:
        id: six digits.
        split: train, val or test.
        program: what it shows; the ground truth.
        joints: (T, 22, 3) float32 metres, 20 fps, starting at the origin and facing +Z.
        captions: three, tagged.
        reasoning: chains of thought that follow from the program.
    """

    id: str
    split: str
    program: Program
    joints: np.ndarray
    captions: tuple[Caption, ...]
    reasoning: tuple[str, ...]


def toy_clips(count: int, seed: int, places: Iterable[int] | None = None) -> Iterator[ToyClip]:
    """Yield `count` clips, or those at some `places` among them.

    The same count and seed give the same clips; programs recur, clips do not.
    """
    programs, splits = sample_programs(count, np.random.default_rng([seed, 0])), _splits(count)
    for index in range(count) if places is None else places:
        program, split = programs[index], splits[index]
        rng = np.random.default_rng([seed, 1, index])
        joints = animate(program, rng)
        texts = write_captions(program, rng)
        yield ToyClip(
            id=f"{index:06d}",
            split=split,
            program=program,
            joints=joints,
            captions=tuple(Caption(text, tag_caption(text)) for text in texts),
            reasoning=tuple(write_reasoning(program, len(joints), rng)),
        )


def _splits(count: int) -> list[str]:
    """The split of every clip by its position: `sample_programs` has shuffled the programs already."""
    test = round(count * TEST_SHARE)
    if count >= 4 * MIN_TEST:
        test = max(test, MIN_TEST)
        test = test - test % EVALUATION_GROUP + SPARE_TEST
    val = max(round(count * VAL_SHARE), 1)
    test = max(test, 1)
    return ["train"] * (count - val - test) + ["val"] * val + ["test"] * test
