"""A small honest platform over HTTP: it records what it is asked and answers what it is told to."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, cast
from urllib.parse import parse_qs, parse_qsl, urlsplit

from pydantic import TypeAdapter

from smart_sync.config import ParserSettings
from smart_sync.config.settings import parser_class
from smart_sync.core.model import Account, ParsedMetrics
from smart_sync.errors import ParserFailed
from smart_sync.parsers.asked_accounts import AskedAccounts
from smart_sync.parsers.asking import Asking
from smart_sync.parsers.parser import Fetched, Parser, Unfetched
from smart_sync.parsers.registry import ConfiguredParser

RECORDED = Path(__file__).parents[1] / "recorded"


class Call(NamedTuple):
    """A request as it arrived."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Reply:
    """An answer; ``truncate``: the connection breaks in the middle of the body; ``hang``: it never comes."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    truncate: bool = False
    hang: bool = False

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is none of the test's business."""


class FakePlatform:
    """Use as a context manager; ``answer`` may be changed at any time."""

    def __init__(self, answer: Callable[[Call], Reply]) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length", 0))
                sent = self.rfile.read(length)
                is_form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
                body = (dict(parse_qsl(sent.decode())) if is_form else json.loads(sent)) if sent else None
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                headers = {key.lower(): value for key, value in self.headers.items()}
                call = Call(time.monotonic(), self.command, parts.path, query, headers, body)
                platform.calls.append(call)
                self._reply(platform.answer(call))

            def do_POST(self) -> None:
                self.do_GET()

            def _reply(self, reply: Reply) -> None:
                if reply.hang:
                    platform._closing.wait(30)
                    self.close_connection = True
                    return
                content = reply.encoded()
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if reply.truncate else content)
                self.close_connection = self.close_connection or reply.truncate

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


LINKS = {
    "youtube": "https://www.youtube.com/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw",
    "instagram": "https://www.instagram.com/facebookfordevelopers",
    "facebook": "https://www.facebook.com/facebookapp",
    "threads": "https://www.threads.net/@zuck",
    "tiktok": "https://www.tiktok.com/@charli",
    "http_json": "https://www.tiktok.com/@charli",
}

OWN_KEYS: dict[str, dict[str, Any]] = {
    "youtube": {"key": "canary-youtube-key"},
    "instagram": {"token": "canary-instagram-token", "user_id": "17841406338772941"},
    "facebook": {"token": "canary-facebook-token"},
    "threads": {"tokens": {"zuck": "canary-threads-token"}},
    "tiktok": {"tokens": {"@Charli": "canary-tiktok-token"}},
    "http_json": {
        "platforms": ["tiktok"],
        "url": "URL/users/{username}?full=1",
        "headers": {"X-Key": "canary-reseller-key"},
        "query": {"apikey": "canary-query-key"},
        "metrics": {"followers": "data.followers", "likes": "data.likes"},
    },
}

#: A good answer of each platform, and the followers in it.
GOOD: dict[str, tuple[Any, int]] = {
    "youtube": (recorded("youtube/channel_info_single.json"), 1927873),
    "instagram": (recorded("instagram/user_fields.json"), 64976),
    "facebook": (recorded("facebook/single_fields_page.json"), 214507731),
    "threads": ({"data": [{"name": "followers_count", "period": "day", "total_value": {"value": 4321}}]}, 4321),
    "tiktok": (
        {
            "data": {"user": {"follower_count": 155000123, "likes_count": 99, "video_count": 7}},
            "error": {"code": "ok", "message": "", "log_id": "1"},
        },
        155000123,
    ),
    "http_json": ({"data": {"followers": 12, "likes": "3"}}, 12),
}


def account(kind: str, number: int = 0, link: str = "") -> Account:
    return Account(f"{kind}-{number}", "project", "", "", link or LINKS[kind])


def settings(kind: str, url: str, /, **changes: Any) -> ParserSettings:
    own = {"platforms": ["tiktok"]} if "steps" in changes else OWN_KEYS[kind]
    table = {"kind": kind, "source": kind, **own, **changes}
    if kind == "http_json" and "url" in table:
        table["url"] = table["url"].replace("URL", url)
    else:
        table.setdefault("api_url", url)
    adapter = TypeAdapter(parser_class(kind).settings)
    return cast("ParserSettings", adapter.validate_python(table))


def parser(kind: str, url: str, /, **changes: Any) -> Parser:
    return cast("Parser", parser_class(kind)(settings(kind, url, **changes)))


def configured(own: Parser) -> ConfiguredParser:
    """A parser as the program has it, without a table."""
    return ConfiguredParser("own", own, ParserSettings(), AskedAccounts(), "own")


async def drain(
    asked: Parser, accounts: Sequence[Account], means: Asking | None = None
) -> tuple[list[Fetched], ParserFailed | None]:
    """Everything the parser gives, and how it failed, if it did; asked with ``means`` of its own, unless told."""
    found: list[Fetched] = []
    try:
        own = configured(asked).fetch(accounts, means) if means is not None else asked.fetch(accounts)
        async with aclosing(own) as stream:  # type: ignore[type-var]  # it is a generator
            async for fetched in stream:
                found.append(fetched)  # noqa: PERF401
    except ParserFailed as failure:
        return found, failure
    return found, None


def values(found: Sequence[Fetched]) -> list[ParsedMetrics]:
    return [item for item in found if isinstance(item, ParsedMetrics)]


def troubles(found: Sequence[Fetched]) -> list[Unfetched]:
    return [item for item in found if isinstance(item, Unfetched)]
