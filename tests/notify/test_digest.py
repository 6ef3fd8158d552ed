"""The message of the day: exactly one, whatever is restarted and however clocks change."""

import asyncio
import json
import re
import time as time_module
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.notify.test_people import lines_of, ntfy

from daemon_process import Daemon, run_command, write_config
from receiver import Receiver, receiving
from smart_sync.core.schedule import DIGEST_LATE, digest_day, next_digest
from smart_sync.sync.once import once
from world import KEY, World, link

ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu")
MOMENTS = st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2026-12-01"))


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(ZONES),
    st.times(timezones=st.none()).map(lambda at: at.replace(second=0, microsecond=0)),
    MOMENTS,
    st.lists(st.integers(1, 30 * 60), min_size=20, max_size=40),
)
def test_each_day_is_told_once(zone: str, at: time, start: datetime, steps: list[int]) -> None:
    """Looked at ever so often over weeks, through changes of the clocks: no day twice, and none left out that a look
    came to in time; each on its own day, at its time or later.
    """
    now, told = start.replace(tzinfo=UTC), set[str]()
    for minutes in steps:
        now += timedelta(minutes=minutes)
        day = digest_day(now, at, zone)
        if day is None:
            continue
        told.add(day)
        moment = datetime.combine(date.fromisoformat(day), at, ZoneInfo(zone)).astimezone(UTC)
        assert timedelta(0) <= now - moment < DIGEST_LATE
    looks = [start.replace(tzinfo=UTC) + timedelta(minutes=sum(steps[: n + 1])) for n in range(len(steps))]
    for number in range((now.date() - start.date()).days):
        day = (start.date() + timedelta(days=number)).isoformat()
        moment = datetime.combine(date.fromisoformat(day), at, ZoneInfo(zone)).astimezone(UTC)
        assert (day in told) == any(timedelta(0) <= look - moment < DIGEST_LATE for look in looks)


@given(st.sampled_from(ZONES), st.times(timezones=st.none()), MOMENTS)
def test_the_next_one_is_due_when_it_comes(zone: str, at: time, naive: datetime) -> None:
    """It lies ahead, at most a day and a clock change away; then it is due, as that of another day."""
    now = naive.replace(tzinfo=UTC)
    then = next_digest(now, at, zone)
    assert timedelta(0) < then - now <= timedelta(hours=26)
    assert digest_day(then, at, zone) not in (None, digest_day(now, at, zone))


@pytest.mark.parametrize(
    ("zone", "at", "day", "utc"),
    [
        ("Europe/Berlin", time(9), "2026-03-29", "07:00"),  # summer time begins
        ("Europe/Berlin", time(9), "2026-10-25", "08:00"),  # and ends
        ("Europe/Berlin", time(2, 30), "2026-03-29", "01:30"),  # there is no such time: 03:30
        ("Europe/Berlin", time(2, 30), "2026-10-25", "00:30"),  # it comes twice: the first
    ],
)
def test_days_whose_clocks_change(zone: str, at: time, day: str, utc: str) -> None:
    """The moment in UTC of a digest on such a day."""
    before = datetime.combine(date.fromisoformat(day), time(), UTC) - timedelta(hours=3)
    assert next_digest(before, at, zone) == datetime.fromisoformat(f"{day}T{utc}+00:00")


def a_world(world: World, receiver: Receiver, at: str) -> None:
    """Two projects that grew, one of which cannot be read; a cell to put right; a digest at ``at``."""
    world.sections["notify"] = {"digest": at, "targets": [{"url": ntfy(receiver), "events": ["digest"]}]}
    world.add_project("Лето", ["ann", "bob"])
    world.add_project("Lost", ["cat"])
    world.sheet("Лето", ann=["junk", 1, 1, 1, 1200], bob=[1, 1, 1, 1, 300])
    del world.google.spreadsheets[KEY].worksheets["Lost"]


async def test_once_tells_it_after_its_pass_and_once_a_day(world: World) -> None:
    """Processes that end after a pass tell the day's digest with what they have found; the next ones do not again."""
    async with receiving() as receiver:
        receiver.status = 200
        a_world(world, receiver, _now_ago(minutes=2))
        for _ in range(3):
            await asyncio.to_thread(once, world.settings)
        lines = lines_of(receiver.received[0], "title", "message")
        assert len(receiver.received) == 1
    assert lines[1:3] == ["Problems of worksheets: 1", "• Лето!C2: followers: not a count (junk)"]
    assert lines[3:5] == [
        "Projects that failed, or are degraded: 1",
        (
            '• Lost: worksheet "Lost" is not in the spreadsheet; rename the worksheet or the project; all others'
            " belong to projects; if it is meant: smart-sync confirm Lost"
        ),
    ]
    assert lines[5:7] == ["Views, and their growth since the day before:", "Lost: no value yet, 1 account"]
    assert lines[7] == "Лето: 1,500 (nothing to compare with), 2 accounts"
    assert world.execute("SELECT count(*) FROM told_digests") == [(1,)]


