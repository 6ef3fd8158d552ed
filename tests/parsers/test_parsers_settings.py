"""How parsers are configured, and that their secrets stay secret."""

import asyncio
import logging
from io import StringIO
from pathlib import Path

import pytest
import stamina

from fake_platforms import GOOD, FakePlatform, Reply, account, settings
from smart_sync import config, logs
from smart_sync.clock import utc_now
from smart_sync.core.redaction import REDACTED, KnownSecrets
from smart_sync.errors import ConfigError
from smart_sync.parsers.collect import collect
from smart_sync.parsers.inspection import inspect
from smart_sync.parsers.registry import build
from smart_sync.parsers.youtube import YouTubeSettings

CANARIES = (
    "canary-youtube-key",
    "canary-instagram-token",
    "canary-facebook-token",
    "canary-threads-token",
    "canary-tiktok-token",
    "canary-reseller-key",
    "canary-query-key",
)


def load(folder: Path, tables: str) -> config.Settings:
    path = folder / "config.toml"
    path.write_text(f'[sheets]\ndirectory = "."\n{tables}')
    return config.load(path)


def mistakes(folder: Path, tables: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, tables)
    return [problem.removeprefix(f"{folder}/config.toml: ") for problem in caught.value.problems]


@pytest.mark.parametrize("budget", ["0", "-5", "true", '"0/d"', '"5/h"'])
def test_a_budget_is_a_number_of_requests(tmp_path: Path, budget: str) -> None:
    """A budget that allows nothing, or is no number of requests a day, is refused."""
    table = f'[parsers.youtube]\nkey = "canary-youtube-key"\nbudget = {budget}\n'
    assert mistakes(tmp_path, table) == ['parsers.youtube.budget: expected the requests of a day, such as "1000/d"']


def test_every_mistake_at_once(tmp_path: Path) -> None:
    """All mistakes of all tables are reported together, each with its key; no value is shown."""
    found = mistakes(
        tmp_path,
        """
        [parsers.youtube]
        key = "env:SMART_SYNC_TEST_NO_SUCH_KEY"
        rate = "fast"
        colour = "red"
        [parsers.instagram]
        token = "file:no/such/file"
        api_url = "http://graph.example.com"
        [parsers.rented]
        kind = "http_json"
        platforms = ["tiktok"]
        url = "https://api.example.com/{username}"
        metrics = { followers = "a[", fans = "b" }
        headers = { X-Key = "credential:reseller" }
        [parsers.other]
        kind = "http_json"
        platforms = ["tiktok"]
        url = "https://api.example.com/{user}"
        metrics = { followers = "a" }
        [parsers.myspace]
        """,
    )
    assert "parsers.youtube.key: the environment has no SMART_SYNC_TEST_NO_SUCH_KEY" in found
    assert any(line.startswith("parsers.youtube.rate: expected a rate such as") for line in found)
    assert "parsers.youtube.colour: no such key" in found
    assert f"parsers.instagram.token: {tmp_path}/no/such/file cannot be read: No such file or directory" in found
    assert "parsers.instagram.api_url: expected https: a secret would travel in the clear" in found
    assert "parsers.instagram.user_id: missing" in found
    assert any(line.startswith("parsers.other: step 1: no such placeholder: {user}") for line in found)
    assert any(line.startswith("parsers.rented.metrics.followers: not a JMESPath") for line in found)
    assert any(line.startswith("parsers.rented.metrics.fans") for line in found)
    assert any(line.startswith("parsers.rented.headers.X-Key: systemd gave no credentials") for line in found)
    assert any(line.startswith('parsers.myspace: no such parser: "myspace"; there are csv, facebook') for line in found)
    assert len(found) == 12


def test_where_secrets_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment, a file next to the configuration, a systemd credential; several tables of one kind."""
    monkeypatch.setenv("YOUTUBE_KEY", "canary-from-env")
    (tmp_path / "key.txt").write_text("canary-from-file\n")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "yt").write_text("canary-from-credential")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    loaded = load(
        tmp_path,
        """
        [parsers.youtube]
        key = "env:YOUTUBE_KEY"
        [parsers.second]
        kind = "youtube"
        key = "file:key.txt"
        [parsers.third]
        kind = "youtube"
        source = "yt3"
        key = "credential:yt"
        """,
    )
    tables = [table for table in loaded.parsers.values() if isinstance(table, YouTubeSettings)]
    assert [table.key.get_secret_value() for table in tables] == [
        "canary-from-env",
        "canary-from-file",
        "canary-from-credential",
    ]
    assert [source.name for source in build(loaded.parsers)] == ["youtube", "second", "yt3"]
    assert "canary" not in f"{loaded!r} {loaded.model_dump()} {loaded}"
    assert logs.redact("canary-from-file") == REDACTED


def test_a_parser_switched_off_needs_no_secret(tmp_path: Path) -> None:
    """``enabled = false`` starts the daemon even when the parser's secret is gone."""
    loaded = load(tmp_path, '[parsers.youtube]\nenabled = false\nkey = "env:SMART_SYNC_TEST_NO_SUCH_KEY"\n')
    assert build(loaded.parsers) == []


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
async def test_no_secret_is_ever_written(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a platform answers, even our own secrets, none is in a log, report, reason, exchange or repr."""
    stream = StringIO()
    logs.configure("json", "debug", stream)
    logging.getLogger().addHandler(caplog.handler)
    caplog.set_level(logging.INFO)
    said = " ".join(CANARIES)
    error = {"code": 190 if status == 401 else 110, "message": said, "errors": [{"reason": "x"}]}

    def answer(_call: object) -> Reply:
        return Reply({"error": error, "said": said}, status)

    with FakePlatform(answer) as platform, stamina.set_testing(True, attempts=2):
        sources = build({kind: settings(kind, platform.url) for kind in GOOD})
        accounts = [account(kind) for kind in GOOD]
        reports = await collect(sources, accounts, _nowhere, utc_now())
        seen = [await inspect(sources, one) for one in accounts]
    assert len(reports) == len(GOOD)
    assert any(canary in str(call) for call in platform.calls for canary in CANARIES)
    everything = f"{stream.getvalue()} {caplog.text} {reports} {seen} {sources}"
    assert [canary for canary in CANARIES if canary in everything] == []
    urls = [call.path + str(call.query) for call in platform.calls]
    assert [url for url in urls for canary in CANARIES[:-1] if canary in url] == []


@pytest.mark.parametrize("kept", ["", "env:SMART_SYNC_TEST_HOST"])
async def test_a_host_is_no_secret(monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    """`parse` shows a header that names no secret, and hides one that does; what is kept elsewhere is one anyway."""
    host, key = "tiktok-api23.p.rapidapi.com", "canary-reseller-key"
    monkeypatch.setenv("SMART_SYNC_TEST_HOST", host)
    monkeypatch.setattr(logs, "_protected", KnownSecrets())

    with FakePlatform(lambda call: Reply(dict(call.headers), 400)) as platform:
        headers = {"X-RapidAPI-Key": key, "X-RapidAPI-Host": kept or host}
        sources = build({"x": settings("http_json", platform.url, headers=headers)})
        (seen,) = await inspect(sources, account("http_json"))
    assert platform.calls[0].headers["x-rapidapi-key"] == key
    (exchange,) = seen.exchanges
    assert (key in exchange.body, host in exchange.body) == (False, not kept)
    assert f'"x-rapidapi-key": "{REDACTED}"' in exchange.body


async def _nowhere(_batch: object) -> None:
    await asyncio.sleep(0)
