"""The catalogue of log events: code, log lines and README say the same."""

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from nasty import NASTY_TEXTS
from smart_sync import logs
from smart_sync.core.model import Trigger
from smart_sync.events import COMMON_FIELDS, EVENTS
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import KEY, World

SOURCE = Path(logs.__file__).parent
TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "list": (list,),
}  # fmt: skip


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged while the test runs, as JSON."""
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    yield stream
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def violations(line: dict[str, Any]) -> list[str]:
    """How a log line differs from its declaration."""
    event = EVENTS[line["event"]]
    declared = dict(COMMON_FIELDS) | dict(event.fields)
    found = [f"{name} is not declared" for name in line if name not in declared]
    if line["level"] != event.level.upper():
        found.append(f"level {line['level']}, declared {event.level}")
    for name, meaning in declared.items():
        kind = meaning.split(":")[0]
        if name not in line:
            found += [] if kind.endswith("?") else [f"{name} is missing"]
        elif not isinstance(line[name], TYPES[kind.rstrip("?")]):
            found.append(f"{name} is no {kind}")
    return found


async def test_passes_of_every_outcome_log_as_declared(world: World, log: io.StringIO) -> None:
    """Whatever becomes of a project, each line has the declared level and fields, with the declared types."""
    world.sections["sync"] = {"create_missing": "accounts"}
    for name in ("Synced", "Degraded", "Failed", "Refused"):
        world.add_project(name, [f"{name.lower()}0", f"{name.lower()}1"])
    world.sheet("Synced", synced0=["junk", 1, 1, 1, 1], synced1=[2] * 5, newcomer=[3] * 5)
    world.sheet("Refused", refused0=[1] * 5, refused1=[2] * 5)
    del world.google.spreadsheets[KEY].worksheets["Degraded"]
    with (
        world.refusing("INSERT", "worksheet_reads", "NEW.project_id = 'project-Failed'"),
        world.refusing("INSERT", "account_snapshots", "NEW.account_id = 'account-refused1'"),
    ):
        await world.sync()
        await world.sync()
    logged = lines(log)
    assert {line["event"]: violations(line) for line in logged if violations(line)} == {}
    assert {line["event"] for line in logged} >= {
        "sync.started", "sync.finished", "project.synced", "project.degraded", "project.failed",
        "worksheet.problem_found", "accounts.created", "account.failed",
    }  # fmt: skip


async def test_a_problem_is_reported_once(world: World, log: io.StringIO) -> None:
    """The same bad cell is a line of its own when it is new, and only counted afterwards."""
    world.add_project("P", ["a"])
    world.sheet("P", a=["junk", 1, 1, 1, 1])
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        sync = SyncPass(resources)
        await sync.run(PassRequest(Trigger.CLI))
        await sync.run(PassRequest(Trigger.CLI))
        world.sheet("P", a=["junk", 2, 1, 1, 1])
        await sync.run(PassRequest(Trigger.CLI))
    events = [line["event"] for line in lines(log)]
    assert events.count("worksheet.problem_found") == 1
    assert [line["problems"] for line in lines(log) if line["event"] == "project.synced"] == [1, 1, 1]


def test_every_event_in_the_code_is_declared_and_every_declared_one_is_used() -> None:
    """Nobody logs what the catalogue does not know, and the catalogue promises nothing that nobody logs."""
    code = "\n".join(path.read_text() for path in SOURCE.rglob("*.py") if path.parent.name != "events")
    used = set(re.findall(r'(?:emit|announce|_announce|self)\(\s*"([a-z_]+\.[a-z_]+)"', code))
    assert used <= set(EVENTS)
    assert {name for name in EVENTS if f'"{name}"' not in code} == set()


def test_the_names_are_nouns_and_past_verbs_in_one_line_each() -> None:
    """Event names are `noun.past_verb`, and every declaration fits into a table's row."""
    for event in EVENTS.values():
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", event.name)
        for text in (event.when, event.action, *event.fields.values()):
            assert text
            assert "\n" not in text
            assert "|" not in text


def test_an_undeclared_event_is_a_bug() -> None:
    """Logging an event that nobody declared fails at once."""
    with pytest.raises(KeyError):
        logs.emit("nobody.declared")


def test_json_lines_begin_as_promised(log: io.StringIO) -> None:
    """The keys of a JSON line begin level (upper case), logger, event."""
    logs.emit("daemon.stopped")
    assert list(lines(log)[0])[:3] == ["level", "logger", "event"]
    assert log.getvalue().startswith('{"level": "INFO", "logger": "SmartSync", "event": "daemon.stopped"')


def test_console_lines_read_as_promised() -> None:
    """On a console: the local time, LEVEL [SmartSync] event key=value; grep finds errors in both formats."""
    stream = io.StringIO()
    logs.configure("console", "info", stream)
    logs.emit("sync.failed", trigger="timer", reason="no disk")
    structlog.reset_defaults()
    time, line = stream.getvalue()[:20], stream.getvalue()[20:]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(time.strip()).astimezone()) < timedelta(minutes=2)
    assert line == "ERROR [SmartSync] sync.failed trigger=timer reason='no disk'\n"
    assert re.search("ERROR.*SmartSync", stream.getvalue())


