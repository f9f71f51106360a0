"""Flags of the published command lines that this project needs less than the published one, or not at all."""

import dataclasses
import logging
from dataclasses import dataclass

from options.parsing import FlagError, flag


@dataclass
class TokenizerShapeFlags:
    """The motion tokenizer's shape. It is read from the tokenizer or checkpoint; a contradiction is an error."""

    _argument_group_name = "motion tokenizer shape (read from the file; give one only to have it checked)"

    nb_code: int | None = flag(None, "size of the codebook")

    def check_against(self, nb_code: int, source: str) -> None:
        """Raise FlagError when the flag contradicts the file."""
        if self.nb_code is not None and self.nb_code != nb_code:
            raise FlagError(f"--nb-code {self.nb_code} contradicts {source}, whose codebook has {nb_code} codes")


_NOT_NEEDED = "published flag, not needed here"


class _Unused:
    """Accepted so that published command lines run as written; giving one is answered with one warning."""

    def warn(self) -> None:
        given = [f.name for f in dataclasses.fields(self) if getattr(self, f.name) is not None]
        if given:
            names = ", ".join("--" + name.replace("_", "-") for name in given)
            logging.warning("not needed and ignored: %s", names)


@dataclass
class UnusedTrainFlags(_Unused):
    _argument_group_name = "published flags that are accepted and ignored"

    reward_dataset_opt_path: str | None = flag(None, _NOT_NEEDED + ": the evaluator folder says it")
    reward_glove_path: str | None = flag(None, _NOT_NEEDED + ": the evaluator folder holds its word vectors")
    reward_reset_cache_each_epoch: bool | None = flag(None, _NOT_NEEDED)
    reward_clear_cache_values: bool | None = flag(None, _NOT_NEEDED)
    code_dim: int | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    mu: float | None = flag(None, _NOT_NEEDED + ": see prepare.train_motion_tokenizer")
    down_t: int | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    stride_t: int | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    width: int | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    depth: int | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    dilation_growth_rate: int | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    output_emb_width: int | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    vq_act: str | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    vq_norm: str | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    quantizer: str | None = flag(None, _NOT_NEEDED + ": read from the tokenizer")
    beta: float | None = flag(None, _NOT_NEEDED + ": see prepare.train_motion_tokenizer")
    eval_iter: int | None = flag(None, _NOT_NEEDED + ": see --epochs-val-interval")


@dataclass
class UnusedEvalFlags(_Unused):
    _argument_group_name = "published flags that are accepted and ignored"
