"""The places of a run folder that reading it again looks into: states of our trainers and of trl's."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from models.policy.states import DONE_FILE
from tests.faults.forks import run_forked, warm_up
from tests.faults.places.place import Place, torch_files
from tests.faults.readers.reader import CommandFailed
from tests.faults.stages import Stage, named
from tests.faults.worlds import lay_out, make_world
from utils.errors import InputError

# Files of a trainer's state that are pickles.
STATES = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin")


def _prepare(name: str, output: str) -> Callable[[Path], None]:
    """A run of the stage `name` that lacks its end, with all that it needs."""

    def prepare(folder: Path) -> None:
        warm_up()
        (stage,) = named(name)
        world = folder.parent / "world"
        if not world.exists():
            world.mkdir()
        place = world / name
        if not place.exists():
            make_world(place, [stage])
        lay_out(place, folder, stage, warm=True)
        shutil.copytree(place / output, folder / output)
        (folder / output / "finished.json").unlink()

    return prepare


def _again(stage: Stage) -> Callable[[Path], Any]:
    """The command of a stage, run again in a process of its own."""

    def read(folder: Path) -> Any:
        ended = run_forked(stage.command(), folder)
        if ended.status == 0:
            return ended.output
        errors = [line for line in ended.output.split("\n") if line.startswith("error: ")]
        if ended.status != 2 or len(errors) != 1:
            raise CommandFailed(f"status {ended.status}: {ended.output[-300:]!r}")
        raise InputError(errors[0])

    return read


def _plant_state(output: str, file: str) -> Callable[[Path, bytes], None]:
    """Put a content into every state but the last, which is taken away, so that the run goes on from one of them."""

    def plant(folder: Path, content: bytes) -> None:
        states = sorted((folder / output / "trainer_state").glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
        if len(states) > 1:
            shutil.rmtree(states.pop())
        for state in states:
            (state / DONE_FILE).unlink(missing_ok=True)  # it lists contents; states of earlier versions have none
            (state / file).write_bytes(content)

    return plant


def _plant_file(name: str) -> Callable[[Path, bytes], None]:
    def plant(folder: Path, content: bytes) -> None:
        (folder / name).write_bytes(content)

    return plant


def run_places() -> Iterator[Place]:
    for name, output, state in (
        ("train_motion_tokenizer", "tokenizer", "latest_state.pth"),
        ("train_evaluator", "ranker", "latest_state.pth"),
        ("train_nli", "nli", "training_state.pt"),
    ):
        (stage,) = named(name)
        plant = _plant_file(f"{output}/{state}")
        yield Place(f"pickle: state of {name}", _prepare(name, output), few, plant, _again(stage))
    for name, output in (("SFT", "sft_t2m"), ("GRPO", "rlvr_t2m")):
        (stage,) = named(name)
        for file in STATES:
            yield Place(
                f"pickle: {file} of {name}", _prepare(name, output), few, _plant_state(output, file), _again(stage)
            )


def few(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Three of the pickles: each of these cases is a whole run."""
    wanted = ("open, protocol 2", "open, protocol 2, bare", "torch.storage")
    yield from ((what, content) for what, content in torch_files(canary) if what in wanted)