def test_ids_are_for_debugging_where_there_is_a_name() -> None:
    """A console leaves out the id of what has a name or a link in the line, but at the level debug; else it has it."""
    for level, shown in (("info", False), ("debug", True)):
        stream = io.StringIO()
        logs.configure("console", level, stream)
        logs.emit("value.suspected", project_id="p1", account_id="a1", link="l", metric="views", before=1, after=9)
        logs.emit("account.failed", project_id="p1", account_id="a1", reason="no")
        structlog.reset_defaults()
        named, unnamed = stream.getvalue().splitlines()
        assert ("project_id=p1" in named, "account_id=a1" in named) == (shown, shown)
        assert "account_id=a1" in unnamed


def test_a_terminal_has_colours_around_what_is_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the level and the event are coloured as one, unless NO_COLOR is set."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    for no_colour, begins in (("", "\x1b[1;31mERROR [SmartSync] sync.failed\x1b[0m "), ("1", "ERROR [SmartSync] ")):
        monkeypatch.setenv("NO_COLOR", no_colour)
        logs.configure("auto", "info", stream := Terminal())
        logs.emit("sync.failed", trigger="timer", reason="no disk")
        structlog.reset_defaults()
        assert stream.getvalue()[20:].startswith(begins)


async def test_a_console_shows_what_there_is_to_see(world: World) -> None:
    """A console leaves out what is empty and the counts that say something only above 0; JSON has them all."""
    world.add_project("P", ["a"])
    told: dict[str, str] = {}
    for form in ("console", "json"):
        stream = io.StringIO()
        logs.configure(form, "info", stream)
        async with opened(world.settings, Reporter()) as resources:
            await SyncPass(resources).run(PassRequest(Trigger.TIMER))
        structlog.reset_defaults()
        told[form] = next(line for line in stream.getvalue().splitlines() if "project.synced" in line)
    for name in ("accounts=1", "sheet=0", "parsed=0", "merged=1", "updated=1"):
        assert f" {name} " in told["console"]
    assert "conflicts" not in told["console"]
    assert json.loads(told["json"])["conflicts"] == 0


def test_a_console_keeps_the_zero_that_is_the_news() -> None:
    """A value that fell to 0 is shown as 0."""
    stream = io.StringIO()
    logs.configure("console", "info", stream)
    logs.emit("value.suspected", project_id="1", account_id="a", link="l", metric="views", before=5000, after=0)
    structlog.reset_defaults()
    assert " before=5000 after=0\n" in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_text_can_forge_a_line_or_drive_a_terminal(form: str) -> None:
    """Whatever a cell, a name or an API says stays inside its field, on one line, without control characters."""
    stream = io.StringIO()
    logs.configure(form, "info", stream)
    for text in NASTY_TEXTS:
        logs.emit("projects.created", projects=[text])
        logs.emit("library.logged", library=text, message=text)
    structlog.reset_defaults()
    written = stream.getvalue()
    assert len(written.split("\n")) == 2 * len(NASTY_TEXTS) + 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", written)


def test_secrets_are_never_written(log: io.StringIO) -> None:
    """Protected strings and everything in the shape of a key or token are redacted, in tracebacks too."""
    logs.protect("s3cr3t-canary")
    secrets = [
        "s3cr3t-canary", "ya29.A0ARrdaM-canary", "whsec_canary+AAAA", "Bearer canary.token",
        "https://api/x?key=canary&part=statistics", "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----",
    ]  # fmt: skip
    for secret in secrets:
        logs.emit("library.logged", library="x", message=f"about {secret} here")
        error = raised(secret)
        logs.emit("daemon.crashed", reason=str(error), exc_info=error)
    assert "canary" not in log.getvalue()


def test_a_traceback_is_one_record_without_locals(log: io.StringIO) -> None:
    """A bug's traceback is data in its own line, with the frames and without the values of local variables."""
    logs.emit("daemon.crashed", reason="x", exc_info=raised("nothing"))
    (line,) = lines(log)
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert line["exception"][0]["frames"]
    assert "nobody should read" not in log.getvalue()


def raised(about: str) -> ValueError:
    """An exception with a traceback and a local variable."""
    local_value = "what nobody should read"

    def fail() -> None:
        raise ValueError(f"failed with {about}, {len(local_value)}")

    try:
        fail()
    except ValueError as error:
        return error
    raise AssertionError


async def test_an_outage_makes_no_old_problem_new(world: World, log: io.StringIO) -> None:
    """A problem is reported once, however many passes stand in for the sheet meanwhile, and those of an outage too."""
    world.add_project("P", ["a"])
    world.sheet("P", a=["junk", 1, 1, 1, 1])
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        sync = SyncPass(resources)
        await sync.run(PassRequest(Trigger.CLI))
        world.google.spreadsheets[KEY].shared = False
        world.parsed("a", [-1, None, None, None, None])
        for _ in range(2):
            await sync.run(PassRequest(Trigger.CLI))
        world.google.spreadsheets[KEY].shared = True
        await sync.run(PassRequest(Trigger.CLI))
    found = [line["worksheet"] for line in lines(log) if line["event"] == "worksheet.problem_found"]
    assert found == ["P", "parsed_metrics"]


async def test_a_dry_run_leaves_no_line_that_looks_like_a_pass(world: World, log: io.StringIO) -> None:
    """What monitors count passes by is not logged for a dry run; its start and end say that it was one."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync(dry_run=True)
    assert [line["event"] for line in lines(log)] == ["sync.started", "sync.finished"]
    assert all(line["dry_run"] for line in lines(log))
