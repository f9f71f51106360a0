"""What the flags of train_mllm.py mean to both stages: each method makes one thing that training needs.

Here and in `options.sft` and `options.grpo` imports are late: `--help` and a mistyped path must not wait for torch,
transformers and trl.
"""

import logging
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from options.flags.common import DEFAULT_BACKBONE, DataFlags, EngineFlags, ModelFlags, RunFlags
from options.flags.grpo import RlFlags
from options.flags.published import IGNORED_IN_TRAINING, PUBLISHED_FOR_BOTH_STAGES, TokenizerShapeFlags
from options.flags.recipes import OF_THIS_VERSION
from options.flags.rewards import RewardFlags
from options.flags.sft import SftFlags
from options.flags.training import TrainingFlags
from options.inputs import not_read, training_inputs
from options.settings import Settings
from utils.errors import InputError
from utils.run.folder import RunFolder
from utils.run.launcher import launched_as_main, launched_processes
from utils.run.session import PROCESSES, Run

if TYPE_CHECKING:
    import torch

    from dataset.cot.training_rows import TrainingData
    from models.evaluation.reply_validation import ReplyValidation
    from models.language.motion_language import MotionLanguage
    from models.policy.adapters import LoraSize
    from models.policy.checkpoint import Checkpoint
    from models.tokenizer.motion_tokenizer import MotionTokenizer

Own = TypeVar("Own", bound="TrainSettings")

_TAGS_AND_END = 16  # tokens of a reply besides reasoning and codes
# Flags that change where or how loudly a run works, not what it computes.
_MAY_DIFFER = (
    "device", "cot_num_workers", "print_iter", "reward_device", "out_dir", "exp_name", "resume", "report_to",
    "save_minutes", "engine_server",
    OF_THIS_VERSION,  # the values that it stands for are compared
)  # fmt: skip
# Flags of groups that both stages have, which only supervised fine-tuning reads: GRPO trains LoRA without dropout.
_OF_SFT = ("finetune", "prompt_style", "token_rows", "load_in_4bit", "lora_dropout", "cot_num_workers")


