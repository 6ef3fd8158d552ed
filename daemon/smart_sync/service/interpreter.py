"""Interpreter settings for the daemon: the thread switch interval, and garbage collection.

What a pass no longer needs is freed at once, by counting references.  Only objects that refer to each other wait for
Python's collector, and they are few; but to find them it halts every thread while it visits all that is alive, the
worksheets in memory included (measured: 20 halts of up to 0.4 s in a pass over 100,000 accounts).
"""

import gc
import sys

#: Collections of the middle generation before the oldest is looked at too: no pass makes so many.
_NEVER = 2**30
#: Seconds until a thread that computes lets the others have the interpreter.  An answer passes from thread to thread
#: several times; with Python's 5 ms the slowest of a hundred took 25 ms during a pass over 50,000 accounts, with this
#: 17 ms, and the pass as long as before.
_TURN_SECONDS = 0.001


def start() -> None:
    """Turn garbage collection off during start-up, where it takes a seventh of the time and finds nothing."""
    gc.disable()


def settle() -> None:
    """Freeze what is loaded once the daemon is ready, leave old garbage to `sweep`, and shorten thread switches."""
    sys.setswitchinterval(_TURN_SECONDS)
    # What the settings before a reload have left behind must not stay frozen for ever.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], _NEVER)
    gc.enable()


def sweep() -> None:
    """Collect everything after a pass, when little is alive."""
    gc.collect()


def trim() -> None:
    """Return free memory of the C library to the system (glibc): passes and reloads fragment it."""
    import ctypes  # not before the first pass is over: a start need not wait for it

    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)
