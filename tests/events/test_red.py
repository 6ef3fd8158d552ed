"""Red when it is red: situations against everybody who watches; what each says, when, and how often.

The clock is simulated.  Every pass is a process of its own as far as memory goes: it opens the database anew, so that
whatever is reported once is reported once over restarts, and by ``once``.
"""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import structlog
from tests.cli.test_status import drawn_of
from tests.events.test_monitoring import ALERTS, _chosen

from receiver import Receiver, receiving
from smart_sync import logs
from smart_sync.admin.checks import check
from smart_sync.cli.commands.passes import _exit_code
from smart_sync.cli.output.status import screen
from smart_sync.config import ScheduleSettings
from smart_sync.control import daemon_status
from smart_sync.control.api import Endpoints
from smart_sync.control.client import Client
from smart_sync.control.server import serve
from smart_sync.core.days import moment
from smart_sync.core.model import Trigger
from smart_sync.core.results.health import HealthInputs, missed_tick, reasons
from smart_sync.core.results.results import PassResult
from smart_sync.errors import SmartSyncError
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened, report_projects
from smart_sync.sync.scheduler import Scheduler
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import KEY, NOON, World

ALARMS = ("sync.failed", "project.stale", "parser.failed", "parser.recovered", "project.degraded", "project.recovered")


@dataclass
class Heard:
    """What everybody who watches says after the last pass, and what was told in all, with its number."""

    healthz: int = 200
    livez: int = 200
    #: Of `sync` and `once`, and of `check`.
    sync: int = 0
    check: int = 0
    ping: str = "success"
    status: str = ""
    webhooks: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    #: The alert rules that the log makes fire.
    alerts: set[str] = field(default_factory=set)


class Story:
    """A world in which hours go by; each pass is a process of its own, watched by everybody."""

    def __init__(self, world: World, receiver: Receiver, log: StringIO) -> None:
        self.world = world
        self._receiver = receiver
        self._log = log
        self.heard = Heard()
        url = f"http://127.0.0.1:{receiver.port}"
        hook = {"url": f"{url}/hook", "secret": ["whsec_" + "B" * 44], "allow_private": True, "events": ALARMS}
        world.sections |= {"webhooks": [hook], "ping": {"url": f"{url}/ping"}}
        self.kept = world.google.spreadsheets[KEY].worksheets

    async def a_pass(self, hours: float) -> None:
        """A pass so many hours after noon, and what everybody says then."""
        world = self.world
        world.now = NOON + timedelta(hours=hours)
        socket = world.folder / "s"
        announce = Reporter()
        async with opened(world.settings, announce, clock=lambda: world.now) as resources:
            await report_projects(resources)
            schedule = ScheduleSettings(run_on_start=False)
            runner = Scheduler(SyncPass(resources).run, schedule, lambda: world.now, resources.database.rest)
            work = asyncio.create_task(runner.run())
            self.heard.sync = await self._exit_code_of(runner)
            api = Endpoints(resources, runner, _never, 0.0)
            async with serve(socket, api.routes()):
                client = Client(socket, timeout=60)
                self.heard.healthz, health = await client.request("GET", "/healthz")
                self.heard.livez, _ = await client.request("GET", "/livez")
                status = await client.status()
            assert health["healthy"] is (self.heard.healthz == 200) is (health["reasons"] == [])
            assert status["reasons"] == health["reasons"]
            self.heard.status = drawn_of(screen(status, moment(status["timestamp"])))
            work.cancel()
            await asyncio.wait({work})
            await asyncio.gather(resources.ping.flush(10), resources.webhooks.flush(10))
        self.heard.check = (await check(world.settings, lambda: world.now)).exit_code

    async def _exit_code_of(self, runner: Scheduler) -> int:
        try:
            result = await runner.request(Trigger.TIMER)
        except SmartSyncError as error:
            return error.exit_code
        return _exit_code(result.answer())

    def told(self) -> Heard:
        """What everybody says, with what came in all."""
        hooks = [json.loads(one.body)["type"] for one in self._receiver.received if one.target == "/hook"]
        pings = [one.target for one in self._receiver.received if one.target.startswith("/ping")]
        lines = [json.loads(line) for line in self._log.getvalue().splitlines()]
        self.heard.webhooks = dict(Counter(hooks))
        self.heard.ping = "fail" if pings[-1].endswith("/fail") else "success"
        self.heard.errors = dict(Counter(line["event"] for line in lines if line["level"] == "ERROR"))
        self.heard.alerts = _firing(lines)
        return self.heard


async def _never() -> None:
    raise AssertionError("nobody reloads")


