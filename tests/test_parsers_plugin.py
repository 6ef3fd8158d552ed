"""The smallest parser of `docs/how-to/write-a-parser.md`, as somebody would install it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from markdown_pages import HOW_TO, texts
from smart_sync import config
from smart_sync.core.model import Account, ParsedMetrics
from smart_sync.parsers.collect import collect
from smart_sync.parsers.registry import build

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
