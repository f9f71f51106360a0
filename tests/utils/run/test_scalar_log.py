"""Numbers for metrics.jsonl and, where it is installed, for TensorBoard."""

import json
import sys

import pytest

from utils.run.folder import RunFolder
from utils.run.scalar_log import TENSORBOARD_FOLDER, ScalarLog


def test_without_tensorboard_there_are_the_rows_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    log = ScalarLog(RunFolder(tmp_path))
    for step in (1, 2):
        log.log({"step": step, "loss": 0.5})
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.5}]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_tensorboard_gets_every_number(tmp_path):
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = RunFolder(tmp_path)
    killed, resumed = ScalarLog(run), ScalarLog(run)
    for step in (2, 4, 6):
        killed.log({"step": step, "loss": 1.0})
    resumed.log({"step": 4, "loss": 0.25, "val_mpjpe_mm": 30.0})
    events = EventAccumulator(str(tmp_path / TENSORBOARD_FOLDER)).Reload()
    assert [(point.step, point.value) for point in events.Scalars("loss")] == [(2, 1.0), (4, 0.25)]
    assert [(point.step, point.value) for point in events.Scalars("val_mpjpe_mm")] == [(4, 30.0)]
