"""The control channel behind a web app: mount `router`, or serve ``app`` by itself.

Needs the extra ``fastapi``.  Requests are passed to the daemon's Unix socket; nothing is computed or kept here.

    application.include_router(router(socket="/run/smart-sync/control.sock", token=os.environ["TOKEN"]))

    SMART_SYNC_API_TOKEN=… SMART_SYNC_CONTROL__SOCKET=/run/smart-sync/control.sock \\
        uvicorn smart_sync.integrations.fastapi:app
"""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request, Security
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Receive, Scope, Send

from smart_sync import __version__
from smart_sync.config.sections import ControlSettings
from smart_sync.control.client import Client
from smart_sync.core.daemon_answers import EventFields
from smart_sync.core.results.openmetrics import MEDIA_TYPE
from smart_sync.errors import SmartSyncError

#: Seconds for every answer but that of a pass, which takes as long as the pass.
ANSWER_SECONDS = 30.0
TOKEN_VARIABLE = "SMART_SYNC_API_TOKEN"  # noqa: S105  (the name of a variable)
SOCKET_VARIABLE = "SMART_SYNC_CONTROL__SOCKET"

_SYNC = "/api/admin/smart_sync"
_EVENTS = "/api/admin/events"
#: Path → what the generated documentation says of it.
_PIN = "/api/admin/pin"
_PINS = {
    "GET": "The values that people have pinned.",
    "POST": "Pins a value. Options: account, metric, value, until, why.",
    "DELETE": "Takes back a pin. Options: account, metric.",
}
_READ = {
    "/api/admin/sync_status": "What the daemon is doing, its last pass and its next one.",
    "/api/admin/sync_history": "The last passes. Options: limit, project_id, failed.",
    "/api/admin/explain": "Where an account's numbers come from. Options: account (link, name or id), days (or all).",
}
_HEALTH = {
    "/healthz": "For alerts: 200, or 503 with the reasons.",
    "/livez": "For restarts: 200 while no scheduled pass is missed.",
}
#: What may stand in a query as it is; everything else is percent-encoded.
_QUERY_SIGNS = "%/:?@!$&'()*+,;=-._~[]"

