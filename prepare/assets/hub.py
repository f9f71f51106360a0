"""A repository of the hub, or one folder of it, is fetched and compared with the hub's checksums.

`huggingface_hub` respects HF_TOKEN (or `hf auth login`), HF_ENDPOINT and the proxies of the environment. Files that an
interrupted download completed are not fetched again.
"""

from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,  # of its HTTP library (httpx2, once httpx), whose connection errors reach us as they are
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from prepare.assets.catalogue import HubFolder
from prepare.assets.fetch import SourceUnavailable
from utils.errors import InputError
from utils.files.manifest import differences, read_manifest

TIMEOUT_S = 10.0


def fetch_from_hub(source: HubFolder, folder: Path) -> tuple[Path, list[str], str]:
    """Download into `folder`.

    Returns:
        (root, paths of the files below it, where they come from: repository and revision)

    Raises:
        SourceUnavailable: offline, no such repository, no access, or the connection broke.
        InputError: a file has another checksum than the hub or the repository's manifest says.
    """
    try:
        return _fetch(source, folder)
    except OfflineModeIsEnabled:
        raise SourceUnavailable("the hub is not asked while HF_HUB_OFFLINE is set: unset it to download") from None
    except (RepositoryNotFoundError, GatedRepoError) as error:
        raise SourceUnavailable(
            f"the hub does not hand out {source.repo} ({_first_line(error)}): if it is private or gated, set HF_TOKEN "
            "or run `hf auth login`"
        ) from None
    except RuntimeError as error:  # what hf_xet, the hub's transfer of large files, raises when it gets stuck
        raise SourceUnavailable(
            f"{source.repo}: {_first_line(error)}; run the same command again to go on, or set HF_HUB_DISABLE_XET=1 "
            "where only plain HTTP passes"
        ) from None
    except (HTTPError, HfHubHTTPError, LocalEntryNotFoundError, ConnectionError) as error:
        raise SourceUnavailable(
            f"{constants.ENDPOINT} cannot be reached for {source.repo} ({_first_line(error)}): check the network; set "
            "HTTPS_PROXY behind a proxy, HF_ENDPOINT for a mirror; run the same command again to go on"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _fetch(source: HubFolder, folder: Path) -> tuple[Path, list[str], str]:
    api = HfApi()
    # The revision is asked for first: so what is fetched and what it is compared with are the same, and without network
    # this fails, where snapshot_download would hand back whatever lies in the folder.
    revision = api.repo_info(source.repo, repo_type=source.kind, timeout=TIMEOUT_S).sha
    wanted = None
    if source.subfolder:
        wanted = [f"{source.subfolder}/*", *([source.manifest] if source.manifest else [])]
    snapshot_download(source.repo, repo_type=source.kind, revision=revision, local_dir=folder, allow_patterns=wanted)
    checked = api.verify_repo_checksums(source.repo, repo_type=source.kind, revision=revision, local_dir=folder)
    for mismatch in checked.mismatches:
        (folder / mismatch["path"]).unlink()  # so that the next try fetches it again
    if checked.mismatches:
        named = "; ".join(f"{m['path']} has {m['actual']}, not {m['expected']}" for m in checked.mismatches)
        raise InputError(f"{source.repo}: downloaded files do not have the hub's checksums: {named}; run it again")
    prefix = f"{source.subfolder}/" if source.subfolder else ""
    if missing := [path for path in checked.missing_paths if path.startswith(prefix)]:
        raise SourceUnavailable(f"{source.repo}: not downloaded: {', '.join(missing)}; run it again")
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    paths = sorted(path for path in here - set(checked.extra_paths) if not path.startswith(".cache/"))
    _check_contents(source, folder, paths)
    root = folder / source.subfolder
    below = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    return root, below, f"{constants.ENDPOINT}/{source.repo} at {revision}"


def _check_contents(source: HubFolder, folder: Path, paths: list[str]) -> None:
    """Compare the files with the repository's own manifest, and with those that are needed. Raises InputError."""
    problems = [f"{name} is missing" for name in source.required if name not in paths]
    if source.manifest is not None:
        if source.manifest in paths:
            listed = [file for file in read_manifest(folder / source.manifest) if file.path in paths]
            problems += differences(folder, listed)
        else:
            problems.append(f"{source.manifest} is missing")
    if not paths:
        problems.append("there is no file in it")
    if problems:
        raise InputError(f"{source.repo} is not what was expected: {'; '.join(problems)}")
