"""`docs/how-to/write-a-parser.md`: its parser as somebody would install it, against a platform over HTTP."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import stamina

from fake_platforms import Call, FakePlatform, Reply
from markdown_pages import HOW_TO, texts
from smart_sync import config
from smart_sync.core.model import Account, ParsedMetrics
from smart_sync.parsers.collect import collect
from smart_sync.parsers.registry import ConfiguredParser, build

PAGE = HOW_TO / "write-a-parser.md"
ANSWERS = {
    "good": Reply({"data": {"id": "1", "public_metrics": {"followers_count": 5, "tweet_count": 7}}}),
    "gone": Reply({"errors": [{"title": "Not Found Error", "detail": "Could not find user"}]}),
    "private": Reply({"detail": "protected"}, 403),
    "junk": Reply({"data": [{"public_metrics": "5"}]}),
}
NAMES = [*ANSWERS, "good2", "good3"]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConfiguredParser:
    """The page's parser, installed and configured by the page's tables."""
    (module,) = texts(PAGE, "python", "Twitter")
    entry, table = texts(PAGE, "toml", "twitter")
    name, target = re.findall(r'^(\w+) = "(.+)"$', entry, re.MULTILINE)[0]
    (tmp_path / f"{target.partition(':')[0]}.py").write_text(module)
    info = tmp_path / "twitter_parser-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: twitter_parser\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[smart_sync.parsers]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TWITTER_TOKEN", "canary-twitter-token")
    path = tmp_path / "config.toml"
    path.write_text(f'[sheets]\ndirectory = "."\n{table}api_url = "http://127.0.0.1:9"\n')
    (built,) = build(config.load(path).parsers)
    del sys.modules["twitter_parser"]
    return built


def on(source: ConfiguredParser, platform: FakePlatform) -> ConfiguredParser:
    """The same parser, asking ``platform``."""
    table = source.settings.model_copy(update={"api_url": platform.url})
    return ConfiguredParser(source.name, type(source.parser)(table), table, source.asked, source.table)  # type: ignore[call-arg]


async def passed(source: ConfiguredParser) -> tuple[dict[str, ParsedMetrics], str, list[int]]:
    """What a pass brings, what it says, and how many accounts were fetched, missing and failed."""
    stored: dict[str, ParsedMetrics] = {}

    async def sink(batch: Sequence[ParsedMetrics]) -> None:
        stored.update({value.account_id: value for value in batch})

    accounts = [Account(name, "p", "twitter", "stranger", f"https://x.com/{name}") for name in NAMES]
    accounts += [Account("other", "p", "tiktok", "other", "https://tiktok.com/@other")]
    with stamina.set_testing(True, attempts=1):
        (report,) = await collect([source], accounts, sink, datetime.now(UTC))
    return stored, report.reason, [report.fetched, report.missing, report.failed]


async def test_the_parser_of_the_page(source: ConfiguredParser) -> None:
    """The page's class fetches whom it can, and each refusal is what the page's table says."""

    def answer(call: Call) -> Reply:
        assert call.headers["authorization"] == "Bearer canary-twitter-token"
        assert call.query == {"user.fields": "public_metrics"}
        name = call.path.removeprefix("/users/by/username/")
        return ANSWERS.get(name, ANSWERS["good"])

    with FakePlatform(answer) as platform:
        stored, reason, counts = await passed(on(source, platform))
    assert sorted(stored) == ["good", "good2", "good3"]
    assert (stored["good"].metrics.followers, stored["good"].metrics.videos, stored["good"].source) == (5, 7, "twitter")
    assert counts == [3, 1, 2]
    assert "the API refuses the call (403): protected" in reason
    assert "the answer holds none of the metrics" in reason


async def test_a_refused_token_ends_the_parser_of_the_page(source: ConfiguredParser) -> None:
    """A 401 is everybody's trouble: the parser says so, and asks no further."""
    with FakePlatform(lambda _call: Reply({}, 401)) as platform:
        stored, reason, counts = await passed(on(source, platform))
    assert (stored, counts) == ({}, [0, 0, len(NAMES)])
    assert "refuses the credentials" in reason
    assert len(platform.calls) <= 4
