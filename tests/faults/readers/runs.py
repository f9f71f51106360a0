"""Readers of what runs leave behind and are told: run folders, results, manifests, settings of trl's trainer."""

import json
import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dataset.sources.config import ConversionConfig, read_config, write_config
from dataset.sources.record import ClipRecord, ConversionRecord
from models.evaluation.predictions import Replies
from options.evaluate import EvalSettings
from options.rescoring import as_made, rescoring
from options.sft import SftSettings
from options.train import TrainSettings
from prepare.make_toy_dataset import finished_fingerprint
from tests.faults.readers.reader import Reader, command
from utils.files.manifest import read_manifest
from utils.metrics.comparison import comparison
from utils.metrics.report import MetricValue, Signature, format_table, read_results, transposed, write_results
from utils.plots import curves_of
from utils.run.folder import RunFolder

ARGUMENTS = {"seed": 0, "learning_rate": 1e-3, "exp_name": "x", "rewards": ["format"], "resume": True}
METRICS = "".join(
    json.dumps({"step": n, "loss": 1 / n, "eval_loss": 2 / n, "epoch": n / 3}) + "\n" for n in range(1, 6)
)
FINISHED = {"val_loss": 1.5, "best": "x.pth", "R@1": None, "steps": 3}
TRAINER = "learning_rate: 1.0e-5\nadam_beta2: 0.95\nweight_decay: 0.1\nmax_grad_norm: 0.5\n"
KINDS = {"learning_rate": float, "adam_beta2": float, "weight_decay": float, "max_grad_norm": float}
SCORES = {"FID": 0.5, "R@3": None}


def _holds(name: str, content: str) -> Any:
    def prepare(folder: Path) -> None:
        (folder / name).write_bytes(content.encode())

    return prepare


def _prepare_run(folder: Path) -> None:
    run = RunFolder(folder)
    run.record_arguments(ARGUMENTS)
    run.log({"step": 1, "loss": 0.5})
    run.finish(FINISHED)


def _run(folder: Path) -> Any:
    run = RunFolder(folder)
    run.check_arguments(ARGUMENTS)
    return run.finished, run.summary()


def _wrong_arguments(content: bytes, value: Any) -> str | None:
    """That a changed args.json passes for the same: allowed is only what JSON says equally, or a missing name."""
    said = json.loads(content.decode("utf-8-sig"))
    other = [name for name in said if name in ARGUMENTS and said[name] != ARGUMENTS[name]]
    return f"{other[0]} was {said[other[0]]!r:.40} and passes" if other else None


def _wrong_finished(content: bytes, value: Any) -> str | None:
    return None if isinstance(value[0], dict) and "\n" not in value[1] else "a summary of several lines"


def _metrics(folder: Path) -> Any:
    rows = RunFolder(folder).metrics.rows()
    curves_of(rows)
    RunFolder(folder).metrics.forget_after(3)
    return rows


def _wrong_metrics(content: bytes, rows: Any) -> str | None:
    good = 0
    for line in content.split(b"\n"):
        try:
            good += isinstance(json.loads(line.decode("utf-8-sig")), dict)
        except (ValueError, RecursionError):
            continue
    return f"{len(rows)} rows of {good} whole lines" if len(rows) != good else None


def _prepare_results(folder: Path) -> None:
    for name, shift in (("a", 0.0), ("b", 0.1)):
        rows = {
            row: {"FID": MetricValue(0.5 + shift, 0.1, 8, 2), "R@1": MetricValue(None, None, 8, 2)}
            for row in ("generated", "real")
        }
        (folder / name).mkdir()
        write_results(folder / name / "results.json", rows, Signature("t2m", "test", 0), {"task": "t2m", "replies": 8})
        lines = [
            {"id": f"c{n}", "draw": 0, "text": "x\u2028y", "scores": {"MM-Dist": n / 10 + shift, "R@1": None}}
            for n in range(4)
        ]
        (folder / name / "predictions.jsonl").write_text(
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8"
        )


def _results(folder: Path) -> Any:
    rows = read_results(folder / "a/results.json")
    return (
        rows,
        format_table(transposed(rows)),
        comparison([f"A={folder / 'a/results.json'}", f"B={folder / 'b/results.json'}"]),
    )


def _wrong_results(content: bytes, value: Any) -> str | None:
    numbers = [metric.mean for metrics in value[0].values() for metric in metrics.values()]
    bad = [
        number
        for number in numbers
        if number is not None and (type(number) not in (int, float) or not math.isfinite(number))
    ]
    return f"a mean that is {bad[0]!r:.40}" if bad else None


def _prepare_finished(folder: Path) -> None:
    _prepare_results(folder)
    run = RunFolder(folder / "a")
    run.record_arguments({**EvalSettings.parse("x", []).as_dict(), "limit": 4, "temperature": 0.5, "eval_task": "m2t"})
    run.finish({"replies": 4})


def _rescored(folder: Path) -> Any:
    argv = ["--exp-name", "a", "--out-dir", str(folder), "--rescore", str(folder / "judge")]
    settings = rescoring(EvalSettings.parse("x", argv), argv)
    return settings, as_made(settings, Replies([]), None)


def _wrong_rescored(content: bytes, value: Any) -> str | None:
    flags = value[0].evaluation
    kinds = {"limit": int, "temperature": int | float, "repeats": int, "top_p": int | float}
    bad = [name for name, kind in kinds.items() if not isinstance(getattr(flags, name), kind | None)]
    return f"{bad[0]} is {getattr(flags, bad[0])!r:.40}" if bad else None


