"""`smart-sync ingest`: parsed values from files, every mistake named, every good line kept."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon_process import run_command
from smart_sync.admin.ingest import Ingested, format_of, ingest
from smart_sync.core.model import METRICS
from smart_sync.store import accounts
from smart_sync.store.schema import open_database
from world import NOON, World, link

NOTHING = [None] * 4


@pytest.fixture
def filled(world: World) -> World:
    world.add_project("P", ["a", "b"])
    return world


def stored(world: World) -> list[tuple[object, ...]]:
    values = ", ".join(f"max(CASE WHEN metric = '{metric}' THEN value END)" for metric in METRICS)
    assert world.execute("SELECT count(*) FROM parsed_metrics") == [(0,)]
    return world.execute(
        f'SELECT account_id, {values}, source, max(parsed_at), max("precision") FROM parsed_values'
        " GROUP BY account_id, source ORDER BY 1"
    )


async def put(world: World, text: str) -> Ingested:
    return await ingest(world.where, text, format_of("-", text), NOON)


async def test_csv_and_json_lines_are_stored_and_merged(filled: World) -> None:
    """By link in any spelling or by id, with and without source, time and precision; the next pass merges them."""
    csv = f"link,followers,source,parsed_at,precision\n{link('a')}/,1200,mine,2026-03-01T10:00:00+02:00,rounded\n"
    jsonl = '{"account_id": "account-b", "views": 7, "unknown": [1]}\n\n'
    assert (await put(filled, csv), await put(filled, jsonl)) == (Ingested(1, 1, 0, ()), Ingested(1, 1, 0, ()))
    assert stored(filled) == [
        ("account-a", 1200, *NOTHING, "mine", "2026-03-01T08:00:00.000000", "rounded"),
        ("account-b", *NOTHING, 7, "ingest", "2026-03-10T12:00:00.000000", "exact"),
    ]
    await filled.sync()
    assert (filled.merged("a"), filled.merged("b")) == ((1200, 0, 0, 0, 0), (0, 0, 0, 0, 7))


async def test_a_rounded_figure_is_known_by_its_digits(filled: World) -> None:
    """Whatever the line says, so that 12.5K does not beat the 12,480 of the sheet; its neighbour is exact."""
    filled.sheet("P", a=[12_480, 5, 5, 5, 5])
    await put(filled, f"link,followers,likes,precision\n{link('a')},12.5K,7,exact\n")
    found = 'SELECT metric, value, "precision" FROM parsed_values ORDER BY 1'
    assert filled.execute(found) == [("followers", 12_500, "rounded"), ("likes", 7, "exact")]
    await filled.sync()
    assert filled.merged("a") == (12_480, 7, 5, 5, 5)


@pytest.mark.parametrize("text", ["", "\n \n"])
async def test_an_empty_input_is_a_mistake(filled: World, text: str) -> None:
    """What should have written it has failed; a header without lines is none."""
    answer = (await put(filled, text)).answer()
    assert (answer["success"], len(answer["mistakes"])) == (False, 1)
    assert (await put(filled, "link,views\n")).answer()["success"]


async def test_every_mistake_is_named_and_the_good_lines_are_kept(filled: World) -> None:
    """Bad counts, times and accounts each cost their own line alone; the report is in the file's order."""
    lines = [
        "account_id,followers,parsed_at,precision",
        "account-a,many,,",
        "stranger,1,,",
        "account-a,,,",
        "account-a,5,soon,",
        "account-a,5,2026-03-11T00:00:00Z,",
        "account-a,5,,guessed",
        "account-b,6,,",
        "\ufffd,1,,",
    ]
    done = await put(filled, "\n".join(lines))
    assert [mistake.line for mistake in done.mistakes] == [2, 3, 4, 5, 7, 9]
    assert done.ahead == 1
    assert [row[:2] for row in stored(filled)] == [("account-a", 5), ("account-b", 6)]


async def test_a_line_of_two_accounts_is_a_mistake(filled: World) -> None:
    """The id of one and the link of another: it is named, counts for neither, and the other lines are kept."""
    text = f"account_id,link,views\naccount-a,{link('b')},7\naccount-b,{link('b')},8\naccount-a,{link('new')},9\n"
    found = await put(filled, text)
    assert [str(one) for one in found.mistakes] == [
        f"line 2: its account_id is that of {link('a')}, its link that of another account"
    ]
    assert filled.execute("SELECT account_id, value FROM parsed_values ORDER BY 1") == [
        ("account-a", 9),
        ("account-b", 8),
    ]


async def test_a_misspelt_column_is_named_with_the_one_that_was_meant(filled: World) -> None:
    """In CSV once, for the header, and the other columns count; in JSON for its line, which is left out."""
    done = await put(filled, "account_id,followers,veiws,notes\naccount-a,5,7,8\n")
    assert [str(bad) for bad in done.mistakes] == ["line 1: 'veiws' is no column, did you mean views?; ignored"]
    done = await put(filled, '{"account_id": "account-b", "followers": 1}\n{"account_id": "account-a", "Views": 1}\n')
    assert [(bad.line, "did you mean views?" in bad.reason) for bad in done.mistakes] == [(2, True)]
    assert [row[1:6] for row in stored(filled)] == [(5, *NOTHING), (1, *NOTHING)]
    assert (await put(filled, "account_id,account,views,view\naccount-a,x,1,2\n")).mistakes == ()


