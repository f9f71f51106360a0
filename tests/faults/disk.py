"""Every command meets a disk that is full, and is given the same command again when there is room.

    python -m tests.faults.disk                      # all stages: 160 cases
    python -m tests.faults.disk --cases 40 --seed 1  # fewer, with other room
    python -m tests.faults.disk --stage encode       # one of them

There are three kinds of full disks. A file system in memory that holds so many bytes and no more (where this user may
mount one); a limit on the size of a file (ulimit -f); and a system that refuses the n-th change and all that follow
(`forks.refuse`), so that every place that writes is met once. Some of the runs that meet it continue one that was
killed.

A case survives when the command ends with status 2 and one line, leaves nothing unfinished and no file half, and
the same command, with room, makes what an undisturbed run makes. A run that gets by without the bytes that it lacked (a
cache, say) must have made the right files.
"""

import argparse
import errno
import json
import os
import random
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.faults.counting import Count, Ending
from tests.faults.forks import Ended, Moment, no_core_dumps, refuse, run_forked, warm_up
from tests.faults.kill import answering
from tests.faults.stages import Stage, lay_out, make_world, named
from tests.faults.trees import contents, difference, files_of, left_behind

CASES = 160
CONTINUED = 0.25  # share of the cases that continue a killed run
ROOMY = 1 << 30
# What a system refuses with: the disk or the quota is full, it has gone, it may not be written to.
REFUSALS = (errno.ENOSPC, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


@dataclass(frozen=True)
class FullDisk:
    """One way for a disk to be full: what is done before the command runs, and in its process, and afterwards."""

    what: str
    before: Callable[[Path], None] = lambda trial: None
    within: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None


@contextmanager
def own_disk(place: Path) -> Iterator[bool]:
    """Whether `place` became a file system of its own, in memory, that `resize` can make small."""
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def resize(place: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


def used(place: Path) -> int:
    state = os.statvfs(place)
    return (state.f_blocks - state.f_bfree) * state.f_frsize


def full_disks(
    rng: random.Random, disk: Path, mounted: bool, undisturbed: Ended, made: Sequence[int]
) -> Iterator[FullDisk]:
    """Full disks for one stage, without end.

    Args:
        made: bytes of each file that it makes.
    """
    while True:
        change, code = rng.randint(1, max(1, undisturbed.changes)), rng.choice(REFUSALS)
        yield FullDisk(f"{errno.errorcode[code]} from change {change} on", within=lambda c=change, e=code: refuse(c, e))
        limit = int(max(made, default=1) * rng.random())
        yield FullDisk(f"no file beyond {limit} bytes", within=lambda n=limit: _limit_files(n))
        if mounted:
            room = int(sum(made) * rng.random()) // 4096 * 4096
            yield FullDisk(
                f"room for {room} bytes",
                before=lambda trial, n=room: resize(disk, used(disk) + n),
                after=lambda: resize(disk, ROOMY),
            )


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def half_files(root: Path, names: Sequence[str]) -> list[str]:
    """Files of a run that cannot be read; the last line of a journal may be torn, and what only continues a run."""
    found = []
    for path in files_of(root, names):
        relative = path.relative_to(root).as_posix()
        if any(f"/{name}/" in relative for name in ("trainer_state", "tensorboard", ".cache", ".downloads")):
            continue
        try:
            _read(path)
        except (ValueError, OSError, RuntimeError, EOFError):
            found.append(relative)
    return found


def _read(path: Path) -> None:
    if path.suffix == ".npy":
        np.load(path)
    elif path.suffix == ".json":
        json.loads(path.read_bytes())
    elif path.suffix == ".jsonl":
        for line in path.read_bytes().split(b"\n")[:-1]:
            json.loads(line)
    elif path.suffix in (".pth", ".tar"):
        import torch

        torch.load(path, weights_only=True)
    elif path.suffix == ".safetensors":
        from safetensors.torch import load_file

        load_file(path)


def refusal(ended: Ended) -> str | None:
    """What is wrong with how a command told of a full disk, or None."""
    if "Traceback (most recent call last)" in ended.output:
        return f"a traceback: {ended.last_line[:150]}"
    if ended.status != 2:
        return f"status {ended.status}: {ended.last_line[:150]}"
    errors = [line for line in ended.output.split("\n") if line.startswith("error: ")]
    return None if len(errors) == 1 else f"{len(errors)} lines of errors"


def try_disk(
    stage: Stage, world: Path, trial: Path, full: FullDisk, rng: random.Random, url: str
) -> tuple[Ending, str]:
    """(how the case ended, what repeats it): run on a full disk, look, run with room, compare."""
    lay_out(world, trial, stage, warm=rng.random() < 0.5)
    command, told = stage.command(url), full.what
    if continued := rng.random() < CONTINUED:
        moment = Moment(rng.randint(1, 80))
        run_forked(command, trial, moment)
        told += f", after a kill at {moment}"
    repeat = f"{told}: $ {command}"
    full.before(trial)
    try:
        ended = run_forked(command, trial, before=full.within)
    finally:
        full.after()
    if ended.status != 0:
        if (wrong := refusal(ended)) is not None:
            return Ending(lost=wrong), repeat
        if half := half_files(trial, stage.outputs):
            return Ending(lost=f"half a file is left: {half[0]}"), repeat
        if not continued and (unfinished := left_behind(trial, stage.outputs, parts=False)):
            return Ending(lost=f"left behind: {unfinished[0].rpartition('/')[2][:40]}"), repeat
        again = run_forked(command, trial)
        if again.status != 0:
            return Ending(lost=f"with room again: status {again.status}: {again.last_line[:150]}"), repeat
    problem = difference(
        contents(world, stage.outputs, stage.any_order), contents(trial, stage.outputs, stage.any_order)
    )
    if problem is not None:
        return Ending(lost=f"not what an undisturbed run makes: {problem}"), repeat
    if unfinished := left_behind(trial, stage.outputs):
        return Ending(lost=f"left behind: {unfinished[0].rpartition('/')[2][:40]}"), repeat
    return Ending(line=ended.last_line if ended.status else ""), repeat


def try_stage(
    stage: Stage,
    world: Path,
    disk: Path,
    mounted: bool,
    undisturbed: Ended,
    count: Count,
    cases: int,
    seed: int,
    url: str,
) -> None:
    rng = random.Random(f"{seed} {stage.name}")
    made = [path.stat().st_size for path in files_of(world, stage.outputs)]
    for number, full in zip(range(cases), full_disks(rng, disk, mounted, undisturbed, made), strict=False):
        trial = disk / "trial"
        ending, repeat = try_disk(stage, world, trial, full, rng, url)
        count.of(stage.name).add(ending, repeat)
        if ending.lost:
            keep = world.parent / "lost" / f"{stage.name.replace(' ', '_')}-{number}"
            shutil.rmtree(keep, ignore_errors=True)
            shutil.copytree(trial, keep)
        shutil.rmtree(trial)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=CASES, help="cases in all, dealt out evenly to the stages")
    parser.add_argument("--stage", help="only stages whose name holds this")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and of the room")
    parser.add_argument("--keep", type=Path, help="folder for the undisturbed runs and the lost ones; must not exist")
    flags = parser.parse_args()
    stages = named(flags.stage)
    warm_up()
    count = Count("disk")
    with ExitStack() as stack:
        stack.enter_context(no_core_dumps())
        url = stack.enter_context(answering(stages))
        place = flags.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        undisturbed = make_world(place / "world", stages, url)
        mounted = stack.enter_context(own_disk(place / "disk"))
        if not mounted:
            print("no file system may be mounted here: full disks are stand-ins only")
        for number, stage in enumerate(stages):
            share = flags.cases // len(stages) + (number < flags.cases % len(stages))
            ended = undisturbed[stage.name]
            try_stage(stage, place / "world", place / "disk", mounted, ended, count, share, flags.seed, url)
            print("\n".join(line for line in count.lines() if stage.name in line), flush=True)
    count.end()


if __name__ == "__main__":
    main()
