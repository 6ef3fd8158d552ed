"""Parsers of other packages: the smallest one of `docs/how-to/write-a-parser.md`, and what one may have beside."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest

from fake_platforms import GOOD, FakePlatform, Reply, account, configured, settings
from markdown_pages import HOW_TO, texts
from smart_sync import config
from smart_sync.config import ParserSettings
from smart_sync.config.parser_options import ParserOptions, options
from smart_sync.config.settings import parser_class
from smart_sync.core.model import Account, Metrics, ParsedMetrics
from smart_sync.parsers.api_client import ApiSettings, Session
from smart_sync.parsers.asking import Asking, asking
from smart_sync.parsers.collect import collect
from smart_sync.parsers.http import opened
from smart_sync.parsers.parser import Fetched, Unfetched, Usage
from smart_sync.parsers.per_account import PlatformParser
from smart_sync.parsers.registry import build
from smart_sync.parsers.youtube import YouTube, YouTubeSettings

PAGE = HOW_TO / "write-a-parser.md"


async def test_a_parser_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's ten lines, in a package of their own, are found, configured, asked, and their values stored."""
    (module,), (entry, table) = texts(PAGE, "python", "class Fans"), texts(PAGE, "toml", "fans")
    (tmp_path / "fans.py").write_text(module)
    info = tmp_path / "fans-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fans\nVersion: 1.0\n")
    group, line = entry.strip().splitlines()
    name, target = line.replace('"', "").split(" = ")
    assert group == '[project.entry-points."smart_sync.parsers"]'
    (info / "entry_points.txt").write_text(f"[smart_sync.parsers]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "config.toml"
    path.write_text(f'[sheets]\ndirectory = "."\n{table}')
    stored: list[ParsedMetrics] = []

    async def sink(batch: Sequence[ParsedMetrics]) -> None:
        stored.extend(batch)

    sources = build(config.load(path).parsers)
    accounts = [
        Account("a", "p", "tiktok", "charli", "https://tiktok.com/@charli"),
        Account("b", "p", "youtube", "google", "https://youtube.com/@google"),
    ]
    (report,) = await collect(sources, accounts, sink, datetime.now(UTC))
    assert (report.parser, report.fetched, report.finished) == ("fans", 1, True)
    assert [(value.account_id, value.metrics.followers, value.source) for value in stored] == [("a", 6, "fans")]


def test_a_package_that_is_installed_while_the_program_runs_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload knows the parsers of packages that were installed since the start."""
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match="no such parser"):
        parser_class("late")
    info = tmp_path / "late-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[smart_sync.parsers]\nlate = smart_sync.parsers.youtube:YouTube\n")
    assert parser_class("late") is YouTube


class Bare:
    """A parser with nothing but what is required."""

    settings: ClassVar[type[ParserSettings]] = ParserSettings

    async def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:
        for one in accounts:
            yield Unfetched(one.id, "nobody")


class Whole(Bare):
    """A parser with all that it may have beside."""

    terms = "Keep nothing."

    def __init__(self) -> None:
        self.usage = Usage(calls=3)
        self.remembered = {"tiktok:charli": {"id": "7"}}
        self.tried, self.jobs = {"a"}, {"a"}

    def serves(self, account: Account) -> bool:
        return account.id == "a"


class Told(Bare):
    """One that wants to know with what it asks."""

    async def fetch(self, accounts: Sequence[Account], asking: Asking | None = None) -> AsyncIterator[Fetched]:
        assert asking is not None
        for one in accounts:
            asking.usage.calls += 1
            asking.tried.add(one.id)
            yield Unfetched(one.id, "nobody")


CHARLI = Account("a", "p", "tiktok", "charli", "https://tiktok.com/@charli")


async def test_what_a_parser_lacks_is_filled_in() -> None:
    """A parser with the required part alone serves everybody, remembers nothing, and says nothing of its cost."""
    bare = configured(Bare())
    async with opened() as client, asking(client) as means:
        found = [one async for one in bare.fetch([CHARLI], means)]
        assert found == [Unfetched("a", "nobody")]
        assert (bare.serves(CHARLI), bare.memory, bare.usage(means), bare.terms, bare.book) == (
            True,
            None,
            None,
            "",
            None,
        )
        assert bare.cut_off(means) == (None, set())
        await bare.inspect_tokens(means)


async def test_what_a_parser_has_is_used() -> None:
    """Each optional part of a parser is found, and one that takes ``asking`` says there what it has used."""
    whole, told = configured(Whole()), configured(Told())
    async with opened() as client, asking(client) as means:
        assert (whole.serves(CHARLI), whole.serves(replace(CHARLI, id="b"))) == (True, False)
        assert (whole.memory, whole.terms) == ({"tiktok:charli": {"id": "7"}}, "Keep nothing.")
        assert (whole.usage(means), whole.cut_off(means)) == (Usage(calls=3), ({"a"}, {"a"}))
        assert [one async for one in told.fetch([CHARLI], means)] == [Unfetched("a", "nobody")]
        assert (told.usage(means), told.cut_off(means)) == (Usage(calls=1), ({"a"}, set()))


async def test_a_platform_parser_with_a_fetch_of_its_own_keeps_to_the_budget() -> None:
    """A subclass whose ``fetch`` takes the accounts alone asks with what the pass has, and its requests are counted."""

    class Older(PlatformParser):
        async def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:  # type: ignore[override]
            async for one in super().fetch(accounts):
                yield one

        async def ask(self, session: Session, account: Account) -> Metrics:
            async with session.turn():
                return Metrics(followers=5)

    older = configured(Older(ApiSettings(source="older")))
    async with opened() as client, asking(client) as means:
        (found,) = [one async for one in older.fetch([CHARLI], means)]
        assert isinstance(found, ParsedMetrics)
        assert (found.metrics.followers, older.usage(means)) == (5, means.usage)
    assert means.usage.calls == 1


async def test_a_parser_made_of_the_one_for_youtube_keeps_to_the_budget() -> None:
    """One whose ``fetch`` hands the accounts alone on to YouTube's: its requests are those of the pass."""

    class Own(YouTube):
        async def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:  # type: ignore[override]
            async for one in super().fetch(accounts):
                yield one

    with FakePlatform(lambda _call: Reply(GOOD["youtube"][0])) as platform:
        table = settings("youtube", platform.url)
        assert isinstance(table, YouTubeSettings)
        own = configured(Own(table))
        async with opened() as client, asking(client) as means:
            (found,) = [one async for one in own.fetch([account("youtube")], means)]
        assert isinstance(found, ParsedMetrics)
        assert means.usage.calls == len(platform.calls) == 1


def test_keys_of_other_packages_mean_what_they_say() -> None:
    """A table of another package has those of our options that it has; a key with another meaning is none."""

    class Odd(ParserSettings):
        count: int = 5
        budget: str = "large"
        retention: float = 3600.0

    assert options(ParserSettings()) == ParserOptions()
    assert options(Odd()) == ParserOptions(retention=3600.0)
