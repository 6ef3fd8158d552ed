"""SIGKILL at every write of a renewal: no token is lost, and none that is dead is asked with again."""

import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smart_sync.core.days import stamp
from smart_sync.parsers import token_file
from token_platform import TokenPlatform
from token_process import GRANTED

#: How often; a soak says more.
KILLS = int(os.environ.get("SOAK_TOKENS", "3"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
DRIVER = Path(__file__).parents[1] / "support" / "token_process.py"
#: Notes what a renewal writes, in whichever process, and kills at one of the writes: the process that asked ("asker"),
#: the one that renews ("keeper"), but while it hands over the answer, which nobody else has yet, or both.
HOOK = """
import os, socket, subprocess, sys
renews = "smart_sync.parsers.token_renewal" in sys.orig_argv
asks = any(part.endswith("token_process.py") for part in sys.orig_argv)
if renews or asks:
    at, whom, notes = int(os.environ["KILL_AT"]), os.environ["KILL_WHOM"], os.environ["KILL_NOTES"]

    def write(what):
        with open(notes, "a+") as file:
            file.write(what + "\\n")
            file.seek(0)
            number = len(file.readlines())
        if number != at:
            return
        open(notes + ".killed", "w").close()
        if whom in ("asker", "both"):
            os.kill(os.getppid() if renews else os.getpid(), 9)
        if renews and whom != "asker" and what != "hand over":
            os.kill(os.getpid(), 9)

    def noted(name, call):
        def noting(*arguments, **more):
            write(name)
            return call(*arguments, **more)
        return noting

    for name in ("pwrite", "posix_fallocate", "fsync", "ftruncate", "rename"):
        setattr(os, name, noted(name, getattr(os, name)))
    socket.socket.send = noted("send", socket.socket.send)
    if renews:
        class Output:
            def __init__(self, inner):
                self.inner = inner
            def write(self, text):
                write("hand over" if '"body"' in text else "tell")
                return self.inner.write(text)
            def flush(self):
                self.inner.flush()
        sys.stdout = Output(sys.stdout)
    else:
        begun = subprocess.Popen.__init__
        def begin(self, *arguments, **more):
            write("begin")
            begun(self, *arguments, **more)
            write("begun")
        subprocess.Popen.__init__ = begin
"""


class Killing:
    """Renewals of one token, three hours apart, each of which is killed at a write."""

    def __init__(self, folder: Path, platform: TokenPlatform, whom: str) -> None:
        (folder / "sitecustomize.py").write_text(HOOK)
        self.folder, self.platform, self.notes = folder, platform, folder / "notes"
        path = f"{folder}:{os.environ.get('PYTHONPATH', '')}"
        self.hooked = {"PYTHONPATH": path, "KILL_WHOM": whom, "KILL_NOTES": str(self.notes)}
        self.now = datetime(2026, 3, 10, tzinfo=UTC)

    def writes(self) -> list[str]:
        """What a renewal writes that nobody kills."""
        assert asked(self.platform, self.folder, self.now, KILL_AT="0", **self.hooked) == "42\n"
        return self.notes.read_text().splitlines()

    def survived(self, at: int) -> bool:
        """Whether the token lives on after a kill at the write number ``at`` of the next renewal."""
        self.now += timedelta(hours=3)
        self.notes.unlink()
        asked(self.platform, self.folder, self.now, KILL_AT=str(at), **self.hooked)
        Path(f"{self.notes}.killed").unlink()
        self.now += timedelta(minutes=20)  # after a failure nobody asks for a quarter of an hour
        after = asked(self.platform, self.folder, self.now)
        return after == "42\n" and not self.platform.asked_dead


def asked(platform: TokenPlatform, folder: Path, now: datetime, **environment: str) -> str:
    """Ask once, in a process of its own, until it and whatever it began are over; what it says."""
    command = [sys.executable, str(DRIVER), platform.url, str(folder), stamp(now)]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment}
    )
    with token_file.locked(folder / "tokens", 60):
        return ended.stdout


@pytest.mark.parametrize("whom", ["asker", "keeper"])
def test_sigkill_at_every_write_of_a_renewal_loses_no_token(
    tmp_path: Path, whom: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever comes next renews or uses the token, and no platform ever sees one that it has ended."""
    with TokenPlatform(GRANTED) as platform:
        killing = Killing(tmp_path, platform, whom)
        writes = killing.writes()
        assert [what for what in writes if what in ("begun", "hand over", "pwrite", "rename")] == [
            "begun", "hand over", "pwrite", "rename",
        ]  # fmt: skip
        after_answer = writes.index("hand over") + 2
        several = [after_answer, *random.Random(SEED).choices(range(1, len(writes) + 1), k=KILLS - 1)]
        if len(writes) < KILLS:
            several[: len(writes)] = range(1, len(writes) + 1)
        broken = sum(not killing.survived(at) for at in several)
    with capsys.disabled():
        sys.stdout.write(f"\ntokens: tried {len(several)}, broken {broken}\n" if KILLS > 8 else "")
    assert broken == 0


def test_a_renewal_that_dies_with_whoever_asked_for_it_is_seen_to_lose(tmp_path: Path) -> None:
    """As one in the asker's own process would: the answer is in nobody's hands."""
    with TokenPlatform(GRANTED) as platform:
        killing = Killing(tmp_path, platform, "both")
        assert not killing.survived(killing.writes().index("pwrite") + 1)
        assert platform.asked_dead.total() == 1
