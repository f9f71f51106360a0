"""Say what this machine is, and what of everything that can be downloaded is here, what for, and how to get it.

python -m prepare.check_assets
python -m prepare.check_assets --require evaluator-t2m humanml3d     exit status 2 where one of them is missing
"""

from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError

from dataset.humanml.layout import FEATURES_FOLDER, MEAN_FILE, STD_FILE, TEXTS_FOLDER
from options.flags.common import DEFAULT_BACKBONE
from options.flags.evaluation import EvalFlags
from options.flags.parsing import flag, parse_flags
from options.flags.rewards import RewardFlags
from prepare.assets.catalogue import ASSETS, Asset, is_evaluator, is_ready_evaluator
from prepare.assets.machine import folder_size, in_gigabytes, machine_lines
from prepare.assets.state import AssetState, look
from utils.asset_hints import HINTS
from utils.errors import InputError
from utils.run.command import run_command

DATA_SETS = {"humanml3d": "HumanML3D", "kit-ml": "KIT-ML"}
# Of joint vectors and joints; the cache of the first reader takes as much as the joint vectors once more.
_DATA_SIZES = {"humanml3d": "5.4 GB"}


@dataclass
class CheckFlags:
    """Flags: where to look, and what is required."""

    _argument_group_name = "check"

    checkpoints: str = flag("checkpoints", "folder of evaluators and weights")
    glove: str = flag("glove", "folder of word vectors")
    data: str = flag("data", "folder of data sets")
    contents: bool = flag(False, "compare checksums of what was downloaded, not only sizes")
    require: list[str] = field(
        default_factory=list, metadata={"help": "names of which one missing is exit status 2", "nargs": "+"}
    )


@dataclass(frozen=True)
class Row:
    """An asset in the list: its state and place, what it is for, the command that gets it, and its size in words."""

    name: str
    state: AssetState
    where: str
    needed_for: str
    command: str
    size: str = ""


def main() -> None:
    (flags,) = parse_flags(CheckFlags, description=__doc__)
    rows = look_at_all(flags)
    if unknown := sorted(set(flags.require) - {row.name for row in rows}):
        names = ", ".join(row.name for row in rows)
        raise InputError(f"--require {' '.join(unknown)}: not among {names}")
    print("\n".join([*machine_lines([flags.checkpoints, flags.glove, flags.data, "experiments"]), ""]))
    print(format_rows(rows))
    if lacking := [row.name for row in rows if row.name in flags.require and row.state.status != "present"]:
        raise InputError(f"not here: {', '.join(lacking)}")


def look_at_all(flags: CheckFlags) -> list[Row]:
    places = {"checkpoints": flags.checkpoints, "glove": flags.glove, "data": flags.data}
    rows = [_asset_row(asset, asset.target(places[asset.dest]), flags.contents) for asset in ASSETS]
    for name, folder in DATA_SETS.items():
        place = Path(flags.data) / folder
        hint, size = HINTS[name], _size_on_disk(place) or _DATA_SIZES.get(name, "")
        rows.append(Row(name, _data_state(place), str(place), hint.needed_for, hint.command, size))
    return rows + _hub_models()


def _size_on_disk(place: Path) -> str:
    """Of what is there; empty where nothing is."""
    return in_gigabytes(folder_size(place)) if place.is_dir() else ""


def _asset_row(asset: Asset, target: Path, contents: bool) -> Row:
    state, command = look(asset, target, contents), asset.hint.command
    # A published evaluator is complete as a download, but has to be imported before it can be used.
    if state.status == "present" and is_evaluator(target) and not is_ready_evaluator(target):
        state, command = AssetState("partial", "downloaded, to be imported"), asset.next_step(target)
    return Row(asset.name, state, str(target), asset.hint.needed_for, command, _size_on_disk(target))


def _data_state(place: Path) -> AssetState:
    needed = (FEATURES_FOLDER, TEXTS_FOLDER, "train.txt", "test.txt", MEAN_FILE, STD_FILE)
    lacking = [name for name in needed if not (place / name).exists()]
    if not lacking:
        return AssetState("present", "has the published layout")
    if len(lacking) == len(needed):
        return AssetState("missing", "nothing there")
    return AssetState("partial", f"lacks {', '.join(lacking)}")


def _hub_models() -> list[Row]:
    """Default models, which transformers fetches by itself when they are first used, where there is a network."""
    rows = [("backbone", DEFAULT_BACKBONE, HINTS["backbone"].needed_for, "8 GB")]
    semantic, coherence = RewardFlags.semantic_model_name, RewardFlags.nli_model_name
    rows.append(("sentence-model", semantic, "the semantic reward (--semantic-model-name)", "0.1 GB"))
    rows.append(("nli-model", coherence, "the coherence reward (--nli-model-name)", "1 to 2 GB"))
    rows.append(("bertscore-model", EvalFlags.bertscore_model, "BERTScore of m2t (--bertscore-model)", "1.4 GB"))
    return [
        Row(name, _hub_state(model), model, needed_for, f"hf download {model}", size)
        for name, model, needed_for, size in rows
    ]


def _hub_state(model: str) -> AssetState:
    try:
        return AssetState("present", f"in {snapshot_download(model, local_files_only=True)}")
    except (OSError, HFValidationError):
        return AssetState("missing", "not in the hub's cache; fetched when first used, where there is a network")


def format_rows(rows: list[Row]) -> str:
    width = max(len(row.name) for row in rows)
    lines = []
    for row in rows:
        size = f" ({row.size})" if row.size else ""
        lines.append(f"{row.name:<{width}}  {row.state.status:<8} {row.where}{size}: {row.state.detail}")
        lines.append(f"{'':<{width}}  for      {row.needed_for}")
        if row.state.status != "present":
            lines.append(f"{'':<{width}}  get it   {row.command}")
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(main)
