"""`GET /metrics` and `smart-sync status --openmetrics`, read by Prometheus' own parsers."""

import asyncio
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as of_text_format
from tests.events.test_monitoring import SERVED, installed

from control_clients import connected
from daemon_process import Daemon, run_command, write_config
from fake_google import FakeGoogle
from smart_sync.core.days import moment
from smart_sync.core.results.openmetrics import (
    MEDIA_TYPE,
    Measured,
    MeasuredProject,
    Spent,
    exposition,
    standby_exposition,
)
from smart_sync.store.openmetrics_figures import measured
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from world import KEY, World

#: What is promised: name → labels.
PROMISED = {
    "smart_sync_up": set(),
    "smart_sync_leader": set(),
    "smart_sync_project_read_timestamp_seconds": {"project"},
    "smart_sync_project_stale": {"project"},
    "smart_sync_project_outcome": {"project", "outcome"},
    "smart_sync_last_pass_timestamp_seconds": set(),
    "smart_sync_pass_seconds": set(),
    "smart_sync_google_calls_total": set(),
    "smart_sync_google_quota_wait_seconds_total": set(),
    "smart_sync_parser_failing": {"parser"},
    "smart_sync_webhooks_waiting": set(),
    "smart_sync_database_bytes": set(),
    "smart_sync_accounts_carried": set(),
}
_MORE = """[schedule]
run_on_start = false
[parsers.csv]
path = "parsed.csv"
[[webhooks]]
url = "http://127.0.0.1:9"
format = "plain"
allow_private = true
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, World]]:
    """The answer to a scrape, its content type, and the world: one project in step, one degraded, a carried value."""
    folder = tmp_path_factory.mktemp("metrics")
    with FakeGoogle() as google:
        world = asyncio.run(World(folder, google).create())
        for name in ("Good", 'Lost "№ 1"\\'):
            world.add_project(name, [name[:4].lower()], project_id=name)
        world.sheet("Good", good=[5, 2, 3, 4, 5])
        (folder / "parsed.csv").write_text("link,views\\nhttps://www.tiktok.com/@good,900\\n")
        config = write_config(folder, _MORE, google=google, spreadsheet=KEY)
        with Daemon(config):
            run_command("sync", "--config", str(config))
            del google.spreadsheets[KEY].worksheets['Lost "№ 1"\\']
            world.sheet("Good", good=["junk", 2, 3, 4, 5])
            run_command("sync", "--config", str(config))
            printed = run_command("status", "--openmetrics", "--config", str(config))
            media, scraped = asyncio.run(_scraped(folder))
        assert printed.returncode == 0
        assert printed.stdout == scraped
        yield scraped, media, world


async def _scraped(folder: Path) -> tuple[str, str]:
    async with connected(folder / "control.sock") as client:
        client.get("/metrics")
        answer = await client.answer()
    return answer.headers["content-type"], answer.body.decode()


#: It has no types.
of_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    families: list[Metric] = list(of_openmetrics(text))
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


def test_exactly_the_promised_names(told: tuple[str, str, World]) -> None:
    """OpenMetrics by its content type, read by a strict parser: each promised name with its labels, and no other."""
    text, media, _ = told
    assert media == MEDIA_TYPE
    assert {name: set(rows[0][0]) for name, rows in samples(text).items()} == PROMISED
    standby = {name for name in SERVED if f"{name} " in standby_exposition(led=True)}
    assert standby == {"smart_sync_up", "smart_sync_leader", "smart_sync_led"}
    assert {*PROMISED, *standby} >= SERVED, "alerts look at nothing else"


def test_the_values_are_those_of_the_database(told: tuple[str, str, World]) -> None:
    """Each number is what one look at the database says."""
    text, _, world = told
    found = samples(text)
    one = {name: rows[0][1] for name, rows in found.items() if not rows[0][0]}
    assert one["smart_sync_up"] == 1
    assert one["smart_sync_accounts_carried"] == 1
    assert one["smart_sync_google_calls_total"] == sum(call.kind != "token" for call in world.google.calls)
    assert one["smart_sync_webhooks_waiting"] == world.execute(
        "SELECT count(*) FROM webhook_deliveries WHERE due_at IS NOT NULL"
    )[0][0] > 0  # fmt: skip
    (ended,) = world.execute("SELECT max(finished_at) FROM sync_runs")[0]
    assert one["smart_sync_last_pass_timestamp_seconds"] == pytest.approx(moment(ended).timestamp(), abs=0.001)
    assert 0 <= one["smart_sync_pass_seconds"] < 60
    pages = world.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")[0][0]
    assert one["smart_sync_database_bytes"] == pages
    outcomes = {labels["project"]: labels["outcome"] for labels, value in found["smart_sync_project_outcome"] if value}
    assert outcomes == {"Good": "synced", 'Lost "№ 1"\\': "degraded"}
    assert len(found["smart_sync_project_outcome"]) == 8
    assert [value for _, value in found["smart_sync_project_stale"]] == [0, 0]
    assert found["smart_sync_parser_failing"] == [({"parser": "csv"}, 0)]


def test_the_textfile_collector_reads_it_too(told: tuple[str, str, World]) -> None:
    """node_exporter takes the older text format: the same samples, and Prometheus' parser reads all of it.

    (In that format the help of a counter would stand under its longer name; it is left out.)
    """
    text, _, _ = told
    read = {sample.name for family in of_text_format(text) for sample in family.samples}
    assert read == set(PROMISED)
    promtool = installed("promtool")
    ended = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert all("_total no help text" in line for line in ended.stderr.splitlines())


async def test_each_engine_is_measured(world: World) -> None:
    """On either database: the projects with their outcomes, the last pass, what waits and what stands in."""
    world.add_project("P", ["ann"])
    world.add_project("Q", ["bob"])
    world.sheet("P", ann=[1, 2, 3, 4, 5])
    await world.sync()
    world.now += timedelta(minutes=30)
    world.sheet("P", ann=["junk", 2, 3, 4, 5])
    del world.google.spreadsheets[KEY].worksheets["Q"]
    await world.sync()
    async with opened(world.settings, Reporter()) as resources:
        found = await measured(resources.database)
    assert [(one.name, one.stale, one.outcome, one.read_at is None) for one in found.projects] == [
        ("P", False, "synced", False), ("Q", False, "degraded", False),
    ]  # fmt: skip
    assert (found.waiting, found.carried, found.database_bytes > 0) == (0, 1, True)
    assert found.started_at is not None
    assert set(samples(exposition(found, {"csv": True}, Spent()))) == set(PROMISED)


@pytest.mark.sqlite
def test_a_daemon_that_is_down_is_down(world: World) -> None:
    """The command prints that, and exits with 3: the file that takes it does not go on with what was."""
    config = write_config(world.folder, google=world.google, spreadsheet=KEY)
    ended = run_command("status", "--openmetrics", "--config", str(config))
    assert ended.returncode == 3
    assert samples(ended.stdout) == {"smart_sync_up": [({}, 0)]}
    assert "smart-sync run" in ended.stderr


_NAMES = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["A", "A (1)", "A\n", 'a"\\'])


@given(st.lists(_NAMES, max_size=8))
def test_whatever_projects_are_called_each_has_its_series(names: list[str]) -> None:
    """Any names, some of them twice: both parsers read as many series as there are projects, no two with one label."""
    at = "2026-03-10T12:00:00.000000"
    projects = [MeasuredProject(str(number), name, at, True, "failed") for number, name in enumerate(names)]
    text = exposition(Measured(projects, at, at), {}, Spent())
    for parse in (of_openmetrics, of_text_format):
        stale = [s for f in parse(text) for s in f.samples if s.name == "smart_sync_project_stale"]
        assert len({sample.labels["project"] for sample in stale}) == len(names)
    assert all(value for _, value in samples(text).get("smart_sync_project_stale", []))
    assert (
        exposition(Measured([replace(one, stale=False) for one in projects], at, at), {}, Spent()) != text or not names
    )
