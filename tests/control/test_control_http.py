"""The control channel speaks HTTP/1.1: what it understands, what it refuses."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from control_clients import connected, exchange, served
from smart_sync.control.request import Limits, Request, Response, Route, Stream
from smart_sync.errors import SmartSyncError

_ECHO = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_keep_alive(tmp_path: Path) -> None:
    """One connection serves one request after the other."""
    async with served(tmp_path) as path, connected(path) as connection:
        for number in range(3):
            connection.get(f"/echo?n={number}")
            got = await connection.answer()
            assert (got.status, got.json["query"]) == (200, {"n": str(number)})


async def test_pipelining(tmp_path: Path) -> None:
    """Requests that are sent without waiting are answered in their order, errors among them."""
    targets = [f"/echo?n={number}" for number in range(20)]
    targets[7] = "/nowhere"
    async with served(tmp_path) as path, connected(path) as connection:
        for target in targets:
            connection.get(target)
        got = [await connection.answer() for _ in targets]
    assert [one.status for one in got] == [200] * 7 + [404] + [200] * 12
    assert [one.json["query"]["n"] for one in got if one.status == 200] == [str(n) for n in range(20) if n != 7]


async def test_pipelining_leaves_room_for_others(tmp_path: Path) -> None:
    """However many requests a client sends at once, the event loop gets its turn after a few answers."""
    answered = [0]

    async def count(_request: Request) -> Response:
        answered[0] += 1
        return Response(200, {})

    longest = 0
    async with served(tmp_path, {"/count": {"GET": Route(count)}}) as path, connected(path) as connection:
        connection.send(b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
        while (before := answered[0]) < 300:
            await asyncio.sleep(0)
            longest = max(longest, answered[0] - before)
    assert longest <= 32


async def test_head(tmp_path: Path) -> None:
    """HEAD answers as GET would, without the body, and the connection stays usable."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.send(_ECHO.replace(b"GET", b"HEAD") + _ECHO)
        assert (await connection.answer(bodiless=True)).status == 200
        assert (await connection.answer()).json["method"] == "GET"


async def test_a_refusal_after_head_has_its_body(tmp_path: Path) -> None:
    """What cannot be understood is no HEAD, even where the request before it was one."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.send(_ECHO.replace(b"GET", b"HEAD") + b"nonsense\r\n\r\n")
        assert (await connection.answer(bodiless=True)).status == 200
        got = await connection.answer()
        assert (got.status, "error" in got.json) == (400, True)


@pytest.mark.parametrize("split", [1, 7, 20])
async def test_any_pieces(tmp_path: Path, split: int) -> None:
    """A request means the same however it is cut into pieces."""
    request = b"POST /echo?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    async with served(tmp_path) as path, connected(path) as connection:
        for start in range(0, len(request), split):
            connection.send(request[start : start + split])
            await asyncio.sleep(0)
        assert (await connection.answer()).json["length"] == 5


async def test_expect_continue(tmp_path: Path) -> None:
    """A client that asks first is told to go on, and then answered."""
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    async with served(tmp_path) as path, connected(path) as connection:
        connection.send(head)
        assert (await connection.answer()).status == 100
        connection.send(b"ok")
        assert (await connection.answer()).json["length"] == 2


async def test_expect_continue_too_long(tmp_path: Path) -> None:
    """A body that is too long is refused before it is sent."""
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n"
    async with served(tmp_path) as path, connected(path) as connection:
        connection.send(head)
        assert (await connection.answer()).status == 413


async def test_half_closed(tmp_path: Path) -> None:
    """A client that shuts its sending side at once (netcat) is answered all the same."""
    async with served(tmp_path) as path:
        assert (await exchange(path, _ECHO)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_http_1_0(tmp_path: Path) -> None:
    """HTTP/1.0, which needs no Host, is answered and closed."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.send(b"GET /echo HTTP/1.0\r\n\r\n")
        got = await connection.answer()
        assert (got.status, got.headers["connection"]) == (200, "close")
        assert await connection.rest() == b""


async def test_a_client_that_wants_one_answer(tmp_path: Path) -> None:
    """``Connection: close`` gets its answer, is told the same, and no further request is read."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.send(_ECHO.replace(b"Host: x", b"Host: x\r\nConnection: close") + _ECHO)
        got = await connection.answer()
        assert (got.status, got.headers["connection"]) == (200, "close")
        assert await connection.rest() == b""


async def test_a_proposal_to_speak_something_else(tmp_path: Path) -> None:
    """A client that offers another protocol is answered in this one, and may go on in it."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.send(_ECHO.replace(b"Host: x", b"Host: x\r\nConnection: upgrade\r\nUpgrade: h2c") + _ECHO)
        assert [(await connection.answer()).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("version", "body"),
    [(b"1.0", b'{"n": 1}\n{"n": 2}\n'), (b"1.1", b'9\r\n{"n": 1}\n\r\n9\r\n{"n": 2}\n\r\n0\r\n\r\n')],
)
async def test_a_stream_is_framed(tmp_path: Path, version: bytes, body: bytes) -> None:
    """A stream's lines come in chunks with an end; to HTTP/1.0, which has no chunks, as they are."""

    async def two(_request: Request) -> Stream:
        return Stream(_numbers())

    async with served(tmp_path, {"/stream": {"GET": Route(two)}}) as path, connected(path) as connection:
        connection.send(b"GET /stream HTTP/" + version + b"\r\nHost: x\r\n\r\n")
        answer = await connection.rest()
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert rest == body
    assert (b"transfer-encoding: chunked" in head.lower()) == (version == b"1.1")


