"""What visitors leave behind is given back: collected once in a while, not after every rerun."""

__all__ = ["keep_tidy"]

import ctypes
import functools
import gc
import threading
import time

# Seconds between two collections.
INTERVAL = 60


@functools.cache
def keep_tidy() -> None:
    """Start to tidy up, once for this server, when its libraries have been imported."""
    # The objects of the libraries will never be garbage: without them to go through, a collection
    # takes a few milliseconds instead of 0.13 s.
    gc.collect()
    gc.freeze()
    threading.Thread(target=_tidy, name="tidy", daemon=True).start()


def _tidy() -> None:
    while True:
        time.sleep(INTERVAL)
        gc.collect()
        _give_back()


def _give_back() -> None:
    """Return freed memory to the system, where the C library can: glibc keeps it otherwise."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)
