"""A trained model is asked for motions and captions: wishes become guided queries, replies become plain results.

one caption        a motion of the length that is wished, or that the model chooses
with a start       the motion goes on: its last codes are given, and all codes are decoded together
captions as one    each part begins with the last codes of the part before
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dataset.captions.tags import check_captions
from models.inference.body import features_for, joints_metres
from models.inference.results import DescribedMotion, GeneratedMotion
from models.language.decoding import Sampling
from models.language.guidance import Wanted
from models.language.prompts import Query
from models.language.rollout import Rollout
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.motion.inverse_kinematics import facing_angle
from utils.motion.rotations import rotate_about_y

if TYPE_CHECKING:
    from models.inference.motion_llm import MotionLLM

# Codes of what came before that a continuation is told: two seconds, and more would leave little of a trained length.
CONTEXT_CODES = 10
# A sample's key is its caption's number times this, plus its own: the same whatever else is asked.
_SAMPLE_KEYS = 1 << 20


@dataclass(frozen=True, eq=False)
class FoundReply:
    """A reply, and what Chain-of-Motion tells of how it was chosen: scores by scorer, the trace of all candidates."""

    rollout: Rollout
    scores: dict[str, float | None] = field(default_factory=dict)
    trace: Sequence[dict[str, Any]] = ()


# Finds a better reply than the first one to each query.
Search = Callable[["MotionLLM", Sequence[Query], Sampling], Sequence[FoundReply]]


@dataclass(frozen=True, eq=False)
class MotionWish:
    """How motions are asked for.

    Attributes:
        seconds: length, to one code; None: between the bounds, as the model decides.
        min_seconds, max_seconds: bounds; None: one code, and the longest motion of the data set's protocol.
        start: (T, J, 3) metres or (T, D) features that every motion goes on from. Lengths count what is added.
        samples: motions for each caption.
        as_one: the captions follow one another in one motion (one for each sample).
        seed, temperature, top_p: of the sampling.
        search: Chain-of-Motion; None: the first reply is taken.
    """

    seconds: float | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    start: np.ndarray | None = None
    samples: int = 1
    as_one: bool = False
    seed: int = 0
    temperature: float = 0.7
    top_p: float = 1.0
    search: Search | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and (self.min_seconds is not None or self.max_seconds is not None):
            raise InputError("give either the seconds of a motion, or bounds for them")
        for name in ("seconds", "min_seconds", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 3600:
                raise InputError(f"{name} of a motion: expected a number above 0 and below 3600, got {value}")
        if self.samples < 1:
            raise InputError(f"samples: expected at least 1, got {self.samples}")

    def codes(self, tokenizer: MotionTokenizer) -> tuple[int, int]:
        """(least, most) codes that are added."""
        code_seconds = tokenizer.config.unit_length / tokenizer.skeleton.fps
        longest = (tokenizer.skeleton.max_frames - 1) // tokenizer.config.unit_length
        if self.seconds is not None:
            count = max(1, round(self.seconds / code_seconds))
            return count, count
        least = 1 if self.min_seconds is None else max(1, round(self.min_seconds / code_seconds))
        most = max(longest, least) if self.max_seconds is None else max(1, round(self.max_seconds / code_seconds))
        if least > most:
            raise InputError(f"a motion cannot last at least {self.min_seconds} s and at most {self.max_seconds} s")
        return least, most

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.temperature, self.top_p, seed=self.seed)


def as_in_data_sets(caption: str) -> str:
    """A caption as those that models are trained on: it begins small and ends with a full stop.

    To a small model "walks in a circle" without its stop is another text: the quickstart's walks straight ahead.
    """
    words = " ".join(caption.split())
    small = words[:1].lower() + words[1:]
    return f"{small}." if small[-1:].isalnum() else small


def generate_motions(llm: "MotionLLM", captions: Sequence[str], wish: MotionWish) -> list[GeneratedMotion]:
    """Motions in the order of the captions, the samples of one beside each other.

    Raises:
        InputError: no caption, an empty one, one with a tag of replies, or a model that does not know the task.
    """
    _check(llm, "t2m")
    captions = [caption.strip() for caption in captions]
    check_captions(captions)
    start = None if wish.start is None else _Start.of(llm.language.motion_tokenizer, wish.start)
    if wish.as_one:
        return _as_one(llm, captions, wish, start)
    given = () if start is None else start.codes
    queries = [Query("t2m", caption, id=str(number)) for number, caption in enumerate(captions)]
    asked = [query for query in queries for _ in range(wish.samples)]
    keys = [number * _SAMPLE_KEYS + sample for number in range(len(captions)) for sample in range(wish.samples)]
    found = _ask(llm, asked, keys, wish, [given] * len(asked))
    return [_result(llm, query.caption, [reply], (), start) for query, reply in zip(asked, found, strict=True)]


def describe_motion(llm: "MotionLLM", motion: np.ndarray, seed: int = 0) -> list[DescribedMotion]:
    """Captions of a motion, window by window.

    Args:
        motion: (T, J, 3) metres, Y up, at the skeleton's frame rate, or (T, D) features.
        seed: of the sampling, which is greedy: a caption is an answer, not a draw.
    """
    _check(llm, "m2t")
    tokenizer = llm.language.motion_tokenizer
    features, joints, _ = _features_and_joints(tokenizer, motion)
    unit, longest = tokenizer.config.unit_length, tokenizer.skeleton.max_frames - 1
    count = max(1, -(-len(features) // longest))
    edges = [round(index * len(features) / count) for index in range(count + 1)]
    windows = [(begin, end) for begin, end in pairwise(edges) if end - begin >= unit]
    if not windows:
        raise InputError(f"a motion of {len(features)} frames is too short: at least {unit} are needed for one code")
    codes = tokenizer.encode_batch([features[begin:end] for begin, end in windows])
    queries = [Query("m2t", codes=tuple(own.tolist()), id=str(number)) for number, own in enumerate(codes)]
    guided = llm.guided(lambda query: Wanted("m2t"))
    rollouts = guided.answer(queries, Sampling(temperature=0.0, seed=seed))
    described = []
    for rollout, own, (begin, end) in zip(rollouts, codes, windows, strict=True):
        answer, reasoning = rollout.answer or "", rollout.reasoning or ""
        part, times = joints[begin:end], (begin / tokenizer.skeleton.fps, end / tokenizer.skeleton.fps)
        described.append(DescribedMotion(answer, reasoning, *times, own, part, tokenizer.skeleton))
    return described


@dataclass(frozen=True, eq=False)
class _Start:
    """A motion that others go on from.

    Attributes:
        codes: of all of it.
        place: (2,) metres on the floor, of the root in its first frame.
        heading: radians about +Y that it faces there.
    """

    codes: tuple[int, ...]
    place: np.ndarray
    heading: float

    @classmethod
    def of(cls, tokenizer: MotionTokenizer, motion: np.ndarray) -> "_Start":
        features, joints, given_joints = _features_and_joints(tokenizer, motion)
        codes = tuple(tokenizer.encode(features).tolist())
        if not given_joints:
            return cls(codes, np.zeros(2), 0.0)
        first = tokenizer.skeleton.from_metres(joints[0])
        # Seen in the world: the heading of a mirrored skeleton turns the other way.
        heading = float(facing_angle(torch.from_numpy(np.asarray(first, np.float64)), tokenizer.skeleton))
        return cls(codes, joints[0, 0, [0, 2]].astype(np.float64), -heading if tokenizer.skeleton.mirrored else heading)

    def put(self, joints: np.ndarray) -> np.ndarray:
        """Joints (T, J, 3) that begin at the origin, facing +Z -> where the start begins."""
        turned = rotate_about_y(torch.from_numpy(joints.astype(np.float64)), torch.tensor(self.heading)).numpy()
        turned[..., [0, 2]] += self.place
        return turned.astype(np.float32)


def _check(llm: "MotionLLM", task: str) -> None:
    if task not in llm.tasks:
        raise InputError(f"this model was trained for {', '.join(llm.tasks)}, not for {task}: give one that was")
    if llm.language.motion_tokenizer is None:
        raise InputError("this model carries no motion tokenizer, so its codes cannot become motion")


def _features_and_joints(tokenizer: MotionTokenizer, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """(features of the tokenizer's body, joints in metres as given, whether joints were given)."""
    skeleton = tokenizer.skeleton
    motion = np.asarray(motion)
    if motion.ndim == 2 and motion.shape[1] == skeleton.feature_dim:
        return motion, joints_metres(motion, skeleton), False
    if motion.ndim == 3 and motion.shape[1:] == (skeleton.num_joints, 3):
        return features_for(tokenizer, skeleton.from_metres(motion)), motion, True
    raise InputError(
        f"a motion must be joints (T, {skeleton.num_joints}, 3) in metres or features (T, {skeleton.feature_dim}), got "
        f"{motion.shape}"
    )


def _ask(
    llm: "MotionLLM", queries: Sequence[Query], keys: Sequence[int], wish: MotionWish, given: Sequence[tuple[int, ...]]
) -> list[FoundReply]:
    """A reply to each query; `given` are the codes before each, of which the last ones are told."""
    queries = [replace(query, caption=as_in_data_sets(query.caption)) for query in queries]
    least, most = wish.codes(llm.language.motion_tokenizer)
    told = {query.id: codes[-CONTEXT_CODES:] for query, codes in zip(queries, given, strict=True)}

    def guide(query: Query) -> Wanted:
        start = told[query.id]
        return Wanted("t2m", start, len(start) + least, len(start) + most)

    guided = llm.guided(guide)
    if wish.search is not None:
        return list(wish.search(guided, queries, wish.sampling))
    return [FoundReply(rollout) for rollout in guided.without_motions().answer(queries, wish.sampling, keys=keys)]


def _as_one(llm: "MotionLLM", captions: Sequence[str], wish: MotionWish, start: _Start | None) -> list[GeneratedMotion]:
    """One motion for each sample, of as many parts as captions."""
    made: list[list[FoundReply]] = [[] for _ in range(wish.samples)]
    codes = [() if start is None else start.codes] * wish.samples
    for number, caption in enumerate(captions):
        queries = [Query("t2m", caption, id=str(sample)) for sample in range(wish.samples)]
        keys = [number * _SAMPLE_KEYS + sample for sample in range(wish.samples)]
        for sample, reply in enumerate(_ask(llm, queries, keys, wish, codes)):
            told = len(codes[sample][-CONTEXT_CODES:])
            made[sample].append(reply)
            codes[sample] += tuple(reply.rollout.codes[told:].tolist())
    return [_result(llm, ", then ".join(captions), own, captions, start) for own in made]


def _result(
    llm: "MotionLLM",
    caption: str,
    made: Sequence[FoundReply],
    captions: Sequence[str],
    start: _Start | None,
) -> GeneratedMotion:
    """The motion of the replies `made`, one a part, behind the start."""
    tokenizer = llm.language.motion_tokenizer
    codes, edges = list(() if start is None else start.codes), []
    for reply in made:
        told = len(codes[-CONTEXT_CODES:])
        edges.append(len(codes) * tokenizer.config.unit_length)
        codes += reply.rollout.codes[told:].tolist()
    motion = tokenizer.decode(np.array(codes))
    joints = joints_metres(motion, tokenizer.skeleton)
    reasoning = "\n".join(reply.rollout.reasoning or "" for reply in made)
    parts = tuple(zip(captions, edges, strict=True)) if captions else ()
    return GeneratedMotion(
        caption=caption,
        reasoning=reasoning,
        codes=np.array(codes, dtype=np.int64),
        motion=motion,
        joints=joints if start is None else start.put(joints),
        skeleton=tokenizer.skeleton,
        scores=made[0].scores if len(made) == 1 else {},
        trace=made[0].trace if len(made) == 1 else (),
        parts=parts,
    )