async def _numbers() -> AsyncIterator[Mapping[str, object]]:
    for number in (1, 2):
        yield {"n": number}


async def test_unknown_path_and_method(tmp_path: Path) -> None:
    """An unknown path is 404 and another method 405 with the right ones, both JSON, both harmless."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.get("/api")
        got = await connection.answer()
        assert (got.status, got.json["success"], got.headers["content-type"]) == (404, False, "application/json")
        connection.send(_ECHO.replace(b"GET", b"DELETE"))
        got = await connection.answer()
        assert (got.status, got.headers["allow"]) == (405, "GET, HEAD, POST")
        assert "GET, HEAD, POST" in got.json["error"]
        connection.get()
        assert (await connection.answer()).status == 200


@pytest.mark.parametrize(
    ("target", "query"),
    [
        ("/echo", {}),
        ("/echo?", {}),
        ("/echo?project_id=", {"project_id": ""}),
        ("/echo?project_id=%D0%A2%D0%B5%D1%81%D1%82%20%26+x", {"project_id": "Тест & x"}),
        ("/echo?a=1&b=%3D%26", {"a": "1", "b": "=&"}),
        ("http://localhost/echo?a=1", {"a": "1"}),
    ],
)
async def test_query(tmp_path: Path, target: str, query: dict[str, str]) -> None:
    """The query reaches the handler decoded."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.get(target)
        assert (await connection.answer()).json["query"] == query


@pytest.mark.parametrize(
    "target",
    ["/echo?a=1&a=2", "/echo?a=%zz", "/echo?a=%", "/echo?a=%ff", "/echo?a", "/echo?&", "*", "echo", "ftp://x/echo"],
)
async def test_bad_target(tmp_path: Path, target: str) -> None:
    """A target with no meaning, or with two, is 400."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.get(target)
        got = await connection.answer()
        assert (got.status, got.json["success"]) == (400, False)


def _post(*headers: str, body: str = "") -> bytes:
    return "\r\n".join(["POST /echo HTTP/1.1", "Host: x", *headers, "", body]).encode()


_SMUGGLED = {
    "two lengths": _post("Content-Length: 5", "Content-Length: 6", body="hello!"),
    "the same length twice": _post("Content-Length: 5", "Content-Length: 5", body="hello"),
    "a list of lengths": _post("Content-Length: 5, 5", body="hello"),
    "length and chunks": _post("Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
    "chunks and length": _post("Transfer-Encoding: chunked", "Content-Length: 5", body="0\r\n\r\n"),
    "two encodings": _post("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body="0\r\n\r\n"),
    "a list of encodings": _post("Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"),
    "a strange encoding": _post("Transfer-Encoding: xchunked", body="0\r\n\r\n"),
    "a vertical tab": _post("Transfer-Encoding:\x0bchunked", body="0\r\n\r\n"),
    "a signed length": _post("Content-Length: +5", body="hello"),
    "a hexadecimal length": _post("Content-Length: 0x5", body="hello"),
    "a length in other digits": _post("Content-Length: ٥", body="hello"),
    "an endless length": _post("Content-Length: " + "9" * 40),
    "a negative length": _post("Content-Length: -1"),
    "a space before the colon": _post("Content-Length : 5", body="hello"),
    "a folded line": _post("X: a\r\n b", "Content-Length: 0"),
    "a folded length": _post("Content-Length:\r\n 5", body="hello"),
    "a bare line feed": _post("X: a\nContent-Length: 5", body="hello"),
    "only line feeds": b"GET /echo HTTP/1.1\nHost: x\n\n",
    "a bare carriage return": _post("X: a\rContent-Length: 5", body="hello"),
    "a NUL": _post("X: a\x00b"),
    "no host": b"GET /echo HTTP/1.1\r\n\r\n",
    "two hosts": _post("Host: y"),
    "an empty line first": b"\r\n" + _ECHO,
    "a space first": b" " + _ECHO,
    "another version": _ECHO.replace(b"1.1", b"2.0"),
    "chunks in HTTP/1.0": b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk size": _post("Transfer-Encoding: chunked", body="x\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk": _post("Transfer-Encoding: chunked", body="-1\r\nhello\r\n0\r\n\r\n"),
    "an unterminated chunk": _post("Transfer-Encoding: chunked", body="3\r\nhello\r\n0\r\n\r\n"),
    "a header without a name": _post(": x"),
    "TLS": bytes.fromhex("160301020001") + b"\x00" * 20 + b"\n",
}


@pytest.mark.parametrize("sent", _SMUGGLED.values(), ids=_SMUGGLED.keys())
async def test_smuggling(tmp_path: Path, sent: bytes) -> None:
    """What two programs could read in two ways is 400, and nothing after it on that connection is read as a request."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.send(sent + b"\r\n\r\n" + _ECHO)
        got = await connection.answer()
        assert (got.status, got.json["success"], got.headers["connection"]) == (400, False, "close")
        assert await connection.rest() == b""


