"""A small honest Google over HTTP: a token endpoint, Sheets and Drive, and faults when told so.

It behaves as the real one where the reader depends on it: tokens are checked, titles in ranges ignore case,
trailing blanks are cut, an empty worksheet has no ``values``, one unknown worksheet fails the whole batch.
"""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from smart_sync.config import SheetsSettings

Rows = list[list[Any]]

# A key is parsed once in a process, and not in each pass: parsing looks whether its primes are primes, for 5 ms.
vars(serialization)["load_pem_private_key"] = cache(serialization.load_pem_private_key)

EMAIL = "reader@fake-project.iam.gserviceaccount.com"
AUDIENCE = "https://oauth2.googleapis.com/token"
SHEETS_SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"
DRIVE_SCOPE = "https://www.googleapis.com/auth/drive.metadata.readonly"
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class Date(NamedTuple):
    """A cell that Sheets made a date or a duration of: the days since 1899-12-30, and what one sees."""

    days: float
    shown: str


class Call(NamedTuple):
    """A request that arrived: its kind (token, batch, values, metadata, drive, other) and what it asked for."""

    kind: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    #: Bytes of path and query.
    length: int = 0
    #: The service account whose token it bears.
    account: str = ""


@dataclass
class FakeSpreadsheet:
    """A spreadsheet, open to edits at any time."""

    title: str = "Metrics"
    worksheets: dict[str, Rows] = field(default_factory=dict)
    locale: str = "en_US"
    #: Worksheets without cells: they are in the list, and no range of theirs can be read.
    charts: set[str] = field(default_factory=set)
    #: Only those who were given access may read it.
    shared: bool = True
    #: Title → cell such as ``A2`` → what Google's CellData says of the links behind it.
    links: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


@dataclass
class Fault:
    """Something that goes wrong with the next ``times`` requests of one kind."""

    kind: str
    times: float
    status: int = 0
    #: reset, truncate, html, garbage, trickle, or hang (until `FakeGoogle.release` is set)
    how: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    #: Requests of that kind to let pass first.
    after: int = 0


