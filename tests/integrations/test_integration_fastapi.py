"""The guide's option 1: the control channel over HTTP, `smart_sync.integrations.fastapi`."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

import web_server
from daemon_process import PATIENCE, Daemon, write_config
from smart_sync.core.results.openmetrics import MEDIA_TYPE
from smart_sync.integrations import fastapi as integration
from world import KEY, World

TOKEN = "a-token-of-the-test-0123456789"
ALLOWED = {"Authorization": f"Bearer {TOKEN}"}
SYNC, STATUS, EVENTS = "/api/admin/smart_sync", "/api/admin/sync_status", "/api/admin/events"
PROTECTED = [
    *(("POST", SYNC), ("GET", STATUS), ("GET", "/api/admin/sync_history"), ("GET", EVENTS), ("GET", "/metrics")),
]


@pytest.fixture
def config_file(world: World) -> Path:
    world.add_project("P", ["a"], project_id="project-1")
    world.sheet("P", a=[1] * 5)
    return write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=world.google, spreadsheet=KEY)


def serving(control: Path) -> AbstractContextManager[httpx2.Client]:
    """uvicorn with the integration's application, and a client of it."""
    environment = {"SMART_SYNC_API_TOKEN": TOKEN, "SMART_SYNC_CONTROL__SOCKET": str(control)}
    return web_server.serving("smart_sync.integrations.fastapi:app", environment=environment)


def mounted(control: Path) -> httpx2.AsyncClient:
    """A client of a web app that has mounted the router under a prefix of its own."""
    application = FastAPI()
    application.include_router(integration.router(socket=control, token=TOKEN), prefix="/counter")
    transport = httpx2.ASGITransport(app=application)
    return httpx2.AsyncClient(transport=transport, base_url="http://test/counter")


def test_the_guides_curl_forces_a_pass(config_file: Path, world: World) -> None:
    """The guide's calls, with the token, answer over HTTP what the daemon answers on its socket."""
    with Daemon(config_file) as daemon, serving(daemon.socket) as client:
        everything = client.post(SYNC, headers=ALLOWED)
        assert everything.status_code == 200
        assert everything.json()["success_count"] == 1
        assert world.merged("a") == (1,) * 5
        world.sheet("P", a=[2] * 5)
        assert client.post(f"{SYNC}?project_id=project-1", headers=ALLOWED).json()["updated_count"] == 1
        assert world.merged("a") == (2,) * 5
        status = client.get(STATUS, headers=ALLOWED).json()
        assert (status["total_projects"], status["cache_enabled"]) == (1, False)
        assert client.get("/healthz").status_code == 200
        metrics = client.get("/metrics", headers=ALLOWED)
        assert metrics.headers["content-type"] == MEDIA_TYPE
        assert "smart_sync_up 1\n" in metrics.text


def test_the_daemons_refusals_pass_through(config_file: Path) -> None:
    """Status and error of the daemon arrive as they are: unknown project, unknown option, odd signs in the query."""
    with Daemon(config_file) as daemon, serving(daemon.socket) as client:
        missing = client.post(f"{SYNC}?project_id=nobody", headers=ALLOWED)
        assert missing.status_code == 404
        assert missing.json() == {"success": False, "error": "Project not found", "project_id": "nobody"}
        assert client.post(f"{SYNC}?projekt=1", headers=ALLOWED).status_code == 400
        odd = client.post(SYNC, params={"project_id": "Проект № 1 & co\n"}, headers=ALLOWED)
        assert (odd.status_code, odd.json()["project_id"]) == (404, "Проект № 1 & co\n")


