"""How Chain-of-Motion searches: candidates, rounds, what ranks them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from options.flags.parsing import flag
from options.flags.ranges import COUNT, COUNT_OR_NONE, NOT_NEGATIVE


@dataclass
class ComFlags:
    """Chain-of-Motion: sample, rank, reflect, refine."""

    _argument_group_name = "Chain-of-Motion"

    use_com: bool = flag(False, "wrap Chain-of-Motion around the model")
    com_candidates: int = flag(8, "replies a round", within=COUNT)
    com_refine_steps: int = flag(2, "rounds; every round after the first refines the best reply so far", within=COUNT)
    com_refine: Literal["revise", "reflect", "both"] | None = flag(
        None,
        "what refining does: keep the first part of the best reply and draw the rest anew, or show the reply with what "
        "it lacks, or half of the candidates each; default revise",
    )
    com_cut: Literal["spread", "fault"] = flag(
        "spread",
        "what revisions keep of the best reply: beginnings of all lengths, or as much as is right: the codes before "
        "the first moment at which a claim of the caption fails or the body breaks a limit (m2t: the sentences before "
        "the first one that the motion denies, all where it denies none), and of all lengths where nothing wrong has a "
        "place",
    )
    com_tokens: int | None = flag(
        None,
        "stop a query after the round in which its candidates have cost so many tokens; default: never",
        within=COUNT,
    )
    com_scorers: str | None = flag(
        None,
        "name=weight,... of what ranks replies: rewards that read no true caption, file.py:Class, and for m2t "
        "agreement (of a caption with the others); default: the reward flags, physical x 4, agreement for semantic",
    )
    com_patience: int | None = flag(
        None, "stop a query after so many rounds without a better reply; default: never", within=COUNT
    )
    com_temperature: list[float] = field(
        default_factory=list,
        metadata={
            "help": "sampling temperature of each round, the last for all further ones; default --temperature",
            "within": NOT_NEGATIVE,
        },
    )
    com_max_new_tokens: int | None = flag(None, "longest reply of a round; default --max-new-tokens", within=COUNT)
    com_oracle: bool = flag(
        False, "let scorers read the true captions: an upper bound, no result (every signature says oracle)"
    )
    allow_judge_as_ranker: bool = flag(
        False, "let the evaluator that judges rank replies too: its numbers flatter (every signature says judge=ranker)"
    )
    show_trace: int = flag(0, "print what became of the candidates of the first N clips", within=COUNT_OR_NONE)

    def go_on(self, before: Mapping[str, Any]) -> None:
        """Take the default of the version that began an evaluation, whose args.json is `before` (empty: this one)."""
        if self.com_refine is None:
            older = bool(before) and "com_refine" not in before
            self.com_refine = "reflect" if older else "revise"

    @property
    def label(self) -> str | None:
        """What signatures say of it."""
        if not self.use_com:
            return None
        refine = f"-{self.com_refine or 'revise'}" if self.com_refine_steps > 1 else ""
        refine += f"-{self.com_cut}" if refine and self.com_cut != "spread" else ""
        budget = "" if self.com_tokens is None else f"-{self.com_tokens}tokens"
        oracle = "-oracle" if self.com_oracle else ""
        return f"{self.com_candidates}x{self.com_refine_steps}{refine}{budget}{oracle}"
