"""What the journal gets: one record for each event, with its priority."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from smart_sync import logs

LOGGING = """
import os, sys
from smart_sync import logs
if sys.argv[2] == "ours":
    found = os.fstat(1)
    os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
logs.configure(sys.argv[1], "debug", sys.stdout)
logs.emit("daemon.stopped")
logs.emit("sqlite.at_risk", sqlite_version="3.40")
try:
    raise RuntimeError("one\\ntwo")
except RuntimeError as error:
    logs.emit("daemon.crashed", reason="a bug", exc_info=error)
"""


def logged(form: str, whose: str) -> list[str]:
    """The lines of a process that logs three events, whose standard output is the journal's or somebody else's."""
    environment = {**os.environ, "JOURNAL_STREAM": "1:1"}
    return subprocess.check_output(
        [sys.executable, "-c", LOGGING, form, whose], text=True, env=environment, timeout=60
    ).splitlines()


@pytest.mark.parametrize("form", ["json", "console"])
def test_priorities(form: str) -> None:
    """Each event, a traceback too, is one line that begins with its priority."""
    assert [line[:3] for line in logged(form, "ours")] == ["<6>", "<4>", "<3>"]


def test_shape() -> None:
    """After the priority a JSON line is what it is everywhere, traceback included."""
    crashed = json.loads(logged("json", "ours")[2][3:])
    assert list(crashed)[:3] == ["level", "logger", "event"]
    assert crashed["exception"][0]["exc_type"] == "RuntimeError"


def test_console_keeps_the_traceback() -> None:
    """A console line in the journal has its traceback in the same record, its line breaks written out."""
    crashed = logged("console", "ours")[2]
    assert crashed.startswith("<3>ERROR [SmartSync] daemon.crashed")
    assert "\\nRuntimeError: one\\ntwo" in crashed


@pytest.mark.parametrize("form", ["json", "console"])
def test_not_the_journal(form: str) -> None:
    """A variable inherited from a service does not put priorities into a pipe or a file."""
    assert not any(line.startswith("<") for line in logged(form, "another's"))


def test_streams_without_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stream that is closed, or has no file behind it, is not the journal."""
    import io

    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    with (tmp_path / "log").open("w") as closed:
        pass
    assert not logs.is_journal(closed)
    assert not logs.is_journal(io.StringIO())
