"""Supervised fine-tuning on two processes computes what one does (CPU, gloo, torchrun)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.policy import load_backbone

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
import torch
from trl import SFTConfig
from dataset.cot_samples import read_cot_jsonl
from dataset.task_rows import task_rows
from models.policy import load_backbone
from models.sft_batch import SupervisionCollator, SupervisionConfig
from models.sft_trainer import WeightedSFTTrainer

cot, backbone, out, size = sys.argv[1:]
model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
samples = read_cot_jsonl(cot, nb_code=16)
config = SFTConfig(
    output_dir=out + "-state", per_device_train_batch_size=int(size), learning_rate=0.3, max_steps=3, use_cpu=True,
    bf16=False, activation_checkpointing=False, gradient_checkpointing=None, report_to="none",
    remove_unused_columns=False, dataset_kwargs={"skip_prepare_dataset": True}, max_length=None, loss_type="nll",
    save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False, seed=5, data_seed=5,
    prediction_loss_only=True, optim="sgd",
)
# Samples of unequal weight and length: a mean of the processes' means would differ.
supervision = SupervisionConfig(reasoning_weight=0.5, motion_weight=2.0)
trainer = WeightedSFTTrainer(
    model=model, args=config, train_dataset=task_rows(samples, ("t2m", "m2t")),
    data_collator=SupervisionCollator(samples, vocabulary, supervision, 5), processing_class=vocabulary.tokenizer,
)
trainer.train()
if trainer.accelerator.is_main_process:
    torch.save({"weights": model.state_dict(), "processes": trainer.accelerator.num_processes}, out)
"""


def train(folder, name, processes, size, cot_jsonl, backbone):
    out, script = folder / name, folder / "train.py"
    script.write_text(SCRIPT)
    launcher = (
        [] if processes == 1 else ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, *launcher, script, cot_jsonl, backbone, out, size]
    done = subprocess.run([*map(str, command)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(out)


@pytest.mark.pipeline
def test_two_processes_equal_one(tmp_path, cot_jsonl, backbone):
    one = train(tmp_path, "one", 1, 8, cot_jsonl, backbone)
    two = train(tmp_path, "two", 2, 4, cot_jsonl, backbone)
    assert (one["processes"], two["processes"]) == (1, 2)
    start = load_backbone(backbone, 16, seed=0)[0].state_dict()
    for name, weight in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], weight, atol=1e-5, rtol=0, msg=name)
    steps = [(weight - start[name]).abs().max().item() for name, weight in one["weights"].items()]
    assert max(steps) > 1e-3  # a hundred times the tolerance
