"""Wounds for recorded answers: of their status, headers and body; and servers that give such answers, byte for byte."""

import asyncio
import copy
import gzip
import json
import random
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Texts as JSON writes them: what neither UTF-8, a header, a path, SQL nor a number can hold.
RAW = (
    *("null", "true", "false", "-1", "0", "5", "1e30", "1e400", "-1e400", "NaN", "Infinity", "0.5"),
    *("9" * 400, "9" * 5000, '""', '"soon"', '"ж"', '"\\ud800"', '"a\\nb"', '"\\u0000"', '"-5"', '"1e9"', '" "'),
    *('"' + "x" * 70_000 + '"', "[]", "{}", '["a"]', '{"x": 1}', "[[[[]]]]", "[" * 990 + "]" * 990),
    *("[" * 50_000 + "]" * 50_000, '{"a":' * 5_000 + "1" + "}" * 5_000, '[{"reason": []}]', '[{"reason": {}}]'),
    *("[null, 5]", '"http://[::1"', '"../../x"', '"https://x.example/"'),
)
HEADERS = (
    *("Retry-After: 1 Jan 99999999999999999999 0:0:0 GMT", "Retry-After: Fri, 31 Dec 9999 23:59:59 -1200"),
    *("Retry-After: 99999999999", "Retry-After: -1", "Retry-After: nan", "Retry-After: 1e400", "Retry-After: \u00b2"),
    *("Retry-After: ,;,", "Location: http://[::1", "Location: //", "Location: \xff\xfe", "Location: http://x:99999/"),
    *("Location: http://%zz/", "Location: javascript:x", "Location: http://\u00e9/", "Location: ", "Location: http://"),
    *("Content-Length: 1", "Content-Length: -5", "Content-Length: abc", "Content-Length: 5, 6"),
    *("Content-Length: 99999999999", "Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: br"),
    *("Content-Encoding: zstd", "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip", "Content-Encoding: nonsense"),
    *("Transfer-Encoding: chunked", "Transfer-Encoding: nonsense", "Content-Type: text/html; charset=nonsense"),
    *(
        "Content-Type: \xff",
        "Content-Type: ;;;=",
        "Set-Cookie: a=b; expires=Fri, 99 Foo 99999 99:99:99 GMT; max-age=1e400",
    ),
    *("Set-Cookie: ====;;;,,,\xff", 'Set-Cookie: a=b; max-age=99999999999999999999999; domain=.; port="x'),
    *("Connection: keep-alive", "Upgrade: h2c", "X-App-Usage: [", "X-App-Usage: " + "[" * 60_000),
    *('X-App-Usage: {"call_count": 1e400}', 'X-App-Usage: {"a": NaN}', 'X-App-Usage: {"a": null}'),
    *("X-RateLimit-Remaining: \u00b2\u0663", "X-RateLimit-Remaining: " + "9" * 50_000, "WWW-Authenticate: \x00"),
    *("x" * 70_000 + ": y", "Date: \x00\x01", " folded: x", ":", "no colon at all", "X: " + "y" * 70_000),
    *('Proxy-Authenticate: Basic realm="', "Trailer: x", 'Alt-Svc: h3=":443"', "Link: <http://[::1>; rel=next"),
)
STATUSES = (
    *("200", "201", "204", "206", "301", "302", "303", "307", "308", "304", "400", "401", "403", "404", "408", "410"),
    *("413", "422", "429", "451", "500", "502", "503", "504", "599", "600", "999", "0", "-1", "2", "abc", "99999", ""),
)
_SCALARS = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')


def wounded_json(chance: random.Random, value: Any) -> bytes:
    """The JSON of ``value`` with one to three of its parts replaced by something it should not be."""
    marks = {}
    wounded = copy.deepcopy(value)
    for number in range(chance.choice((1, 1, 2, 3))):
        mark = f"@@{number}@@"
        marks[json.dumps(mark)] = chance.choice(RAW)
        wounded = _replaced(chance, wounded, mark)
    text = json.dumps(wounded)
    for mark, raw in marks.items():
        text = text.replace(mark, raw)
    return text.encode("utf-8", "surrogatepass")