@cache
def private_key() -> tuple[str, str]:
    """A private key and its public one, in PEM; one for the whole process, since making one takes a while."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


class FakeGoogle:
    """``with FakeGoogle() as google``: listens on ``google.url`` in a thread of its own."""

    def __init__(self) -> None:
        self.spreadsheets: dict[str, FakeSpreadsheet] = {}
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        #: What becomes of the ranges of an answer, as of their order.
        self.reorder: Callable[[list[object]], list[object]] = list
        #: Called with each request that has arrived.
        self.arrived: Callable[[Call], None] = lambda _call: None
        #: Seconds before each answer.
        self.latency = 0.0
        #: Seconds that a token lives.
        self.token_lifetime = 3600
        self.release = threading.Event()
        #: Set as soon as a request hangs.
        self.hanging = threading.Event()
        #: Most requests under way at the same time, of all and of any one spreadsheet.
        self.peak = 0
        self.peak_of_one = 0
        self._busy: list[str] = []
        self._tokens: dict[str, tuple[float, str, str]] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.google = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="fake-google", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What belongs into ``[sheets] api_url``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def credentials(self, path: Path, **changes: object) -> Path:
        """Write the JSON key of a service account that this Google knows to ``path``."""
        info = {
            "type": "service_account",
            "project_id": "fake-project",
            "private_key_id": "0123456789abcdef",
            "private_key": private_key()[0],
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": AUDIENCE,
        }
        path.write_text(json.dumps(info | changes))
        return path

    def add(
        self, key: str, worksheets: dict[str, Rows], title: str = "Metrics", locale: str = "en_US"
    ) -> FakeSpreadsheet:
        """A new spreadsheet."""
        self.spreadsheets[key] = FakeSpreadsheet(title, worksheets, locale)
        return self.spreadsheets[key]

    def fail(self, kind: str, times: float = 1, status: int = 0, how: str = "", **more: Any) -> None:
        """Let the next ``times`` requests of ``kind`` (token, batch, metadata, drive, ...) go wrong; see `Fault`."""
        self.faults.append(Fault(kind, times, status, how, **more))

    def settings(self, directory: Path, spreadsheet: str = "key", **changes: Any) -> SheetsSettings:
        """``[sheets]`` of a daemon that reads from here, with its credentials in ``directory``."""
        defaults: dict[str, Any] = {
            "source": "google",
            "spreadsheet": spreadsheet,
            "credentials": self.credentials(directory / "credentials.json"),
            "api_url": self.url,
            "timeout": 5.0,
            # Else each spreadsheet is asked for its own once a day.
            "locale": "en_US",
        }
        return SheetsSettings(**(defaults | changes))

    def count(self, *kinds: str) -> int:
        """How many requests of these kinds arrived."""
        return sum(call.kind in kinds for call in self.calls)

    def revoke_tokens(self) -> None:
        """No token issued so far is good any longer."""
        self._tokens.clear()

    def fault_for(self, kind: str) -> Fault | None:
        """The fault that this request meets, if any."""
        with self._lock:
            for fault in self.faults:
                if fault.kind != kind or fault.times <= 0:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    return None
                fault.times -= 1
                return fault
        return None

    @contextmanager
    def under_way(self, what: str) -> Iterator[None]:
        """One request is being answered."""
        with self._lock:
            self._busy.append(what)
            self.peak = max(self.peak, len(self._busy))
            self.peak_of_one = max(self.peak_of_one, self._busy.count(what))
        try:
            yield
        finally:
            with self._lock:
                self._busy.remove(what)

    def grant(self, form: Mapping[str, list[str]]) -> tuple[int, object]:
        """A token for a signed assertion, checked as Google checks it."""
        try:
            claims = jwt.decode(form["assertion"][0], certs=private_key()[1], audience=AUDIENCE)  # type: ignore[no-untyped-call]
        except (ValueError, KeyError):
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        if (
            not claims["iss"].endswith(EMAIL.partition("@")[2])
            or claims["exp"] - claims["iat"] > 3600
            or not claims.get("scope")
        ):
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT."}
        token = f"ya29.fake-{len(self._tokens)}-{time.monotonic_ns()}"
        self._tokens[token] = (time.monotonic() + self.token_lifetime, claims["scope"], claims["iss"])
        return 200, {"access_token": token, "expires_in": self.token_lifetime, "token_type": "Bearer"}

    def may(self, authorization: str, scope: str) -> bool:
        """Whether the token is one of ours, not expired, and for this API."""
        until, scopes, _ = self._tokens.get(authorization.removeprefix("Bearer "), (0.0, "", ""))
        return time.monotonic() < until and scope in scopes.split()

    def account_of(self, authorization: str) -> str:
        """The service account that was granted a token; "" for none of ours."""
        return self._tokens.get(authorization.removeprefix("Bearer "), (0.0, "", ""))[2]

    def drive(self, query: Mapping[str, list[str]]) -> tuple[int, object]:
        """Drive ``files``, by the name in ``q``."""
        found = re.search(r'name = "((?:[^"\\]|\\.)*)"', query.get("q", [""])[0])
        name = re.sub(r"\\(.)", r"\1", found[1]) if found else None
        files = [
            {
                "id": key,
                "name": one.title,
                "createdTime": "2024-01-01T00:00:00Z",
                "modifiedTime": "2024-01-01T00:00:00Z",
            }
            for key, one in self.spreadsheets.items()
            if one.shared and name in {None, one.title}
        ]
        return 200, {"kind": "drive#fileList", "files": files}

    def metadata(self, key: str, query: Mapping[str, list[str]]) -> tuple[int, object]:
        """``spreadsheets.get``, cut down to ``fields``; of cells, those of the ranges that are asked for."""
        one = self.spreadsheets[key]
        fields = query.get("fields", [""])[0]
        if "ranges" in query:
            return self.links(key, query["ranges"], fields)
        sheets = [
            {"properties": {"sheetId": number, "title": title, "index": number, "sheetType": "GRID"}}
            for number, title in enumerate(one.worksheets)
        ]
        whole: dict[str, object] = {
            "spreadsheetId": key,
            "properties": {"title": one.title, "locale": one.locale, "timeZone": "Etc/GMT"},
            "sheets": sheets,
        }
        names = re.split(r"[.(,/]", fields)
        return 200, {name: value for name, value in whole.items() if not fields or name in names}

    def links(self, key: str, ranges: list[str], fields: str) -> tuple[int, object]:
        """The grid data of one column of each worksheet in ``ranges`` (``'P'!B2:B``), only what ``fields`` name."""
        one = self.spreadsheets[key]
        sheets = []
        for name in ranges:
            title = _title(name, one.worksheets)
            cells = re.search(r"!([A-Z]+)([0-9]+):\1$", name)
            if title is None or title in one.charts or cells is None:
                return 400, _error(400, f"Unable to parse range: {name}")
            first, count = int(cells[2]), len(_cut(one.worksheets[title]))
            told = [one.links.get(title, {}).get(f"{cells[1]}{row}", {}) for row in range(first, count + 1)]
            known = [{part: value for part, value in cell.items() if part in fields} for cell in told]
            data = {"startRow": first - 1, "rowData": [{"values": [cell]} if cell else {} for cell in known]}
            sheets.append({"properties": {"title": title}, "data": [data]})
        return 200, {"sheets": sheets}

    def values(self, key: str, range_name: str, query: Mapping[str, list[str]]) -> tuple[int, object]:
        """``values.get``: the whole of a worksheet; dates are serial numbers unless one asks for text."""
        worksheets = self.spreadsheets[key].worksheets
        title = _title(range_name, worksheets)
        if title is None or title in self.spreadsheets[key].charts:
            return 400, _error(400, f"Unable to parse range: {range_name}")
        as_text = query.get("dateTimeRenderOption") == ["FORMATTED_STRING"]
        rows = _cut([[_dated(cell, as_text=as_text) for cell in row] for row in worksheets[title]])
        width = max(map(len, rows), default=1)
        plain = re.fullmatch(r"[A-Za-z_]\w*", title) and not re.fullmatch(r"[A-Za-z]{1,3}\d+", title)
        quoted = title if plain else "'" + title.replace("'", "''") + "'"
        answer: dict[str, object] = {
            "range": f"{quoted}!A1:{_letters(width)}{max(1000, len(rows))}",
            "majorDimension": "ROWS",
        }
        return 200, answer | ({"values": rows} if rows else {})

    def batch(self, key: str, query: Mapping[str, list[str]]) -> tuple[int, object]:
        """``values:batchGet``: all of the ranges, or none."""
        answers = [self.values(key, range_name, query) for range_name in query.get("ranges", [])]
        for status, answer in answers:
            if status != 200:
                return status, answer
        ranges: list[object] = [answer for _, answer in answers]
        return 200, {"spreadsheetId": key, "valueRanges": self.reorder(ranges)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    google: FakeGoogle

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on the tests' standard error."""

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _serve(self, content: bytes) -> None:
        google, parts = self.server.google, urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        if self.command == "POST" and self.headers.get("X-HTTP-Method-Override") == "GET":
            if self.headers.get("Content-Type") == "application/x-www-form-urlencoded":
                query = parse_qs(content.decode(), keep_blank_values=True)
            kind, key, act = self._route(unquote(parts.path), query, content)
        elif self.command == "POST" and parts.path != "/token":
            kind, key, act = "other", "", lambda: (404, _error(404, "Requested entity was not found."))
        else:
            kind, key, act = self._route(unquote(parts.path), query, content)
        account = google.account_of(self.headers.get("Authorization", ""))
        google.calls.append(Call(kind, parts.path, query, {**self.headers}, len(self.path), account))
        google.arrived(google.calls[-1])
        with google.under_way(key or kind):
            if google.latency:
                time.sleep(google.latency)
            fault = google.fault_for(kind)
            answer = act() if fault is None else None
        # A client that has its answer may be back before this thread goes on: the request is no longer under way.
        if answer is not None:
            self._answer(*answer)
        elif fault is not None and fault.how:
            self._break(fault, act)
        elif fault is not None:
            self._answer(fault.status, fault.body or _fault_body(kind, fault.status), fault.headers)

    def _route(
        self, path: str, query: dict[str, list[str]], content: bytes
    ) -> tuple[str, str, Callable[[], tuple[int, object]]]:
        """The kind of request, the spreadsheet it is about, and how it is answered."""
        google = self.server.google
        if path == "/token":
            return "token", "", lambda: google.grant(parse_qs(content.decode()))
        if path == "/drive/v3/files":
            return "drive", "", lambda: self._checked(DRIVE_SCOPE, None, lambda: google.drive(query))
        found = re.fullmatch(r"/v4/spreadsheets/([^/:]+)(?:/values(:batchGet|/(.+)))?", path, re.DOTALL)
        if found is None:
            return "other", "", lambda: (404, _error(404, "Requested entity was not found."))
        key, values, range_name = found.groups()
        if values is None:
            return (
                "links" if "ranges" in query else "metadata",
                key,
                lambda: self._checked(SHEETS_SCOPE, key, lambda: google.metadata(key, query)),
            )
        if range_name is None:
            return "batch", key, lambda: self._checked(SHEETS_SCOPE, key, lambda: google.batch(key, query))
        return "values", key, lambda: self._checked(SHEETS_SCOPE, key, lambda: google.values(key, range_name, query))

    def _checked(self, scope: str, key: str | None, act: Callable[[], tuple[int, object]]) -> tuple[int, object]:
        google = self.server.google
        if not google.may(self.headers.get("Authorization", ""), scope):
            return 401, _error(401, "Request had invalid authentication credentials.")
        if key is not None and key not in google.spreadsheets:
            return 404, _error(404, "Requested entity was not found.")
        if key is not None and not google.spreadsheets[key].shared:
            return 403, _error(403, "The caller does not have permission")
        return act()

    def _answer(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        kind = "application/json; charset=UTF-8" if not isinstance(body, bytes) else "text/html; charset=UTF-8"
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _break(self, fault: Fault, act: Callable[[], tuple[int, object]]) -> None:
        if fault.how == "html":
            self._answer(200, b"<html><body>Sorry, something went wrong.</body></html>")
            return
        if fault.how == "garbage":
            self._answer(200, ["not", "what", "was", "asked"])
            return
        if fault.how == "hang":
            self.server.google.hanging.set()
            self.server.google.release.wait()
        elif fault.how == "truncate":
            content = json.dumps(act()[1]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
        elif fault.how == "trickle":
            self._trickle()
        elif fault.how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _trickle(self) -> None:
        """A byte now and then, for ever: until the client has had enough."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.server.google.release.wait(0.05):
            self.wfile.write(b" ")


def _fault_body(kind: str, status: int) -> object:
    if kind == "token":
        return {"error": "invalid_grant" if status < 500 else "server_error", "error_description": "told so"}
    return _error(status, "told so")


def _error(status: int, message: str) -> dict[str, object]:
    return {"error": {"code": status, "message": message, "status": STATUSES.get(status, "UNKNOWN")}}


def _title(range_name: str, worksheets: Mapping[str, Rows]) -> str | None:
    """The worksheet a range is about: quoted, or bare if it can be nothing else; ranges ignore case."""
    quoted = re.fullmatch(r"'((?:[^']|'')*)'(?:![A-Z0-9:]+)?", range_name, re.DOTALL)
    bare = re.fullmatch(r"([A-Za-z_]\w*)(?:![A-Z0-9:]+)?", range_name)
    if not quoted and not bare:
        return None
    title = quoted[1].replace("''", "'") if quoted else bare[1] if bare else ""
    exact = [other for other in worksheets if other == title]
    return next(iter(exact or [other for other in worksheets if other.casefold() == title.casefold()]), None)


def _dated(cell: object, *, as_text: bool) -> object:
    if not isinstance(cell, Date):
        return cell
    return cell.shown if as_text else cell.days


def _cut(rows: Rows) -> Rows:
    """Without trailing blank cells and rows, as Google answers."""
    cut = [[cell if cell is not None else "" for cell in row] for row in rows]
    for row in cut:
        while row and row[-1] == "":
            row.pop()
    while cut and not cut[-1]:
        cut.pop()
    return cut


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
