"""Who may ask for what, by the kernel's word: clients with other users and groups, through curl."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_clients import PATIENT, echo
from smart_sync.control.request import Route
from smart_sync.control.server import serve

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]

_GROUP, _OTHER_GROUP, _USER = 4242, 4343, 65534
_ROUTES = {"/read": {"GET": Route(echo)}, "/change": {"POST": Route(echo, mutates=True)}}


@pytest.fixture
def path() -> Iterator[Path]:
    """A socket in a directory that other users can reach."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "control.sock"


async def _status(path: Path, method: str, target: str, *, user: int, group: int, groups: list[int]) -> str:
    program = await asyncio.create_subprocess_exec(
        *("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", method),
        *("--unix-socket", str(path), f"http://localhost{target}"),
        stdout=asyncio.subprocess.PIPE,
        user=user,
        group=group,
        extra_groups=groups,
        cwd="/",
    )
    output, _ = await program.communicate()
    return output.decode()


@pytest.mark.parametrize(
    ("user", "group", "groups", "change"),
    [
        (0, 0, [], "200"),
        (_USER, _GROUP, [], "200"),
        (_USER, _OTHER_GROUP, [_GROUP], "200"),
        (_USER, _OTHER_GROUP, [*range(5000, 5100), _GROUP], "200"),
        (_USER, _OTHER_GROUP, [], "403"),
        (_USER, _OTHER_GROUP, [0, _OTHER_GROUP], "403"),
    ],
)
async def test_changes(path: Path, user: int, group: int, groups: list[int], change: str) -> None:
    """Everybody who can connect may read; only root, the daemon's user and the socket's group may change."""
    async with serve(path, _ROUTES, mode=0o666, group=str(_GROUP), limits=PATIENT):
        assert await _status(path, "GET", "/read", user=user, group=group, groups=groups) == "200"
        assert await _status(path, "POST", "/change", user=user, group=group, groups=groups) == change


async def test_mode_keeps_out(path: Path) -> None:
    """With the mode 0660 others cannot even connect, and members can."""
    async with serve(path, _ROUTES, group=str(_GROUP), limits=PATIENT):
        assert await _status(path, "GET", "/read", user=_USER, group=_OTHER_GROUP, groups=[]) == "000"
        assert await _status(path, "GET", "/read", user=_USER, group=_OTHER_GROUP, groups=[_GROUP]) == "200"


async def test_denied_is_logged_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who was denied is in the log, once per user, and who was allowed each time."""
    caplog.set_level("INFO", "SmartSync")
    async with serve(path, _ROUTES, mode=0o666, group=str(_GROUP), limits=PATIENT):
        for group in (_OTHER_GROUP, _OTHER_GROUP, _GROUP, _GROUP):
            await _status(path, "POST", "/change", user=_USER, group=group, groups=[])
    log = caplog.text
    assert (log.count("control.denied"), log.count("control.requested"), log.count("uid=65534")) == (1, 2, 3)