def _replaced(chance: random.Random, value: Any, mark: str) -> Any:
    """``value`` with ``mark`` in the place of one of its parts, or with a part missing or doubled."""
    places = list(_places(value))
    if not places or chance.random() < 0.05:
        return mark
    container, key = chance.choice(places)
    wound = chance.random()
    if wound < 0.08:
        del container[key]
    elif wound < 0.16 and isinstance(container, list):
        container *= 2
    else:
        container[key] = mark
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every part of a JSON value, as the container that holds it and its key there."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def wounded_bytes(chance: random.Random, data: bytes) -> bytes:
    """``data`` cut, doubled, overwritten with noise or begun in another encoding."""
    wounded = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 10))):
        start = chance.randrange(len(wounded) + 1)
        end = min(len(wounded), start + chance.choice((0, 1, 2, 20, 500)))
        match chance.randrange(6):
            case 0:
                wounded[start:end] = chance.randbytes(end - start)
            case 1:
                wounded[start:end] = b""
            case 2:
                wounded[start:start] = bytes(wounded[start:end]) * chance.choice((1, 2, 50))
            case 3:
                wounded[:0] = chance.choice(
                    (b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\x00\x00\xfe\xff", b"<html>", b")]}'\n")
                )
            case 4:
                wounded[start:end] = chance.choice(RAW).encode()
            case _:
                wounded[start:end] = chance.choice(
                    (b"\x00", b"\r\n", b'"', b"\\ud800", b"\xed\xa0\x80", b"{", b"]", b",")
                )
    return bytes(wounded)


def wounded_text(chance: random.Random, text: str) -> bytes:
    """A text file with values replaced where they stand, or as bytes."""
    if chance.random() < 0.5:
        return wounded_bytes(chance, text.encode())
    found = list(_SCALARS.finditer(text))
    for place in sorted(chance.sample(found, min(len(found), 2)), key=lambda one: -one.start()):
        text = text[: place.start()] + chance.choice(RAW) + text[place.end() :]
    return text.encode("utf-8", "surrogatepass")


def answer(chance: random.Random, body: Any, status: int = 200) -> bytes:
    """A whole HTTP answer with ``body``, wounded in status, headers or body, or in several of them."""
    wounds = chance.choice(
        ("body", "body", "body", "bytes", "status", "headers", "status headers", "body status headers")
    )
    content = wounded_json(chance, body) if "body" in wounds else json.dumps(body).encode()
    if wounds == "bytes":
        content = wounded_bytes(chance, content)
    code = chance.choice(STATUSES) if "status" in wounds else str(status)
    headers = ["Content-Type: application/json"]
    if "headers" in wounds:
        headers += chance.sample(HEADERS, chance.choice((1, 1, 2, 4)))
        if any("encoding: gzip" in header.lower() for header in headers) and chance.random() < 0.7:
            content = gzip.compress(b"[" * 10**6 if chance.random() < 0.2 else content)
        if any("encoding: deflate" in header.lower() for header in headers) and chance.random() < 0.7:
            content = zlib.compress(content)[: chance.choice((-3, None))]
        code = _fitting(chance, headers, code)
    if not any(header.lower().startswith("content-length") for header in headers):
        headers.append(f"Content-Length: {len(content)}")
    chance.shuffle(headers)
    version = (
        "HTTP/1.1" if chance.random() < 0.97 else chance.choice(("HTTP/9.9", "HTTP/1.0", "ICY", "", "HTTP/1.1 \x00"))
    )
    reason = chance.choice(("OK", "", "é", "x" * 9000))
    head = f"{version} {code} {reason}\r\n" + "".join(f"{h}\r\n" for h in headers)
    whole = head.encode("utf-8") + b"\r\n" + content
    return whole if chance.random() < 0.98 else whole[: chance.randrange(len(whole))]


def _fitting(chance: random.Random, headers: list[str], code: str) -> str:
    """As a rule the status that makes somebody read the header."""
    for name, statuses in (("Location", ("302", "307")), ("Retry-After", ("503", "429"))):
        if any(header.startswith(name) for header in headers) and chance.random() < 0.8:
            return chance.choice(statuses)
    return code


@dataclass
class Hostile:
    """A server that gives to whatever request the bytes that ``say`` has for its first line, and hangs up."""

    say: Callable[[str], bytes] = lambda _line: b""
    url: str = ""
    port: int = 0
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            line = head.split("\r\n", 1)[0]
            self.asked.append(line)
            writer.write(self.say(line))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def hostile(path: Path | None = None) -> AsyncIterator[Hostile]:
    """On TCP, or on a Unix socket at ``path``."""
    one = Hostile()
    if path is not None:
        server = await asyncio.start_unix_server(one.serve, path)
    else:
        server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
        one.port = server.sockets[0].getsockname()[1]
        one.url = f"http://127.0.0.1:{one.port}"
    try:
        yield one
    finally:
        server.close()
