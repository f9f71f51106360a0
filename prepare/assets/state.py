"""The receipt of a download, or the files themselves, tell whether an asset is on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prepare.assets.catalogue import Asset
from utils.files.manifest import ListedFile, differences, list_files, read_manifest, write_manifest
from utils.wording import listed

_SHOWN = 3  # problems that are named


@dataclass(frozen=True)
class AssetState:
    """Whether an asset is here, with half a line of detail."""

    status: Literal["present", "partial", "missing"]
    detail: str


def receipt_path(asset: Asset, target: Path) -> Path:
    """The file that lists what a finished download brought; it is written last."""
    return target / f".{asset.name}.download.json"


def write_receipt(asset: Asset, target: Path, paths: list[str], origin: str) -> list[ListedFile]:
    files = list_files(target, paths)
    write_manifest(receipt_path(asset, target), files, {"asset": asset.name, "origin": origin})
    return files


def look(asset: Asset, target: Path, contents: bool = False) -> AssetState:
    """The state of an asset in its folder; with `contents` checksums are compared too, not only sizes.

    Raises InputError for a receipt that cannot be read.
    """
    receipt = receipt_path(asset, target)
    if receipt.is_file():
        files = read_manifest(receipt)
        if problems := differences(target, files, contents):
            return AssetState("partial", listed(problems, _SHOWN, "; "))
        return AssetState("present", f"{len(files)} files as downloaded")
    if asset.is_complete(target):
        return AssetState("present", "by its files, which came here in another way")
    if target.is_dir() and any(not path.name.startswith(".") for path in target.iterdir()):
        return AssetState("partial", "files are there, but not known to be all of it")
    return AssetState("missing", "nothing there")
