"""Flags of the published command lines that this project needs less than the published one, or not at all."""

import dataclasses
import logging
from dataclasses import dataclass

from options.flags.parsing import FlagError, flag


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


_FROM_TOKENIZER = _NOT_NEEDED + ": read from the tokenizer"
_OF_TOKENIZER_TRAINING = _NOT_NEEDED + ": see prepare.train_motion_tokenizer"
_OF_TRAINING = _NOT_NEEDED + ": see train_mllm.py"
_OF_RENDERING = _NOT_NEEDED + ": see prepare.render_motion"


@dataclass
class UnusedFlags:
    """Accepted so that published command lines run as written; giving one is answered with one warning."""

    _argument_group_name = "published flags that are accepted and ignored"

    reward_dataset_opt_path: str | None = flag(None, _NOT_NEEDED + ": the evaluator folder says it")
    reward_glove_path: str | None = flag(None, _NOT_NEEDED + ": the evaluator folder holds its word vectors")
    code_dim: int | None = flag(None, _FROM_TOKENIZER)
    down_t: int | None = flag(None, _FROM_TOKENIZER)
    stride_t: int | None = flag(None, _FROM_TOKENIZER)
    width: int | None = flag(None, _FROM_TOKENIZER)
    depth: int | None = flag(None, _FROM_TOKENIZER)
    dilation_growth_rate: int | None = flag(None, _FROM_TOKENIZER)
    output_emb_width: int | None = flag(None, _FROM_TOKENIZER)
    vq_act: str | None = flag(None, _FROM_TOKENIZER)
    vq_norm: str | None = flag(None, _FROM_TOKENIZER)
    quantizer: str | None = flag(None, _FROM_TOKENIZER)
    mu: float | None = flag(None, _OF_TOKENIZER_TRAINING)
    beta: float | None = flag(None, _OF_TOKENIZER_TRAINING)
    eval_iter: int | None = flag(None, _NOT_NEEDED + ": see --epochs-val-interval")

    def warn(self) -> None:
        """Say once which of them were given."""
        given = [f.name for f in dataclasses.fields(self) if vars(self)[f.name] not in (None, False)]
        if given:
            names = ", ".join("--" + name.replace("_", "-") for name in given)
            logging.warning("not needed and ignored: %s", names)


@dataclass
class UnusedTrainFlags(UnusedFlags):
    com_candidates: int | None = flag(None, _NOT_NEEDED + ": see eval_mllm.py")
    com_refine_steps: int | None = flag(None, _NOT_NEEDED + ": see eval_mllm.py")
    reward_reset_cache_each_epoch: bool = flag(False, _NOT_NEEDED)
    reward_clear_cache_values: bool = flag(False, _NOT_NEEDED)


@dataclass
class UnusedEvalFlags(UnusedFlags):
    model_ckpt: str | None = flag(None, _NOT_NEEDED + ": see --eval-ckpt")
    save_dir: str | None = flag(None, _NOT_NEEDED + ": see --out-dir")
    m2t_eval_num_workers: int | None = flag(None, _NOT_NEEDED)
    use_reasoning: bool = flag(False, _OF_TRAINING)
    reasoning_weight: float | None = flag(None, _OF_TRAINING)
    motion_weight: float | None = flag(None, _OF_TRAINING)
    print_iter: int | None = flag(None, _OF_TRAINING)
    resume_gpt: str | None = flag(None, _OF_TRAINING)
    window_size: int | None = flag(None, _OF_TOKENIZER_TRAINING)
    total_iter: int | None = flag(None, _OF_TOKENIZER_TRAINING)
    warm_up_iter: int | None = flag(None, _OF_TOKENIZER_TRAINING)
    lr: float | None = flag(None, _OF_TOKENIZER_TRAINING)
    lr_scheduler: list[int] | None = dataclasses.field(
        default=None, metadata={"help": _OF_TOKENIZER_TRAINING, "nargs": "+"}
    )
    gamma: float | None = flag(None, _OF_TOKENIZER_TRAINING)
    weight_decay: float | None = flag(None, _OF_TOKENIZER_TRAINING)
    commit: float | None = flag(None, _OF_TOKENIZER_TRAINING)
    loss_vel: float | None = flag(None, _OF_TOKENIZER_TRAINING)
    recons_loss: str | None = flag(None, _OF_TOKENIZER_TRAINING)
    resume_pth: str | None = flag(None, _OF_TOKENIZER_TRAINING)
    results_dir: str | None = flag(None, _OF_RENDERING)
    visual_name: str | None = flag(None, _OF_RENDERING)
    vis_gt: bool = flag(False, _OF_RENDERING)
    nb_vis: int | None = flag(None, _OF_RENDERING)
