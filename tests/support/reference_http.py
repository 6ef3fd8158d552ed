"""``docs/reference/http-api.md``: the endpoints of the control channel, from its routes."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi.routing import APIRoute

from reference_types import OBJECTS, linked, object_lines, reached
from smart_sync.control.api import Endpoints
from smart_sync.control.request import DEFAULT_LIMITS
from smart_sync.integrations.fastapi import router
from source_comments import comments, markdown

_INTRODUCTION = """\
# HTTP API

HTTP/1.1 over the Unix socket [`[control] socket`](configuration.md#controlsocket). Access to the socket is enough to
read; changes are for root, the daemon's user and members of the socket's group only (others: 403).

```sh
curl -s --unix-socket var/control.sock http://localhost/api/admin/sync_status
curl -s --unix-socket var/control.sock -X POST "http://localhost/api/admin/smart_sync?project_id=ID"
```

Options are in the query, behind the `?`; a request with a body, an unknown option or an option that is given twice is a
400. A request that comes during a pass gets the next one; requests that come together share one. Times are UTC in ISO
8601, durations seconds.

Every answer but a stream and `/metrics` is one JSON object. An error is `{"success": false, "error": "…"}` with its
status: 400 (the request), 403 (no right), 404 (no such endpoint, project or account), 405 (another method), 408 (the
request came too slowly), 413 (too large), 422 (a configuration with mistakes), 503 (not now; the error says why).

**Over TCP.** `smart_sync.integrations.fastapi` serves the same paths behind a token (*also over HTTP* below): 401
without `Authorization: Bearer <token>`, 503 with the remedy while the daemon cannot be reached. `/healthz` and `/livez`
need no token.

## Endpoints
"""


class Endpoint(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    mutates: bool
    published: bool
    text: str
    #: Option → meaning, status → when, in the order of the docstring; the options that the code takes.
    options: dict[str, str]
    statuses: dict[str, str]
    taken: set[str]


def every_endpoint() -> list[Endpoint]:
    """The endpoints as the daemon routes them."""
    bare: Any = object.__new__(Endpoints)
    bare._resources = None
    published = {
        (method, route.path)
        for route in router(socket="-", token="t").routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    return [
        _endpoint(method, path, route, published=(method, path) in published)
        for path, methods in bare.routes().items()
        for method, route in methods.items()
    ]


def _endpoint(method: str, path: str, route: Any, *, published: bool) -> Endpoint:
    handler = inspect.unwrap(route.handler)
    first, *rest = inspect.cleandoc(handler.__doc__ or "").splitlines()
    entries = dict(re.findall(r"^(\w+): (.+)$", "\n".join(rest), re.MULTILINE))
    statuses = {name: text for name, text in entries.items() if name.isdigit()}
    options = {name: text for name, text in entries.items() if not name.isdigit()}
    return Endpoint(method, path, route.mutates, published, first, options, statuses, _options_of(handler))


def _options_of(handler: Any) -> set[str]:
    """The options that a handler, or what it hands the request to, lets pass."""
    module = inspect.getmodule(handler)
    tree = ast.parse(textwrap.dedent(inspect.getsource(handler)))
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "refuse_unknown_options":
                found |= {str(one.value) for one in node.args[1:] if isinstance(one, ast.Constant)}
            elif node.func.id == "parse_pin_request":
                found |= _options_of(getattr(module, node.func.id))
    return found


def as_markdown() -> str:
    """The page."""
    lines = [_INTRODUCTION]
    for endpoint in every_endpoint():
        lines += _section(endpoint)
    lines += ["## Objects", "", "A key may be missing where its table says so, or where there is nothing to say.", ""]
    texts = " ".join(endpoint.text for endpoint in every_endpoint())
    for name in reached(name for name in OBJECTS if f"`{name}`" in texts):
        lines += object_lines(name)
    lines += ["## Limits", "", "| limit | value | meaning |", "|---|---|---|"]
    meanings = comments(type(DEFAULT_LIMITS))
    for name in DEFAULT_LIMITS.__dataclass_fields__:
        lines.append(f"| {name} | {getattr(DEFAULT_LIMITS, name):g} | {meanings[name]} |")
    return "\n".join(lines) + "\n"


def _section(endpoint: Endpoint) -> Iterator[str]:
    yield from (f"### {endpoint.method} {endpoint.path}", "", linked(markdown(endpoint.text)), "")
    who = "for root, the daemon's user and the socket's group" if endpoint.mutates else "for everybody"
    yield from (f"{who[0].upper()}{who[1:]}{'; also over HTTP' if endpoint.published else '; not over HTTP'}.", "")
    if endpoint.options:
        yield from ("| option | meaning |", "|---|---|")
        yield from (f"| `{name}` | {text} |" for name, text in endpoint.options.items())
        yield ""
    if endpoint.statuses:
        yield from ("| status | when |", "|---|---|")
        yield from (f"| {status} | {text} |" for status, text in endpoint.statuses.items())
        yield ""
