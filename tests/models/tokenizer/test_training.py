"""Training the tokenizer: loss and schedule by hand, learning, and resume that equals a straight run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dataset.humanml.windows import MotionWindows
from models.tokenizer.loss import TrainingConfig, reconstruction_loss
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.report import reconstruction_report
from models.tokenizer.session import Cadence, TokenizerSession
from models.tokenizer.trainer import TokenizerTrainer, resolve_precision
from utils.errors import InputError
from utils.motion.skeleton import T2M
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag

CPU = torch.device("cpu")
NETWORK = NetworkConfig(nb_code=16, code_dim=8, output_emb_width=8, width=16, depth=1)
CONFIG = TrainingConfig(batch_size=4, total_iter=12, warm_up_iter=2, lr=3e-3, lr_scheduler=(), precision="fp32")


def smooth_clips(count, frames=48):
    rng = np.random.default_rng(0)
    time = np.arange(frames)[:, None] / 20
    return [
        np.sin(time * rng.uniform(1, 6, 263) + rng.uniform(0, 6, 263)).astype(np.float32) * 0.1 for _ in range(count)
    ]


def make_trainer(config=CONFIG, network=NETWORK, clips=None, seed=0):
    torch.manual_seed(seed)
    windows = MotionWindows(clips or smooth_clips(6), np.zeros(263), np.ones(263), 16, 4, seed)
    return TokenizerTrainer(MotionVQ(network), windows, T2M, config, seed)


def make_session(folder, config=CONFIG, eval_iter=4, data="data"):
    trainer = make_trainer(config)
    tokenizer = MotionTokenizer(trainer.network, np.zeros(263), np.ones(263), T2M)
    cadence = Cadence(validate=eval_iter, log=2)
    return trainer, TokenizerSession(trainer, tokenizer, smooth_clips(2), cadence, RunFolder(folder), data)


def test_loss_by_hand():
    target = torch.zeros(2, 4, 263)
    target[0, :2] = 3.0  # the second clip is two frames long, its rest is padding
    predicted = torch.zeros(2, 4, 263)
    predicted[..., 0] = 2.0
    lengths = torch.tensor([4, 2])
    l1 = TrainingConfig(recons_loss="l1", loss_vel=0.5, root_weight=1.0)
    # 6 real frames: 2 of error 3 (263 channels, the first one 1), 4 with error 2 in the first channel
    everything = (2 * (262 * 3 + 1) + 4 * 2) / (6 * 263)
    positions = 2 * 3 / 6
    loss = reconstruction_loss(predicted, target, lengths, T2M, l1)
    assert loss.item() == pytest.approx(everything + 0.5 * positions, rel=1e-5)
    root = 2 * (3 * 3 + 1) + 4 * 2
    weighted = reconstruction_loss(predicted, target, lengths, T2M, replace(l1, root_weight=5.0))
    assert (weighted - loss).item() == pytest.approx(4 * root / (6 * 263), rel=1e-4)


def test_path_loss_by_hand():
    predicted, target = torch.zeros(1, 4, 263), torch.zeros(1, 4, 263)
    predicted[0, 0, 2] = 3.0  # one wrong step of 3 at the start stays wrong until the end
    config = TrainingConfig(recons_loss="l1", loss_vel=0.0, path_weight=0.5)
    full = reconstruction_loss(predicted, target, None, T2M, config)
    assert full.item() == pytest.approx(3 / (4 * 263) + 0.5 * 4 * 3 / (4 * 3))
    half = reconstruction_loss(predicted, target, torch.tensor([2]), T2M, config)
    assert half.item() == pytest.approx(3 / (2 * 263) + 0.5 * 2 * 3 / (2 * 3))


def test_change_loss_by_hand():
    predicted, target = torch.zeros(1, 4, 263), torch.zeros(1, 4, 263)
    predicted[0, :, 4] = torch.tensor([1.0, 1.0, 3.0, 3.0])  # off by a constant, then a jump of 2
    config = TrainingConfig(recons_loss="l1", loss_vel=0.0, change_weight=0.5)
    plain = replace(config, change_weight=0.0)
    for lengths, jump in ((None, 3 * 2 / (4 * 67)), (torch.tensor([2]), 0.0)):  # changes are scaled by 3
        with_change, without = (reconstruction_loss(predicted, target, lengths, T2M, c) for c in (config, plain))
        assert (with_change - without).item() == pytest.approx(0.5 * jump, abs=1e-6)


def test_unweighted_full_windows_give_the_plain_mean():
    predicted, target = torch.randn(2, 3, 8, 263)
    for name, function in (("l2", torch.nn.functional.mse_loss), ("l1_smooth", torch.nn.functional.smooth_l1_loss)):
        config = TrainingConfig(recons_loss=name, loss_vel=0.1)
        expected = function(predicted, target) + 0.1 * function(predicted[..., 4:67], target[..., 4:67])
        assert reconstruction_loss(predicted, target, None, T2M, config).item() == pytest.approx(expected.item())


def test_published_schedule():
    trainer = make_trainer(replace(CONFIG, lr=1.0, total_iter=100, warm_up_iter=4, lr_scheduler=(10, 20), gamma=0.1))
    rates = {}
    for trainer.step in (0, 3, 9, 10, 25):
        rates[trainer.step] = trainer.learning_rate()
    assert rates == pytest.approx({0: 0.25, 3: 1.0, 9: 1.0, 10: 0.1, 25: 0.01})


def test_a_time_budget_ends_the_run_and_lowers_the_rate_before():
    trainer = make_trainer(replace(CONFIG, lr=1.0, total_iter=1000, warm_up_iter=0, max_minutes=1.0))
    rates = []
    for trainer.seconds in (0.0, 30.0, 48.0, 59.9):
        rates.append(trainer.learning_rate())
    assert rates[0] == rates[1] == 1.0
    assert 0.4 < rates[2] < 0.6 and rates[3] < 0.05
    trainer.seconds = 60.0
    assert trainer.finished


def test_precision_is_resolved():
    assert resolve_precision("fp32", CPU) == "fp32"
    assert resolve_precision("auto", CPU) in ("fp32", "bf16")
    assert resolve_precision("auto", torch.device("mps")) == "fp32"


@pytest.mark.parametrize(("in_hardware", "expected"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_without_bfloat16_computes_in_float32(in_hardware, expected, monkeypatch):
    # including_emulation: a GPU without it says yes to the plain question, and would be slow
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or in_hardware
    )
    assert resolve_precision("auto", torch.device("cuda")) == expected


@pytest.mark.parametrize("quantizer", ["ema_reset", "ema", "orig", "reset"])
def test_every_parameter_moves_and_the_loss_falls(quantizer):
    trainer = make_trainer(replace(CONFIG, total_iter=40), replace(NETWORK, quantizer=quantizer))
    trainer.train_step()
    before = {name: value.detach().clone() for name, value in trainer.network.state_dict().items()}
    first = trainer.recent().reconstruction
    trainer.clear_recent()
    while not trainer.finished:
        trainer.train_step()
    assert trainer.recent().reconstruction < 0.9 * first
    assert [name for name, value in trainer.network.state_dict().items() if torch.equal(before[name], value)] == []


def test_bf16_training_stays_close_to_fp32():
    losses = []
    for precision in ("fp32", "bf16"):
        trainer = make_trainer(replace(CONFIG, precision=precision))
        while not trainer.finished:
            trainer.train_step()
        assert next(trainer.network.parameters()).dtype == torch.float32
        losses.append(trainer.recent().reconstruction)
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_an_exploded_loss_is_named():
    trainer = make_trainer(replace(CONFIG, lr=1e12, warm_up_iter=0))
    with pytest.raises(InputError, match="smaller --lr"):
        for _ in range(12):
            trainer.train_step()
            trainer.recent()


def test_a_killed_run_resumes_into_the_straight_one(tmp_path):
    straight, session = make_session(tmp_path / "straight")
    session.train(InterruptFlag())

    killed, session = make_session(tmp_path / "killed")
    steps = iter(range(7))  # dies in step 7: the last saved state is that of step 4
    original = killed.train_step

    def dying_step():
        if next(steps) == 6:
            raise RuntimeError("killed")
        original()

    killed.train_step = dying_step
    with pytest.raises(RuntimeError, match="killed"):
        session.train(InterruptFlag())
    with (tmp_path / "killed" / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 7, "lo')  # what a kill leaves of the last line

    resumed, session = make_session(tmp_path / "killed")
    assert session.resume() and resumed.step == 4
    session.train(InterruptFlag())
    assert resumed.step == straight.step == 12
    for name, value in straight.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    logs = [
        [line for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines() if '"loss"' in line]
        for name in ("straight", "killed")
    ]
    assert logs[0] == logs[1] and len(logs[0]) == 6


def test_a_run_killed_before_its_first_state_starts_over(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 2, "loss": 1.0}\n{"step": 4, "lo')
    (tmp_path / ".latest_state.pth.new.tmp").write_bytes(b"half")
    trainer, session = make_session(tmp_path)
    assert not session.resume() and trainer.step == 0
    assert (tmp_path / "metrics.jsonl").read_text() == "" and not list(tmp_path.glob(".*.tmp"))


def test_a_run_killed_after_its_last_state_is_not_validated_again(tmp_path):
    _, session = make_session(tmp_path, eval_iter=5)  # 12 steps: the last validation is not at a multiple of 5
    session.train(InterruptFlag())
    before = (tmp_path / "metrics.jsonl").read_text()
    _, session = make_session(tmp_path, eval_iter=5)
    session.resume()
    session.train(InterruptFlag())
    assert (tmp_path / "metrics.jsonl").read_text() == before and before.count("val_mpjpe_mm") == 3


def test_an_interrupt_saves_and_the_latest_file_is_a_usable_tokenizer(tmp_path):
    trainer, session = make_session(tmp_path)
    flag = InterruptFlag()
    original = trainer.train_step

    def step_then_interrupt():
        original()
        flag.raised = trainer.step == 5

    trainer.train_step = step_then_interrupt
    session.train(flag)
    assert trainer.step == 5 and not trainer.finished
    latest = MotionTokenizer.load(session.latest_path)
    assert len(latest.encode(smooth_clips(1)[0])) == 12
    again, session = make_session(tmp_path)
    assert session.resume() and again.step == 5


def test_a_state_of_other_data_is_refused(tmp_path):
    _, session = make_session(tmp_path)
    assert not session.resume()
    session.train(InterruptFlag())
    _, other = make_session(tmp_path, data="other")
    with pytest.raises(InputError, match="other"):
        other.resume()


class _Shifted(MotionTokenizer):
    """Reconstructs every motion as itself, moved forward by a constant velocity and with one joint off by 22 cm."""

    def decode_batch(self, clips):
        moved = []
        for _ in clips:
            features = np.zeros((8, 263), np.float32)
            features[:, 2] = 0.01
            features[:, 4] = 0.22
            moved.append(features)
        return moved


def test_report_by_hand():
    tokenizer = _Shifted(MotionVQ(NETWORK), np.zeros(263), np.ones(263), T2M)
    report = reconstruction_report(tokenizer, [np.zeros((10, 263), np.float32)] * 3)
    # one of 22 joints is 220 mm off; the root is 0, 10, .. 70 mm off, at right angles to it
    assert report.mpjpe_mm == pytest.approx(10.0, abs=1e-3)
    path = np.arange(8) * 10.0
    expected = np.mean((21 * path + np.hypot(path, 220)) / 22)
    numbers = report.numbers()
    assert numbers["global_mean_mm"] == pytest.approx(expected, rel=1e-4)
    assert numbers["global_median_mm"] == pytest.approx(expected, rel=1e-4)
    assert numbers["usage"] == 1 / 16 and numbers["perplexity"] == pytest.approx(1.0, abs=1e-3)
