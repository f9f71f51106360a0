"""The places that read a folder or an archive: data sets, downloads, models of transformers."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.policy.backbone import load_backbone, load_text_tokenizer
from rewards.text_models import EntailmentModel, SentenceEncoder
from tests.faults.contents import payloads
from tests.faults.places.place import Place, instead, nothing, npy_files, over, torch_files
from tests.faults.readers.commands import fresh, prepare_data, prepare_joints
from tests.faults.readers.reader import command

# --- data sets ---


def _paths_of_index(canary: Path) -> Iterator[tuple[str, bytes]]:
    head = "source_path,start_frame,end_frame,new_name\n"
    for name in ("../" * 12 + str(canary).lstrip("/"), str(canary), "..", "../../x"):
        yield f"new_name {name[:20]}", f"{head}./pose_data/humanact12/humanact12/P01.npy,0,-1,{name}\n".encode()
        yield f"source_path {name[:20]}", f"{head}{name}.npy,0,-1,000000\n".encode()


def _prepare_index(folder: Path) -> None:
    from tests.faults.readers.commands import CLIPS

    place = folder / "amass/humanact12/humanact12/P01.npy"
    place.parent.mkdir(parents=True)
    np.save(place, CLIPS[0].joints)
    (folder / "bodies").mkdir()


def _convert_index(folder: Path) -> Any:
    given = ["--amass-dir", folder / "amass", "--body-models", folder / "bodies", "--index", folder / "index.csv"]
    return command("prepare.motions_from_amass", *given, "--out-dir", fresh(folder), "--device", "cpu", "--skip-bad")


def _paths_of_split(canary: Path) -> Iterator[tuple[str, bytes]]:
    for name in ("../" * 12 + str(canary).lstrip("/"), str(canary), "../../x"):
        yield f"id {name[:20]}", f"a\nb\n{name}\n".encode()


def _convert_split(folder: Path) -> Any:
    given = ["--joints-dir", folder / "joints", "--texts-dir", folder / "texts", "--splits-dir", folder / "splits"]
    return command("prepare.motions_from_joints", *given, "--out-dir", fresh(folder), "--skip-bad")


def _encode_split(folder: Path) -> Any:
    fresh(folder)
    given = ["--data-root", folder / "data", "--motion-tokenizer", folder / "t.pth", "--out", folder / "out/c.jsonl"]
    return command("prepare.encode_motions", *given, "--device", "cpu")


def _data_sets() -> Iterator[Place]:
    yield Place("path: index of AMASS", _prepare_index, _paths_of_index, over("index.csv"), _convert_index)
    yield Place(
        "path: split of a conversion", prepare_joints, _paths_of_split, over("splits/train.txt"), _convert_split
    )
    yield Place("path: split of a data set", prepare_data, _paths_of_split, over("data/train.txt"), _encode_split)
    yield Place(
        "pickle: features of a data set", prepare_data, npy_files, over("data/new_joint_vecs/c.npy"), _encode_split
    )


# --- archives ---


def _words() -> dict[str, bytes]:
    return {
        f"glove/our_vab_{rest}": b"content of " + rest.encode() * 100 for rest in ("data.npy", "words.pkl", "idx.pkl")
    }


def _archives(canary: Path) -> Iterator[tuple[str, bytes]]:
    yield from payloads.archives(canary, _words())


def _bombs(canary: Path) -> Iterator[tuple[str, bytes]]:
    yield from payloads.bombs(_words())


def _download(folder: Path) -> Any:
    return command("prepare.download", "glove", "--archive", folder / "x.zip", "--dest", folder / "words")


def _archive_places() -> Iterator[Place]:
    yield Place("archive: download", nothing, _archives, over("x.zip"), _download)
    yield Place("bomb: archive of a download", nothing, _bombs, over("x.zip"), _download)


# --- models of transformers ---


def _templates(canary: Path) -> Iterator[tuple[str, bytes]]:
    for what, template in payloads.templates(canary):
        yield what, template.encode()


def _plant_template(folder: Path, content: bytes) -> None:
    path = folder / "llm/tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": content.decode()}))


def _render(folder: Path) -> Any:
    from models.language.prompts import prompt_style

    tokenizer = load_text_tokenizer(str(folder / "llm"))
    style = prompt_style("chat", tokenizer)
    return tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False), style


def _code(canary: Path) -> Iterator[tuple[str, bytes]]:
    yield "code of its own", str(canary).encode()


def _plant_code(where: str) -> Callable[[Path, bytes], None]:
    return lambda folder, content: payloads.code_folder(folder / where, Path(content.decode()))


def prepare_llm(folder: Path) -> None:
    """A random language model of the smallest size."""
    (folder / "cot.jsonl").write_text(
        '{"caption": "a person walks.", "motion_tokens": [1, 2], "reasoning": "One foot."}\n' * 3
    )
    sizes = ["--vocab-size", "300", "--hidden-size", "16", "--layers", "1", "--heads", "2"]
    command("prepare.make_tiny_llm", "--cot-jsonl", folder / "cot.jsonl", "--out-dir", folder / "llm", *sizes)


def prepare_nli(folder: Path) -> None:
    """A random model of natural-language inference, in a folder."""
    from models.nli.model import NliSizes, make_nli_model, train_nli_tokenizer

    tokenizer = train_nli_tokenizer(["a person waves the left hand.", "The hand swings."] * 3, vocab_size=100)
    make_nli_model(NliSizes(hidden_size=32, heads=2, layers=1), len(tokenizer), max_tokens=40).save_pretrained(
        folder / "nli"
    )
    tokenizer.save_pretrained(folder / "nli")


def _models() -> Iterator[Place]:
    backbone = lambda f: load_backbone(str(f / "llm"), 16, 0)  # noqa: E731
    weights = "model.safetensors", "pytorch_model.bin"
    yield Place(
        "pickle: weights of a backbone",
        prepare_llm,
        torch_files,
        instead(*(f"llm/{name}" for name in weights)),
        backbone,
    )
    yield Place("code: a backbone", prepare_llm, _code, _plant_code("llm"), backbone)
    yield Place("template: chat template of a backbone", prepare_llm, _templates, _plant_template, _render)
    for name, read in (("NLI model", EntailmentModel), ("sentence model", SentenceEncoder)):
        place = lambda f, r=read: r(str(f / "nli"))  # noqa: E731
        planted = instead(*(f"nli/{weight}" for weight in weights))
        yield Place(f"pickle: weights of a {name}", prepare_nli, torch_files, planted, place)
        yield Place(f"code: a {name}", prepare_nli, _code, _plant_code("nli"), place)


def folder_places() -> Iterator[Place]:
    for found in (_data_sets, _archive_places, _models):
        yield from found()
