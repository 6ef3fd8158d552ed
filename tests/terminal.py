"""Commands on a terminal of a given width.  One process has the program loaded; each command is a fork of it.

``with Terminals() as terminals: terminals.run(["growth"], 80, folder)`` gives what a person sees: the lines that
stand on the screen at the end, without colours.
"""

import fcntl
import json
import os
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from rich.cells import cell_len

#: Seconds that one command may take.
PATIENCE = 60.0
_ROWS = 60
_CODE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][AB0]|\x1b\]8;[^\x1b\x07]*(?:\x1b\\|\x07)")


class Shown(NamedTuple):
    """What a command left on the terminal, and how it ended."""

    code: int
    lines: tuple[str, ...]
    #: As it was written, with colours.
    raw: str

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    def widest(self) -> int:
        """The cells that the widest line takes."""
        return max(map(cell_len, self.lines), default=0)


class Terminals:
    """The loaded program; leaving ends it."""

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._server as server:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(PATIENCE)

    def run(self, arguments: list[str], columns: int, folder: Path, typed: str = "", **variables: str) -> Shown:
        """``smart-sync ARGUMENTS`` in ``folder``, on a terminal that is ``columns`` wide, to its end."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        ask = {
            "arguments": arguments, "columns": columns, "folder": str(folder), "typed": typed, "variables": variables,
        }  # fmt: skip
        self._server.stdin.write(json.dumps(ask) + "\n")
        self._server.stdin.flush()
        code, raw = json.loads(self._server.stdout.readline())
        return Shown(code, tuple(screen(raw)), raw)


def screen(written: str) -> list[str]:
    """The lines that stand on the terminal after ``written``, as far as rich and click drive it."""
    lines, row, column, at = [""], 0, 0, 0
    while at < len(written):
        if found := _CODE.match(written, at):
            at = found.end()
            if found[2] == "A":
                row = max(row - int(found[1] or 1), 0)
            elif found[2] == "K":
                lines[row], column = ("", 0) if found[1] == "2" else (lines[row][:column], column)
            continue
        sign, at = written[at], at + 1
        if sign == "\r":
            column = 0
        elif sign == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
            column = 0
        else:
            lines[row] = lines[row][:column] + sign + lines[row][column + 1 :]
            column += 1
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    return [line.rstrip() for line in lines]


def _serve() -> None:
    import smart_sync.admin.checks
    import smart_sync.admin.history
    import smart_sync.cli.main
    import smart_sync.cli.output
    import smart_sync.report  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)  # noqa: T201 - it is data


def _run(ask: dict[str, Any]) -> tuple[int, str]:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, ask["columns"], 0, 0))
    child = os.fork()
    if not child:
        os.close(ours)
        os.login_tty(theirs)
        _become(ask)
    os.close(theirs)
    os.write(ours, ask["typed"].encode())
    seen = b""
    while piece := _read(ours):
        seen += piece
    os.close(ours)  # what still runs is hung up
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), seen.decode(errors="replace")


def _become(ask: dict[str, Any]) -> None:
    code: Any = 1
    try:
        os.chdir(ask["folder"])
        os.environ.pop("COLUMNS", None)
        os.environ |= {"TERM": "xterm-256color", **ask["variables"]}
        # The streams of the server are pipes: those of a terminal are opened anew.
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0, "r"), os.fdopen(1, "w"), os.fdopen(2, "w", 1)
        sys.argv = ["smart-sync", *ask["arguments"]]
        from smart_sync.cli.main import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1 if code else 0)


def _read(terminal: int) -> bytes:
    if not select.select([terminal], [], [], PATIENCE / 2)[0]:  # it waits for an answer
        return b""
    try:
        return os.read(terminal, 65536)
    except OSError:  # the last one has closed it
        return b""


if __name__ == "__main__":
    _serve()