def test_an_option_in_the_body_is_refused(config_file: Path) -> None:
    """A body would be ignored, and all projects synced in place of one: it is a 400, as on the socket."""
    with Daemon(config_file) as daemon, serving(daemon.socket) as client:
        answer = client.post(SYNC, headers=ALLOWED, data={"project_id": "project-1"})
        assert (answer.status_code, "no body" in answer.json()["error"]) == (400, True)
        assert daemon.events("sync.started") == []


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize(
    "authorization", [None, "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
)
async def test_nothing_is_answered_without_the_token(
    tmp_path: Path, method: str, path: str, authorization: str | None
) -> None:
    """Without exactly the token every endpoint but the health checks is a 401 that says how to ask."""
    headers = {} if authorization is None else {"Authorization": authorization}
    async with mounted(tmp_path / "no.sock") as client:
        answer = await client.request(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["success"] is False
    assert TOKEN not in answer.text


@pytest.mark.parametrize(("method", "path"), [*PROTECTED, ("GET", "/healthz"), ("GET", "/livez")])
async def test_a_daemon_that_is_down_is_a_503_with_the_remedy(tmp_path: Path, method: str, path: str) -> None:
    """While nobody listens on the socket each endpoint answers 503 and how to start the daemon."""
    async with mounted(tmp_path / "no.sock") as client:
        answer = await client.request(method, path, headers=ALLOWED)
    assert answer.status_code == 503
    assert "start it with: smart-sync run" in answer.json()["error"]


async def test_a_reload_is_not_published(tmp_path: Path) -> None:
    """Who has the token cannot make the daemon read its configuration again."""
    async with mounted(tmp_path / "no.sock") as client:
        assert (await client.post("/api/admin/reload", headers=ALLOWED)).status_code == 404


def test_events_arrive_as_they_happen(config_file: Path) -> None:
    """The stream brings the events of a pass line by line, and ends when the daemon stops."""
    with (
        Daemon(config_file) as daemon,
        serving(daemon.socket) as client,
        client.stream("GET", EVENTS, headers=ALLOWED) as stream,
    ):
        assert stream.headers["content-type"] == "application/x-ndjson"
        client.post(SYNC, headers=ALLOWED)
        lines = stream.iter_lines()
        seen = [json.loads(next(lines))["event"] for _ in range(3)]
        assert seen == ["sync.started", "project.synced", "sync.finished"]
        assert daemon.stop() == 0
        assert [line for line in lines if "sync." in line] == []


async def test_a_client_that_leaves_frees_its_stream(config_file: Path) -> None:
    """Clients that open the stream and go, while nothing happens, do not use up the daemon's streams."""
    with Daemon(config_file) as daemon, serving(daemon.socket) as client:

        async def look_in() -> int:
            async with (
                httpx2.AsyncClient(base_url=client.base_url, timeout=PATIENCE, trust_env=False) as own,
                own.stream("GET", EVENTS, headers=ALLOWED) as stream,
            ):
                return stream.status_code

        for _ in range(3):
            assert await asyncio.gather(*(look_in() for _ in range(30))) == [200] * 30


@pytest.mark.parametrize("token", ["", " ", " padded "])
def test_a_router_without_a_token_is_not_made(token: str) -> None:
    """No token would leave the endpoints open to everybody."""
    with pytest.raises(ValueError, match="token"):
        integration.router(socket="control.sock", token=token)


def test_an_application_without_a_token_ends_in_one_line() -> None:
    """A server that is started without the variable ends with the remedy, and no traceback."""
    environment = {key: value for key, value in os.environ.items() if key != "SMART_SYNC_API_TOKEN"}
    command = [sys.executable, "-m", "uvicorn", "smart_sync.integrations.fastapi:app"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode != 0
    assert ended.stderr.strip().splitlines() == [
        "SMART_SYNC_API_TOKEN is not set; give it a long random secret: openssl rand -hex 32"
    ]


def test_importing_the_router_needs_no_variables() -> None:
    """A web app that mounts the router sets none of the variables of the application."""
    code = "from smart_sync.integrations.fastapi import router; import sys; assert 'pysqlite3' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)


def test_the_generated_documentation_asks_for_the_token() -> None:
    """FastAPI's own pages show each endpoint, and where the token goes."""
    application = FastAPI()
    application.include_router(integration.router(socket="control.sock", token=TOKEN))
    paths = application.openapi()["paths"]
    assert {path for path, methods in paths.items() if any("security" in m for m in methods.values())} == {
        *(path for _, path in PROTECTED),
        "/api/admin/explain",
        "/api/admin/pin",
    }
    assert {"/healthz", "/livez"} <= set(paths)
