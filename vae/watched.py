"""A process of strangers' work is ended when it takes too much time or memory."""

__all__ = ["Watch"]

import contextlib
import subprocess
import threading
import time

import psutil

from vae.limits import Ceiling, in_words

# Seconds between two looks at what a process has taken.
LOOK = 0.05

# A machine may be busy: seconds of the clock for each second of work.
PATIENCE = 8


class Watch:
    """Ends a process that takes too much; :attr:`why` says what of.

    Arguments:
        process: The process.
        doing: What it is there for, as "read".
        seconds: What a refusal names as the limit of its work.
        memory: What it may hold.

    Attributes:
        why: A sentence without its subject, "takes over 4 s …"; empty as long as it was not ended.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], doing: str, seconds: Ceiling, memory: Ceiling
    ):
        self.why = ""
        self._process = process
        self._doing = doing
        self._limit = seconds
        self._memory = memory
        self._seconds = 0.0
        self._turn: object = None
        self._working = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def begin(self, seconds: float) -> None:
        """From now on it may take so much work."""
        self._seconds = seconds
        self._turn = object()
        self._working.set()

    def pause(self) -> None:
        """It has nothing to do."""
        self._working.clear()

    def end(self) -> None:
        """Nothing more is wanted of it."""
        self._over.set()
        self._working.set()
        self._thread.join()
        self._process.kill()

    def _run(self) -> None:
        memory, turn = self._memory(), None
        worked, began = 0.0, 0.0
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            while self._working.wait() and not self._over.is_set():
                times = process.cpu_times()
                now = times.user + times.system
                if turn is not self._turn:
                    worked, began, turn = now, time.monotonic(), self._turn
                seconds = self._seconds
                if now - worked > seconds or time.monotonic() - began > PATIENCE * seconds:
                    self.why = (
                        f"takes over {seconds:g} s to {self._doing}, the limit "
                        f"({self._limit.variable})"
                    )
                elif process.memory_info().rss > memory:
                    self.why = (
                        f"needs over {in_words(memory)} of memory, the limit "
                        f"({self._memory.variable})"
                    )
                if self.why:
                    self._process.kill()
                    return
                self._over.wait(LOOK)
