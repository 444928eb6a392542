"""Processes of this machine, told apart even where a number is used again."""

__all__ = ["Process", "host", "process", "this_process"]

import os
import socket
from typing import NamedTuple

import psutil

# A process's creation time is read against the machine's clock, which may be set meanwhile.
CLOCK_SLACK = 2.0


class Process(NamedTuple):
    """A process by its number and its creation time, in seconds since the epoch."""

    pid: int
    born: float

    def is_alive(self) -> bool:
        """Whether it runs; one that died and was not yet waited for does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < CLOCK_SLACK
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def process(pid: int) -> Process:
    """The process that has this number now.

    Raises:
        psutil.NoSuchProcess: There is none.
    """
    return Process(pid, psutil.Process(pid).create_time())


def this_process() -> Process:
    """The one that asks."""
    return process(os.getpid())


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()
