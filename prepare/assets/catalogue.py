"""One table lists what can be downloaded: its sources and place, how a copy is known to be complete, what comes next.

Sizes and checksums of the archives on Google Drive are not published, so they are None here. What is downloaded is
tested as an archive, its SHA-256 is shown and kept, and `--sha256` compares it with one that you know. The hub tells
both itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dataset.captions.word_vectors import PREFIX
from models.text_motion.file_names import (
    ABOUT_FILE,
    CONFIG_FILE,
    MANIFEST_FILE,
    PREPROCESSOR_FILE,
    STATISTICS_FILES,
    WEIGHTS_FILE,
    WORDS,
)
from models.text_motion.published import find_files
from utils.asset_hints import HINTS, AssetHint
from utils.errors import InputError

WORD_FILES = tuple(f"{PREFIX}_{rest}" for rest in ("data.npy", "words.pkl", "idx.pkl"))
HUB_WORD_FILES = tuple(f"{WORDS}_{rest}" for rest in ("data.npy", "words.pkl", "idx.pkl"))
HUB_EVALUATOR = "ZeyuLing/motius-evaluator-humanml3d-official"
HUB_EVALUATOR_FILES = (CONFIG_FILE, PREPROCESSOR_FILE, WEIGHTS_FILE, *STATISTICS_FILES, *HUB_WORD_FILES)


@dataclass(frozen=True)
class DriveArchive:
    """A zip archive on Google Drive."""

    file_id: str
    archive: str
    size: int | None = None
    sha256: str | None = None

    @property
    def url(self) -> str:
        return f"https://drive.google.com/uc?id={self.file_id}"


@dataclass(frozen=True)
class HubFolder:
    """A repository on the hub, or one folder of it; `manifest` is its file of SHA-256 checksums, None without one."""

    repo: str
    kind: Literal["model", "dataset"] = "model"
    subfolder: str = ""
    manifest: str | None = None
    required: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asset:
    """Something that can be downloaded.

    Attributes:
        name: on the command line, and in `utils.asset_hints`.
        dest: folder that --dest replaces.
        folder: place of the asset below `dest`.
        is_complete: whether a folder is a complete copy, however it came there.
        next_step: what to do with the folder of a complete copy, in words.
        drive, hub: the sources.
    """

    name: str
    dest: str
    folder: str
    is_complete: Callable[[Path], bool]
    next_step: Callable[[Path], str]
    drive: DriveArchive | None = None
    hub: HubFolder | None = None

    @property
    def hint(self) -> AssetHint:
        return HINTS[self.name]

    def target(self, dest: str | Path | None = None) -> Path:
        return Path(self.dest if dest is None else dest) / self.folder


def has_files(*names: str) -> Callable[[Path], bool]:
    """A test whether a folder holds all of these files, none of them empty."""
    return lambda folder: all((folder / name).is_file() and (folder / name).stat().st_size for name in names)


def is_ready_evaluator(folder: Path) -> bool:
    """Whether evaluation can load the folder: made or imported by this project, or downloaded from the hub."""
    return (folder / ABOUT_FILE).is_file() or has_files(*HUB_EVALUATOR_FILES)(folder)


def is_evaluator(folder: Path) -> bool:
    """Whether the folder is ready, or a published one that prepare.import_evaluator reads."""
    if is_ready_evaluator(folder):
        return True
    try:
        find_files(folder)
    except InputError:
        return False
    return True


def next_of_evaluator(folder: Path) -> str:
    if is_ready_evaluator(folder):
        return f"it is ready: --eval-evaluator {folder}"
    return (
        f"python -m prepare.import_evaluator --published {folder} --word-vectors glove --out-dir {folder.parent} "
        f"--exp-name {folder.name} (word vectors: {HINTS['glove'].command})"
    )


def _next_of_motion_agent(folder: Path) -> str:
    return (
        f"python -m prepare.import_checkpoint --published {folder}/motionllm.pth --llm-backbone google/gemma-2-2b-it "
        f"--motion-tokenizer {folder}/vqvae.pth --stats-root data/HumanML3D --out {folder.parent}/published.pth"
    )


ASSETS = (
    Asset(
        "evaluator-t2m",
        "checkpoints",
        "t2m",
        is_evaluator,
        next_of_evaluator,
        DriveArchive("1FIiqtkt4F-GVWmnBgtZnv9W3cPWS-oM-", "t2m.zip"),
        HubFolder(HUB_EVALUATOR, manifest=MANIFEST_FILE, required=HUB_EVALUATOR_FILES),
    ),
    Asset(
        "evaluator-kit",
        "checkpoints",
        "kit",
        is_evaluator,
        next_of_evaluator,
        DriveArchive("1KNU8CsMAnxFrwopKBBkC8jEULGLPBHQp", "kit.zip"),
    ),
    Asset(
        "glove",
        "glove",
        "",
        has_files(*WORD_FILES),
        lambda folder: f"--word-vectors {folder}",
        DriveArchive("1bCeS6Sh_mLVTebxIgiUHgdPrroW06mb6", "glove.zip"),
        HubFolder(HUB_EVALUATOR, subfolder=WORDS.rpartition("/")[0], manifest=MANIFEST_FILE, required=HUB_WORD_FILES),
    ),
    Asset(
        "morl-weights",
        "checkpoints",
        "morl",
        lambda _: False,
        lambda folder: (
            f"python eval_mllm.py --eval-task t2m --eval-ckpt {folder}/FILE (a flat published .pth: "
            "prepare.import_checkpoint first)"
        ),
        hub=HubFolder("AIGeeksGroup/MoRL"),
    ),
    Asset(
        "motion-agent",
        "checkpoints",
        "ckpt",
        has_files("motionllm.pth", "vqvae.pth"),
        _next_of_motion_agent,
        DriveArchive("1Tagt2xUwv_h0JNMtrM_Ty1rWemkLF5jH", "motion_agent.zip"),
    ),
    Asset(
        "cot-data",
        "data",
        "MoUnd-MoGen-CoT-140K",
        lambda _: False,
        lambda folder: (
            f"python train_mllm.py --train-stage sft --cot-train-jsonl {folder}/FILE.jsonl "
            "--nb-code 512 --show-samples 2"
        ),
        hub=HubFolder("AIGeeksGroup/MoUnd-MoGen-CoT-140K", kind="dataset"),
    ),
)
BY_NAME = {asset.name: asset for asset in ASSETS}
# The download scripts of the published repository have these names.
GROUPS = {
    "extractor": ("evaluator-t2m", "evaluator-kit"),
    "ckpt": ("morl-weights", "motion-agent"),
    "data": ("cot-data",),
}


def find_assets(names: list[str]) -> list[Asset]:
    """The assets of these names, of assets or groups, each once. Raises InputError for an unknown name."""
    found: dict[str, Asset] = {}
    for name in names:
        if name not in GROUPS and name not in BY_NAME:
            known = ", ".join([*GROUPS, *BY_NAME])
            raise InputError(f"{name!r} is nothing that can be downloaded; there are {known}")
        found |= {member: BY_NAME[member] for member in GROUPS.get(name, (name,))}
    return list(found.values())