@dataclass(frozen=True)
class TrainSettings(Settings):
    """All flags of train_mllm.py."""

    FIRST = (
        "train_stage",
        "training_task",
        "cot_train_jsonl",
        "data_root",
        "llm_backbone",
        "rl_reference_ckpt",
        "exp_name",
        "learning_rate",
        "batch_size",
        "device",
    )
    IGNORED = IGNORED_IN_TRAINING
    TOLERATED = PUBLISHED_FOR_BOTH_STAGES

    run: RunFlags
    data: DataFlags
    model: ModelFlags
    training: TrainingFlags
    sft: SftFlags
    rl: RlFlags
    rewards: RewardFlags
    shape: TokenizerShapeFlags
    engine: EngineFlags

    def unused(self) -> dict[str, list[str]]:
        of_sft = [*(field.name for field in fields(SftFlags)), *_OF_SFT]
        of_grpo = [field.name for group in (RlFlags, RewardFlags, EngineFlags) for field in fields(group)]
        if self.training.train_stage == "rlvr":
            return {"of --train-stage sft": of_sft}
        of_validation = [] if self.sft.best_by != "loss" else ["val_evaluator", "val_clips"]
        return {"of --train-stage rlvr": of_grpo, "without --best-by FID or CIDEr": of_validation}

    # --- The run ---

    def with_defaults(self: Own) -> Own:
        """The settings with what the command line left open and its task decides, or an earlier version's run."""
        from options.defaults import by_command_line

        return by_command_line(self, {} if not self.training.resume else self.folder.recorded() or {})

    def settled(self: Own, begun_with: "Checkpoint | None", folder: RunFolder | None = None) -> Own:
        """The settings with what the model and the data decide: learning rate, lengths. It is logged.

        Args:
            begun_with: the checkpoint that training starts from; None: the plain backbone.
            folder: gets a record of it in its environment.json; None: there is no run.
        """
        from options.defaults import by_model_and_data

        settled, chosen = by_model_and_data(self, begun_with)
        if chosen:
            shown = ", ".join(f"--{name.replace('_', '-')} {value:g}" for name, value in chosen.items())
            logging.info("by what is trained, on what: %s", shown)
        if folder is not None and launched_as_main():
            folder.record_chosen(chosen)
        return settled

    @property
    def folder(self) -> RunFolder:
        place = Path(self.run.out_dir) / (self.run.exp_name or "test")
        return RunFolder(place, "use another --exp-name, or --no-resume to begin anew")

    def open_run(self) -> Run:
        """The run folder with what it was asked. Raises InputError without a file to learn from."""
        if self.model.load_in_4bit and self.model.finetune == "full":
            raise InputError("--load-in-4bit goes with --finetune lora")
        self.need_cot_jsonl()
        # Each process has batches of its own: with another number of them the steps are other ones.
        before = (self.folder.recorded() or {}) if self.training.resume else {}
        arguments = {**self.as_recorded(before, (OF_THIS_VERSION,)), PROCESSES: launched_processes()}
        anew, inputs = not self.training.resume, training_inputs(self)
        of_the_other_stage = [name for names in self.unused().values() for name in names]
        may_differ = (*_MAY_DIFFER, *of_the_other_stage, *not_read(inputs))
        return Run(self.folder, arguments, may_differ, self.run.seed, self.device, anew, inputs)

    def need_cot_jsonl(self) -> None:
        """Raises InputError without a file to learn from."""
        if self.data.cot_train_jsonl is None:
            raise InputError("--cot-train-jsonl is needed: a CoT jsonl made by prepare.write_cot_jsonl")
        if not Path(self.data.cot_train_jsonl).is_file():
            raise InputError(f"--cot-train-jsonl: no such file: {self.data.cot_train_jsonl}")

    @property
    def data_fingerprint(self) -> str:
        """Names the contents of the files that are trained on and validated on."""
        from utils.files.fingerprints import fingerprint_file

        prompts = self.rl.rl_prompts_file if self.training.train_stage == "rlvr" else None
        files = (self.data.cot_train_jsonl, self.data.cot_val_jsonl, prompts)
        return "+".join(fingerprint_file(file) for file in files if file is not None)

    @cached_property
    def device(self) -> "torch.device":
        return device_of(self.run.device)

    @property
    def dtype(self) -> "torch.dtype":
        """Precision of the language model."""
        from utils.run.devices import model_dtype

        return model_dtype(self.model.precision, self.device)

    @property
    def loading(self) -> dict[str, Any]:
        """How a trained policy is loaded: straight to its device, at its precision."""
        from models.policy.backbone import attention
        from utils.run.devices import local_device

        where = {"device": local_device(self.device), "dtype": self.dtype}
        return {**where, **attention(self.model.attn_implementation)}

    # --- Both stages ---

    @property
    def tasks(self) -> tuple[str, ...]:
        return ("t2m", "m2t") if self.training.training_task == "both" else (self.training.training_task,)

    @property
    def backbone(self) -> str:
        return self.model.llm_backbone or DEFAULT_BACKBONE

    @property
    def max_reply_tokens(self) -> int:
        """Longest reply that training ever shows: reasoning, codes and the tags around them."""
        return self.model.max_text_len + self.model.max_motion_len + _TAGS_AND_END

    def training_data(self, nb_code: int, tokenizer: "MotionTokenizer | None") -> "TrainingData":
        """Rows to learn from and rows to validate on, none longer than --max-motion-len.

        Args:
            tokenizer: the motion tokenizer that all codes must be of; None: not known.
        """
        from dataset.cot.training_rows import CotFiles, read_training_data
        from models.tokenizer.loading import check_codes

        data = self.data
        begun_with = self.rl.rl_reference_ckpt if self.training.train_stage == "rlvr" else self.sft.init_ckpt
        for file in (data.cot_train_jsonl, data.cot_val_jsonl):
            if file is not None and tokenizer is not None:
                check_codes(file, tokenizer, data.motion_tokenizer or begun_with or data.cot_train_jsonl)
        files = CotFiles(
            train=data.cot_train_jsonl,
            validation=data.cot_val_jsonl,
            val_fraction=data.val_fraction,
            seed=self.run.seed,
            task=data.cot_task_filter or (self.tasks[0] if len(self.tasks) == 1 else None),
            max_codes=self.model.max_motion_len,
            skip_bad_lines=data.skip_bad_lines,
        )
        return read_training_data(files, nb_code, self.tasks, self.sft.t2m_share)

    @property
    def lora(self) -> "LoraSize":
        """The adapter that --finetune lora and GRPO train."""
        from models.policy.adapters import LoraSize

        return LoraSize(*self.model.lora_size(self.tasks))

    def reply_validation(self, metric: str, language: "MotionLanguage") -> "ReplyValidation":
        """Replies to clips of the data set's val split, judged by --val-evaluator; they must allow `metric`."""
        from models.evaluation.reply_validation import HeldOutClips, ReplyValidation
        from models.language.decoding import Sampling
        from utils.metrics.criteria import CRITERIA

        training, data = self.training, self.data
        evaluator = training.val_evaluator or data.default_evaluator
        clips = HeldOutClips(data.data_root_or_default, training.val_clips, evaluator)
        sampling = Sampling(max_new_tokens=self.max_reply_tokens, seed=self.run.seed)
        return ReplyValidation.of_folder(CRITERIA[metric], clips, self.tasks, language, sampling, self.device)


@cache
def device_of(name: str) -> "torch.device":
    """Of all settings of a process the same: hiding the other GPUs a second time would count among those left."""
    from utils.run.devices import narrow_to_gpu, resolve_device

    return resolve_device(narrow_to_gpu(name))
