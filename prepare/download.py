"""Download what the published code needs, verified, into the folders where it is looked for.

    python -m prepare.download extractor           evaluators of HumanML3D and KIT-ML   (download_extractor.sh)
    python -m prepare.download glove               word vectors of the evaluators       (download_glove.sh)
    python -m prepare.download ckpt                weights of MoRL and of Motion-Agent  (download_ckpt.sh)
    python -m prepare.download data                chain-of-thought data set            (download_data.sh)

Each is fetched aside, verified (the hub's checksums; an archive's own, and --sha256), unpacked where nothing can leave
its folder, and then moved in. What is complete is skipped, what is partial goes on when the command is run again, and
nothing that is there is replaced or deleted. Google Drive needs `pip install gdown`. HF_TOKEN, HF_ENDPOINT and
HTTPS_PROXY are respected.
"""

import sys
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Literal

from options.flags.parsing import flag, need, parse_flags
from prepare.assets.catalogue import ASSETS, GROUPS, Asset, find_assets
from prepare.assets.install import Wish, install, is_begun, tidy
from prepare.assets.state import look
from utils.errors import InputError
from utils.run.command import run_command


@dataclass
class DownloadFlags:
    """Flags: what is fetched, from where, and where to."""

    _argument_group_name = "download"

    assets: list[str] = field(
        default_factory=list,
        metadata={"help": f"what to fetch: {', '.join([*GROUPS, *(asset.name for asset in ASSETS)])}", "nargs": "+"},
    )
    source: Literal["auto", "hub", "drive"] = flag(
        "auto", "hub, drive (Google Drive), or auto: the hub where it has it and can be reached"
    )
    dest: str | None = flag(None, "folder to put it in; default: checkpoints, glove or data, where it is looked for")
    archive: str | None = flag(None, "zip archive to take instead, a file or an http(s) address (one asset)")
    sha256: str | None = flag(None, "SHA-256 that the archive must have (one asset)")

    def __post_init__(self) -> None:
        need(bool(self.assets), "name what to download, for example: python -m prepare.download extractor")
        digits = set("0123456789abcdefABCDEF")
        need(
            self.sha256 is None or (len(self.sha256) == 64 and set(self.sha256) <= digits),
            f"--sha256 must be 64 hex digits, not {self.sha256!r}",
        )
        need(self.archive is None or self.source == "auto", "--archive replaces the source: leave out --source")
        need(self.sha256 is None or self.source != "hub", "--sha256 is about an archive: the hub has none")


def main() -> None:
    (flags,) = parse_flags(DownloadFlags, description=__doc__, argv=_named_first(sys.argv[1:]))
    assets = find_assets(flags.assets)
    if flags.source != "auto" and len(assets) > 1:
        assets = [asset for asset in assets if (asset.hub if flags.source == "hub" else asset.drive) is not None]
    if len(assets) > 1 and (flags.archive or flags.sha256):
        named = ", ".join(asset.name for asset in assets)
        raise InputError(f"--archive and --sha256 are about one archive: name one of {named}")
    # Only an archive has the checksum that the user knows; the hub says those of its files itself.
    source = "drive" if flags.sha256 and flags.source == "auto" else flags.source
    wish, failed = Wish(source, flags.archive, flags.sha256), []
    for asset in assets:
        try:
            bring(asset, Path(flags.dest or asset.dest), wish)
        except InputError as error:
            if len(assets) == 1:
                raise InputError(f"{asset.name}: {error}") from None
            print(f"error: {asset.name}: {error}", file=sys.stderr)
            failed.append(asset.name)
    if failed:
        raise InputError(f"not downloaded: {', '.join(failed)}")


def bring(asset: Asset, dest: Path, wish: Wish) -> None:
    """Install the asset unless it is there, and print what to do with it."""
    target = asset.target(dest)
    if look(asset, target).status == "present" and not is_begun(asset, dest):
        tidy(asset, dest)
        print(f"{asset.name}: complete already in {target}")
    else:
        files = install(asset, dest, wish)
        size = sum(file.bytes for file in files) / 1e6
        print(f"{asset.name}: {len(files)} files, {size:.1f} MB, verified, in {target}")
    print(f"  next: {asset.next_step(target)}")


def _named_first(words: list[str]) -> list[str]:
    """Words in front become the flag --assets: `extractor --dest X` -> `--assets extractor --dest X`."""
    names = list(takewhile(lambda word: not word.startswith("-"), words))
    return [*(["--assets", *names] if names else []), *words[len(names) :]]


if __name__ == "__main__":
    run_command(main)
