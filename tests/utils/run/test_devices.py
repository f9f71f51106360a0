"""Devices and precisions by name."""

import os

import pytest
import torch
from trl import SFTConfig

from options.trl_configs import _on_one_gpu
from utils.errors import InputError
from utils.run.devices import local_device, model_dtype, narrow_to_gpu

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("visible", "name", "shown"),
    [(None, "cuda:1", "1"), ("2,5", "cuda:1", "5"), ("GPU-ab, GPU-cd", "cuda:0", "GPU-ab")],
)
def test_one_gpu_is_left_to_the_trainer(monkeypatch, visible, name, shown):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert narrow_to_gpu(name) == "cuda"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == shown
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")


def test_other_devices_are_left_alone(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert [narrow_to_gpu(name) for name in ("auto", "cpu", "cuda", "mps")] == ["auto", "cpu", "cuda", "mps"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    with pytest.raises(InputError, match="shows 1 GPU"):
        narrow_to_gpu("cuda:1")


def test_one_process_uses_one_gpu(tmp_path):
    config = SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none")
    config._n_gpu = 4  # what transformers finds on a machine with four, without a launcher
    assert _on_one_gpu(config).n_gpu == 1


def test_precisions(monkeypatch):
    assert model_dtype("auto", CPU) == model_dtype("fp32", GPU) == torch.float32
    assert model_dtype("bf16", CPU) == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert model_dtype("auto", GPU) == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert model_dtype("auto", GPU) == torch.float32  # an older GPU has it by emulation only


def test_a_process_uses_the_gpu_of_its_place(monkeypatch):
    assert local_device(CPU) == CPU and local_device(torch.device("cuda", 2)) == torch.device("cuda", 2)
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert local_device(GPU) == torch.device("cuda", 3)
    monkeypatch.delenv("LOCAL_RANK")
    assert local_device(GPU) == torch.device("cuda", 0)
