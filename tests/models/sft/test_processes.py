"""Supervised fine-tuning on two processes computes what one does (CPU, gloo): DDP, and FSDP with spread weights."""

import os
import subprocess

import pytest
import torch
import yaml
from trl import SFTConfig

from models.policy.adapters import refuse_spread_weights
from models.policy.backbone import load_backbone
from models.policy.checkpoint import load_checkpoint
from tests.models.tiny_trl import TINY
from tests.places import ROOT
from tests.warm_python import warm_python
from utils.errors import InputError

RUNS, LATEST = ("straight", "stopped"), "motionllm_t2m_latest.pth"
CONFIGS = ROOT / "options" / "accelerate"
SCRIPT = """
import os
import sys
import torch
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

# accelerate spreads weights on GPUs only and would silently train with DDP here: let it take its FSDP path with gloo.
plain_init = AcceleratorState.__init__
def init(self, *args, **kwargs):
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        PartialState(cpu=True)
        if PartialState._shared_state["distributed_type"] == DistributedType.MULTI_CPU:
            PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    plain_init(self, *args, **kwargs)
AcceleratorState.__init__ = init

from torch.distributed.tensor import DTensor
from trl import SFTConfig
from dataset.cot.samples import read_cot_jsonl
from dataset.cot.training_rows import task_rows
from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN
from models.policy.backbone import load_backbone
from models.sft.batch import SupervisionCollator
from models.sft.config import SupervisionConfig
from models.sft.trainer import WeightedSFTTrainer

cot, backbone, out, size = sys.argv[1:]
model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
samples = read_cot_jsonl(cot, nb_code=16)
config = SFTConfig(
    output_dir=out + "-state", per_device_train_batch_size=int(size), learning_rate=0.3, max_steps=3, use_cpu=True,
    bf16=False, gradient_checkpointing=False, report_to="none",
    remove_unused_columns=False, dataset_kwargs={"skip_prepare_dataset": True}, max_length=None, loss_type="nll",
    save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False, seed=5, data_seed=5,
    prediction_loss_only=True, optim="sgd", ddp_find_unused_parameters=False, per_device_eval_batch_size=int(size),
)
# Samples of unequal weight and length: a mean of the processes' means would differ.
supervision = SupervisionConfig(True, reasoning_weight=0.5, motion_weight=2.0, reflection_share=0.0)
language = MotionLanguage(vocabulary, None, PLAIN)
rows = task_rows(samples, ("t2m", "m2t"))
trainer = WeightedSFTTrainer(
    model=model, args=config, train_dataset=rows, eval_dataset=rows.select(range(13)),
    data_collator=SupervisionCollator(samples, language, supervision, 5), processing_class=vocabulary.tokenizer,
)
trainer.train()
spread = all(isinstance(weight, DTensor) for weight in trainer.model.parameters())
validation = trainer.evaluate()
state = trainer.gathered_state()
if trainer.accelerator.is_main_process:
    numbers = {name: validation[name] for name in ("eval_loss", "eval_token_accuracy")}
    torch.save({"weights": state, "processes": trainer.accelerator.num_processes, "spread": spread, **numbers}, out)

if out.endswith("torchrun"):
    # A run that is stopped in the middle of its second epoch, by a signal that only the second process hears.
    from pathlib import Path
    from tests.models.sft.sft_runs import run_supervise
    from tests.models.sft.test_training import InterruptAfter

    straight, stopped = Path(out).with_name("straight"), Path(out).with_name("stopped")
    run_supervise(cot, backbone, straight, None, per_device_train_batch_size=4)
    heard = None if trainer.accelerator.is_main_process else InterruptAfter(7)
    run_supervise(cot, backbone, stopped, None, interrupt=heard, per_device_train_batch_size=4)
    trainer.accelerator.wait_for_everyone()
    if trainer.accelerator.is_main_process:
        (stopped / "found.txt").write_text(" ".join(sorted(place.name for place in stopped.glob("*/checkpoint-*"))))
    run_supervise(cot, backbone, stopped, None, per_device_train_batch_size=4)
"""


def launcher(kind, folder):
    """Words before the script: one process, torchrun, or accelerate with a configuration that the project ships."""
    if kind == "one":
        return []
    if kind == "torchrun":
        return ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    settings = {**yaml.safe_load((CONFIGS / f"{kind}.yaml").read_text()), "mixed_precision": "no"}
    (folder / f"{kind}.yaml").write_text(yaml.safe_dump(settings))
    launch = ["-m", "accelerate.commands.launch", "--config_file", folder / f"{kind}.yaml"]
    return [*launch, "--num_processes", 2, "--main_process_port", 0]


def train(folder, kind, size, cot_jsonl, backbone):
    out, script = folder / kind, folder / "train.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [warm_python(environment), *launcher(kind, folder), script, cot_jsonl, backbone, out, size]
    done = subprocess.run([*map(str, command)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(out)


@pytest.fixture(scope="module")
def one(tmp_path_factory, cot_jsonl, backbone):
    return train(tmp_path_factory.mktemp("one"), "one", 8, cot_jsonl, backbone)


@pytest.mark.pipeline
@pytest.mark.parametrize("kind", ["torchrun", "ddp", "fsdp"])
def test_two_processes_equal_one(tmp_path, cot_jsonl, backbone, one, kind):
    two = train(tmp_path, kind, 4, cot_jsonl, backbone)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["spread"] == (kind == "fsdp")  # otherwise FSDP would only look as if it worked
    assert two["weights"].keys() == one["weights"].keys()
    start = load_backbone(backbone, 16, seed=0)[0].state_dict()
    for name, weight in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], weight, atol=1e-5, rtol=0, msg=name)
    steps = [(weight - start[name]).abs().max().item() for name, weight in one["weights"].items()]
    assert max(steps) > 1e-3  # a hundred times the tolerance
    if kind == "torchrun":
        straight, stopped = (load_checkpoint(tmp_path / name / LATEST).parts[0].weights for name in RUNS)
        assert (tmp_path / "stopped" / "found.txt").read_text() == "checkpoint-5 checkpoint-7"
        assert all(torch.equal(stopped[name], weight) for name, weight in straight.items()) and straight
    # 13 rows do not divide by 2 x 4: the rows that fill up the last batch count once.
    for name in ("eval_loss", "eval_token_accuracy"):
        assert two[name] == pytest.approx(one[name], abs=1e-5)


def test_adapters_are_refused_where_weights_are_spread(monkeypatch, tmp_path):
    settings = SFTConfig(output_dir=tmp_path, **TINY)
    refuse_spread_weights(settings)
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    refuse_spread_weights(settings)
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3")
    with pytest.raises(InputError, match="with ZeRO-3: give --finetune full"):
        refuse_spread_weights(settings)
    monkeypatch.delenv("ACCELERATE_DEEPSPEED_ZERO_STAGE")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(InputError, match="with FSDP: give --finetune full"):
        refuse_spread_weights(settings)


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_accelerate_reads_the_configurations(file):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(file))
    assert config.num_processes == 8 and config.mixed_precision == "bf16"
