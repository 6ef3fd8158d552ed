"""`smart-sync check` against a spreadsheet with one of each mistake."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon_process import run_command
from fake_google import FakeGoogle
from smart_sync.admin import checks
from smart_sync.admin.checks import check, database_file
from smart_sync.core.model import METRICS
from smart_sync.report.explain import explain
from smart_sync.store.sqlite import driver
from world import HEADER, KEY, World, link

#: A worksheet's rows below the header, and what `check` must say of them.
MISTAKES: dict[str, tuple[list[list[Any]], str]] = {
    "a formula error": ([["@a", link("a"), "#REF!"]], "!C2"),
    "a formula that loads": ([["@a", link("a"), 1, "Loading..."]], "!D2"),
    "words": ([["@a", link("a"), 1, 1, "many"]], "!E2"),
    "a negative number": ([["@a", link("a"), -5]], "!C2"),
    "a fraction": ([["@a", link("a"), 1, 1, 1, 1, 0.45]], "!G2"),
    "a checkbox": ([["@a", link("a"), True]], "!C2"),
    "more than SQLite holds": ([["@a", link("a"), "9223372036854775808"]], "!C2"),
    "numbers without a link": ([["@a", link("a"), 1], ["@b", "", 7]], "!C3"),
    "an account twice": ([["@a", link("a"), 1], ["@a", link("a") + "/", 2]], "rows 2, 3"),
    "a stranger": ([["@a", link("a"), 1], ["@s", link("stranger"), 1]], link("stranger")),
    "an account without a row": ([["@s", link("stranger"), 1]], link("a")),
}


@pytest.fixture
def found(world: World) -> list[dict[str, str]]:
    """What `check` finds in a spreadsheet with every mistake in a worksheet of its own."""
    worksheets = world.google.spreadsheets[KEY].worksheets
    for number, (rows, _said) in enumerate(MISTAKES.values()):
        world.execute("INSERT INTO projects (id, name, is_active) VALUES (?, ?, 1)", (str(number), f"W{number}"))
        world.execute(
            "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
            " VALUES (?, ?, 'tiktok', 'a', ?)",
            (f"a{number}", str(number), link("a")),
        )
        worksheets[f"W{number}"] = [list(HEADER), *rows]
    for name in ("Empty", "Headless", "Missing"):
        world.add_project(name, [name.lower()])
    worksheets["Empty"] = []
    worksheets["Headless"] = [["Name", "Followers"], ["a", 1]]
    worksheets["Twice"] = []
    del worksheets["Missing"]
    worksheets["Unclaimed"] = [list(HEADER)]
    world.add_project("Twice", ["twice"])
    worksheets["Twice"] = [["Link", "Followers", "Followers"], [link("twice"), 1, 2]]
    ended = run_command("check", "--json", "--config", str(world.config()))
    assert ended.returncode == 1
    findings: list[dict[str, str]] = json.loads(ended.stdout)["findings"]
    return findings


def test_every_mistake_is_listed_at_once(found: list[dict[str, str]]) -> None:
    """Each mistake is named with its place; nothing hides another."""
    wrong = [finding["message"] for finding in found if finding["level"] != "ok"]
    for number, (name, (_rows, said)) in enumerate(MISTAKES.items()):
        own = [message for message in wrong if f"W{number}" in message]
        assert any(said in message for message in own), (name, own)
    for name in ("Empty", "Headless", "Missing"):
        assert any(finding["level"] == "error" and name in finding["message"] for finding in found), name
    assert any("'Name'" in message for message in wrong), "the headers that were seen are listed"
    assert any("Twice" in message and "C1" in message for message in wrong), "a header that is there twice"
    assert any("Unclaimed" in message for message in wrong)


async def told(world: World, level: str = "warning") -> list[str]:
    """What `check` says at a level."""
    return [finding.message for finding in (await check(world.settings)).findings if finding.level == level]


async def test_names_in_the_configuration_that_mean_nothing_are_named(world: World) -> None:
    """A project, platform or spreadsheet that nothing is called has no effect: said, with the likely one."""
    world.add_project("Spring Launch", ["a"])
    world.execute("UPDATE projects SET google_sheet_name = 'Metrics'")
    world.execute("INSERT INTO projects (id, name, google_sheet_name, is_active) VALUES ('old', 'Old', 'Archive', 0)")
    by_hand = {"views": "sheet"}
    world.sections["merge"] = {
        "projects": {"Spring launch": by_hand, "Spring Launch": by_hand, "Old": by_hand},
        "platforms": {"TikTok": by_hand, "thread": by_hand},
    }
    spreadsheets = {"Metrics": KEY, "Archive": KEY, "Metric": KEY}
    world.sections["sheets"] = world.sections["sheets"].model_copy(update={"spreadsheets": spreadsheets})
    found = [message for message in await told(world) if "has no effect" in message]
    assert found == [
        "merge.projects: 'Spring launch' is no project, so it has no effect; did you mean 'Spring Launch'?",
        "merge.platforms: 'thread' is no account's platform, so it has no effect",
        "sheets.spreadsheets: 'Metric' is no project's google_sheet_name, so it has no effect; did you mean 'Metrics'?",
    ]


async def test_a_spreadsheet_that_nobody_knows_is_not_the_default_one(world: World) -> None:
    """Where projects name several, one that is neither configured nor the default's title is degraded, and told.

    One name that all have means the default one, and check says so.
    """
    for name, account in (("Summer", "a"), ("Winter", "b")):
        world.add_project(name, [account])
        world.sheet(name, **{account: [2026] * 5})
    world.execute("UPDATE projects SET google_sheet_name = 'Metrics 2025'")
    assert await told(world, "error") == []
    (said,) = [message for message in await told(world, "ok") if "stands for the default" in message]
    assert said.startswith("Summer, Winter: google_sheet_name 'Metrics 2025'")
    world.google.spreadsheets[KEY].title = "Metrics 2026"
    world.execute("UPDATE projects SET google_sheet_name = 'Metrics 2026' WHERE name = 'Winter'")
    (wrong,) = await told(world, "error")
    assert wrong == 'Summer: no spreadsheet is configured for "Metrics 2025"; add it to [sheets.spreadsheets]'
    assert not any("stands for the default" in message for message in await told(world, "ok"))
    result = await world.sync()
    assert {one.project.name: one.outcome.value for one in result.results} == {"Summer": "degraded", "Winter": "synced"}
    assert world.execute("SELECT views FROM account_metrics WHERE views > 2000") == [(2026,)]
    world.sections["sync"] = {"defaults": {"projects": {"google_sheet_name": "Metrics 2025"}}}
    assert await told(world, "error") == []


async def test_an_empty_database_makes_no_name_wrong(world: World) -> None:
    """Before there are projects every name may yet come to mean something; a worksheet that becomes one is known."""
    world.sections["merge"] = {"projects": {"Spring": {"views": "sheet"}}, "platforms": {"tiktok": {"views": "sheet"}}}
    assert not any("has no effect" in message for message in await told(world))
    world.add_project("Autumn", ["a"])
    world.sheet("Spring")
    assert any("merge.projects: 'Spring'" in message for message in await told(world))
    world.sections["sync"] = {"create_missing": "projects"}
    assert not any("has no effect" in message for message in await told(world))


async def test_two_accounts_that_are_one_are_both_named(world: World) -> None:
    """The one that has no row is not a riddle; an inactive twin, or one of another project, is none."""
    world.add_project("P", ["a", "b"])
    world.add_project("Q", ["c"])
    add = (
        "INSERT INTO project_social_accounts (id, project_id, platform, profile_link, is_active)"
        " VALUES (?, ?, 'tiktok', ?, ?)"
    )
    world.execute(add, ("twin", "project-P", link("A") + "/", 1))
    world.execute(add, ("asleep", "project-P", link("B") + "/", 0))
    world.execute(add, ("elsewhere", "project-Q", link("a"), 1))
    world.sheet("P", a=[1] * 5, b=[1] * 5)
    (message,) = [message for message in await told(world) if "one and the same" in message]
    assert message.startswith(f"P!2: accounts {link('a')} (id account-a) and {link('A')}/ (id twin) ")


async def test_an_inactive_twin_takes_no_row(world: World) -> None:
    """A row that is spelled as neither of two accounts is the active one's, whatever their ids."""
    world.add_project("P", ["a"])
    world.execute(
        "INSERT INTO project_social_accounts (id, project_id, platform, profile_link, is_active)"
        " VALUES ('aaa', 'project-P', 'tiktok', ?, 0)",
        (link("A"),),
    )
    world.google.spreadsheets[KEY].worksheets["P"] = [list(HEADER), ["", link("a") + "/", 7, 7, 7, 7, 7]]
    await world.sync()
    assert world.merged("a") == (7,) * 5


