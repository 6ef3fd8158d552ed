"""Commands on a terminal of a given width.

``run(["growth"], 80, folder)`` gives what a person sees: the lines that stand on the screen at the end, without
colours.
"""

import codecs
import fcntl
import os
import re
import select
import struct
import termios
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from rich.cells import cell_len

import loaded_program

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


class Terminal:
    """``with Terminal(["status", "--watch"], 120, folder) as terminal``: a command on a terminal of its own."""

    def __init__(self, arguments: Sequence[str], columns: int, folder: Path | None = None, **variables: str) -> None:
        self.seen = ""
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", **variables}
        environment.pop("COLUMNS", None)
        self.process = loaded_program.shared().start(arguments, (theirs,) * 3, environment, folder, on_terminal=True)
        os.close(theirs)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._ours)  # what still runs is hung up
        self.process.kill()
        self.process.wait(PATIENCE)

    def wait_for(self, text: str) -> None:
        """Read until ``text`` is on the screen."""
        while text not in self.seen:
            assert self._read(), f"no {text!r} in {self.seen!r}"

    def type(self, keys: str) -> None:
        """As if somebody typed it."""
        os.write(self._ours, keys.encode())

    def ended(self) -> int:
        """The exit code, once it has left; what waits for an answer is hung up."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], PATIENCE / 2)[0]:
            return False
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # the last one has closed it
            return False
        self.seen += self._decoder.decode(piece)
        return bool(piece)


def run(arguments: Sequence[str], columns: int, folder: Path, typed: str = "", **variables: str) -> Shown:
    """``smart-sync ARGUMENTS`` in ``folder``, on a terminal that is ``columns`` wide, to its end."""
    with Terminal(arguments, columns, folder, **variables) as terminal:
        terminal.type(typed)
        code = terminal.ended()
    return Shown(code, tuple(screen(terminal.seen)), terminal.seen)


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
