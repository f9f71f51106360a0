"""A run is completed here, in the same way by every command that makes one: recorded, seeded, worked on, finished.

    run = Run(folder, arguments, may_differ=("device",), seed=123, device=device)
    summary = run.complete(work)

where `work` calls `session = begin(data_fingerprint)`, at the latest when it has read its data, and goes on. It
returns the numbers of the finished run, or None when it stopped before its end.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from utils.errors import InputError
from utils.run.folder import RunFolder
from utils.run.inputs import INPUTS, Inputs, Record, found_again, read_record
from utils.run.interrupt import InterruptFlag, Stopped
from utils.run.launcher import launched_as_main

if TYPE_CHECKING:
    import torch


# The argument that says how many processes work together, for commands whose result depends on it. A finished run is
# shown to any number of them.
PROCESSES = "processes"


@dataclass(frozen=True)
class Session:
    """What a stage needs while it works.

    Attributes:
        folder: where all that it makes goes.
        device: where it computes.
        seed: of everything random; torch's generator is seeded with it already.
        data_fingerprint: of the data that it learns from.
        interrupt: a context for the loop that can stop between two steps: within it Ctrl-C sets `interrupt.raised`.
            Everywhere else Ctrl-C stops at once.
    """

    folder: RunFolder
    device: "torch.device"
    seed: int
    data_fingerprint: str
    interrupt: InterruptFlag


class Begin(Protocol):
    """From this call on the folder holds the run, and what is logged is in its run.log.

    `found`: what the work has come across and reads too, under names with a space in them, for example the backbone
    that a checkpoint names. Raises InputError where an interrupted run was begun with another one.
    """

    def __call__(self, data_fingerprint: str, found: Inputs = ...) -> Session: ...


# What there is to do: the numbers of the finished run, None when it stopped before its end.
Work = Callable[[Begin], dict[str, Any] | None]


@dataclass(frozen=True)
class Summary:
    """A finished run; as text, one line about it.

    Attributes:
        numbers: what finished.json holds.
        already: it was finished before this command was given.
    """

    folder: RunFolder
    numbers: dict[str, Any]
    already: bool

    def __str__(self) -> str:
        return ("already " if self.already else "") + self.folder.summary()


@dataclass(frozen=True)
class Run:
    """A run as a command line asks for it.

    Attributes:
        arguments: all flags, JSON-able, by name. A folder with a run of other ones is refused.
        may_differ: names of those that change where or how loudly it works, not what it finds.
        seed: of everything random.
        device: where this process computes.
        anew: what the folder holds already is set aside (--no-resume).
        inputs: what it reads, by flag: a run is neither continued nor called finished with other contents. A flag
            that names an input may name another path with the same content.
        part: of the work that this command does beside others, which do theirs at the same time; it finishes nothing.
            None: all that is left to do.
    """

    folder: RunFolder
    arguments: dict[str, Any]
    may_differ: tuple[str, ...]
    seed: int
    device: "torch.device"
    anew: bool = False
    inputs: Inputs = field(default_factory=dict)
    part: str | None = None

    def complete(self, work: Work) -> Summary | None:
        """Do what is left to do of the run; a finished one is left as it is.

        Args:
            work: trains and measures. It calls the `begin` that it gets at the latest when its data are read: a start
                that fails before leaves nothing behind, and what is logged after it is in run.log. Of several
                processes only the numbers of the first one count.

        Returns:
            the finished run; None where only a part of it was to be done, and in all processes but the first, which
            alone prints

        Raises:
            InputError: the folder holds a run of other arguments or inputs, or another process works there; or whatever
                the work refuses. Nothing is left of a run that was refused before it made anything.
            Stopped: the work was told to stop; the same command continues it.
        """
        self.folder.check_place()
        aside = None
        if self.anew and launched_as_main():
            with self.folder.locked():
                aside = self.folder.set_aside()
        numbers = self.folder.finished
        already = numbers is not None
        if numbers is None:
            with ExitStack() as ending:
                # After a refusal nothing is new, and the earlier run is where it was.
                if aside is not None:
                    ending.push(lambda kind, error, trace: self._put_back(aside, error))
                ending.enter_context(self.folder.locked(self.part))
                if self.folder.is_empty and self.part is None and launched_as_main():
                    ending.push(lambda kind, error, trace: self._forget(error))
                # What is left to do.
                made_of = self._check(finished=False)  # before the data are read, which can take a while
                numbers = work(lambda data, found=MappingProxyType({}): self._begin(data, found, made_of, ending))
                if numbers is None:
                    raise Stopped
                if self.part is not None:
                    return None
                if launched_as_main():
                    self.folder.finish(numbers)
        else:
            self._check(finished=True)
        return Summary(self.folder, numbers, already) if launched_as_main() else None

    def _forget(self, error: BaseException | None) -> None:
        """Leave nothing of a new run that was refused, though it had begun."""
        if isinstance(error, InputError):
            self.folder.forget_start()

    def _put_back(self, aside: Path, error: BaseException | None) -> None:
        """A run that was set aside for one that was refused is where it was."""
        if isinstance(error, InputError) and not self.folder.path.exists():
            aside.rename(self.folder.path)
            logging.info("%s: the earlier run is back", self.folder.path)

    def _check(self, finished: bool) -> Record:
        """What the inputs hold now; raises InputError where the folder holds a run of other arguments or inputs."""
        if not launched_as_main():
            return {}
        if not finished and self.folder.finished is not None:
            raise InputError(f"{self.folder.path}: another process has finished this run while this one started")
        before = self.folder.recorded()
        known = read_record(before)
        # Where both contents are known they are compared, and not the paths.
        moved = {name for name, place in self.inputs.items() if place is not None and name in known}
        self.folder.check_arguments(self.arguments, (*self.may_differ, *moved, *((PROCESSES,) if finished else ())))
        if before and INPUTS not in before and self.inputs:
            if finished:
                return {}
            logging.info("%s was begun before runs recorded what they read: taken as it is now", self.folder.path)
        return self.folder.check_inputs({**self.inputs, **found_again(known, self.inputs)})

    def _begin(self, data_fingerprint: str, found: Inputs, made_of: Record, ending: ExitStack) -> Session:
        """Record the run and seed torch; `ending` closes the log."""
        import torch

        if launched_as_main():
            made_of = {**made_of, **self.folder.check_inputs(found)}
            self.folder.record_arguments(self.arguments, made_of)
            self.folder.record_environment(self.seed, data_fingerprint, str(self.device))
            ending.callback(self.folder.log_to_file())
        torch.manual_seed(self.seed)
        return Session(self.folder, self.device, self.seed, data_fingerprint, InterruptFlag())