async def test_more_problems_than_are_kept_are_all_counted(world: World) -> None:
    """What is on record of a pass has the first of them; the head and the line of the others know of all."""
    async with receiving() as receiver:
        receiver.status = 200
        a_world(world, receiver, _now_ago(minutes=2))
        world.sheet("Лето", ann=[1, 1, 1, 1, 1], **{f"a{number}": ["junk", *["n/a?"] * 4] for number in range(300)})
        await asyncio.to_thread(once, world.settings)
        lines = lines_of(receiver.received[0], "title", "message")
    (found,) = world.execute("SELECT problem_count FROM sync_project_runs WHERE project_name = 'Лето'")[0]
    assert found > 1_500
    assert lines[1] == f"Problems of worksheets: {found:,}"
    assert lines[6] == f"• {found - 4:,} more; smart-sync check lists all of them"


async def test_a_parser_that_brings_nothing_is_in_each_days_digest(world: World) -> None:
    """It is told every day while it lasts, with its reason and since when; one that is not configured is not."""
    async with receiving() as receiver:
        receiver.status = 200
        a_world(world, receiver, _now_ago(minutes=2))
        world.add_project("More", ["dan", "eve"])
        world.sheet("More", dan=[1] * 5, eve=[1] * 5)
        world.sections["parsers"] = {"csv": {"path": str(world.folder / "none.csv")}}
        for project in ("Лето", "Lost"):
            world.sheet(project, **dict.fromkeys(["ann", "bob"] if project == "Лето" else ["cat"], [1] * 5))
        await asyncio.to_thread(once, world.settings)
        lines = lines_of(receiver.received[0], "title", "message")
        world.execute("DELETE FROM told_digests")
        world.execute("DELETE FROM webhook_deliveries")
        del world.sections["parsers"]
        await asyncio.to_thread(once, world.settings)
        assert "Parsers" not in receiver.received[-1].body
        file = world.folder / "some.csv"
        file.write_text(f"link,views\n{link('dan')},7\n{link('eve')},-7\n")
        world.sections["parsers"] = {"csv": {"path": str(file)}}
        world.execute("DELETE FROM told_digests")
        world.execute("DELETE FROM webhook_deliveries")
        await asyncio.to_thread(once, world.settings)
        found = "\n".join(lines_of(receiver.received[-1], "title", "message"))
        assert f"parser csv: lines of {file} that cannot be used: 1" in found
    assert lines[1] == "Parsers that bring no values: 1"
    assert re.fullmatch(r"• csv, since [\d :-]+: .*No such file or directory.*", lines[2])


@pytest.mark.sqlite
async def test_growth_is_that_of_the_command(world: World) -> None:
    """The line of a project has the numbers that ``growth --days 1`` has; suspects and stale projects are named."""
    async with receiving() as receiver:
        receiver.status = 200
        a_world(world, receiver, _now_ago(minutes=2))
        world.sections["sheets"] = world.sections["sheets"].model_copy(update={"stale_after": 0.001})
        await world.sync()
        world.execute("UPDATE account_snapshots SET snapshot_time = datetime('now', '-1 day'), id = 'x' || id")
        world.execute("UPDATE account_metrics SET views_known_since = '2020-01-01T00:00:00.000000'")
        world.sheet("Лето", ann=[1, 1, 1, 1, 91200], bob=[1, 1, 1, 1, 350])
        await asyncio.to_thread(once, world.settings)
        lines = lines_of(receiver.received[0], "title", "message")
    path = write_config(world.folder, google=world.google, spreadsheet=KEY)
    told = json.loads(run_command("growth", "--days", "1", "--json", "--config", str(path)).stdout)
    (project,) = [one for one in told["projects"] if one["name"] == "Лето"]
    assert (project["last"], project["growth"]) == (91550, 90050)
    assert lines[-1] == "Лето: 91,550 (+90,050), 2 accounts"
    assert lines[1].startswith("Suspects: 1")
    assert "views 1,200 → 91,200, cell" in lines[2]
    assert lines[3] == "Stale projects: 1"
    assert lines[4].startswith('• Lost, last read never: worksheet "Lost" is not in the spreadsheet')


@pytest.mark.sqlite
def test_no_restart_of_a_daemon_repeats_it(world: World) -> None:
    """Real processes, one after the other."""

    async def scenario() -> list[list[str]]:
        async with receiving() as receiver:
            receiver.status = 200
            target = f'[[notify.targets]]\nurl = "{ntfy(receiver)}"\nevents = ["digest"]\n'
            text = f'[notify]\ndigest = "{_now_ago(minutes=5)}"\n{target}'
            path = write_config(world.folder, text, google=world.google, spreadsheet=KEY)
            await asyncio.to_thread(_live, path, lambda: bool(receiver.received))
            for _ in range(2):
                await asyncio.to_thread(_live, path, lambda: True)
            return [lines_of(each, "title") for each in receiver.received]

    world.add_project("P", ["ann"])
    world.sheet("P", ann=[1] * 5)
    assert len(asyncio.run(scenario())) == 1


def _live(path: Path, until: Callable[[], bool]) -> None:
    """A daemon until a pass has ended and ``until`` is true."""
    with Daemon(path) as daemon:
        run_command("sync", "--config", str(path))
        while not until():
            time_module.sleep(0.02)
        daemon.stop()


def _now_ago(minutes: int) -> str:
    return f"{datetime.now(UTC) - timedelta(minutes=minutes):%H:%M}"
