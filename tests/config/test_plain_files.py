"""What is no file in the place of one: refused at once and by name, wherever a file is read."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smart_sync import config
from smart_sync.aio import plain_files
from smart_sync.core.model import Project
from smart_sync.errors import (
    ConfigError,
    DatabaseError,
    DatabaseUnusable,
    ParserFailed,
    SheetUnavailable,
    SmartSyncError,
)
from smart_sync.parsers.csv_files import CsvParser, CsvSettings
from smart_sync.sheets import credentials
from smart_sync.sheets import csv_directory as csv_sheets
from smart_sync.store.sqlite.driver import explain_check

SHEETS = '[sheets]\ndirectory = "sheets"\n'


@pytest.fixture(autouse=True)
def not_waited_for() -> Iterator[None]:
    """Whatever waits is ended by an alarm, and so is a read without an end."""

    def too_long(*_: object) -> None:
        raise AssertionError("it was waited for")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(200 * 2**20)


def _socket(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def _read_config(path: Path) -> None:
    config.load(path)


def _read_secret(path: Path) -> None:
    own = path.with_name("config.toml")
    own.write_text(f'{SHEETS}[ping]\nurl = "file:{path}"\n')
    config.load(own)


def _read_key(path: Path) -> None:
    credentials.find(path)


def _read_worksheet(path: Path) -> None:
    csv_sheets.read_file(path.parent, path.stem)


def _read_parsed(path: Path) -> None:
    async def read() -> None:
        async for _ in CsvParser(CsvSettings(path=path)).fetch([]):
            pass

    asyncio.run(read())


READERS: dict[str, tuple[Callable[[Path], None], type[SmartSyncError]]] = {
    "configuration": (_read_config, ConfigError),
    "secret": (_read_secret, ConfigError),
    "key": (_read_key, SheetUnavailable),
    "worksheet": (_read_worksheet, SheetUnavailable),
    "parsed values": (_read_parsed, ParserFailed),
}


@pytest.mark.parametrize("kind", [_fifo, _endless, _large, Path.mkdir, _socket], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused(tmp_path: Path, reader: str, kind: Callable[[Path], None]) -> None:
    """A FIFO, a device without an end, a huge file, a folder, a socket: one line that names the place, at once."""
    place = tmp_path / "A.csv"
    kind(place)
    read, expected = READERS[reader]
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(expected) as refusal:
        read(place)
    assert str(place) in str(refusal.value) or reader == "secret"
    assert "\n" not in str(refusal.value)
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


@pytest.mark.parametrize("name", ["a\0b", "a\ud800", "x" * 300], ids=["NUL", "surrogate", "long"])
def test_a_name_that_no_file_has(tmp_path: Path, name: str) -> None:
    """A name that the system cannot take is an OSError like any other."""
    with pytest.raises(OSError, match=r"\d|no file") as refusal:
        plain_files.read_file(tmp_path / name, 10)
    assert refusal.value.strerror


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """As many bytes as allowed are read, one more is refused, and a link is followed only where that is wanted."""
    place, link = tmp_path / "file", tmp_path / "link"
    place.write_bytes(b"12345")
    link.symlink_to(place)
    assert plain_files.read_file(place, 5)[0] == b"12345"
    assert plain_files.read_file(link, 5)[1].st_size == 5
    with pytest.raises(OSError, match=r"\d|no file") as refusal:
        plain_files.read_file(place, 4)
    assert refusal.value.errno == errno.EFBIG
    with pytest.raises(OSError, match="symbolic links"):
        plain_files.read_file(link, 5, links=False)


async def test_a_worksheet_that_no_file_can_be(tmp_path: Path) -> None:
    """A project whose name no file can have is that project's trouble."""
    sheets = csv_sheets.CsvSheets(config.SheetsSettings(directory=tmp_path))
    for name in ("a\ud800", "x" * 300, "a\0b"):
        with pytest.raises(SheetUnavailable):
            await sheets.read(Project("1", name))


BROKEN_READ = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/types.h>
#include <unistd.h>
static int broken(off_t at, size_t size) { return size >= 1024 && at >= 4 * 4096; }
ssize_t pread64(int fd, void *to, size_t size, off_t at) {
    if (broken(at, size)) { errno = EIO; return -1; }
    return ((ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64"))(fd, to, size, at);
}
ssize_t pread(int fd, void *to, size_t size, off_t at) { return pread64(fd, to, size, at); }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="a disk that cannot be read is made with a C compiler")
def test_a_page_that_cannot_be_read_is_no_damage(tmp_path: Path) -> None:
    """Where the disk refuses to read, SQLite's check says so, and nobody is notified to restore a backup."""
    source, library, path = tmp_path / "eio.c", tmp_path / "eio.so", tmp_path / "x.db"
    source.write_text(BROKEN_READ)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, capture_output=True)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 200)
    check = f"import sqlite3; print(sqlite3.connect({str(path)!r}).execute('PRAGMA quick_check(1)').fetchone()[0])"
    run = subprocess.run(
        [sys.executable, "-c", check], env={"LD_PRELOAD": str(library)}, capture_output=True, text=True, check=False
    )
    assert run.stdout, run.stderr
    trouble = explain_check(run.stdout.strip(), path)
    assert isinstance(trouble, DatabaseError), run.stdout
    assert not isinstance(trouble, DatabaseUnusable)
    assert "backup" not in str(trouble)
    assert "the disk refused" in str(trouble)


def test_damage_is_told_from_what_passes() -> None:
    """Control: a page that was read and is damaged calls for the backup; an intact file for nothing."""
    assert explain_check("ok", Path("x.db")) is None
    damaged = explain_check(
        "*** in database main ***\nTree 2 page 5: btreeInitPage() returns error code 11", Path("x.db")
    )
    assert isinstance(damaged, DatabaseUnusable)
    assert "backup" in str(damaged)