async def test_a_line_with_more_fields_than_the_header_is_a_mistake(filled: World) -> None:
    """A comma too many has moved the values, whether or not something stands in the last field."""
    done = await put(filled, "account_id,followers,views\naccount-a,1,234,\naccount-a,1,234,5\naccount-b,1\n")
    assert [bad.line for bad in done.mistakes] == [2, 3]
    assert [row[0] for row in stored(filled)] == ["account-b"]


async def test_an_older_line_never_replaces_a_newer_value(filled: World) -> None:
    """Files may come in any order; a metric that a file does not have stays."""
    await put(filled, "account_id,followers,likes,parsed_at\naccount-a,5,9,2026-03-02\n")
    done = await put(filled, "account_id,followers,parsed_at\naccount-a,4,2026-03-01\n")
    assert (done.stored, done.older) == (0, 1)
    await put(filled, "account_id,followers,parsed_at\naccount-a,6,2026-03-03\n")
    assert [row[1:3] for row in stored(filled)] == [(6, 9)]


async def test_an_account_known_by_a_bare_name_is_found_by_its_link(filled: World) -> None:
    """Its platform says whose name it is: for a line of a file, for a person, and for a row of a worksheet alike."""
    filled.execute("UPDATE project_social_accounts SET profile_link = '@a' WHERE id = 'account-a'")
    filled.sheet("P", a=[None, 5, None, None, None])
    await put(filled, f"link,views\n{link('a')},9\n")
    await filled.sync()
    assert filled.merged("a") == (0, 5, 0, 0, 9)
    async with open_database(filled.where) as database:
        assert [known.account.id for known in await accounts.find(database, link("a"))] == ["account-a"]


async def test_a_source_that_no_database_can_hold_costs_no_line(filled: World) -> None:
    """A NUL, or half of a pair of code points, becomes the sign for what cannot be read."""
    for odd in (r"\u0000", r"\ud800"):
        done = await put(filled, f'{{"account_id": "account-a", "views": 7, "source": "a{odd}b"}}\n')
        assert (done.stored + done.older, done.mistakes) == (1, ())
    assert [row[6] for row in stored(filled)] == ["a\ufffdb"]


async def test_lines_are_counted_as_lines(filled: World) -> None:
    """Two lines about one account are two lines and one account."""
    done = await put(filled, "account_id,followers\naccount-a,5\naccount-a,6\n")
    assert (done.accounts, done.stored, done.older) == (1, 2, 0)


async def test_an_account_that_is_switched_off_may_be_told_of(filled: World) -> None:
    """What is inactive today may be active tomorrow: its line is no mistake."""
    filled.execute("UPDATE project_social_accounts SET is_active = 0")
    assert (await put(filled, "account_id,views\naccount-a,1\n")).mistakes == ()


@given(st.lists(st.sampled_from(["account-a,1", "account-b,junk", "x,1", '"', "account-a", ",,", ""]), max_size=12))
def test_the_format_of_text_is_told_by_its_beginning(lines: list[str]) -> None:
    """What begins with a brace is JSON lines, everything else CSV; a suffix goes before it."""
    text = "\n".join(lines)
    assert format_of("-", text) == "csv"
    assert format_of("-", "\n {" + text) == "jsonl"
    assert format_of("x.jsonl", text) == "jsonl"
    assert format_of("x.CSV", "{") == "csv"


def test_the_command_reads_files_and_standard_input(filled: World) -> None:
    """Mistakes on standard error with line numbers and exit 4; none: exit 0; `-` is standard input."""
    config = filled.config()
    file = Path(filled.folder / "values.csv")
    file.write_bytes(b"account_id,followers\naccount-a,7\naccount-b,\xff\n")
    ended = run_command("ingest", str(file), "--json", "--config", str(config))
    assert ended.returncode == 4
    assert json.loads(ended.stdout)["stored"] == 1
    assert f"{file}: line 3: " in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    file.write_text('{"link": "' + link("b") + '", "views": 3}')
    assert run_command("ingest", str(file), "--config", str(config)).returncode == 4
    file.rename(file.with_suffix(".jsonl"))
    assert run_command("ingest", str(file.with_suffix(".jsonl")), "--config", str(config)).returncode == 0
    assert [row[0] for row in stored(filled)] == ["account-a", "account-b"]


@pytest.mark.sqlite
def test_without_a_database_there_is_nothing_to_ingest_into(filled: World) -> None:
    """One line that says what to do, and no file is made."""
    config = filled.config()
    ended = run_command(
        "ingest", str(config), "--config", str(config), environment={"SMART_SYNC_DATABASE__PATH": "none.db"}
    )
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert "smart-sync once" in ended.stderr
    assert not (filled.folder / "none.db").exists()
