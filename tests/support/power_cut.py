"""Power cuts on paper: what a process did to its files, and what a disk may have kept of it.

`record` watches a process with strace.  `Disk` plays the recording: until a file is synced, each sector that was
written to it may have arrived or not, in any order.
"""

import random
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

SECTOR = 512
#: What changes a file, makes it last, or tells a client.
_CALLS = "openat,pwrite64,fdatasync,fsync,ftruncate,unlink,sendto,sendmsg"


class Act(NamedTuple):
    """One thing that the process did; ``said``: it told a client something."""

    kind: Literal["open", "write", "sync", "truncate", "unlink", "said"]
    file: str
    offset: int = 0
    data: bytes = b""


def refusal() -> str:
    """Why nothing can be recorded here; empty: it can."""
    try:
        tried = subprocess.run(["strace", "-f", "-e", "trace=none", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return "strace is not installed"
    return "" if tried.returncode == 0 else "strace may not trace here"


@contextmanager
def recording(pid: int, log: Path) -> Iterator[None]:
    """Record what process ``pid`` does, into ``log``, while the block runs."""
    command = ["strace", "-f", "-p", str(pid), "-y", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}", "-o", str(log)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        assert "attached" in tracer.stderr.readline()
        yield
    finally:
        # It ends by itself with the process.
        tracer.wait(60)
        tracer.stderr.close()


_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FD = re.compile(r"^\d+<([^>]*)>")
_UNFINISHED = " <unfinished ...>"


def contents(database: Path) -> dict[str, bytes]:
    """The files of a database as they are."""
    return {name: Path(name).read_bytes() for name in _names(database) if Path(name).exists()}


def acts(log: Path, database: Path) -> list[Act]:
    """What was done to ``database`` and the files next to it, and said to clients, in the order in which it ended."""
    found = []
    for call, arguments, result in _calls(log):
        if result < 0:
            continue
        act = _act(call, arguments, result)
        if act and (act.kind == "said" or act.file in _names(database)):
            found.append(act)
    return found


def _names(database: Path) -> tuple[str, ...]:
    return tuple(f"{database}{suffix}" for suffix in ("", "-wal", "-journal"))


def _calls(log: Path) -> Iterator[tuple[str, str, int]]:
    """Each system call: its name, its arguments, what it returned."""
    pending: dict[str, str] = {}
    for line in log.read_text().splitlines():
        thread, _, told = line.partition(" ")
        told = told.strip()
        if told.endswith(_UNFINISHED):
            pending[thread] = told.removesuffix(_UNFINISHED)
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>", told)
        if resumed:
            told = pending.pop(thread, "") + told[resumed.end() :]
        whole = re.fullmatch(r"(\w+)\((.*)\)\s+= (-?\d+).*", told)
        if whole:
            yield whole[1], whole[2], int(whole[3])


def _act(call: str, arguments: str, result: int) -> Act | None:
    texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
    descriptor = _FD.match(arguments)
    file = _plain(descriptor[1]) if descriptor else ""
    numbers = arguments.split(", ")
    match call:
        case "openat":
            return Act("open", texts[0].decode())
        case "unlink":
            return Act("unlink", texts[0].decode())
        case "pwrite64":
            return Act("write", file, int(numbers[-1]), texts[0][:result])
        case "ftruncate":
            return Act("truncate", file, int(numbers[-1]))
        case "fdatasync" | "fsync":
            return Act("sync", file)
        case "sendto" | "sendmsg" if any(text.startswith(b"HTTP/1.1 ") for text in texts):
            return Act("said", "", data=b"".join(texts))
    return None


def _plain(name: str) -> str:
    """What a descriptor stands for; strace writes paths in hexadecimal, and the rest as it is."""
    return bytes.fromhex(name.replace("\\x", "")).decode() if name.startswith("\\x") else name


@dataclass
class _File:
    """What is on the disk for certain, and what was written since."""

    certain: bytearray = field(default_factory=bytearray)
    #: Writes and truncations (data is None), oldest first.
    since: list[tuple[int, bytes | None]] = field(default_factory=list)
    #: Whether the name is on the disk for certain.
    named: bool = False

    def settle(self) -> None:
        self.certain = self.after(lambda: True)
        self.since.clear()
        self.named = True

    def after(self, arrives: Callable[[], bool]) -> bytearray:
        """The content, with those of the sectors written since that arrive."""
        content = bytearray(self.certain)
        for offset, data in self.since:
            if data is None:
                if arrives():
                    _resize(content, offset)
                continue
            for start, end in _sectors(offset, len(data)):
                if arrives():
                    _resize(content, max(len(content), end))
                    content[start:end] = data[start - offset : end - offset]
        return content


def _some(choose: random.Random) -> Callable[[], bool]:
    """Whether the next sector arrived, asked for each: none of them, all, or a share."""
    share = choose.choice((0.0, 0.1, 0.5, 0.9, 1.0))
    return lambda: choose.random() < share


def _resize(content: bytearray, size: int) -> None:
    if len(content) > size:
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def _sectors(offset: int, length: int) -> Iterator[tuple[int, int]]:
    """The parts of a write that arrive as a whole."""
    start, end = offset, offset + length
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield start, stop
        start = stop


class Disk:
    """Plays a recording; `cut` gives what is found after a power cut now."""

    def __init__(self, before: Mapping[str, bytes]) -> None:
        self._files = {name: _File(bytearray(content), named=True) for name, content in before.items()}
        #: Unlinked, and perhaps still there after a power cut.
        self._unlinked: dict[str, _File] = {}

    def do(self, act: Act) -> None:
        """One more thing has happened."""
        if act.kind == "unlink":
            gone = self._files.pop(act.file, None)
            if gone is not None:
                self._unlinked[act.file] = gone
            return
        if act.kind == "said":
            return
        file = self._files.setdefault(act.file, _File())
        if act.kind == "write":
            file.since.append((act.offset, act.data))
        elif act.kind == "truncate":
            file.since.append((act.offset, None))
        elif act.kind == "sync":
            # SQLite syncs the folder together with the first sync of a new file.
            file.settle()
            self._unlinked.pop(act.file, None)

    def cut(self, choose: random.Random, folder: Path, database: Path) -> Path:
        """Write what may be left after a power cut now into ``folder``; returns the database's path there."""
        for name in _names(database):
            place = folder / Path(name).name
            place.unlink(missing_ok=True)
            place.with_name(f"{place.name}-shm").unlink(missing_ok=True)
            content = self._left(name, choose)
            if content is not None:
                place.write_bytes(content)
        return folder / database.name

    def _left(self, name: str, choose: random.Random) -> bytes | None:
        file, gone = self._files.get(name), self._unlinked.get(name)
        arrives = _some(choose)
        if file is not None and (file.named or choose.random() < 0.5):
            return bytes(file.after(arrives))
        if gone is not None and choose.random() < 0.5:
            return bytes(gone.after(arrives))
        return None


def moments(recorded: Sequence[Act], count: int, choose: random.Random) -> list[int]:
    """After how many acts to cut: anywhere, and often right after an answer, when most is at stake."""
    answers = [number + 1 for number, act in enumerate(recorded) if act.kind == "said"]
    return sorted(
        choose.choice(answers) if choose.random() < 0.3 else choose.randrange(1, len(recorded) + 1)
        for _ in range(count)
    )