@pytest.mark.parametrize(("table", "wrong"), [("stats", True), ("projects", False)])
async def test_the_query_is_tried_before_there_is_a_database(
    tmp_path: Path, google: FakeGoogle, table: str, *, wrong: bool
) -> None:
    """Against the tables that the first start would make; the file is not made by that."""
    world = World(tmp_path, google)
    world.sections["parsed"] = {"query": f"SELECT id AS account_id, 1 AS views FROM {table}"}
    assert any(message.startswith("parsed.query: ") for message in await told(world, "error")) is wrong
    assert not world.path.exists()


NAMES = ", ".join(METRICS)
ACCOUNTS = "id TEXT PRIMARY KEY, project_id, platform, username, profile_link, is_active"
#: What a web app may have made, and what of ours it refuses.
REFUSING = {
    f"CREATE TABLE account_snapshots (id INTEGER PRIMARY KEY, account_id, {NAMES}, snapshot_time)": (
        "account_snapshots", "drop account_snapshots, create it with id TEXT PRIMARY KEY DEFAULT (",
    ),
    f"CREATE TABLE account_snapshots (id TEXT, account_id, {NAMES}, snapshot_time, mood TEXT NOT NULL)": (
        "account_snapshots", "give account_snapshots.mood a default",
    ),
    f"CREATE TABLE account_snapshots (id TEXT, account_id, {NAMES}, snapshot_time CHECK (snapshot_time LIKE '% %'))": (
        "account_snapshots", "loosen what the web app demands",
    ),
    f"CREATE TABLE project_social_accounts ({ACCOUNTS})": (
        "project_social_accounts", "ALTER TABLE project_social_accounts ADD COLUMN added_at TEXT",
    ),
    "CREATE TABLE projects (id INTEGER PRIMARY KEY, name, google_sheet_name, created_at, is_active)": (
        "projects", 'or set [sync] create_missing = "none"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("statement", REFUSING)
async def test_what_sqlite_will_refuse_is_foreseen(tmp_path: Path, google: FakeGoogle, statement: str) -> None:
    """Before the first pass: which table, what SQLite says, what to do; and nothing of it where nothing is created."""
    world = World(tmp_path, google)
    world.execute(statement)
    before = world.path.read_bytes()
    table, remedy = REFUSING[statement]
    for create_missing in ("none", "projects"):
        world.sections["sync"] = {"create_missing": create_missing}
        found = [message for message in await told(world, "error") if " refuses " in message]
        expected = table == "account_snapshots" or create_missing == "projects"
        assert len(found) == expected, found
        assert all(f"table {table} refuses" in message and remedy in message for message in found)
    assert world.path.read_bytes() == before


@pytest.mark.sqlite  # bytes of its file
async def test_of_a_damaged_database_nothing_is_told_but_that(world: World) -> None:
    """A worksheet beside a database that cannot be read is in no order, nor is it said to become a project."""
    world.sections["sync"] = {"create_missing": "projects"}
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    content = bytearray(world.path.read_bytes())
    content[-4096:] = b"x" * 4096  # a whole page
    world.path.write_bytes(content)
    (message,) = await told(world, "error")
    assert message.startswith(f"{world.path}: ")
    assert await told(world, "ok") == ["the configuration is valid"]
    world.path.write_bytes(content[: len(content) // 2])
    (half,) = [one for one in (await check(world.settings)).findings if one.level == "error"]
    assert (half.trouble, half.message.endswith("; restore it from a backup")) == ("database-damaged", True)


async def test_a_row_is_told_once(world: World) -> None:
    """Neither a row for which no account is made nor an account whose row is gone is told in other words again."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P", ["abel", "berta"])
    world.sheet("P", abel=[1] * 5, berta=[2] * 5)
    await world.sync()
    world.sheet("P", abel=[1] * 5, stranger=[2] * 5)
    gone, row = [one for one in await told(world) if link("berta") in one or link("stranger") in one]
    assert "P!3: the row is gone" in gone
    assert "P!B3: no account is created for this row" in row


@pytest.mark.sqlite  # locks of its file
@pytest.mark.parametrize(
    ("journal", "begin", "so"),
    [
        ("wal", "BEGIN IMMEDIATE", "it cannot be written: passes wait for it, two minutes each, and fail"),
        ("delete", "BEGIN IMMEDIATE", "it cannot be written: passes wait for it, two minutes each, and fail"),
        ("delete", "BEGIN EXCLUSIVE", "it cannot be read"),
    ],
)
async def test_a_transaction_that_does_not_end_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, journal: str, begin: str, so: str
) -> None:
    """Whatever the file's journal mode: one error with what to do; nothing is written by finding it out."""
    monkeypatch.setattr(database_file, "LOCK_PATIENCE", 0.05)
    monkeypatch.setattr(driver, "READING_PATIENCE", 0.05)
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    world.execute(f"PRAGMA journal_mode = {journal}")
    with closing(sqlite3.connect(world.path, isolation_level=None)) as web_app:
        web_app.execute("UPDATE projects SET geo = 'NL'")  # with WAL: there is something that a checkpoint would move
        web_app.execute(begin)
        before = {file.name: file.read_bytes() for file in world.folder.glob(f"{world.path.name}*[!m]")}
        (message,) = await told(world, "error")
        assert message == (
            f"{world.path}: another process has held the database locked for seconds, {so}; find it with fuser"
            f" {world.path}, and let it commit, or end it"
        )
        web_app.execute("ROLLBACK")
        assert await told(world, "error") == []
        assert {file.name: file.read_bytes() for file in world.folder.glob(f"{world.path.name}*[!m]")} == before


async def test_a_file_that_a_parser_reads_may_come_later(world: World) -> None:
    """`[parsers.csv]` without its file is a warning: the program that makes it may not have run yet."""
    missing = world.folder / "nofile.csv"
    world.sections["parsers"] = {"csv": {"path": missing}}
    assert [message for message in await told(world) if "parsers.csv.path" in message and str(missing) in message]


async def test_without_an_active_project_the_ways_to_one_are_named(world: World) -> None:
    """Nothing to sync is an error with its remedies; in order where the worksheets become projects.

    Where all projects are finished it is a warning.
    """

    async def missing(level: str) -> list[str]:
        return [message for message in await told(world, level) if "no active project yet" in message]

    (message,) = await missing("error")
    assert "insert some into projects" in message
    assert 'create_missing = "projects"' in message
    world.sections["sync"] = {"create_missing": "projects"}
    assert await missing("error") == await missing("warning") == []
    world.sections["sync"] = {"create_missing": "none"}
    world.add_project("Finished")
    world.execute("UPDATE projects SET is_active = 0")
    assert (len(await missing("warning")), await missing("error")) == (1, [])


@pytest.mark.sqlite  # any text in a column of numbers
async def test_an_is_active_that_is_not_understood_is_named(world: World) -> None:
    """Of a project by `check`, of an account by each pass; `explain` says why there is no value."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    world.execute("UPDATE project_social_accounts SET is_active = 'true' WHERE id = 'account-a'")
    (problem,) = (await world.sync_one()).problems
    assert (problem.reason, problem.value) == ("is_active is neither 1 nor 0, so it is not synced", link("a"))
    (account,) = (await explain(world.settings, link("a"), ("views",), world.now))["accounts"]
    assert account["metrics"]["views"]["sentence"].endswith("inactive, so neither side is asked")
    world.add_project("Q", ["c"])
    world.execute("UPDATE projects SET is_active = 'yes' WHERE name = 'Q'")
    told_of = [message for message in await told(world, "error") if "is_active" in message]
    assert told_of == ["is_active is neither 1 nor 0, so project Q is not synced: yes"]
    world.execute("UPDATE project_social_accounts SET is_active = 0 WHERE id = 'account-a'")
    assert (await world.sync_one()).problems == ()


async def test_a_database_of_ours_refuses_nothing(world: World) -> None:
    """The tables that Smart Sync makes take whatever it may write."""
    world.sections["sync"] = {"create_missing": "projects"}
    assert await told(world, "error") == []


async def test_a_trouble_of_a_spreadsheet_is_told_once_with_its_projects(world: World) -> None:
    """Not once for each project, nor again for the list of worksheets."""
    for name in "PQR":
        world.add_project(name, [name.lower()])
    for kind in ("batch", "metadata"):
        world.google.fail(kind, 10_000, status=403)
    (message,) = await told(world, "error")
    assert message.startswith("P, Q, R: ")


async def test_without_a_default_spreadsheet_nothing_is_missing(world: World) -> None:
    """`[sheets.spreadsheets]` alone is enough: no worksheet belongs to nobody, and check does not fail."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    world.execute("UPDATE projects SET google_sheet_name = 'Metrics'")
    only = {"spreadsheet": "", "spreadsheets": {"Metrics": KEY}}
    world.sections["sheets"] = world.sections["sheets"].model_copy(update=only)
    assert await told(world, "error") == []


@pytest.mark.sqlite  # the disk of its file
async def test_a_full_disk_is_not_green(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the next pass would fail of is an error before it."""
    monkeypatch.setattr(checks, "FULL", 2**80)
    monkeypatch.setattr(checks, "MIN_FREE", 2**81)
    world.add_project("P", ["a"])
    (message,) = await told(world, "error")
    assert "the disk is full" in message
    assert str(world.folder) in message


async def test_a_stale_project_and_a_failing_parser_are_errors(world: World) -> None:
    """As the last passes left them."""
    world.add_project("P", ["a"])
    del world.google.spreadsheets[KEY].worksheets["P"]
    world.execute(
        "INSERT INTO unread_projects (project_id, since, stale_since) VALUES ('project-P', '2026-01-01', '2')"
    )
    world.execute(
        "INSERT INTO parser_states (parser, since, told_at, reason) VALUES ('csv', '2026-01-01', '2', 'gone')"
    )
    file = world.folder / "parsed.csv"
    file.write_text("link,views\n")
    world.sections["parsers"] = {"csv": {"path": file}}
    found = await told(world, "error")
    assert "P: stale, never read" in found
    assert [message for message in found if message.startswith("parser csv has been failing since 2026-01-01")]


async def test_what_an_account_was_on_past_days_counts_as_in_a_pass(world: World) -> None:
    """A number typed for the first time is suspect by the snapshots alone; `check` has not copied them, and says so."""
    world.add_project("P", ["abel", "berta"])
    for day in range(1, 10):
        world.execute(
            "INSERT INTO account_snapshots (id, account_id, followers, snapshot_time) VALUES (?, ?, ?, ?)",
            (f"s{day}", "account-abel", 50_000 + 100 * day, f"2026-03-0{day}T12:00:00"),
        )
    world.parsed("abel", [50_900, None, None, None, None])
    await world.sync()
    world.sheet("P", abel=[5_090_000, *[None] * 4], berta=[7] * 5)
    findings = (await check(world.settings, lambda: world.now)).findings
    (foreseen,) = [one.message for one in findings if "5,090,000" in one.message]
    (told,) = (await world.sync()).results[0].suspects
    assert (told.new, told.metric) == (5_090_000, "followers")
    assert "followers" in foreseen
