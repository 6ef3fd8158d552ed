"""A property: whatever is said, forgotten, relinked and dated over passes and days, only what has a vote decides."""

import asyncio
import csv
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengths import examples
from smart_sync.admin.ingest import NothingToForget, forget
from smart_sync.config import Settings
from smart_sync.core import parsed
from smart_sync.core.days import stamp
from smart_sync.core.merge import votes
from smart_sync.core.model import Metrics, ParsedMetrics, Trigger
from smart_sync.store import parsed_values
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import NOON, link

ACCOUNT = "account"
SOURCES = ["x", "y"]
MAX_AGE = timedelta(days=3)
AHEAD = timedelta(minutes=5)


class Value(NamedTuple):
    """What the model knows of a value: its number, its time as given and as it counts, the profile it is of."""

    number: int
    given: datetime
    counts: datetime
    #: "": nobody says so.
    profile: str
    source: str


@dataclass
class Installation:
    """A database with one account, and the model of it: what every source said last, and what was taken back."""

    folder: Path
    sheet: str
    strategy: str
    now: datetime = NOON
    profile: str = "a"
    numbers: int = 1000
    said: dict[tuple[str, str], Value] = field(default_factory=dict)
    every: list[Value] = field(default_factory=list)
    #: (number, source, counts, given)
    marks: list[tuple[int, str, datetime, datetime]] = field(default_factory=list)
    #: When a pass found the account under another profile, and which it had before.
    relinked: list[tuple[datetime, str]] = field(default_factory=list)
    seen_profile: str = "a"

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "database": {"path": self.folder / "p.db"},
                "sheets": {"source": "csv", "directory": self.folder},
                "merge": {"strategy": self.strategy},
                "parsed": {"max_age": MAX_AGE.total_seconds()},
            }
        )

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "p.db", timeout=30)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    def begin(self) -> None:
        with (self.folder / "P.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["Link", "Views"], [link("a"), self.sheet], [link("b"), self.sheet]])
        self.execute("INSERT INTO projects (id, name, is_active) VALUES ('p', 'P', 1)")
        self.execute(
            "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
            " VALUES (?, 'p', 'tiktok', 'a', ?)",
            (ACCOUNT, link("a")),
        )

    # The model.

    def was_taken_back(self, value: Value) -> bool:
        for number, whose, until, given_ in self.marks:
            if (
                number == value.number
                and whose in ("", value.source)
                and (value.counts <= until or value.given == given_)
            ):
                return True
        profile = value.profile or next((was for at, was in self.relinked if value.counts <= at), self.seen_profile)
        return profile != self.seen_profile

    def has_vote(self, value: Value) -> bool:
        return not self.was_taken_back(value) and self.now - value.counts < MAX_AGE

    # What happens.

    async def say(self, place: str, source: str, number: int, at: datetime, profile: str) -> None:
        key = (place, source if place == "ours" else "")
        before = self.said.get(key)
        known = before is not None and (before.given, before.source) == (at, source)
        counts = before.counts if before is not None and known and at > self.now + AHEAD else at
        counts = self.now if counts > self.now + AHEAD else counts
        value = Value(number, at, counts, profile if place == "ours" else "", source)
        if place == "inbox":
            self.execute(
                "INSERT OR REPLACE INTO parsed_metrics (account_id, views, source, parsed_at) VALUES (?, ?, ?, ?)",
                (ACCOUNT, number, source, stamp(at)),
            )
            await self.run()  # a time ahead counts as of the pass that sees it first
        else:
            async with opened(self.settings, Reporter()) as resources:
                values = [ParsedMetrics(ACCOUNT, Metrics(views=number), source, at, link=profile and link(profile))]
                await parsed_values.put(resources.database, values, self.now)
            foreign = profile not in ("", self.seen_profile)
            if before is not None and (counts < before.counts or foreign) and not self.was_taken_back(before):
                return
        self.said[key] = value
        self.every.append(value)

    async def take_back(self, source: str) -> None:
        with suppress(NothingToForget):
            await forget(self.settings, None if source else ACCOUNT, source or None, None, self.now)
            for value in self.said.values():
                if source in ("", value.source):
                    self.marks.append((value.number, source, value.counts, value.given))

    def relink(self, profile: str) -> None:
        self.profile = profile
        self.execute("UPDATE project_social_accounts SET profile_link = ?", (link(profile),))

    async def run(self) -> None:
        async with opened(self.settings, Reporter(), clock=lambda: self.now) as resources:
            await SyncPass(resources).run(PassRequest(Trigger.TIMER))
        if self.profile != self.seen_profile:
            self.relinked.append((self.now, self.seen_profile))
            self.seen_profile = self.profile

    def check(self) -> None:
        voting = [value for value in self.said.values() if self.has_vote(value)]
        ((number, winner),) = self.execute("SELECT views, views_winner FROM account_metrics")
        typed = int(self.sheet) if self.sheet else None
        if winner in ("parsed", "both"):
            assert voting, "a value without a vote decides"
            newest = max(value.counts for value in voting)
            assert number in [value.number for value in voting if value.counts == newest], "another value decides"
        elif winner is None:
            assert (voting, typed, number) == ([], None, 0), "a value with a vote is blocked"
        elif winner == "carried":
            assert (voting, typed) == ([], None), "a value with a vote is blocked"
            fates = [self.was_taken_back(value) for value in self.every if value.number == number]
            assert not all(fates), "a value that was taken back stands in"
        else:
            assert number == typed
            if self.strategy == "max":
                latest = max((value.counts for value in voting), default=None)
                assert all(value.number <= number for value in voting if value.counts == latest)


minutes = st.sampled_from([0, 0, -1, -60, -3000, 3, 20, 99999])
acts = st.one_of(
    st.tuples(
        st.just("say"), st.sampled_from(["inbox", "ours"]), st.sampled_from(SOURCES), minutes, st.sampled_from("aab ")
    ),
    st.tuples(st.just("again"), st.sampled_from(["inbox", "ours"]), st.sampled_from(SOURCES)),
    st.tuples(st.just("forget"), st.sampled_from(["", *SOURCES])),
    st.tuples(st.just("relink"), st.sampled_from("ab")),
    st.tuples(st.just("wait"), st.sampled_from([1, 60, 1500, 5000])),
)


@given(
    st.lists(acts, min_size=2, max_size=12), st.sampled_from(["", "7"]), st.sampled_from(["max", "parsed", "latest"])
)
@settings(max_examples=examples(12, 60), deadline=None)
def test_a_value_without_a_vote_never_decides_and_blocks_none(
    happened: list[tuple[Any, ...]], sheet: str, strategy: str
) -> None:
    """Forgotten, too old, of an earlier link: the newest value that has a vote counts, and a taken-back one is gone."""
    asyncio.run(live(happened, sheet, strategy))


async def live(happened: Sequence[tuple[Any, ...]], sheet: str, strategy: str) -> None:
    """Do all that, with a pass after each thing."""
    with tempfile.TemporaryDirectory() as folder:
        one = Installation(Path(folder), sheet, strategy)
        async with opened(one.settings, Reporter()):
            pass
        one.begin()
        await one.run()
        for what, *details in happened:
            one.now += timedelta(seconds=1)
            if what == "say":
                place, source, shift, profile = details
                one.numbers += 1
                await one.say(place, source, one.numbers, one.now + timedelta(minutes=shift), profile.strip())
            elif what == "again" and one.every:
                place, source = details
                value = one.every[len(one.every) // 2]
                await one.say(place, source, value.number, value.given, value.profile)
            elif what == "forget":
                await one.take_back(*details)
            elif what == "relink":
                one.relink(*details)
            elif what == "wait":
                one.now += timedelta(minutes=details[0])
            one.now += timedelta(seconds=1)
            await one.run()
            one.check()


SAID = ("say", "ours", "x", 0, "a")


@pytest.mark.parametrize(
    ("name", "weak", "then"),
    [
        ("is_marked", lambda *_: False, ("forget", "x")),
        ("TOO_OLD", "", ("wait", 5000)),
        ("EARLIER_LINK", "", ("relink", "b")),
        ("AHEAD", timedelta(days=999), ("say", "inbox", "y", 99999, " ")),
    ],
)
def test_the_property_notices(monkeypatch: pytest.MonkeyPatch, name: str, weak: object, then: tuple[Any, ...]) -> None:
    """The control: votes that nothing takes away, and clocks that may be years ahead, do not pass."""
    happened = [SAID, then, ("wait", 60), SAID] if name == "AHEAD" else [SAID, then]
    asyncio.run(live(happened, "", "max"))
    for module in (votes, parsed):
        monkeypatch.setattr(module, name, weak, raising=False)
    with pytest.raises(AssertionError):
        asyncio.run(live(happened, "", "max"))
