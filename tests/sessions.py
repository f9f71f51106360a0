"""A session of a run without the command around it."""

import torch

from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag
from utils.run.session import Session


def session_in(folder, interrupt=None):
    """In `folder`, on the CPU; `interrupt`: a flag that the test raises itself."""
    return Session(RunFolder(folder), torch.device("cpu"), 0, "", interrupt or InterruptFlag())
