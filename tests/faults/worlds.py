"""What the suites of kills and of full disks share: stages run undisturbed, tried again and again, and compared."""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.counting import Count
from tests.faults.forks import Ended, no_core_dumps, run_forked, warm_up
from tests.faults.stages import STAGES, Stage
from tests.faults.trees import contents, difference, left_behind


@dataclass(frozen=True)
class World:
    """What stages make when nothing disturbs them.

    Attributes:
        folder: where they ran; trials are made beside it.
        ended: how each ended, by its name.
        url: of the server that answers those that ask one.
    """

    folder: Path
    ended: Mapping[str, Ended]
    url: str = ""

    def problem_with(self, trial: Path, stage: Stage) -> str | None:
        """What is wrong with what a stage made in `trial`, where its command has ended with status 0; None: nothing."""
        here, there = (contents(root, stage.outputs, stage.any_order) for root in (self.folder, trial))
        if (problem := difference(here, there)) is not None:
            return f"not what an undisturbed run makes: {problem}"
        return unfinished_in(trial, stage)

    def keep(self, trial: Path, name: str) -> None:
        """Put the folder of a lost case aside, to be looked at (--keep)."""
        place = self.folder.parent / "lost" / name.replace(" ", "_")
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(exist_ok=True)
        shutil.move(trial, place)


def unfinished_in(trial: Path, stage: Stage, parts: bool = True) -> str | None:
    """The first unfinished file or folder that a stage left, in words; `parts` as of `trees.left_behind`."""
    found = left_behind(trial, stage.outputs, parts)
    return f"left behind: {found[0].rpartition('/')[2][:40]}" if found else None


def needed_for(stages: Sequence[Stage]) -> list[Stage]:
    """These and all that make their inputs, in order."""
    wanted = {stage.name for stage in stages}
    for stage in reversed(STAGES):
        inputs = {name for other in STAGES if other.name in wanted for name in other.inputs}
        if inputs & set(stage.outputs):
            wanted.add(stage.name)
    return [stage for stage in STAGES if stage.name in wanted]


def make_world(folder: Path, stages: Sequence[Stage], url: str = "") -> World:
    """Run all that `stages` need, and themselves, undisturbed in a new folder."""
    folder.mkdir(parents=True)
    ended = {}
    for stage in needed_for(stages):
        if stage.prepare is not None:
            stage.prepare(folder)
        ended[stage.name] = run_forked(stage.command(url), folder)
        if ended[stage.name].status != 0:
            raise SystemExit(
                f"{stage.name} fails undisturbed:\n$ {stage.command(url)}\n{ended[stage.name].output[-3000:]}"
            )
    return World(folder, ended, url)


def lay_out(world: Path, trial: Path, stage: Stage, warm: bool) -> None:
    """A folder of its own with the inputs of a stage; `warm`: what reading them cached in `world` too."""
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir(parents=True)
    left_out = None if warm else shutil.ignore_patterns(".cache")
    for name in stage.inputs:
        if (world / name).is_dir():
            shutil.copytree(world / name, trial / name, ignore=left_out)
        else:
            shutil.copy2(world / name, trial / name)
    for name in stage.outputs:  # made in a folder of inputs
        (trial / name).unlink(missing_ok=True)


@contextmanager
def answering(stages: Sequence[Stage]) -> Iterator[str]:
    """The address of a server that answers what stages ask it; nothing where none does."""
    if not any(stage.serves for stage in stages):
        yield ""
        return
    from tests.prepare.annotation_server import AnnotationServer, Play, good_text

    with AnnotationServer(lambda task, caption, before: Play(good_text(caption))) as server:
        yield server.url


def suite_flags(about: str, cases: str, default: int) -> argparse.Namespace:
    """The command line of a suite.

    Args:
        about: its docstring.
        cases: what its cases are called: the flag that says how many.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(f"--{cases}", type=int, default=default, help=f"{cases} in all, dealt out evenly to the stages")
    parser.add_argument("--stage", help="only stages whose name holds this")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn: moments, room")
    parser.add_argument("--keep", type=Path, help="folder for the undisturbed runs and the lost ones; must not exist")
    return parser.parse_args()


@contextmanager
def undisturbed(stages: Sequence[Stage], keep: Path | None) -> Iterator[World]:
    """The world of some stages, in the folder `keep` or in one that goes afterwards."""
    warm_up()
    with ExitStack() as stack:
        stack.enter_context(no_core_dumps())
        url = stack.enter_context(answering(stages))
        place = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        yield make_world(place / "world", stages, url)


def try_all(
    stages: Sequence[Stage], world: World, count: Count, cases: int, try_stage: Callable[[Stage, int], None]
) -> None:
    """Deal `cases` out evenly to the stages, and say how each stage fared."""
    for number, stage in enumerate(stages):
        share, ended = cases // len(stages) + (number < cases % len(stages)), world.ended[stage.name]
        print(f"{stage.name}: {ended.seconds:.1f} s and {ended.changes} changes undisturbed, {share} cases", flush=True)
        try_stage(stage, share)
        print("\n".join(line for line in count.lines() if stage.name in line), flush=True)
