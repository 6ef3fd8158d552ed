"""The control socket as a file: nothing is taken away from anybody, and it has the rights that were asked for."""

import asyncio
import contextlib
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from control_clients import served
from smart_sync.config import ControlSettings
from smart_sync.control import server
from smart_sync.control.client import Client
from smart_sync.control.request import Request, Response, Route
from smart_sync.control.server import serve
from smart_sync.control.socket_file import temporary_of
from smart_sync.errors import SocketUnusable
from smart_sync.service.control_routes import ControlRoutes


def _entry(path: Path) -> tuple[int, int, int, int]:
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_mtime_ns, found.st_uid


def _names(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


async def _refused(path: Path) -> str:
    """The message of the refusal, after a look that nothing was touched."""
    before, names = _entry(path), _names(path.parent)
    with pytest.raises(SocketUnusable) as raised:
        async with serve(path, {}):
            pass
    assert (_entry(path), _names(path.parent)) == (before, names)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@contextmanager
def _bound(path: Path, kind: int = socket.SOCK_STREAM, *, listening: bool = False) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, kind) as other:
        other.bind(str(path))
        if listening:
            other.listen(0)
        yield other


async def test_open_again(tmp_path: Path) -> None:
    """A daemon whose lead has ended by an error answers again with what it does next."""

    async def alive(request: Request) -> Response:
        return Response(200, {"success": True})

    path = tmp_path / "control.sock"
    async with ControlRoutes(ControlSettings(socket=path), asyncio.Event()) as control:
        for _ in range(2):
            with contextlib.suppress(ZeroDivisionError):
                async with control.answering({"/livez": {"GET": Route(alive)}}):
                    assert await Client(path).request("GET", "/livez") == (200, {"success": True})
                    raise ZeroDivisionError
            assert not path.exists()


@pytest.mark.parametrize("kind", ["file", "empty file", "directory", "FIFO", "symbolic link", "dangling symbolic link"])
async def test_wrong_thing(tmp_path: Path, kind: str) -> None:
    """Whatever is not a socket is refused and stays as it is."""
    path, target = tmp_path / "control.sock", tmp_path / "target"
    match kind:
        case "file":
            path.write_text("precious")
        case "empty file":
            path.touch()
        case "directory":
            path.mkdir()
        case "FIFO":
            os.mkfifo(path)
        case "symbolic link":
            with _bound(target):
                path.symlink_to(target)
        case _:
            path.symlink_to(target)
    assert kind.split()[-1] in await _refused(path)


async def test_live_socket(tmp_path: Path) -> None:
    """A daemon that is alive keeps its socket, and goes on answering."""
    async with served(tmp_path) as path:
        assert "another program listens" in await _refused(path)
        assert (await Client(path).request("GET", "/echo"))[0] == 200


async def test_live_but_busy(tmp_path: Path) -> None:
    """A program whose queue is full is alive."""
    path = tmp_path / "control.sock"
    with _bound(path, listening=True):
        waiting = socket.socket(socket.AF_UNIX)
        waiting.connect(str(path))
        await _refused(path)
        waiting.close()


