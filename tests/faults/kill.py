"""Every stage is killed at random moments and given the same command again: what it makes in the end must be the same.

    python -m tests.faults.kill                         # all stages: 210 kills
    python -m tests.faults.kill --kills 40 --seed 1     # fewer, at other moments
    python -m tests.faults.kill --stage SFT             # one of them

SIGKILL lets nothing be tidied up. A third of the kills come instead of a change on the disk (a file opened for
writing, renamed, removed, synced to the disk), a third some milliseconds after one, a third anywhere in the run's time.
After some of them the continued run is killed as well. A case survives when the last run ends with status 0, every file
is what an undisturbed run makes (but for times; `tests.faults.trees`), and nothing unfinished is left behind.
"""

import argparse
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.faults.counting import Count, Ending
from tests.faults.forks import Ended, Moment, no_core_dumps, run_forked, warm_up
from tests.faults.stages import Stage, lay_out, make_world, named
from tests.faults.trees import contents, difference, left_behind

KILLS = 210
MOST_DELAY_S = 0.06
MOST_UNKILLED = 40  # runs of a stage that ended before their moment came
AGAIN = 0.25  # share of the continued runs that are killed too


@contextmanager
def answering(stages: list[Stage]) -> Iterator[str]:
    """The address of a server that answers what stages ask it; nothing where none does."""
    if not any(stage.serves for stage in stages):
        yield ""
        return
    from tests.prepare.annotation_server import AnnotationServer, Play, good_text

    with AnnotationServer(lambda task, caption, before: Play(good_text(caption))) as server:
        yield server.url


def moments(rng: random.Random, undisturbed: Ended) -> Iterator[Moment]:
    """Moments of one stage, spread over its changes and over its time, without end."""
    while True:
        change = rng.randint(1, max(1, undisturbed.changes))
        yield Moment(change)
        yield Moment(change, rng.uniform(0.0005, MOST_DELAY_S))
        yield Moment(1, rng.uniform(0, undisturbed.seconds))


def try_kill(
    stage: Stage, world: Path, trial: Path, moment: Moment, rng: random.Random, url: str
) -> tuple[Ending, str, int]:
    """(how the case ended, what repeats it, kills): run, kill, run again (perhaps kill again), compare."""
    warm = rng.random() < 0.5
    lay_out(world, trial, stage, warm)
    command = stage.command(url)
    done: list[str] = []
    kills = 0
    ended = run_forked(command, trial, moment)
    done.append(str(moment))
    while ended.killed:
        kills += 1
        again = (
            Moment(rng.randint(1, 60), rng.choice((0.0, rng.uniform(0.001, MOST_DELAY_S))))
            if rng.random() < AGAIN
            else None
        )
        ended = run_forked(command, trial, again)
        if again is not None and ended.killed:
            done.append(str(again))
    repeat = f"killed at {', then '.join(done)}{', caches there' if warm else ''}: $ {command}"
    if ended.status != 0:
        return Ending(lost=f"status {ended.status}: {ended.last_line[:200]}"), repeat, kills
    problem = difference(
        contents(world, stage.outputs, stage.any_order), contents(trial, stage.outputs, stage.any_order)
    )
    unfinished = left_behind(trial, stage.outputs)
    if problem is not None:
        return Ending(lost=f"not what an undisturbed run makes: {problem}"), repeat, kills
    if unfinished:
        return Ending(lost=f"left behind: {unfinished[0].rpartition('/')[2][:40]}"), repeat, kills
    return Ending(), repeat, kills


def try_stage(stage: Stage, world: Path, undisturbed: Ended, count: Count, kills: int, seed: int, url: str) -> None:
    """Kill a stage `kills` times; a run that ended before its moment came is no case."""
    rng, tally, done, unkilled = random.Random(f"{seed} {stage.name}"), count.of(stage.name), 0, 0
    for moment in moments(rng, undisturbed):
        trial = world.parent / "trial"
        ending, repeat, own = try_kill(stage, world, trial, moment, rng, url)
        done += own
        if own or ending.lost:
            tally.add(ending, repeat)
            tally.tried += max(0, own - 1)  # a case of two kills counts as two
        if ending.lost:
            keep = world.parent / "lost" / f"{stage.name.replace(' ', '_')}-{tally.lost_cases}"
            shutil.rmtree(keep, ignore_errors=True)
            keep.parent.mkdir(exist_ok=True)
            shutil.move(trial, keep)
        unkilled += not own
        if done >= kills or unkilled > MOST_UNKILLED:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=KILLS, help="kills in all, dealt out evenly to the stages")
    parser.add_argument("--stage", help="only stages whose name holds this")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--keep", type=Path, help="folder for the undisturbed runs and the lost ones; must not exist")
    flags = parser.parse_args()
    stages = named(flags.stage)
    warm_up()
    count = Count("kill")
    with ExitStack() as stack:
        stack.enter_context(no_core_dumps())
        url = stack.enter_context(answering(stages))
        place = flags.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        undisturbed = make_world(place / "world", stages, url)
        for number, stage in enumerate(stages):
            share = flags.kills // len(stages) + (number < flags.kills % len(stages))
            ended = undisturbed[stage.name]
            print(
                f"{stage.name}: {ended.seconds:.1f} s and {ended.changes} changes undisturbed, {share} kills",
                flush=True,
            )
            try_stage(stage, place / "world", ended, count, share, flags.seed, url)
            print("\n".join(line for line in count.lines() if stage.name in line), flush=True)
    count.end()


if __name__ == "__main__":
    main()
