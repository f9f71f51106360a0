"""The places that read one file: weights, arrays, word vectors, settings, lines and tables."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dataset.captions.word_vectors import WordVectorizer
from dataset.cot.samples import read_cot_jsonl
from dataset.humanml.clip_files import ClipFiles
from dataset.humanml.layout import read_mean_std
from dataset.sources.amass.body_model import BodyModel, find_body_model
from dataset.sources.amass.clips import read_amass
from dataset.sources.amass.humanml_index import read_humanact12
from dataset.sources.bvh.joint_mapping import load_mapping
from dataset.sources.joints import read_joints
from models.evaluation.predictions_file import read_predictions
from models.policy.checkpoint import load_checkpoint
from models.text_motion.evaluator import TextMotionEvaluator
from models.tokenizer.loading import load_any_tokenizer
from models.tokenizer.motion_tokenizer import MotionTokenizer
from prepare.render_motion import read_clip
from tests.faults.contents import payloads
from tests.faults.places.place import Place, nothing, npy_files, npz_files, over, torch_files
from tests.faults.readers.commands import fresh
from tests.faults.readers.reader import command
from tests.faults.readers.runs import trainer_config_of
from tests.prepare.hub_layout import write_hub_evaluator
from tests.prepare.random_motions import random_evaluator
from utils.files.torch_files import read_torch_file
from utils.motion.skeleton import T2M

# --- files of torch and numpy ---


def _prepare_statistics(folder: Path) -> None:
    for name in ("Mean", "Std"):
        np.save(folder / f"{name}.npy", np.ones(263, np.float32))


def _load_published(folder: Path) -> Any:
    return load_any_tokenizer(str(folder / "x.pth"), str(folder), None, torch.device("cpu"))


def _prepare_prediction(folder: Path) -> None:
    (folder / "p.jsonl").write_text(json.dumps({"id": "a", "motion": "m.npy"}) + "\n")


def _prepare_bodies(folder: Path) -> None:
    (folder / "smplh/male").mkdir(parents=True)


def _body_of_folder(folder: Path) -> Any:
    return BodyModel.load(find_body_model(folder, "smplh", "male"))


def _import_evaluator(folder: Path) -> Any:
    out = fresh(folder)
    return command("prepare.import_evaluator", "--published", folder, "--word-vectors", folder, "--out-dir", out)


def _import_checkpoint(folder: Path) -> Any:
    return command(
        "prepare.import_checkpoint",
        "--published",
        folder / "x.pth",
        "--llm-backbone",
        "none/none",
        "--out",
        folder / "o",
    )


TORCH = [
    ("motion tokenizer", lambda f: MotionTokenizer.load(f / "x.pth")),
    ("published tokenizer", _load_published),
    ("checkpoint", lambda f: load_checkpoint(f / "x.pth")),
    ("published checkpoint", _import_checkpoint),
    ("any file of torch", lambda f: read_torch_file(f / "x.pth")),
]
NPY = [
    ("features", lambda f: ClipFiles("x", f / "x.npy", f / "x.txt").read_motion(263)),
    ("joints", lambda f: read_joints(f / "x.npy", T2M, 20.0)),
    ("joints of HumanAct12", lambda f: read_humanact12(f / "x.npy")),
    ("motion to draw", lambda f: read_clip(f / "x.npy", "x")),
]


def _files_of_arrays() -> Iterator[Place]:
    for name, read in TORCH:
        yield Place(f"pickle: {name}", _prepare_statistics, torch_files, over("x.pth"), read)
    for name, read in NPY:
        yield Place(f"pickle: {name}", nothing, npy_files, over("x.npy"), read)
    for name in ("Mean.npy", "Std.npy"):
        yield Place(f"pickle: {name}", _prepare_statistics, npy_files, over(name), read_mean_std)
    yield Place("pickle: motion of a prediction", _prepare_prediction, npy_files, over("m.npy"),
                lambda f: read_predictions(f / "p.jsonl", "t2m", T2M))  # fmt: skip
    yield Place("pickle: motion in a folder of predictions", nothing, npy_files, over("m.npy"),
                lambda f: read_predictions(f, "t2m", T2M))  # fmt: skip
    yield Place("pickle: AMASS", nothing, npz_files("poses", "trans", "betas", "gender", "mocap_framerate"),
                over("x.npz"), lambda f: read_amass(f / "x.npz"))  # fmt: skip
    arrays = ("v_template", "shapedirs", "J_regressor", "kintree_table")
    yield Place(
        "pickle: body model", _prepare_bodies, npz_files(*arrays), over("smplh/male/model.npz"), _body_of_folder
    )
    yield Place(
        "pickle: body model as .pkl", _prepare_bodies, payloads.pickles, over("smplh/male/model.pkl"), _body_of_folder
    )


# --- evaluators, word vectors ---


def _save_evaluator(folder: Path) -> None:
    random_evaluator().save(folder)


def _evaluators() -> Iterator[Place]:
    for name in ("our_vab_words.pkl", "our_vab_idx.pkl"):
        yield Place(f"pickle: {name}", _save_evaluator, payloads.pickles, over(name), WordVectorizer.load)
        yield Place(
            f"pickle: {name} of an evaluator", _save_evaluator, payloads.pickles, over(name), TextMotionEvaluator.load
        )
        yield Place(f"pickle: {name} of a hub evaluator", lambda f: _hub(f), payloads.pickles, over(f"glove/{name}"),
                    TextMotionEvaluator.load)  # fmt: skip
    yield Place("pickle: our_vab_data.npy", _save_evaluator, npy_files, over("our_vab_data.npy"), WordVectorizer.load)
    for read, what in ((TextMotionEvaluator.load, "evaluator"), (_import_evaluator, "import_evaluator")):
        yield Place(f"pickle: finest.tar of {what}", _save_evaluator, torch_files, over("finest.tar"), read)
        yield Place(f"pickle: mean.npy of {what}", _save_evaluator, npy_files, over("mean.npy"), read)
    yield Place("pickle: weights of a hub evaluator", lambda f: _hub(f), torch_files, over("model.safetensors"),
                TextMotionEvaluator.load)  # fmt: skip
    yield Place(
        "path: files of a hub evaluator",
        lambda f: _hub(f),
        _paths_of_hub,
        over("config.json"),
        TextMotionEvaluator.load,
    )


def _hub(folder: Path) -> None:
    write_hub_evaluator(random_evaluator(), folder)
    (folder / "artifact_manifest.json").unlink()


def _paths_of_hub(canary: Path) -> Iterator[tuple[str, bytes]]:
    about = {"model_type": "motius-humanml3d-263-evaluator", "format_version": 1}
    for path in ("../" * 12 + str(canary).lstrip("/"), str(canary), "..\\x", "C:\\x", "x\x00y", ""):
        yield repr(path)[:40], json.dumps({**about, "weights_file": path}).encode()


# --- settings and lines ---


def _prepare_yaml(folder: Path) -> None:
    (folder / "t.yaml").write_text("max_grad_norm: 1.0\n")


def _parquet(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Tables whose metadata hold pickles, which some readers of pandas and arrow once opened."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    for what, content in payloads.pickles(canary):
        table = pa.table({"caption": ["x"], "motion_tokens": ["1 2"]})
        fields = [
            field.with_metadata(
                {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": content}
            )
            for field in table.schema
        ]
        schema = pa.schema(fields, metadata={"pandas": content, "huggingface": content})
        sink = io.BytesIO()
        pq.write_table(table.cast(schema), sink)
        yield what, sink.getvalue()


def _script(canary: Path) -> Iterator[tuple[str, bytes]]:
    yield "a loading script", f"open({str(canary)!r}, 'w')\n".encode()


def _prepare_rows(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data/train.jsonl").write_text('{"caption": "x", "motion_tokens": [1, 2]}\n')


def _import_cot(name: str) -> Callable[[Path], Any]:
    return lambda folder: command("prepare.import_cot", "--source", folder / name, "--out-dir", fresh(folder))


def _paths_of_rows(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Rows whose fields are paths: of splits, which name files, and of ids."""
    row = {"caption": "x", "motion_tokens": [1, 2]}
    for field in ("split", "id", "task"):
        for path in ("../" * 12 + str(canary).lstrip("/"), str(canary), "../../x"):
            yield f"{field} {path[:20]}", json.dumps({**row, field: path}).encode() + b"\n"


