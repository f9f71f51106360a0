"""What eval_mllm.py asks, how it decodes, and who judges."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from models.language.decoding import Sampling
from options.flags.parsing import flag, need
from options.flags.ranges import COUNT, COUNT_OR_NONE, NOT_NEGATIVE, Range
from utils.errors import InputError

DRAWN_AT, LONGEST_REPLY = Sampling.temperature, Sampling.max_new_tokens
FIELD_DRAWS = 20  # utils.metrics.report.FIELD_DRAWS, which --help must not wait for
NO_EVALUATOR = "none"
OF_MULTIMODALITY = ("mm_repeats", "mm_texts")
# How a model is asked.
OF_A_MODEL = ("engine", "engine_server", "temperature", "top_p", "max_new_tokens", "llm_backbone", "precision")
_MOTION_KINDS = ("npy", "bvh", "glb")  # models.evaluation.saved_motions.KINDS, which --help must not wait for
# An args.json without one of these was written by an earlier version.
OF_THIS_VERSION = {"quick", "rescore"}


def in_todays_words(before: Mapping[str, Any]) -> dict[str, Any]:
    """The args.json of an evaluation with the names and defaults of today for what an earlier version said."""
    today = dict(before)
    if before.get("m2t_protocol") == "raw":
        today["m2t_protocol"] = "ptb"
    if before.get("mm_repeats", 0) is None:
        today["mm_repeats"] = 0  # 30 where nobody said
    if "rescore" not in before and before.get("temperature", 0) is None and before.get("eval_task") == "t2m":
        today["temperature"] = DRAWN_AT
    return today


@dataclass
class EvalFlags:
    """Evaluation."""

    _argument_group_name = "evaluation"

    eval_task: Literal["t2m", "m2t"] = flag("t2m", "text to motion, or motion to text")
    eval_ckpt: str | None = flag(None, "checkpoint to evaluate, for example experiments/NAME/motionllm_t2m_best.pth")
    eval_split: str = flag("test", "split of the data set", "--m2t-eval-split")
    eval_evaluator: str | None = flag(
        None,
        "text-motion evaluator that judges: a folder of prepare.train_evaluator; default checkpoints/DATANAME; none: "
        "what needs one is left out, and --rescore measures it later",
    )
    eval_batch_size: int = flag(
        Sampling.batch_size, "replies generated together", "--m2t-eval-batch-size", "--batch-size", within=COUNT
    )
    samples: int | None = flag(
        None,
        "draws: a reply to every clip each, t2m to a caption drawn anew; their spread makes the 95 % intervals (one "
        "draw has intervals over clips, and none for FID and Diversity). "
        f"Default {FIELD_DRAWS} as in the field, 1 with --quick, with --use-com and for greedy m2t",
        within=COUNT,
    )
    quick: bool = flag(False, "one draw only")
    repeats: int = flag(
        20, "orders of the clips that R-precision and FID are averaged over, of all draws", within=COUNT
    )
    limit: int | None = flag(None, "evaluate only the first N clips", within=COUNT)
    temperature: float | None = flag(
        None,
        "sampling temperature; default 0 (greedy), better than sampling for the quickstart's models, and "
        f"{DRAWN_AT} where several replies are needed (--use-com)",
        within=NOT_NEGATIVE,
    )
    top_p: float = flag(Sampling.top_p, "nucleus", within=Range(above=0, most=1))
    max_new_tokens: int | None = flag(
        None,
        f"longest reply; default what the checkpoint's training showed, {LONGEST_REPLY} where it does not say",
        within=COUNT,
    )
    mm_repeats: int = flag(
        0,
        "t2m: replies to one caption that MultiModality compares, beside those that the other metrics see; the field "
        "has 30, 0 leaves it out",
        within=COUNT_OR_NONE,
    )
    mm_texts: int = flag(100, "t2m: captions that MultiModality is averaged over", within=COUNT)
    m2t_protocol: Literal["ptb", "words", "lemmatized", "tm2t"] = flag(
        "ptb",
        "m2t: how captions are compared: as written, by the words of the Penn treebank (pycocoevalcap) or by blanks "
        "(public re-measurements); as lemmas; or as written with lemmas for references (TM2T)",
    )
    bertscore_model: str = flag(
        "roberta-large", "m2t: hub id or folder of the model behind BERTScore; none leaves it out"
    )
    from_predictions: str | None = flag(
        None,
        "judge these instead of generating: a predictions.jsonl, ours or another system's (format: "
        "models/evaluation/predictions_file.py), or for t2m a folder of <id>.npy features or joints; codes are decoded "
        "by --motion-tokenizer or that of --eval-ckpt",
    )
    baseline: Literal["nn-copy"] | None = flag(
        None,
        "judge copies instead of a model's replies: t2m the motion of the training caption that means most nearly the "
        "same (cosine of --semantic-model-name's sentence embeddings), m2t the first caption of the training motion "
        "that is most alike (in --reward-evaluator's space; without one by mean and spread of the features). What a "
        "model is worth is what it is better by",
    )
    any_posture: bool = flag(
        False,
        "--from-predictions: judge motions although most are no people who stand, of a person's size, left on the left",
    )
    rescore: str | None = flag(
        None,
        "judge a finished evaluation again by this evaluator, without asking the model again: give what named the run "
        "(--exp-name, or its whole command); --m2t-protocol, --repeats and --bertscore-model may differ",
    )
    shard: str | None = flag(
        None,
        "2/8: answer the second of 8 parts of the questions and judge nothing; 8 such commands may run at once, on one "
        "machine or several with a shared folder, and the same command without --shard judges",
    )
    compare: list[str] = field(
        default_factory=list,
        metadata={"help": "print these results.json side by side, with differences clip by clip, and do nothing else"},
    )
    profile: bool = flag(False, "print where the time went")
    save_motions: list[str] = field(
        default_factory=list,
        metadata={"help": "t2m: keep the motion of every reply in the run's folder, as npy (joints), bvh or glb"},
    )

    def __post_init__(self) -> None:
        kinds = ", ".join(sorted(set(self.save_motions) - set(_MOTION_KINDS)))
        need(not kinds, f"--save-motions: expected some of {', '.join(_MOTION_KINDS)}, got {kinds}")
        need(not self.save_motions or self.eval_task == "t2m", "--save-motions: only t2m answers with motions")
        need(not (self.quick and self.samples), "--quick is one draw: leave --samples out")
        need(self.mm_repeats != 1, "--mm-repeats: 0, 2 or more")
        rivals = {"--eval-ckpt": self.eval_ckpt, "--from-predictions": None if self.rescore else self.from_predictions}
        for name, value in rivals.items():
            need(self.baseline is None or value is None, f"--baseline copies what is judged: leave {name} out")
        need(
            self.baseline is None or self.eval_split != "train",
            "--baseline copies from the clips of train: of those themselves it would be the truth; give another "
            "--eval-split",
        )
        if self.shard is not None:
            fits = re.fullmatch(r"[0-9]{1,6}/[0-9]{1,6}", self.shard) is not None and 0 <= self.part[0] < self.part[1]
            need(fits, f"--shard {self.shard}: expected NUMBER/COUNT from 1/COUNT to COUNT/COUNT, such as 2/8")

    @property
    def asks_no_model(self) -> bool:
        """Whether what is judged is there already, or copied."""
        return self.from_predictions is not None or self.baseline is not None

    @property
    def part(self) -> tuple[int, int]:
        """(number from 0, of how many) parts of the questions that --shard names; all of them without it."""
        number, count = map(int, (self.shard or "1/1").split("/"))
        return number - 1, count

    def go_on(self, before: Mapping[str, Any]) -> tuple[str, ...]:
        """Take the defaults of the version that began an evaluation, where that had others than this one.

        Args:
            before: the args.json of the evaluation; empty where there is none.

        Returns:
            names whose values are called otherwise now
        """
        was = in_todays_words(before)
        kept = set() if before.keys() >= OF_THIS_VERSION or not before else {"temperature", "samples", "max_new_tokens"}
        for name in kept:
            if getattr(self, name) is None:
                setattr(self, name, was.get(name))
        return tuple(
            name for name, value in was.items() if value != before[name] and value == getattr(self, name, None)
        )

    def temperature_where(self, searches: bool) -> float:
        """Replies are the likeliest ones (models/evaluation/README.md) unless a search needs several of them."""
        return self.temperature if self.temperature is not None else DRAWN_AT if searches else 0.0

    def draws_where(self, searches: bool) -> int:
        """Sets of replies; a search costs as much as many plain ones. Raises InputError for many that are all alike."""
        greedy = self.temperature_where(searches) == 0
        if self.eval_task == "m2t" and greedy:
            return self.one_of_alike("captions")
        return self.samples or (1 if self.quick or searches else FIELD_DRAWS)

    def one_of_alike(self, replies: str) -> int:
        """One draw: greedy `replies` to the same question are all alike. Raises InputError where more are asked for."""
        if (self.samples or 1) > 1:
            raise InputError(f"--samples: greedy {replies} are all alike: give a --temperature, or leave it out")
        return 1
