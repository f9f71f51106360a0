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

import errno
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.faults.counting import Count, Ending
from tests.faults.forks import Ended, Moment, refuse, run_forked
from tests.faults.stages import Stage, named
from tests.faults.trees import files_of
from tests.faults.worlds import World, lay_out, suite_flags, try_all, undisturbed, unfinished_in
from tests.full_disk import limit_files

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


@dataclass(frozen=True)
class Disk:
    """The folder of the trials; `mounted`: it is a file system of its own, in memory, whose size can be set."""

    place: Path
    mounted: bool

    def resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.place)], check=True)

    @property
    def used(self) -> int:
        state = os.statvfs(self.place)
        return (state.f_blocks - state.f_bfree) * state.f_frsize


@contextmanager
def own_disk(place: Path) -> Iterator[Disk]:
    """A new folder, mounted where this user may mount one."""
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield Disk(place, mounted=False)
        return
    try:
        yield Disk(place, mounted=True)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def full_disks(rng: random.Random, disk: Disk, whole: Ended, made: Sequence[int]) -> Iterator[FullDisk]:
    """Full disks for one stage, without end.

    Args:
        whole: its undisturbed run.
        made: bytes of each file that it makes.
    """
    while True:
        change, code = rng.randint(1, max(1, whole.changes)), rng.choice(REFUSALS)
        yield FullDisk(f"{errno.errorcode[code]} from change {change} on", within=lambda c=change, e=code: refuse(c, e))
        limit = int(max(made, default=1) * rng.random())
        yield FullDisk(f"no file beyond {limit} bytes", within=lambda n=limit: limit_files(n))
        if disk.mounted:
            room = int(sum(made) * rng.random()) // 4096 * 4096
            yield FullDisk(
                f"room for {room} bytes",
                before=lambda trial, n=room: disk.resize(disk.used + n),
                after=lambda: disk.resize(ROOMY),
            )


def half_files(root: Path, names: Sequence[str]) -> list[str]:
    """Files of a run that cannot be read; the last line of a journal may be torn, and what only continues a run."""
    found = []
    for path in files_of(root, names):
        relative = path.relative_to(root).as_posix()
        if any(f"/{name}/" in relative for name in ("trainer_state", "tensorboard", ".cache", ".downloads")):
            continue
        try:
            _read(path)
        except Exception:  # noqa: BLE001  whatever a reader says of it
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
    elif path.suffix in (".png", ".gif"):
        from PIL import Image

        with Image.open(path) as picture:
            for frame in range(getattr(picture, "n_frames", 1)):
                picture.seek(frame)
                picture.load()


def refusal(ended: Ended) -> str | None:
    """What is wrong with how a command told of a full disk, or None."""
    if "Traceback (most recent call last)" in ended.output:
        return f"a traceback: {ended.last_line[:150]}"
    if ended.status != 2:
        return f"status {ended.status}: {ended.last_line[:150]}"
    errors = [line for line in ended.output.split("\n") if line.startswith("error: ")]
    return None if len(errors) == 1 else f"{len(errors)} lines of errors"


def try_disk(stage: Stage, world: World, trial: Path, full: FullDisk, rng: random.Random) -> tuple[Ending, str]:
    """(how the case ended, what repeats it): run on a full disk, look, run with room, compare."""
    lay_out(world.folder, trial, stage, warm=rng.random() < 0.5)
    command, told = stage.command(world.url), full.what
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
        if not continued and (unfinished := unfinished_in(trial, stage, parts=False)) is not None:
            return Ending(lost=unfinished), repeat
        again = run_forked(command, trial)
        if again.status != 0:
            return Ending(lost=f"with room again: status {again.status}: {again.last_line[:150]}"), repeat
    if (problem := world.problem_with(trial, stage)) is not None:
        return Ending(lost=problem), repeat
    return Ending(line=ended.last_line if ended.status else ""), repeat


def try_stage(stage: Stage, world: World, disk: Disk, count: Count, cases: int, seed: int) -> None:
    rng = random.Random(f"{seed} {stage.name}")
    made = [path.stat().st_size for path in files_of(world.folder, stage.outputs)]
    disks = full_disks(rng, disk, world.ended[stage.name], made)
    for number, full in zip(range(cases), disks, strict=False):
        trial = disk.place / "trial"
        ending, repeat = try_disk(stage, world, trial, full, rng)
        count.of(stage.name).add(ending, repeat)
        if ending.lost:
            world.keep(trial, f"{stage.name}-{number}")
        shutil.rmtree(trial, ignore_errors=True)


def main() -> None:
    flags = suite_flags(__doc__, "cases", CASES)
    stages, count = named(flags.stage), Count("disk")
    with undisturbed(stages, flags.keep) as world, own_disk(world.folder.parent / "disk") as disk:
        if not disk.mounted:
            print("no file system may be mounted here: full disks are stand-ins only")
        try_all(stages, world, count, flags.cases, lambda stage, n: try_stage(stage, world, disk, count, n, flags.seed))
    count.end()


if __name__ == "__main__":
    main()
