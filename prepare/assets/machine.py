"""What this machine is: Python, torch and its GPUs, memory, and the room on the disks that things go to."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

# What trl and transformers ask for.
LEAST_PYTHON = (3, 11)
_GB = 1e9


def machine_lines(folders: Sequence[str | Path]) -> list[str]:
    """``python 3.11.7``, ``torch ...``, one line a GPU, ``memory ...``, one line a disk of `folders`."""
    version = ".".join(map(str, sys.version_info[:3]))
    least = ".".join(map(str, LEAST_PYTHON))
    old = "" if sys.version_info[:2] >= LEAST_PYTHON else f": too old, {least} or newer is needed"
    return [f"python  {version}{old}", *_torch_lines(), f"memory  {_memory()}", *_disk_lines(folders)]


def folder_size(folder: str | Path) -> int:
    """Bytes of all files in a folder, links not followed."""
    return sum(path.lstat().st_size for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())


def in_gigabytes(size: float) -> str:
    return f"{size / _GB:.1f} GB" if size >= 0.05 * _GB else f"{size / 1e6:.1f} MB"


def _torch_lines() -> list[str]:
    try:
        import torch
    except ImportError:
        return ["torch   is not installed: pip install the build that fits your driver, then requirements.txt"]
    if not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}, but no GPU answers" if torch.version.cuda else "for the CPU"
        return [f"torch   {torch.__version__}, {built}"]
    lines = [f"torch   {torch.__version__}, {torch.cuda.device_count()} GPU(s)"]
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        bf16 = "" if torch.cuda.get_device_capability(index)[0] >= 8 else ", no bf16"
        lines.append(f"gpu {index}   {name}, {in_gigabytes(free)} of {in_gigabytes(total)} free{bf16}")
    return lines


def _memory() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        size = in_gigabytes(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # Windows
        size = "unknown"
    return f"{size}, {cores} cores"


def _disk_lines(folders: Sequence[str | Path]) -> list[str]:
    """Free room by file system; folders that are not there yet count for the nearest one that is."""
    by_disk: dict[int, tuple[str, list[str]]] = {}
    for folder in folders:
        place = next(path for path in (Path(folder).resolve(), *Path(folder).resolve().parents) if path.exists())
        free = in_gigabytes(shutil.disk_usage(place).free)
        by_disk.setdefault(place.stat().st_dev, (free, []))[1].append(str(folder))
    return [f"disk    {free} free for {', '.join(names)}" for free, names in by_disk.values()]
