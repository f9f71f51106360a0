"""Where should the rows of the motion tokens start? Held-out loss of the answer while a model is fine-tuned on t2m.

    python -m tests.benchmarks.token_rows --backbone FOLDER --cot-jsonl cot_train.jsonl --val-jsonl cot_val.jsonl \
        --motion-tokenizer motion_tokenizer.pth --finetune lora --steps 100 --batch-size 4 --lr 2e-4 --seeds 0 1

One line a kind of rows: ``noise`` or ``codebook`` with their spread, as a share of that of the backbone's own rows.
All runs see the same samples in the same order; nothing but the rows and their seed differs.
"""

import argparse
import tempfile
from statistics import fmean

import torch
from datasets import disable_progress_bars
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig

from dataset.cot.samples import CotSamples, read_cot_jsonl
from dataset.cot.training_rows import task_rows
from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN
from models.language.vocabulary import MotionVocabulary
from models.policy.adapters import LoraSize, add_sft_adapter
from models.policy.backbone import load_text_tokenizer
from models.policy.token_rows import add_token_rows
from models.sft.batch import SupervisionCollator
from models.sft.config import SupervisionConfig
from models.sft.trainer import WeightedSFTTrainer
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.run.command import quiet_libraries

KINDS = (("noise", 0.1), ("codebook", 0.1), ("noise", 1.0), ("codebook", 1.0))
HELD_OUT = 48
VALIDATIONS = 4


class Losses(TrainerCallback):
    def __init__(self) -> None:
        self.found: list[float] = []

    def on_evaluate(self, args, state, control, metrics, **kwargs) -> None:
        self.found.append(metrics["eval_loss"])


def losses(arguments: argparse.Namespace, train: CotSamples, held_out: CotSamples, kind, spread, seed) -> list[float]:
    """Held-out loss before training and after each quarter of the steps."""
    from transformers import AutoModelForCausalLM

    tokenizer = MotionTokenizer.load(arguments.motion_tokenizer)
    vocabulary = MotionVocabulary(load_text_tokenizer(arguments.backbone), tokenizer.nb_code)
    model = AutoModelForCausalLM.from_pretrained(arguments.backbone, dtype=torch.float32)
    add_token_rows(model, vocabulary, seed, tokenizer.codebook if kind == "codebook" else None, spread)
    if arguments.finetune == "lora":
        model = add_sft_adapter(model, vocabulary, LoraSize(64, 64, 0.0))
    language = MotionLanguage(vocabulary, tokenizer, PLAIN)
    supervision = SupervisionConfig(use_reasoning=False, reflection_share=0.0)  # the codes are what the rows are for
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder, per_device_train_batch_size=arguments.batch_size, learning_rate=arguments.lr,
            max_steps=arguments.steps, lr_scheduler_type="constant_with_warmup", warmup_steps=0.05, use_cpu=True,
            bf16=False, gradient_checkpointing=False, report_to="none",
            remove_unused_columns=False, dataset_kwargs={"skip_prepare_dataset": True}, max_length=None,
            loss_type="nll", save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False, seed=0, data_seed=0,
            prediction_loss_only=True, eval_strategy="steps", eval_steps=arguments.steps // VALIDATIONS,
            per_device_eval_batch_size=16, eval_on_start=True, logging_steps=arguments.steps,
        )  # fmt: skip
        found = Losses()
        trainer = WeightedSFTTrainer(
            model=model, args=config, train_dataset=task_rows(train, ("t2m",)),
            eval_dataset=task_rows(held_out, ("t2m",)).select(range(HELD_OUT)),
            data_collator=SupervisionCollator(train, language, supervision, 0),
            eval_collator=SupervisionCollator(held_out, language, supervision, 0),
            processing_class=vocabulary.tokenizer, callbacks=[found],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return found.found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--backbone", "--cot-jsonl", "--val-jsonl", "--motion-tokenizer"):
        parser.add_argument(name, required=True)
    parser.add_argument("--finetune", choices=("lora", "full"), required=True)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    quiet_libraries()
    disable_progress_bars()
    nb_code = MotionTokenizer.load(arguments.motion_tokenizer).nb_code
    train, held_out = (read_cot_jsonl(path, nb_code, "t2m") for path in (arguments.cot_jsonl, arguments.val_jsonl))
    marks = [arguments.steps * quarter // VALIDATIONS for quarter in range(VALIDATIONS + 1)]
    print(f"{arguments.finetune}, {arguments.backbone}: held-out loss after " + ", ".join(map(str, marks)) + " steps")
    for kind, spread in KINDS:
        runs = [losses(arguments, train, held_out, kind, spread, seed) for seed in arguments.seeds]
        shown = "  ".join(f"{fmean(values):7.3f}" for values in zip(*runs, strict=True))
        last = ", ".join(f"{run[-1]:.3f}" for run in runs)
        print(f"{kind:>8} {spread:3.1f}  {shown}    last, by seed: {last}", flush=True)


if __name__ == "__main__":
    main()