def _prepare_config(folder: Path) -> None:
    write_config(folder, ConversionConfig("t2m", 20.0, "joints", "a", ((0.0, 1.0, 2.0),) * 22, 1.0), "none")


def _wrong_config(content: bytes, config: Any) -> str | None:
    """Whatever the file says is compared with what is asked for; only numbers that are none would pass for any."""
    return None if config.offsets is None or np.isfinite(config.offsets).all() else "offsets that are not finite"


def _prepare_record(folder: Path) -> None:
    record = ConversionRecord(folder)
    for id in "abc":
        record.put(ClipRecord(id, "0123456789ab", "ba9876543210", None, "train"))


def _wrong_record(content: bytes, record: Any) -> str | None:
    kept = [clip for clip in map(record.get, "abc") if clip is not None]
    if not all(isinstance(clip.motion, str) and isinstance(clip.split, str | None) for clip in kept):
        return "a record of other kinds"
    return None if all(isinstance(split, str) for split in record.splits().values()) else "a split that is no text"


def _prepare_toy(folder: Path) -> None:
    command("prepare.make_toy_dataset", "--out-dir", folder / "toy", "--clips", "20", "--seed", "0")


def _wrong_manifest(content: bytes, files: Any) -> str | None:
    for file in files:
        if PurePosixPath(file.path).is_absolute() or ".." in PurePosixPath(file.path).parts:
            return "a file outside of its folder"
    return None


def trainer_config_of(folder: Path) -> Any:
    argv = [
        "--cot-train-jsonl",
        "x",
        "--trainer-config",
        str(folder / "t.yaml"),
        "--device",
        "cpu",
        "--report-to",
        "none",
        "--learning-rate",
        "1e-5",
    ]
    settings = SftSettings.of(TrainSettings.parse("x", argv))
    return settings.trainer_config(RunFolder(folder / "run"))


def _wrong_trainer_config(content: bytes, config: Any) -> str | None:
    for name, kind in KINDS.items():
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, kind | int) or not math.isfinite(value):
            return f"{name} is {value!r:.40}"
    return None


_MANIFEST = json.dumps({"files": [{"path": f"a/{n}.npy", "bytes": n, "sha256": "0" * 64} for n in range(3)]})

READERS = [
    Reader("args.json", "args.json", "json", _prepare_run, _run, _wrong_arguments, {"empty": b"", "an array": b"[]"}),
    Reader(
        "finished.json", "finished.json", "json", _prepare_run, _run, _wrong_finished, {"empty": b"", "a text": b'"x"'}
    ),
    Reader(
        "metrics.jsonl",
        "metrics.jsonl",
        "jsonl",
        _holds("metrics.jsonl", METRICS),
        _metrics,
        _wrong_metrics,
        {"torn": METRICS[:-9].encode(), "NULs of a crash": METRICS.encode() + b"\x00" * 4096},
    ),
    Reader("results.json", "a/results.json", "json", _prepare_results, _results, _wrong_results),
    Reader("args.json of an evaluation", "a/args.json", "json", _prepare_finished, _rescored, _wrong_rescored),
    Reader("results.json to rescore", "a/results.json", "json", _prepare_finished, _rescored, _wrong_rescored),
    Reader("scored predictions", "a/predictions.jsonl", "jsonl", _prepare_results, _results, share=0.8),
    Reader("dataset.json of a conversion", "dataset.json", "json", _prepare_config, read_config, _wrong_config),
    Reader("conversion.jsonl", "conversion.jsonl", "jsonl", _prepare_record, ConversionRecord, _wrong_record),
    Reader(
        "dataset.json of toy data",
        "toy/dataset.json",
        "json",
        _prepare_toy,
        lambda folder: finished_fingerprint(folder / "toy", {"clips": 20, "seed": 0}),
        share=0.5,
    ),
    Reader(
        "manifest",
        "m.json",
        "json",
        _holds("m.json", _MANIFEST),
        lambda f: read_manifest(f / "m.json"),
        _wrong_manifest,
        {
            "out of the folder": _MANIFEST.replace("a/0", "../../0").encode(),
            "fewer than no bytes": _MANIFEST.replace('"bytes": 2', '"bytes": -2').encode(),
            "bytes as a text": _MANIFEST.replace('"bytes": 2', '"bytes": "' + "9" * 5000 + '"').encode(),
        },
    ),
    Reader(
        "trainer-config",
        "t.yaml",
        "text",
        _holds("t.yaml", TRAINER),
        trainer_config_of,
        _wrong_trainer_config,
        {
            "1e-5, which YAML takes for a text": b"learning_rate: 1e-5\n",
            "no YAML": b"a: b: c\n",
            "a list": b"- a\n",
            "a Python object": b"learning_rate: !!python/object/apply:os.getpid []\n",
            "a word": b"learning_rate: fast\n",
            "null": b"learning_rate:\n",
            "NaN": b"learning_rate: .nan\n",
            "yes": b"learning_rate: yes\n",
            "an unknown field": b"learning_rte: 1.0\n",
            "deep": b"[" * 20_000,
            "a strategy that there is not": b"save_strategy: sometimes\n",
            "steps below none": b"max_steps: -7\n",
            "checkpointing off": b"gradient_checkpointing: false\n",
        },
        0.8,
    ),
]
