"""Text in the configuration that nothing can be made of: refused with its key, at the start and at a reload."""

import asyncio
from pathlib import Path

import pytest

from daemon_process import PATIENCE, Daemon
from smart_sync import config
from smart_sync.config import values
from smart_sync.control.client import Client
from smart_sync.errors import ConfigError
from smart_sync.service.preflight import obstacles

SHEETS = '[sheets]\ndirectory = "sheets"\n'
WEBHOOK = '[[webhooks]]\nsecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="\n'
PARSER = '[parsers.x]\nkind = "http_json"\nplatforms = ["tiktok"]\nmetrics = { views = "v" }\n'

#: As TOML writes it.
NUL = r"\u0000"
#: A file's text → the key that is to be corrected.
WRONG: list[tuple[str, str]] = [
    (SHEETS + f'[database]\npath = "a{NUL}b"', "database.path"),
    (f'[sheets]\ndirectory = "a{NUL}b"', "sheets.directory"),
    (SHEETS + r'credentials = "a\u0000b"', "sheets.credentials"),
    (SHEETS + r'spreadsheet = "a\u0000b"', "sheets.spreadsheet"),
    (SHEETS + 'spreadsheet = "https://docs.google.com/document/x"', "sheets.spreadsheet"),
    (SHEETS + r'locale = "en\u0000"', "sheets.locale"),
    *((SHEETS + f'locale = "{name}"', "sheets.locale") for name in ("German", "xx_YY", "ru RU", "utf-8")),
    (SHEETS + r'columns = { views = ["a\u0000b"] }', "sheets.columns"),
    (SHEETS + 'columns = { views = ["X"], likes = ["Y", " x:"] }', "sheets.columns"),
    (SHEETS + f'[sheets.spreadsheets]\nx = "a{NUL}b"', "sheets.spreadsheets"),
    (SHEETS + f'[sheets.spreadsheets]\n"a{NUL}b" = "key"', "sheets.spreadsheets"),
    (SHEETS + '[sheets.spreadsheets]\nx = "https://example.com/"', "sheets.spreadsheets"),
    *((SHEETS + f'api_url = "{url}"', "sheets.api_url") for url in (
        "nonsense", "http://", "http://[::1", "http://x:99999", "http://x:y", "http://a b/", "http://a..b/", "ftp://x/",
        "http://[fe80::1%25eth0]/", r"http://x/\u0000",
    )),
    (SHEETS + f'[control]\nsocket = "a{NUL}b"', "control.socket"),
    (SHEETS + f'[control]\ngroup = "a{NUL}b"', "control.group"),
    (SHEETS + f'[parsed]\nquery = "SELECT {NUL}"', "parsed.query"),
    (SHEETS + f'[schedule]\ntimezone = "a{NUL}b"', "schedule.timezone"),
    (SHEETS + f'[schedule]\ncron = "* * * * {NUL}"', "schedule.cron"),
    (SHEETS + f'[merge.projects]\n"a{NUL}b" = {{ views = "max" }}', "merge.projects"),
    *((SHEETS + f'[ping]\nurl = "{url}"', "ping.url") for url in (
        "https://[::1", "https://x y/", "https://", "https://a..b/", "https://-a/", "https://x:0/", r"https://x/\u0000",
        r"file:a\u0000b", r"env:a\u0000b",
    )),
    *((SHEETS + WEBHOOK + f'url = "{url}"', "webhooks.0.url") for url in ("https://[::1", r"https://x/\u0000")),
    (SHEETS + WEBHOOK.replace("whsec_", r"\u0000") + 'url = "https://x"', "webhooks.0.secret"),
    (SHEETS + PARSER + 'url = "https://[::1/{username}"', "parsers.x"),
    (SHEETS + PARSER + 'url = "https://x:99999/{username}"', "parsers.x"),
    (SHEETS + PARSER + r'url = "https://x/{username}\u0000"', "parsers.x"),
    (SHEETS + PARSER + 'url = "https://x/{username}"\nheaders = { "a b" = "c" }', "parsers.x"),
    (SHEETS + f'[parsers.csv]\npath = "a{NUL}b"', "parsers.csv"),
    (SHEETS + f'[parsers."a{NUL}b"]\nkind = "csv"\npath = "x"', "parsers"),
    (SHEETS + "x = " + "[" * 5000, "nested"),
    (SHEETS + "timeout = " + "9" * 5000, "TOML"),
    (SHEETS + "timeout = nan", "sheets.timeout"),
    (SHEETS + "reads_per_minute = " + "9" * 400, "sheets.reads_per_minute"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key"), WRONG, ids=[f"{key}-{number}" for number, (_, key) in enumerate(WRONG)])
def test_it_is_refused_with_its_key(tmp_path: Path, text: str, key: str) -> None:
    """A NUL or an address that is none, wherever it stands, is a mistake of one line that names its key."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        config.load(path)
    assert 1 <= len(refusal.value.problems) <= 2
    for problem in refusal.value.problems:
        assert key in problem
        assert "\n" not in problem
        assert "\0" not in problem


@pytest.mark.parametrize("value", ['{"directory": "\\ud800"}', "[" * 100_000, '{"timeout": NaN}', '{"a": "\\u0000"}'])
def test_the_environment_is_no_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """JSON in a variable can hold what TOML cannot: refused, too."""
    path = tmp_path / "config.toml"
    path.write_text(SHEETS)
    monkeypatch.setenv("SMART_SYNC_SHEETS", value)
    with pytest.raises(ConfigError, match=r"SMART_SYNC_|sheets\."):
        config.load(path)


@pytest.mark.parametrize(
    "address",
    [
        "https://x",
        "http://127.0.0.1:8080/a?b=c#d",
        "https://[::1]:443/",
        "https://xn--80ak6aa92e.com/",
        "https://a_b.c./",
    ],
)
def test_an_address_is_taken(address: str) -> None:
    """What can be asked is not refused."""
    assert values.split(address).hostname


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("https://docs.google.com/spreadsheets/d/a-b_C/edit#gid=0", "a-b_C"),
        ("docs.google.com/spreadsheets/d/abc", "abc"),
        ("https://docs.google.com/spreadsheet/ccc?key=abc&usp=x", "abc"),
        ("Metrics", None),
        ("a-b_C", None),
    ],
)
def test_the_key_of_a_spreadsheet(where: str, key: str | None) -> None:
    """The key stands in both forms of Google's URLs; a title and a key are no URL."""
    assert values.spreadsheet_key(where) == key


def test_an_obstacle_stands_in_one_line(tmp_path: Path) -> None:
    """What will keep a daemon from starting is told in one line, whatever the name in question holds."""
    path = tmp_path / "config.toml"
    path.write_text(SHEETS + '[control]\ngroup = "a\\nb"\n')
    assert "\n" not in obstacles(config.load(path))["control.group"].reason


@pytest.mark.parametrize("text", ['[database]\npath = "/"\n', '[control]\nsocket = "/"\n'])
def test_the_root_of_all_folders_is_an_obstacle(tmp_path: Path, text: str) -> None:
    """Above it there is no folder to look at; it is refused, like any other folder, by a reload too."""
    path = tmp_path / "config.toml"
    path.write_text(SHEETS + text)
    (obstacle,) = obstacles(config.load(path)).values()
    assert obstacle.reason.startswith("/: ")


def test_a_reload_survives_every_one_of_them(tmp_path: Path) -> None:
    """Each is refused by a reload with 422, and the daemon goes on: it can still run a pass and be reloaded."""
    path = tmp_path / "config.toml"
    good = '[database]\npath = "x.db"\n[control]\nsocket = "control.sock"\n[schedule]\nrun_on_start = false\n' + SHEETS
    (tmp_path / "sheets").mkdir()
    path.write_text(good)

    async def reload_all(client: Client) -> None:
        for text, _ in WRONG:
            path.write_text(text)
            status, answer = await client.request("POST", "/api/admin/reload")
            assert (status, answer["success"]) == (422, False), text
        assert (await client.request("POST", "/api/admin/smart_sync"))[0] == 200
        path.write_text(good)
        assert (await client.request("POST", "/api/admin/reload"))[0] == 200

    with Daemon(path) as daemon:
        asyncio.run(reload_all(Client(daemon.socket, timeout=PATIENCE)))
        assert daemon.stop() == 0
