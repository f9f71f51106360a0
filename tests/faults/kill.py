"""Every stage is killed at random moments and given the same command again: what it makes in the end must be the same.

    python -m tests.faults.kill                         # all stages: 210 kills
    python -m tests.faults.kill --kills 40 --seed 1     # fewer, at other moments
    python -m tests.faults.kill --stage SFT             # one of them

SIGKILL lets nothing be tidied up. A third of the kills come instead of a change on the disk (a file opened for
writing, renamed, removed, synced to the disk), a third some milliseconds after one, a third anywhere in the run's time.
After some of them the continued run is killed as well. A case survives when the last run ends with status 0, every file
is what an undisturbed run makes (but for times; `tests.faults.trees`), and nothing unfinished is left behind.
"""

import random
from collections.abc import Iterator
from pathlib import Path

from tests.faults.counting import Count, Ending
from tests.faults.forks import Ended, Moment, run_forked
from tests.faults.stages import Stage, named
from tests.faults.worlds import World, lay_out, suite_flags, try_all, undisturbed

KILLS = 210
MOST_DELAY_S = 0.06
MOST_UNKILLED = 40  # runs of a stage that ended before their moment came
AGAIN = 0.25  # share of the continued runs that are killed too


def moments(rng: random.Random, whole: Ended) -> Iterator[Moment]:
    """Moments of one stage, spread over the changes and the time of its undisturbed run, without end."""
    while True:
        change = rng.randint(1, max(1, whole.changes))
        yield Moment(change)
        yield Moment(change, rng.uniform(0.0005, MOST_DELAY_S))
        yield Moment(1, rng.uniform(0, whole.seconds))


def try_kill(stage: Stage, world: World, trial: Path, moment: Moment, rng: random.Random) -> tuple[Ending, str, int]:
    """(how the case ended, what repeats it, kills): run, kill, run again (perhaps kill again), compare."""
    warm = rng.random() < 0.5
    lay_out(world.folder, trial, stage, warm)
    command = stage.command(world.url)
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
    return Ending(lost=world.problem_with(trial, stage) or ""), repeat, kills


def try_stage(stage: Stage, world: World, count: Count, kills: int, seed: int) -> None:
    """Kill a stage `kills` times; a run that ended before its moment came is no case."""
    rng, tally, done, unkilled = random.Random(f"{seed} {stage.name}"), count.of(stage.name), 0, 0
    for moment in moments(rng, world.ended[stage.name]):
        trial = world.folder.parent / "trial"
        ending, repeat, own = try_kill(stage, world, trial, moment, rng)
        done += own
        if own or ending.lost:
            tally.add(ending, repeat)
            tally.tried += max(0, own - 1)  # a case of two kills counts as two
        if ending.lost:
            world.keep(trial, f"{stage.name}-{tally.lost_cases}")
        unkilled += not own
        if done >= kills or unkilled > MOST_UNKILLED:
            return


def main() -> None:
    flags = suite_flags(__doc__, "kills", KILLS)
    stages, count = named(flags.stage), Count("kill")
    with undisturbed(stages, flags.keep) as world:
        try_all(stages, world, count, flags.kills, lambda stage, n: try_stage(stage, world, count, n, flags.seed))
    count.end()


if __name__ == "__main__":
    main()
