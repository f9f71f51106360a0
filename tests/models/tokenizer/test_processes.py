"""Two processes (gloo) against one. Run by torchrun, this file is what each of the two does."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.humanml.windows import MotionWindows
from models.tokenizer.loss import TrainingConfig
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.session import Cadence, TokenizerSession
from models.tokenizer.trainer import TokenizerTrainer
from tests.places import ROOT
from utils.errors import InputError
from utils.motion.skeleton import T2M
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag
from utils.run.processes import ALONE, Processes, joined_processes

QUANTIZERS = ("ema_reset", "ema", "orig", "reset")
NETWORK = NetworkConfig(nb_code=16, code_dim=8, output_emb_width=8, width=16, depth=1)
# Five windows: two for the first process, three for the second.
CONFIG = TrainingConfig(
    batch_size=5, total_iter=6, warm_up_iter=2, lr=1e-3, lr_scheduler=(), commit=0.2, root_weight=2.0, path_weight=0.1,
    change_weight=0.1, precision="fp32",
)  # fmt: skip


def make_trainer(processes, quantizer="ema_reset", config=CONFIG):
    """Half of the clips are shorter than the window of 16 frames."""
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(frames, 263)).astype(np.float32) for frames in (8, 10, 12, 14, 40, 20)]
    windows = MotionWindows(clips, np.zeros(263), np.ones(263), 16, 4, seed=0)
    torch.manual_seed(0)
    network = MotionVQ(replace(NETWORK, quantizer=quantizer))
    # Sums in another order differ in the last bits. Among 25,000 activations a step one may lie so near to zero that a
    # ReLU turns that into a gradient or none; a smooth function does not.
    for stack in list(network.modules()):
        for name, layer in stack.named_children():
            if isinstance(layer, torch.nn.ReLU):
                setattr(stack, name, torch.nn.GELU())
    return TokenizerTrainer(network, windows, T2M, config, 0, processes)


def make_session(folder, processes, config):
    trainer = make_trainer(processes, config=config)
    tokenizer = MotionTokenizer(trainer.network, np.zeros(263), np.ones(263), T2M)
    validation = [np.zeros((16, 263), np.float32)]
    return trainer, TokenizerSession(trainer, tokenizer, validation, Cadence(2, 1), RunFolder(folder), "data")


def six_steps(processes, quantizer):
    """Gradients of the first step, then what six steps leave."""
    trainer = make_trainer(processes, quantizer)
    trainer.train_step()
    gradients = {name: value.grad.clone() for name, value in trainer.network.named_parameters()}
    while not trainer.finished:
        trainer.train_step()
    state = trainer.state()["quantizer"]
    return {
        "gradients": gradients,
        "weights": dict(trainer.network.state_dict()),
        "averages": {name: state[name] for name in state if name != "generator"},
        "metrics": asdict(trainer.recent()),
    }


def interrupted_run(processes, folder):
    """Only the second process is told to stop, in its third step."""
    trainer, session = make_session(folder, processes, CONFIG)
    flag, step = InterruptFlag(), trainer.train_step

    def step_then_interrupt():
        step()
        flag.raised = trainer.step == 3 and not processes.is_main

    trainer.train_step = step_then_interrupt
    session.train(flag)
    return trainer.step


def run_by_the_clock(processes, folder):
    """The second process's clock runs 10 s a step, the first one's stands nearly still -> steps and their rates."""
    trainer, session = make_session(folder, processes, replace(CONFIG, total_iter=1000, max_minutes=1.0))
    step, rates = trainer.train_step, []

    def slow_step():
        rates.append(trainer.learning_rate())
        step()
        trainer.seconds += 0 if processes.is_main else 10

    trainer.train_step = slow_step
    session.train(InterruptFlag())
    return rates


def found_after_the_main_one(processes, file):
    """What is in `file`, which the main process takes its time to write."""
    with processes.main_first():
        if processes.is_main:
            time.sleep(0.5)
            file.write_text("written")
        return file.read_text() if file.is_file() else "nothing"


def main():
    with joined_processes("cpu") as processes:
        out = Path(sys.argv[1])
        found_first = found_after_the_main_one(processes, out / "file")
        found = {quantizer: six_steps(processes, quantizer) for quantizer in QUANTIZERS}
        found["interrupted"] = interrupted_run(processes, out / "interrupted")
        found["rates"] = run_by_the_clock(processes, out / "clock")
        found["found_first"] = found_first
        found["shared"] = processes.count
        torch.save(found, out / f"{processes.index}.pt")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """(what the first process found, what the second found, folder)."""
    out = tmp_path_factory.mktemp("two")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launcher, __file__, str(out)], env=environment, capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(out / f"{index}.pt") for index in range(2))
    assert first["shared"] == second["shared"] == 2
    return first, second, out


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_two_processes_compute_what_one_does(two, quantizer):
    alone, first = six_steps(ALONE, quantizer), two[0][quantizer]
    torch.testing.assert_close(first["gradients"], alone["gradients"], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(first["weights"], alone["weights"], atol=1e-5, rtol=0)
    torch.testing.assert_close(first["averages"], alone["averages"], atol=1e-5, rtol=0)
    assert first["metrics"] == pytest.approx(alone["metrics"], rel=1e-5)


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_both_processes_hold_the_same_bits(two, quantizer):
    first, second, _ = two
    torch.testing.assert_close(first[quantizer], second[quantizer], atol=0, rtol=0)


def test_a_signal_to_one_process_stops_both_after_the_same_step(two):
    first, second, out = two
    assert first["interrupted"] == second["interrupted"] == 3
    rows = [json.loads(line) for line in (out / "interrupted" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3]  # written by one of them only
    trainer, session = make_session(out / "interrupted", ALONE, CONFIG)
    assert session.resume() and trainer.step == 3


def test_clocks_that_differ_give_the_same_steps_and_learning_rates(two):
    first, second, _ = two
    assert len(first["rates"]) == 6 and first["rates"] == second["rates"]
    assert first["rates"][-1] < 0.5 * first["rates"][2]


def test_the_others_find_what_the_main_process_wrote_first(two):
    assert [found["found_first"] for found in two[:2]] == ["written", "written"]


def test_shares_are_contiguous_and_differ_by_one_row_at_most():
    for total in (3, 5, 8):
        parts = [range(total)[Processes(index, 3).share(total)] for index in range(3)]
        assert [row for part in parts for row in part] == list(range(total))
        assert {len(part) for part in parts} <= {total // 3, total // 3 + 1}


def test_what_several_processes_cannot_train_is_refused():
    with pytest.raises(InputError, match="--batch-size 5 cannot be shared by 8 processes"):
        make_trainer(Processes(0, 8))
    with pytest.raises(InputError, match="--vq-norm BN"):
        network, windows = MotionVQ(replace(NETWORK, vq_norm="BN")), make_trainer(ALONE)._windows
        TokenizerTrainer(network, windows, T2M, CONFIG, 0, Processes(0, 2))


def test_without_a_launcher_one_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_processes("cpu") as processes:
        assert processes == ALONE and not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("device", "message"), [("cuda:0", "each takes a GPU of its own"), ("cuda", "2 processes on a machine with 1 GPU")]
)
def test_processes_and_gpus_must_fit(device, message, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=message), joined_processes(device):
        pass


if __name__ == "__main__":
    main()
