"""Runs commands and standalone calls one after the other in one process; reads them from stdin, writes what they said.

Each step is as fresh as a process of its own where secrets are concerned: what an earlier one has made known as secret
is forgotten, so that it hides nothing.
"""

import contextlib
import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import stamina

import smart_sync
from smart_sync import logs
from smart_sync.cli import main as cli
from smart_sync.core.redaction import KnownSecrets


def command(arguments: list[str]) -> str:
    """Everything that ``smart-sync`` prints, a traceback included."""
    sys.argv = ["smart-sync", *arguments]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cli.main()
        except SystemExit as end:
            said.write(f"\nexit code {end.code}\n")
        except BaseException:
            traceback.print_exc(file=said)
    return said.getvalue()


def call(name: str, arguments: list[Any]) -> str:
    """What a standalone function returns, logs and raises."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            said.write(json.dumps(getattr(smart_sync, name)(*arguments), default=repr))
        except BaseException:
            traceback.print_exc(file=said)
    return said.getvalue()


def run(step: dict[str, Any]) -> dict[str, str]:
    """What a step says, by command or function."""
    logs._protected = KnownSecrets()
    logs.reset()
    for path, text in step["files"].items():
        Path(path).write_bytes(text.encode())
    os.environ.update(step["environment"])
    said = {" ".join(arguments): command(arguments) for arguments in step["commands"]}
    for name, arguments in step["calls"]:
        said[name] = said.get(name, "") + call(name, arguments)
    for name in step["environment"]:
        del os.environ[name]
    return said


if __name__ == "__main__":
    stamina.set_testing(True, attempts=2)  # without the waits between two tries
    json.dump([run(step) for step in json.load(sys.stdin)], sys.stdout)