async def test_other_type(tmp_path: Path) -> None:
    """A datagram socket is somebody else's."""
    path = tmp_path / "control.sock"
    with _bound(path, socket.SOCK_DGRAM):
        await _refused(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_other_user(tmp_path: Path) -> None:
    """A dead socket of another user is not ours to replace."""
    path = tmp_path / "control.sock"
    with _bound(path):
        os.chown(path, 65534, -1)
    assert "uid 65534" in await _refused(path)


async def test_stale_socket(tmp_path: Path) -> None:
    """The socket that a killed daemon left is replaced."""
    with _bound(tmp_path / "control.sock", listening=True):
        pass
    with _bound(temporary_of(tmp_path / "control.sock")):
        pass
    async with served(tmp_path) as path:
        assert (await Client(path).request("GET", "/echo"))[0] == 200
        assert _names(tmp_path) == ["control.sock"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
async def test_mode(tmp_path: Path, mode: int, umask: int) -> None:
    """The file has exactly the mode that was asked for, whatever the umask."""
    before = os.umask(umask)
    try:
        async with served(tmp_path, mode=mode) as path:
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to any group")
@pytest.mark.parametrize("group", ["daemon", "1"])
async def test_group(tmp_path: Path, group: str) -> None:
    """The file belongs to the group that was asked for, by name or number."""
    path = tmp_path / "control.sock"
    async with serve(path, {}, group=group):
        assert path.stat().st_gid == 1


@pytest.mark.parametrize("name", ["no/../such", "nobody-has-this-name", "99999999999999"])
async def test_no_such_group(tmp_path: Path, name: str) -> None:
    """A group that does not exist is refused by name."""
    with pytest.raises(SocketUnusable, match=f'no group "{name}"'):
        async with serve(tmp_path / "control.sock", {}, group=name):
            pass
    assert _names(tmp_path) == []


async def test_too_long(tmp_path: Path) -> None:
    """A path that no socket can have is refused."""
    with pytest.raises(SocketUnusable, match="too long"):
        async with serve(tmp_path / ("x" * 100), {}):
            pass


async def test_missing_directory(tmp_path: Path) -> None:
    """The directory is made if it is not there."""
    async with served(tmp_path / "run" / "smart-sync") as path:
        assert path.is_socket()


async def test_removed_under_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that somebody has removed is soon there again, with its rights; what stands there is not touched."""
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.01)
    path = tmp_path / "s"

    async def alive(request: Request) -> Response:
        return Response(200, {"success": True})

    async with serve(path, {"/livez": {"GET": Route(alive)}}, mode=0o600):
        for _ in range(2):
            path.unlink()
            for _ in range(500):
                await asyncio.sleep(0.01)
                if path.exists():
                    break
            assert stat.S_IMODE(path.lstat().st_mode) == 0o600
            assert await Client(path).request("GET", "/livez") == (200, {"success": True})
        path.unlink()
        path.write_text("mine")
        await asyncio.sleep(0.05)
    assert path.read_text() == "mine"


async def test_gone_afterwards(tmp_path: Path) -> None:
    """Afterwards the file is gone, and can be opened again."""
    for _ in range(2):
        async with served(tmp_path) as path:
            assert path.is_socket()
        assert _names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "socket", "nothing"])
async def test_unlinks_only_its_own(tmp_path: Path, kind: str) -> None:
    """What somebody else put at the path meanwhile stays there."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as other:
        async with served(tmp_path):
            path.unlink()
            if kind == "file":
                path.write_text("precious")
            elif kind == "socket":
                other.bind(str(path))
        assert path.exists() == (kind != "nothing")


async def test_together(tmp_path: Path) -> None:
    """Of many that start at the same time exactly one gets the socket."""
    path, got, refused = tmp_path / "control.sock", 0, 0
    with _bound(path):
        pass
    decided = asyncio.Event()

    async def start() -> None:
        nonlocal got, refused
        try:
            async with serve(path, {}):
                got += 1
                await decided.wait()
        except SocketUnusable:
            refused += 1
            if refused == 9:
                decided.set()

    await asyncio.gather(*(start() for _ in range(10)))
    assert (got, refused) == (1, 9)


async def test_waits_its_turn(tmp_path: Path) -> None:
    """Of two processes that start together one looks and binds after the other, by a lock on the directory."""
    path, other = tmp_path / "control.sock", os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    asyncio.get_running_loop().call_later(0.1, os.close, other)
    started = asyncio.get_running_loop().time()
    async with serve(path, {}):
        assert asyncio.get_running_loop().time() - started >= 0.1


async def test_locked(tmp_path: Path) -> None:
    """A lock that nobody lets go of is reported."""
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(SocketUnusable, match="lslocks"):
        async with serve(tmp_path / "control.sock", {}):
            pass
    os.close(other)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_not_a_member() -> None:
    """A group that the daemon's user may not give is refused, and nothing is left."""
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, 65534, 65534)
        os.seteuid(65534)
        try:
            with pytest.raises(SocketUnusable, match="not permitted"):
                async with serve(Path(directory) / "control.sock", {}, group="4242"):
                    pass
        finally:
            os.seteuid(0)
        assert _names(Path(directory)) == []


@pytest.mark.parametrize("name", ["control.sock", "s", "~"])
async def test_the_longest_path_that_a_socket_can_have(name: str) -> None:
    """All 107 bytes may be used: what the socket is called before it listens is no longer."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        folder /= "d" * (107 - len(name) - 2 - len(directory))
        folder.mkdir()
        path = folder / name
        assert len(str(path)) == 107
        async with serve(path, {}):
            assert _names(folder) == [name]