def _firing(lines: list[dict[str, Any]]) -> set[str]:
    """The alerts for which the lines of the last passes give a reason; how long it must last, promtool tests."""
    passes = [line for line in lines if _chosen("passes", line)]
    parsers = {line["parser"]: line["event"] for line in lines if _chosen("parsers", line)}
    own = re.search(r'event!~"([^"]*)"', ALERTS)
    assert own is not None
    ends = [
        n
        for n, line in enumerate(lines)
        if line["event"] in ("sync.finished", "sync.failed") and not line.get("dry_run")
    ]
    newest = lines[ends[-2] + 1 :] if len(ends) > 1 else lines
    firing = {
        "SmartSyncStale": bool(passes) and passes[-1]["stale"] > 0,
        "SmartSyncNoGoodPass": not passes or not _chosen("good_passes", passes[-1]),
        "SmartSyncParserFailing": "parser.failing" in parsers.values(),
        "SmartSyncErrors": any(_chosen("errors", line) and not re.fullmatch(own[1], line["event"]) for line in newest),
    }
    return {name for name, fires in firing.items() if fires}


def away(story: Story) -> None:
    """Google refuses everything."""
    for kind in ("batch", "metadata"):
        story.world.google.fail(kind, 10_000, status=403)


def back(story: Story) -> None:
    """Google answers again."""
    story.world.google.faults.clear()


def lose_q(story: Story) -> None:
    """One worksheet is gone."""
    del story.kept["Q"]


def dead_parser(story: Story) -> None:
    """A parser that has nothing of five accounts."""
    story.world.add_project("R", list("vwxyz"))
    file = story.world.folder / "parsed.csv"
    file.write_text("link,views\nhttps://www.tiktok.com/@stranger,1\n")
    story.world.sections["parsers"] = {"csv": {"path": file}}


def parser_back(story: Story) -> None:
    """It has something again."""
    (story.world.folder / "parsed.csv").write_text("link,views\nhttps://www.tiktok.com/@v,1\n")


def refuse_passes(story: Story) -> None:
    """The database takes no pass."""
    story.world.execute("CREATE TRIGGER grudge BEFORE INSERT ON sync_runs BEGIN SELECT RAISE(ABORT, 'no'); END")


def no_projects(story: Story) -> None:
    """The table is empty."""
    story.world.execute("DELETE FROM projects")


def finished(story: Story) -> None:
    """All projects are finished."""
    story.world.execute("UPDATE projects SET is_active = 0")


def one_name(story: Story) -> None:
    """Both projects have one name, and so one worksheet."""
    story.world.execute("UPDATE projects SET name = 'P'")


def no_directory(story: Story) -> None:
    """The directory of worksheets does not exist."""
    story.world.sections["sheets"] = {"source": "csv", "directory": story.world.folder / "nowhere"}


