"""An exported folder goes to the hub, where `MotionLLM.load` finds it by its name."""

from pathlib import Path

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError
from huggingface_hub.utils import get_token

from utils.errors import InputError
from utils.hub import hub_is_reachable, is_hub_id

_WAY_OUT = "the folder is finished: give the same command again"


def check_hub(name: str) -> None:
    """Before the work of minutes: the name can be one of a repository, and the hub can be asked.

    Raises:
        InputError: it cannot.
    """
    if not is_hub_id(name if "/" in name else f"me/{name}"):
        raise InputError(f"--push-to-hub {name}: expected the name of a repository, such as me/walker")
    if constants.HF_HUB_OFFLINE:
        raise InputError("--push-to-hub: HF_HUB_OFFLINE is set: unset it")
    if get_token() is None:
        raise InputError("--push-to-hub: the hub must know who you are: set HF_TOKEN or run `hf auth login`")
    if not hub_is_reachable():
        raise InputError(f"--push-to-hub: {constants.ENDPOINT} cannot be reached")


def push_folder(folder: Path, name: str, private: bool) -> str:
    """Make the repository, where it is not there, and bring the folder into it by one commit.

    Returns:
        the address of the repository

    Raises:
        InputError: the hub refuses or breaks off.
    """
    hub = HfApi()
    try:
        # Without --private what the owner of the repository has chosen for new ones.
        repo = hub.create_repo(name, private=private or None, exist_ok=True)
        hub.upload_folder(
            repo_id=repo.repo_id, folder_path=folder, commit_message="MoRL policy", ignore_patterns=[".*", "*/.*"]
        )
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError, ValueError) as error:
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"--push-to-hub {name}: {said} ({_WAY_OUT})") from None
    return f"{constants.ENDPOINT}/{repo.repo_id}"
