"""Which parsers are failing, who is notified and how often: judged from reports alone, then with a real parser."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver import receiving
from smart_sync.admin.checks import check
from smart_sync.config import ScheduleSettings
from smart_sync.control.daemon_status import DaemonStatus
from smart_sync.core.days import stamp
from smart_sync.core.model import Trigger
from smart_sync.core.results.parser_health import Attempt, ParserState, Verdict, judge_parser
from smart_sync.store.unread_projects import standing
from smart_sync.sync.once import once
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import Resources, opened
from smart_sync.sync.scheduler import Scheduler
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import World, link

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SIX_HOURS = 6 * 3600.0


def attempt(fetched: int = 0, failed: int = 0, missing: int = 0, known: int = 0, *, finished: bool = True) -> Attempt:
    return Attempt("p", fetched, missing, known, failed, finished, "the token is dead" if failed else "")


NOTHING_OF_FIVE = attempt(failed=5)
WELL = attempt(fetched=5)
OF_THREE = attempt(failed=3)
#: Attempts by hour; what is told, with its hour.
STORIES: dict[str, tuple[list[tuple[float, Attempt]], list[tuple[float, Verdict]]]] = {
    "nothing of five accounts is told at once, and not again": (
        [(0, NOTHING_OF_FIVE), (1, NOTHING_OF_FIVE), (20, NOTHING_OF_FIVE), (21, WELL)],
        [(0, Verdict.FAILED), (21, Verdict.RECOVERED)],
    ),
    "five accounts that the source has not": ([(0, attempt(missing=5))], [(0, Verdict.FAILED)]),
    "five that have long been missing say nothing": ([(0, attempt(missing=5, known=5))], []),
    "only those that fail every time, of a parser that is well": (
        [(0, WELL), *((n, Attempt("p", 0, 0, 0, 9, True, "private", 9)) for n in range(1, 9))], [],
    ),
    "the same, of a parser that has never been well": (
        [(0, OF_THREE), *((n, Attempt("p", 0, 0, 0, 3, True, "private", 3)) for n in range(1, 9))],
        [(7, Verdict.FAILED)],
    ),
    "of three accounts nothing, for seven hours": (
        [(0, OF_THREE), (3, OF_THREE), (7, OF_THREE), (8, OF_THREE)], [(7, Verdict.FAILED)],
    ),
    "of three accounts nothing, once": ([(0, OF_THREE), (1, attempt(fetched=3)), (20, OF_THREE)], []),
    "it could not go on, but brought values": ([(n, attempt(1, 9, finished=False)) for n in range(9)], []),
    "it flaps": (
        [(n / 2, NOTHING_OF_FIVE if n % 2 == 0 else WELL) for n in range(12)],
        [(0, Verdict.FAILED), (0.5, Verdict.RECOVERED)],
    ),
    "it flaps and then stays down": (
        [(0, NOTHING_OF_FIVE), (1, WELL), *((n, NOTHING_OF_FIVE) for n in range(2, 12))],
        [(0, Verdict.FAILED), (1, Verdict.RECOVERED), (8, Verdict.FAILED)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_a_failing_parser_is_told_once(story: str) -> None:
    """Nothing of five accounts, or bad passes for `stale_after`: reported once, and its end; flapping is damped."""
    attempts, told = STORIES[story]
    state, heard = ParserState(), []
    for hour, one in attempts:
        state, verdict = judge_parser(one, state, stamp(NOON + timedelta(hours=hour)), SIX_HOURS)
        heard += [(hour, verdict)] if verdict else []
    assert heard == told


COUNTS = st.integers(0, 9)
ATTEMPTS = st.builds(attempt, COUNTS, COUNTS, COUNTS, st.just(0), finished=st.booleans())


@given(st.lists(st.tuples(st.floats(-100, 100), ATTEMPTS), max_size=30))
def test_beginnings_and_ends_alternate(attempts: list[tuple[float, Attempt]]) -> None:
    """Whatever comes, and whatever the clock does, the two are told in turn, and values that came are no failure."""
    state, heard = ParserState(), []
    for hour, one in attempts:
        state, verdict = judge_parser(one, state, stamp(NOON + timedelta(hours=hour)), SIX_HOURS)
        heard += [verdict] if verdict else []
        assert not (one.fetched and state.since)
    assert heard == [Verdict.FAILED, Verdict.RECOVERED] * (len(heard) // 2) + [Verdict.FAILED] * (len(heard) % 2)


@asynccontextmanager
async def a_process(world: World) -> AsyncIterator[Resources]:
    """A pass in a process of its own, as far as what is remembered goes."""
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        await SyncPass(resources).run(PassRequest(Trigger.CLI))
        yield resources


async def test_a_failing_parser_is_told_once_over_restarts(world: World, log: StringIO) -> None:
    """In the log, to webhooks and in the standing that status and health show; until it brings values again."""
    world.add_project("P", list("abcde"))
    file = world.folder / "parsed.csv"
    file.write_text("link,views\nhttps://www.tiktok.com/@stranger,1\n")
    async with receiving() as receiver:
        secret = "whsec_" + "B" * 44
        hook = {"url": f"http://127.0.0.1:{receiver.port}/", "secret": [secret], "allow_private": True}
        world.sections |= {
            "parsers": {"csv": {"path": file}},
            "webhooks": [{**hook, "events": ["parser.failed", "parser.recovered"]}],
        }
        for hours in (0, 1, 9):
            world.now = NOON + timedelta(hours=hours)
            async with a_process(world) as resources:
                (failing,) = (await standing(resources.database)).failing_parsers
                await resources.webhooks.flush(10)
            assert (failing.parser, failing.since, failing.told_at) == ("csv", stamp(NOON), stamp(NOON))
        file.write_text("link,views\nhttps://www.tiktok.com/@a,1\n")
        async with a_process(world) as resources:
            assert (await standing(resources.database)).failing_parsers == []
            await resources.webhooks.flush(10)
        told: list[dict[str, Any]] = [json.loads(one.body) for one in receiver.received]
    assert [one["type"] for one in told] == ["parser.failed", "parser.recovered"]
    assert told[0]["data"]["since"] == f"{stamp(NOON)}Z"
    assert told[0]["data"]["missing"] == 5
    found = [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"].startswith("parser.")]
    assert [(line["level"], line["event"]) for line in found if line["event"] != "parser.finished"] == [
        ("ERROR", "parser.failing"), ("INFO", "parser.recovered"),
    ]  # fmt: skip


async def test_lines_that_cannot_be_used_are_named_until_they_are_mended(world: World) -> None:
    """By status, /healthz, `check` and `once`, over restarts, though the others bring values; it is not failing."""
    world.add_project("P", ["a", "b"])
    file = world.folder / "parsed.csv"
    world.sections["parsers"] = {"csv": {"path": file}}
    sentence = f"parser csv: lines of {file} that cannot be used: 1; the first is line 3: views: negative"
    for mended in (False, True):
        file.write_text(f"link,views\n{link('a')},1\n{link('b')},{1 if mended else -1}\n")
        async with a_process(world):
            pass
        async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
            runner = Scheduler(SyncPass(resources).run, ScheduleSettings(), lambda: world.now, resources.database.rest)
            health = await DaemonStatus(resources, runner, 0.0).healthz()
            status = await DaemonStatus(resources, runner, 0.0).answer()
        told = [one.message for one in (await check(world.settings, lambda: world.now)).findings]
        answer = await asyncio.to_thread(once, world.settings)
        assert "results" in answer
        said = (health["warnings"], status["warnings"], told, answer["warnings"])
        assert [health["healthy"], *(sentence in one for one in said)] == [True, *[not mended] * 4]