Step = float | Callable[[Story], None]
DEGRADED, BACK = {"project.degraded": 2}, {"project.degraded": 2, "project.recovered": 2}
STALE = {"project.stale": 1}
#: What happens (hours: a pass; functions: something changes), and what everybody says of it.
TABLE: dict[str, tuple[list[Step], Heard]] = {
    "all is well": ([0, 0.5, 24], Heard()),
    "one failure": (
        [0, away, 0.5], Heard(check=1, webhooks=DEGRADED, alerts={"SmartSyncNoGoodPass"}),
    ),
    "Google refuses everything for seven hours": (
        [0, away, 0.5, 3, 7],
        Heard(503, 200, 4, 1, "fail", "stale", DEGRADED | STALE, STALE, {"SmartSyncStale", "SmartSyncNoGoodPass"}),
    ),
    "… and for days": (
        [0, away, 0.5, 7, 8, 9, 30, 60, 90],
        Heard(503, 200, 4, 1, "fail", "stale", DEGRADED | STALE, STALE, {"SmartSyncStale", "SmartSyncNoGoodPass"}),
    ),
    "… and then answers": (
        [0, away, 0.5, 7, 8, back, 9], Heard(webhooks=BACK | STALE, errors=STALE),
    ),
    "never read at all": (
        [away, 0, 3, 6.5],
        Heard(503, 200, 4, 1, "fail", "never read", DEGRADED | STALE, STALE, {"SmartSyncStale", "SmartSyncNoGoodPass"}),
    ),
    "one worksheet of two is gone": (
        [0, lose_q, 0.5, 7],
        Heard(503, 200, 4, 1, "fail", "stale", {"project.degraded": 1} | STALE, STALE, {"SmartSyncStale"}),
    ),
    "a night without passes": ([0, 14, 14.5], Heard()),
    "a weekend switched off, then one failure": (
        [0, away, 62], Heard(check=1, webhooks=DEGRADED, alerts={"SmartSyncNoGoodPass"}),
    ),
    "every 24 h, one failure": ([0, away, 24, back, 48], Heard(webhooks=BACK)),
    "flapping": (
        [0, *(step for n in range(1, 9) for step in (away, n - 0.5, back, float(n)))],
        # Of each project three of eight: two in six hours, and one after them.
        Heard(webhooks={"project.degraded": 6, "project.recovered": 6}),
    ),
    "a parser gets nothing": (
        [0, dead_parser, 0.5, 1, 9],
        Heard(check=1, status="parser csv", webhooks={"parser.failed": 1}, errors={"parser.failing": 1},
              alerts={"SmartSyncParserFailing"}),
    ),
    "… and something again": (
        [0, dead_parser, 0.5, 1, parser_back, 2],
        Heard(webhooks={"parser.failed": 1, "parser.recovered": 1}, errors={"parser.failing": 1}),
    ),
    "no pass can be run": (
        [0, refuse_passes, 0.5, 1],
        Heard(503, 200, 1, 0, "fail", "the last pass could not be run", {"sync.failed": 1}, {"sync.failed": 2},
              {"SmartSyncErrors"}),
    ),
    "no projects": (
        [no_projects, 0, 0.5],
        Heard(503, 200, 4, 1, "fail", "the database was newly made", {}, {"projects.missing": 2},
              {"SmartSyncErrors"}),
    ),
    "two projects of one name": (
        [0, one_name, 0.5], Heard(check=1, webhooks=DEGRADED, alerts={"SmartSyncNoGoodPass"}),
    ),
    "all projects finished": ([0, finished, 0.5], Heard(status="no project is active")),
    "no directory of worksheets": (
        [no_directory, 0],
        Heard(503, 200, 0, 1, "success", "nowhere does not exist", DEGRADED, {}, {"SmartSyncNoGoodPass"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("situation", TABLE)
async def test_everybody_who_watches_says_how_it_is(world: World, situation: str) -> None:
    """Health checks, exit codes, ping, webhooks, log, status and alerts agree, and tell a trouble once."""
    for name in "PQ":
        world.add_project(name, [name.lower()])
        world.sheet(name, **{name.lower(): [100] * 5})
    steps, expected = TABLE[situation]
    log = StringIO()
    logs.configure("json", "debug", log)
    with contextlib.ExitStack() as stack:
        stack.callback(structlog.reset_defaults)
        async with receiving() as receiver:
            story = Story(world, receiver, log)
            for step in steps:
                if callable(step):
                    step(story)
                else:
                    await story.a_pass(step)
            heard = story.told()
    assert expected.status in heard.status
    if not expected.status:
        assert not re.search("not healthy|stale|warning", heard.status)
    heard.status = expected.status
    assert heard == expected


async def test_a_missed_tick_is_red_for_restarts_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a pass hangs for longer than any may, livez and healthz are 503; when it has ended, both are 200."""
    monkeypatch.setattr(daemon_status, "BESIDE_READING", -1000.0)
    world.add_project("P", ["a"])
    may_end = asyncio.Event()
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        sync = SyncPass(resources)

        async def a_pass(request: PassRequest) -> PassResult:
            await may_end.wait()
            return await sync.run(request)

        runner = Scheduler(a_pass, ScheduleSettings(every=0.2), lambda: world.now, resources.database.rest)
        api = Endpoints(resources, runner, _never, 0.0)
        async with serve(world.folder / "s", api.routes()):
            client = Client(world.folder / "s", timeout=60)

            async def both() -> list[int]:
                return [(await client.request("GET", path))[0] for path in ("/livez", "/healthz")]

            assert await both() == [200, 200]
            work = asyncio.create_task(runner.run())
            async with asyncio.timeout(60):
                while await both() != [503, 503]:
                    pass
                _, body = await client.request("GET", "/healthz")
                assert "overdue" in body["error"]
                may_end.set()
                while await both() != [200, 200]:
                    pass
            work.cancel()
            await asyncio.wait({work})


def test_a_night_without_ticks_is_none_that_was_missed() -> None:
    """By cron nothing is due before the morning, however long the last pass is ago."""
    facts = HealthInputs(overdue=-8 * 3600.0, allowed=600.0, projects=1, active=1)
    assert (missed_tick(facts), reasons(facts)) == ("", [])


def test_the_table_names_every_watcher() -> None:
    """Each kind of answer occurs: a watcher that always says the same proves nothing."""
    rows = [expected for _, expected in TABLE.values()]
    assert {row.healthz for row in rows} == {200, 503}
    assert {row.sync for row in rows} == {0, 1, 4}
    assert {row.check for row in rows} == {0, 1}
    assert {row.ping for row in rows} == {"success", "fail"}
    assert {kind for row in rows for kind in row.webhooks} == set(ALARMS)