@pytest.mark.parametrize(
    "oddity", ["5;a=b\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nX: y\r\n\r\n"]
)
async def test_chunks_are_last(tmp_path: Path, oddity: str) -> None:
    """Chunks are understood, and no request is read after them."""
    async with served(tmp_path) as path, connected(path) as connection:
        connection.send(_post("Transfer-Encoding: chunked", body=oddity) + _ECHO)
        got = await connection.answer()
        assert (got.status, got.json["length"], got.headers["connection"]) == (200, 5, "close")
        assert await connection.rest() == b""


async def test_ended_early(tmp_path: Path) -> None:
    """A request that ends in its head or body is 400."""
    async with served(tmp_path) as path:
        for sent in (
            b"GET /echo HT",
            _post("Content-Length: 9", body="x"),
            _post("Transfer-Encoding: chunked", body="9"),
        ):
            assert (await exchange(path, sent)).startswith(b"HTTP/1.1 400 ")


async def test_too_long(tmp_path: Path) -> None:
    """A head over its limit is 431 and a body over its limit 413, also for a client that goes on sending."""
    limits = Limits(head_bytes=1000, body_bytes=1000, grace_seconds=0.4)
    line, many = b"X: " + b"a" * 2000 + b"\r\n", b"X: a\r\n" * 400
    async with served(tmp_path, limits=limits) as path:
        for sent, status in [
            (_ECHO[:-2] + line, 431),
            (_ECHO[:-2] + many, 431),
            (b"G" * 5000, 431),
            (_post("Content-Length: 1001"), 413),
            (_post("Content-Length: 9999999", body="x" * 500_000), 413),
            (_post("Transfer-Encoding: chunked", body="400\r\n" + "x" * 1024 + "\r\n0\r\n\r\n"), 413),
        ]:
            async with connected(path) as connection:
                connection.send(sent)
                assert (await connection.answer()).status == status
        limit = _post("Content-Length: 1000", body="x" * 1000)
        assert (await exchange(path, limit)).startswith(b"HTTP/1.1 200 ")


async def test_deaf_sender(tmp_path: Path) -> None:
    """A client that sends all of a body that is too long before it reads still gets to read the 413."""

    def send_and_read() -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(_post("Content-Length: 5000000", body="x" * 5_000_000))
            return client.recv(1000)

    async with served(tmp_path) as path:
        assert (await asyncio.to_thread(send_and_read)).startswith(b"HTTP/1.1 413 ")


async def test_remedy(tmp_path: Path) -> None:
    """A failure that a person can fix is 503 with its message."""

    async def locked(_: Request) -> Response:
        raise SmartSyncError("view_counter.db: locked; end the other writer")

    async with served(tmp_path, {"/locked": {"GET": Route(locked)}}) as path, connected(path) as connection:
        connection.get("/locked")
        got = await connection.answer()
        assert (got.status, got.json["error"]) == (503, "view_counter.db: locked; end the other writer")


async def test_nothing_drives_a_terminal(tmp_path: Path) -> None:
    """Text from outside comes out escaped: no control character, no direction mark, no broken Unicode."""
    nasty = "\x1b[31m\x9b2J\u202e\ud800\x00"

    async def nasties(_: Request) -> Response:
        return Response(200, {"name": nasty})

    async with served(tmp_path, {"/nasty": {"GET": Route(nasties)}}) as path, connected(path) as connection:
        connection.get("/nasty")
        got = await connection.answer()
        assert got.json["name"] == nasty
        assert all(32 <= byte < 127 for byte in got.body.rstrip(b"\n"))


async def _curl(path: Path, *arguments: str) -> tuple[int, bytes]:
    program = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--unix-socket", str(path), *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await program.communicate()
    assert program.returncode is not None
    return program.returncode, output


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-X", "POST", "http://localhost/echo"], b'"method": "POST"'),
        (["-G", "--data-urlencode", "project_id=Тест & x", "http://localhost/echo"], b"\\u0422"),
        (["-d", "x" * 60_000, "http://localhost/echo"], b'"length": 60000'),
        (["-H", "Transfer-Encoding: chunked", "-d", "hello", "http://localhost/echo"], b'"length": 5'),
        (["http://localhost/echo", "http://localhost/echo?a=1"], b'"a": "1"'),
        (["-d", "x" * 100_000, "-w", "%{http_code}", "http://localhost/echo"], b"413"),
        (["-I", "http://localhost/echo"], b"200 OK"),
    ],
)
async def test_curl(tmp_path: Path, arguments: list[str], expected: bytes) -> None:
    """The universal client is served."""
    async with served(tmp_path) as path:
        code, output = await _curl(path, *arguments)
    assert code == 0
    assert expected in output
