"""Commands as processes of their own, without the second that importing takes: a process that has the program loaded
forks one for each.

``run(arguments, environment)`` is what ``subprocess.run`` of ``python -m smart_sync`` would be, with its own standard
streams, environment, exit code and end of the interpreter.  `terminal` does the same on a terminal.
"""

import atexit
import functools
import gc
import json
import os
import runpy
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_LOCK = threading.Lock()
#: Seconds that one command may take.
PATIENCE = 60.0
#: What an interpreter looks at when it begins: a fork comes too late for it.
OF_THE_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_")


def is_free() -> bool:
    """Whether no other thread runs a command just now."""
    return not _LOCK.locked()


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """``smart-sync ARGUMENTS`` to its end, its standard input empty.  Raises `subprocess.TimeoutExpired`."""
    ask = {"arguments": list(arguments), "environment": dict(environment), "folder": str(Path.cwd())}
    with _LOCK:
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(ask) + "\n")
        server.stdin.flush()
        code, output, errors = json.loads(server.stdout.readline())
    if code is None:
        raise subprocess.TimeoutExpired(["smart-sync", *arguments], PATIENCE, output, errors)
    return subprocess.CompletedProcess(["smart-sync", *arguments], code, output, errors)


@functools.cache
def _server() -> subprocess.Popen[str]:
    """One for this process of the tests."""
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @atexit.register
    def end() -> None:
        with server:
            pass  # closes its standard input, and waits for it

    return server


def _serve() -> None:
    import smart_sync.admin.checks
    import smart_sync.admin.history
    import smart_sync.cli.main
    import smart_sync.cli.output
    import smart_sync.report
    import smart_sync.sync.once  # noqa: F401

    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), flush=True)  # noqa: T201 - it is data


def _forked(ask: dict[str, Any]) -> tuple[int | None, str, str]:
    pipes = [os.pipe(), os.pipe()]
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, (_, into) in enumerate(pipes, 1):
            os.dup2(into, number)
        os.closerange(3, 1024)
        _become(ask)
    for _, into in pipes:
        os.close(into)
    written = _read([out for out, _ in pipes])
    for out, _ in pipes:
        os.close(out)
    if written is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    output, errors = (text.decode(errors="replace") for text in written or (b"", b""))
    return None if written is None else os.waitstatus_to_exitcode(status), output, errors


def _become(ask: dict[str, Any]) -> None:
    """Be the command; the interpreter ends with it, as any."""
    os.chdir(ask["folder"])
    os.environ.clear()
    os.environ.update(ask["environment"])
    time.tzset()
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv = ["smart-sync", *ask["arguments"]]
    runpy.run_module("smart_sync", run_name="__main__")
    sys.exit()


def _read(streams: Sequence[int]) -> list[bytes] | None:
    """What is written into each until all are closed; None if that takes too long."""
    written = {stream: bytearray() for stream in streams}
    deadline = time.monotonic() + PATIENCE
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(deadline - time.monotonic(), 0))
            if not ready:
                return None
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                written[key.fd] += piece
                if not piece:
                    selector.unregister(key.fd)
    return [bytes(written[stream]) for stream in streams]


if __name__ == "__main__":
    _serve()