def _gzip_bomb(canary: Path) -> Iterator[tuple[str, bytes]]:
    yield "24 GB of zeros", payloads.gzip_bomb()


def _settings() -> Iterator[Place]:
    yield Place(
        "YAML tags: joint mapping", nothing, payloads.yaml_tags, over("m.yaml"), lambda f: load_mapping(f / "m.yaml")
    )
    yield Place("YAML tags: trainer-config", _prepare_yaml, payloads.yaml_tags, over("t.yaml"), trainer_config_of)
    yield Place("pickle: parquet of others", nothing, _parquet, over("x.parquet"), _import_cot("x.parquet"))
    yield Place("code: a folder of others", _prepare_rows, _script, over("data/data.py"), _import_cot("data"))
    yield Place("path: rows of others", nothing, _paths_of_rows, over("x.jsonl"), _import_cot("x.jsonl"))
    yield Place(
        "bomb: CoT jsonl.gz", nothing, _gzip_bomb, over("x.jsonl.gz"), lambda f: read_cot_jsonl(f / "x.jsonl.gz", 16)
    )
    yield Place("bomb: jsonl.gz of others", nothing, _gzip_bomb, over("x.jsonl.gz"), _import_cot("x.jsonl.gz"))


def file_places() -> Iterator[Place]:
    for found in (_files_of_arrays, _evaluators, _settings):
        yield from found()
