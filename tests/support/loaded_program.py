"""Processes of the program without the second that importing takes: one that has it loaded forks them.

`start` is what ``subprocess.Popen`` of ``python -m smart_sync`` would be, with its own standard streams, environment,
folder, exit code and end of the interpreter; `run` is ``subprocess.run``.  `terminal` does the same on a terminal.
"""

import atexit
import contextlib
import fcntl
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

#: Seconds that one command may take.
PATIENCE = 60.0
#: What an interpreter looks at when it begins: a fork comes too late for it.
_OF_THE_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_")
#: What an interpreter runs before all else where it finds it by PYTHONPATH.
FIRST_CODE = "sitecustomize.py"
_BEGUN_WITH = os.environ.get("PYTHONPATH")
_LOCK = threading.Lock()


class Process:
    """A process that was forked, to be used as one of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], told: socket.socket) -> None:
        self.args = ["smart-sync", *arguments]
        self.pid = int(told.recv(64))
        self.returncode: int | None = None
        self._told = told

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended.  Raises `subprocess.TimeoutExpired`."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._told.settimeout(timeout)
            with contextlib.suppress(TimeoutError, BlockingIOError):
                self.returncode = int(self._told.recv(64))
                self._told.close()
        return self.returncode


class Loaded:
    """The loaded program, begun with ``environment`` beside the one of the tests; leaving ends it, and its forks."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {**os.environ, **(environment or {})}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen([sys.executable, __file__], stdin=theirs.fileno(), env=self._environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.close()
        self._server.wait(PATIENCE)

    def start(
        self,
        arguments: Sequence[str],
        streams: tuple[int, int, int],
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        *,
        on_terminal: bool = False,
    ) -> Process:
        """Begin ``smart-sync ARGUMENTS``; its standard streams are copies of ``streams``."""
        ask = {
            "arguments": list(arguments),
            "environment": dict(self._environment if environment is None else environment),
            "folder": str(folder or Path.cwd()),
            "on_terminal": on_terminal,
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._control, [json.dumps(ask).encode()], [*streams, theirs.fileno()])
        return Process(arguments, ours)


def can_start_with(more: Mapping[str, str]) -> bool:
    """Whether these variables mean the same to a fork as to an interpreter that begins with them.

    A PYTHONPATH does if it is one folder with `FIRST_CODE` alone.
    """
    begin = {name for name in more if name.startswith(_OF_THE_START)}
    return not begin or (begin == {"PYTHONPATH"} and _first_code(more) is not None)


def _first_code(environment: Mapping[str, str]) -> Path | None:
    folder = Path(environment.get("PYTHONPATH", ""))
    code = folder / FIRST_CODE
    is_alone = code.exists() and {path.name for path in folder.iterdir()} <= {FIRST_CODE, "__pycache__"}
    return code if is_alone and folder.is_absolute() else None


def shared() -> Loaded:
    """The one of this process of the tests; it ends with it."""
    with _LOCK:
        return _shared()


@functools.cache
def _shared() -> Loaded:
    loaded = Loaded()
    atexit.register(loaded.__exit__, None, None, None)
    return loaded


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """``smart-sync ARGUMENTS`` to its end, its standard input empty.  Raises `subprocess.TimeoutExpired`."""
    (out, said), (errors_out, complained) = os.pipe(), os.pipe()
    empty = os.open(os.devnull, os.O_RDONLY)
    process = shared().start(arguments, (empty, said, complained), environment)
    for descriptor in (empty, said, complained):
        os.close(descriptor)
    written = _read([out, errors_out])
    for descriptor in (out, errors_out):
        os.close(descriptor)
    if written is None:
        process.kill()
    code = process.wait(PATIENCE)
    if written is None:
        raise subprocess.TimeoutExpired(process.args, PATIENCE)
    output, errors = (text.decode(errors="replace") for text in written)
    return subprocess.CompletedProcess(process.args, code, output, errors)


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


def _serve() -> None:
    """Fork for each request on standard input, and tell who asked the process id, and the exit code at the end."""
    from smart_sync.store.sqlite import sqlite_library

    sqlite_library.prefer_newer()  # as the command line does, before anything else has loaded another one
    load()
    meant = names()
    gc.collect()
    gc.freeze()
    # What is loaded here is no garbage of a daemon's: looking at it would copy all of it into each fork.
    gc.unfreeze = lambda: None
    control, selector = socket.socket(fileno=0), selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    alive: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for key, _ in selector.select():
            if key.fd in alive:
                pid, told = alive.pop(key.fd)
                selector.unregister(key.fd)
                os.close(key.fd)
                with told, contextlib.suppress(BrokenPipeError):
                    told.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
                continue
            message, descriptors, _, _ = socket.recv_fds(control, 2**20, 4)
            if not message:
                for pid, _ in alive.values():
                    os.kill(pid, signal.SIGKILL)
                return
            pid = os.fork()
            if not pid:
                selector.close()
                control.detach()
                for _, told in alive.values():
                    told.close()
                _become(json.loads(message), descriptors[:3], meant)
            for descriptor in descriptors[:3]:
                os.close(descriptor)
            told = socket.socket(fileno=descriptors[3])
            told.send(str(pid).encode())
            watched = os.pidfd_open(pid)
            alive[watched] = pid, told
            selector.register(watched, selectors.EVENT_READ)


def load() -> None:
    """Import the whole program, but for what runs in other people's processes."""
    import smart_sync

    for module in pkgutil.walk_packages(smart_sync.__path__, "smart_sync."):
        if not module.name.endswith("__main__") and ".integrations" not in module.name:
            importlib.import_module(module.name)


def names() -> dict[str, dict[str, object]]:
    """What each name of each module of the program stands for."""
    mine = [name for name in sys.modules if name.partition(".")[0] == "smart_sync"]
    return {name: dict(vars(sys.modules[name])) for name in mine}


def weaken(code: Path, meant: Mapping[str, Mapping[str, object]]) -> None:
    """Run ``code``; what it makes of a name holds for the modules too that have imported the name already.

    ``meant`` is what `names` has said before.
    """
    exec(compile(code.read_text(), str(code), "exec"), {"__name__": "sitecustomize"})
    for name, before in meant.items():
        after = vars(sys.modules[name])
        for one in [one for one, value in before.items() if after.get(one, value) is not value]:
            for other, others in meant.items():
                if others.get(one) is before[one]:
                    setattr(sys.modules[other], one, after[one])


def _become(ask: dict[str, Any], streams: Sequence[int], meant: Mapping[str, Mapping[str, object]]) -> None:
    """Be the process that was asked for; the interpreter ends with it, as any."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    if ask["on_terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(ask["folder"])
    os.environ.clear()
    os.environ.update(ask["environment"])
    time.tzset()
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.path[0], sys.argv = ask["folder"], ["smart-sync", *ask["arguments"]]
    code: Any = 0
    try:
        if os.environ.get("PYTHONPATH", _BEGUN_WITH) != _BEGUN_WITH and (first := _first_code(os.environ)):
            weaken(first, meant)
        runpy.run_module("smart_sync", run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    _end(code)


def _end(code: object) -> None:
    """End as the interpreter does, but for taking apart all that is loaded: that is the longest part of a command."""
    if isinstance(code, str):
        print(code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    with contextlib.suppress(ValueError):  # closed
        try:
            sys.stdout.flush()
        except OSError:
            code = 120
    os._exit(code if isinstance(code, int) else 1 if code else 0)


if __name__ == "__main__":
    _serve()
