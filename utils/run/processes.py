"""Several processes compute one training step together; a run without a launcher is one process.

A launcher (``torchrun --nproc_per_node N -m module ...``, ``accelerate launch --multi_gpu -m module ...``) starts the
same command N times. Each process computes a share of every sum, and `Processes.add_up` makes the whole of it, the
same bits in all of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
from torch import Tensor

from utils.errors import InputError
from utils.run.devices import local_device, resolve_device
from utils.run.interrupt import Stopped
from utils.run.launcher import launched_here, launched_processes

# Processes wait this long for one that validates or writes. One that dies is noticed by the launcher, not by this.
_TIMEOUT = timedelta(hours=3)


@dataclass(frozen=True)
class Processes:
    """This process, number `index` of `count`. With one, every method returns at once.

    Attributes:
        device: where this process computes; messages between processes are tensors on it.
    """

    index: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main(self) -> bool:
        """True in the one that prints, writes and validates."""
        return self.index == 0

    def share(self, total: int) -> slice:
        """This process's part of `total` rows; the parts follow one another and differ by one row at most."""
        return slice(total * self.index // self.count, total * (self.index + 1) // self.count)

    def deal(self, total: int) -> list[int]:
        """This process's part of `total` rows that are dealt out one by one.

        All processes get equally many: where the rows do not divide, the first of them are dealt a second time.
        """
        return [(self.index + taken) % total for taken in range(0, total, self.count)]

    def add_up(self, *tensors: Tensor) -> None:
        """Replace tensors, in place, by their sums over the processes. One message; all of one floating type."""
        if self.count == 1:
            return
        message = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(message)
        for tensor, part in zip(tensors, message.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def largest(self, *values: float) -> list[float]:
        """For each value the largest of all processes."""
        if self.count == 1:
            return list(values)
        message = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(message, torch.distributed.ReduceOp.MAX)
        return message.tolist()

    def wait(self) -> None:
        """Return when all processes have come here."""
        self.largest(0.0)  # of nothing it would not wait

    def row_numbers(self, own: int) -> tuple[int, int]:
        """(number of this process's first row, rows of all), when this one has `own` rows and they are put in order."""
        if self.count == 1:
            return 0, own
        rows = torch.zeros(self.count, dtype=torch.float64, device=self.device)
        rows[self.index] = own
        self.add_up(rows)
        everyone = [int(number) for number in rows.tolist()]
        return sum(everyone[: self.index]), sum(everyone)

    def take_rows(self, rows: Tensor, first: int, numbers: Tensor) -> Tensor:
        """(K, C) rows by number, wherever they are.

        Args:
            rows: (M, C), this process's.
            first: number of the first of them, from `row_numbers`.
            numbers: (K,) on the CPU, the same in all processes.
        """
        if self.count == 1:
            return rows[numbers.to(rows.device)]
        local = numbers - first
        here = torch.nonzero((local >= 0) & (local < len(rows))).flatten()
        taken = rows.new_zeros(len(numbers), rows.shape[1])
        taken[here.to(rows.device)] = rows[local[here].to(rows.device)]
        self.add_up(taken)
        return taken

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The main process runs the block before the others do, so that they find what it wrote."""
        if not self.is_main:
            self.wait()
        yield
        if self.is_main:
            self.wait()


ALONE = Processes()


def own_device(name: str) -> torch.device:
    """Where this process computes: `resolve_device`, and with several processes a GPU of its own.

    Raises:
        InputError: more processes than GPUs, or all of them told to use the same one.
    """
    wanted, started = resolve_device(name), launched_processes()
    if started == 1 or wanted.type != "cuda":
        return wanted
    here, gpus = launched_here(), torch.cuda.device_count()
    if wanted.index is not None:
        raise InputError(f"--device {name} with {started} processes: each takes a GPU of its own, say cuda")
    if here > gpus:
        raise InputError(f"{here} processes on a machine with {gpus} GPU(s): start as many as GPUs, or --device cpu")
    return local_device(wanted)


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the processes that a launcher started, for the length of the block; without one, be alone.

    Args:
        device: as in `resolve_device`; with several processes ``cuda`` and ``auto`` give each a GPU of its own.

    Raises:
        InputError: more processes than GPUs, all of them told to use the same one, or a device without messages.
    """
    started, wanted = launched_processes(), own_device(device)
    if started == 1:
        yield Processes(device=wanted)
        return
    # Imported here: a run without a launcher has no use for it.
    from accelerate import PartialState

    state = PartialState(cpu=wanted.type == "cpu", timeout=_TIMEOUT)
    if state.num_processes != started:
        raise InputError(f"--device {device}: {started} processes cannot work together there, only on cpu and cuda")
    processes = Processes(state.process_index, state.num_processes, state.device)
    stopped = None
    try:
        yield processes
    except Stopped as stop:  # what all processes agreed on; any other end of one is for the launcher to see
        stopped = stop
    processes.wait()  # nobody leaves while another still waits for a message
    state.destroy_process_group()
    if stopped is not None:
        raise stopped