_bearer = HTTPBearer(auto_error=False, description="The token that the router was made with.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
_Endpoint = Callable[..., Awaitable[Response]]


def router(*, socket: str | Path, token: str) -> APIRouter:
    """The endpoints of the daemon behind ``socket``, under the same paths, except reload.

    Each needs ``Authorization: Bearer <token>`` but ``/healthz`` and ``/livez``.  Answers are the daemon's own, with
    its status; 401 without the token, 503 with the remedy while the daemon cannot be reached.

    Raises ValueError for a ``token`` that is empty or has spaces around it.
    """
    if not token or token != token.strip():
        raise ValueError("the token is empty or has spaces around it; give the router a secret of its own")
    expected = token.encode()

    def guarded(endpoint: _Endpoint) -> _Endpoint:
        """``endpoint`` for requests with the token."""

        async def guard(request: Request, credentials: _Credentials) -> Response:
            if credentials is None or not secrets.compare_digest(credentials.credentials.encode(), expected):
                return _unauthorized()
            return await endpoint(request)

        return guard

    async def stream(request: Request) -> Response:
        return _refused_body(request) or _EventStream(socket)

    routes = APIRouter(tags=["Smart Sync"])

    def add(path: str, method: str, endpoint: _Endpoint, description: str) -> None:
        name = f"smart_sync {path.rpartition('/')[2]}"
        routes.add_api_route(path, endpoint, methods=[method], name=name, description=description, response_model=None)

    add(_SYNC, "POST", guarded(_passing_on(socket, _SYNC, None)), "Runs a pass. Options: project_id, dry_run.")
    for method in ("GET", "POST", "DELETE"):
        add(_PIN, method, guarded(_passing_on(socket, _PIN, ANSWER_SECONDS)), _PINS[method])
    add(_EVENTS, "GET", guarded(stream), "Events as JSON lines, until the client leaves.")
    for path, description in _READ.items():
        add(path, "GET", guarded(_passing_on(socket, path, ANSWER_SECONDS)), description)
    add("/metrics", "GET", guarded(_metrics_of(socket)), "How things stand, as OpenMetrics.")
    for path, description in _HEALTH.items():
        add(path, "GET", _passing_on(socket, path, ANSWER_SECONDS), description)
    return routes


def _passing_on(socket: str | Path, path: str, timeout: float | None) -> _Endpoint:
    """An endpoint that forwards to the daemon's ``path``, with ``timeout`` seconds."""

    async def endpoint(request: Request) -> Response:
        if refused := _refused_body(request):
            return refused
        query = quote(request.scope["query_string"], safe=_QUERY_SIGNS)
        try:
            status, body = await Client(socket, timeout=timeout).request(
                request.method, f"{path}?{query}" if query else path
            )
        except SmartSyncError as error:
            return _failure(503, str(error))
        return JSONResponse(body, status)

    return endpoint


def _metrics_of(socket: str | Path) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        if refused := _refused_body(request):
            return refused
        try:
            metrics = await Client(socket, timeout=ANSWER_SECONDS).metrics()
        except SmartSyncError as error:
            return _failure(503, str(error))
        return Response(metrics, headers={"content-type": MEDIA_TYPE})

    return endpoint


def _refused_body(request: Request) -> Response | None:
    """A 400 for a request with a body, since options in it would be ignored."""
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return None
    return _failure(400, "this endpoint takes no body; options go behind a ? in its address")


def _failure(status: int, error: str) -> Response:
    return JSONResponse({"success": False, "error": error}, status)


def _unauthorized() -> Response:
    answer = _failure(401, "the token is missing or wrong; send Authorization: Bearer <token>")
    answer.headers["WWW-Authenticate"] = 'Bearer realm="Smart Sync"'
    return answer


class _EventStream(Response):
    """The daemon's events as JSON lines, until the client leaves or the daemon stops."""

    media_type = "application/x-ndjson"

    def __init__(self, socket: str | Path) -> None:
        super().__init__()
        self._client = Client(socket)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application: 503 if the daemon cannot be reached."""
        started = False
        try:
            async with self._client.following() as events:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                started = True
                await _until_first(_send_all(events, send), _left(receive))
        except SmartSyncError as error:
            if not started:
                await _failure(503, str(error))(scope, receive, send)
        if started:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_all(events: AsyncIterator[EventFields], send: Send) -> None:
    async for event in events:
        line = json.dumps(event, ensure_ascii=False) + "\n"
        await send({"type": "http.response.body", "body": line.encode(), "more_body": True})


async def _left(receive: Receive) -> None:
    """Return when the client has left: between events nothing is sent that would fail."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_first(sending: Coroutine[Any, Any, None], leaving: Coroutine[Any, Any, None]) -> None:
    """Run both until either ends, and cancel the other; raises what sending raised."""
    send = asyncio.create_task(sending, name="smart-sync:events:send")
    leave = asyncio.create_task(leaving, name="smart-sync:events:leave")
    try:
        await asyncio.wait((send, leave), return_when=asyncio.FIRST_COMPLETED)
    finally:
        send.cancel()
        leave.cancel()
        await asyncio.wait((send, leave))
    if not send.cancelled() and (error := send.exception()):
        raise error


def _application() -> FastAPI:
    """`router` as an application of its own, configured by the environment."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        # Not an error with a traceback: the server that imports this ends with this one line.
        raise SystemExit(f"{TOKEN_VARIABLE} is not set; give it a long random secret: openssl rand -hex 32")
    socket = os.environ.get(SOCKET_VARIABLE) or ControlSettings().socket
    application = FastAPI(title="Smart Sync", version=__version__, openapi_url=None)
    application.include_router(router(socket=socket, token=token))
    return application


def __getattr__(name: str) -> FastAPI:
    """``app``, made when a server asks for it: who mounts `router` needs no variables."""
    if name == "app":
        return _application()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
