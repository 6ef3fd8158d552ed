"""Links behind a text: rich text, ``=HYPERLINK`` and chips, asked for once, over HTTP."""

from pathlib import Path
from typing import Any

from fake_google import FakeGoogle
from smart_sync.core.model import Cell, Outcome, Project
from smart_sync.core.worksheet.titles import Titles
from smart_sync.sheets.cell_links import texts
from smart_sync.sheets.google import GoogleSheets
from world import KEY, World

A, B, C = (f"https://www.tiktok.com/@{name}" for name in "abc")
RICH = {"textFormatRuns": [{"format": {"link": {"uri": B}}}, {"startIndex": 4, "format": {}}]}
CHIP = {"chipRuns": [{"startIndex": 0, "chip": {"richLinkProperties": {"uri": C}}}]}
TWO = {"textFormatRuns": [{"format": {"link": {"uri": A}}}, {"startIndex": 4, "format": {"link": {"uri": B}}}]}


def put(world: World, *rows: list[Cell], **links: Any) -> None:
    """The worksheet, and what is behind its cells."""
    sheet = world.google.spreadsheets[KEY]
    sheet.worksheets["P"] = [["Link", "Views"], *rows]
    sheet.links["P"] = links


def views(world: World) -> dict[str, int]:
    """The merged views by link."""
    found = world.execute(
        "SELECT a.profile_link, m.views FROM project_social_accounts a JOIN account_metrics m ON m.account_id = a.id"
    )
    return {str(row[0]): int(row[1]) for row in found}


async def test_the_link_behind_a_text_counts_and_is_asked_for_once(world: World) -> None:
    """Three kinds of links behind "Profile" are found in one request, remembered while the link cells are the same."""
    world.add_project("P", ["a", "b", "c"])
    put(world, ["Profile", 1], ["Profile", 2], ["Profile", 3], A2={"hyperlink": A}, A3=RICH, A4=CHIP)
    result = await world.sync_one()
    assert (result.outcome, result.counts.sheet, list(result.problems)) == (Outcome.SYNCED, 3, [])
    assert views(world) == {A: 1, B: 2, C: 3}
    assert world.google.count("links") == 1
    (call,) = [call for call in world.google.calls if call.kind == "links"]
    assert "rowData.values(hyperlink" in call.query["fields"][0]


async def test_a_worksheet_with_addresses_is_not_asked_about(world: World) -> None:
    """Where link cells hold addresses nothing more is asked of Google."""
    world.add_project("P", ["a"])
    put(world, [A, 1], A2={"hyperlink": B})
    await world.sync_one()
    assert views(world) == {A: 1}
    assert world.google.count("links") == 0


async def test_a_pasted_address_among_texts_takes_no_link_from_them(world: World) -> None:
    """Where some cells hold addresses and others texts each counts as it is; what is behind an address does not."""
    world.add_project("P", ["a", "b", "c"])
    put(world, ["Profile", 1], ["Profile", 2], A2={"hyperlink": A}, A3={"hyperlink": B})
    await world.sync_one()
    put(world, ["Profile", 1], ["Profile", 2], [C, 3], A2={"hyperlink": A}, A3={"hyperlink": B}, A4={"hyperlink": A})
    result = await world.sync_one()
    assert (result.outcome, list(result.problems)) == (Outcome.SYNCED, [])
    assert views(world) == {A: 1, B: 2, C: 3}


async def test_a_name_and_the_link_behind_it_must_be_of_one_account(world: World) -> None:
    """Of a copied row only the name, or only the link, may have been changed: it is named, and not read."""
    world.add_project("P", ["a", "b", "c"])
    channel = {"hyperlink": "https://www.youtube.com/c/Other"}
    put(world, ["@A", 1], ["@b", 2], ["Anna", 3], ["@ivan", 4], A2={"hyperlink": A}, A3={"hyperlink": A},
        A4={"hyperlink": C}, A5=channel)  # fmt: skip
    result = await world.sync_one()
    assert world.execute("SELECT count(*) FROM account_metrics WHERE views_winner IS NOT NULL") == [(2,)]
    assert (views(world)[A], views(world)[C]) == (1, 3)
    told = [str(problem) for problem in result.problems]
    assert any(
        "P!A3: link: the cell shows @b, and the link behind it is @a's; correct one of them" in one for one in told
    )
    assert not any("P!A5" in one and "shows" in one for one in told)


async def test_no_link_or_two_behind_a_text_is_a_problem(world: World) -> None:
    """A text without a link behind it, or with two, gives no values and names its cell."""
    world.add_project("P", ["a"])
    put(world, ["Profile", 1], ["Both", 2], ["Nothing", 3], A2={"hyperlink": A}, A3=TWO)
    result = await world.sync_one()
    assert views(world) == {A: 1}
    told = [str(problem) for problem in result.problems]
    assert any(one.startswith("P!A3: link: the cell holds several links") for one in told)
    assert any(one.startswith("P!A4: link: a text and no link") for one in told)


async def test_a_failed_request_degrades(world: World) -> None:
    """Where the links cannot be had the worksheet is unavailable, never understood without them."""
    world.add_project("P", ["a"])
    put(world, ["Profile", 1], A2={"hyperlink": A})
    world.google.fail("links", times=99, status=403)
    assert (await world.sync_one()).outcome == Outcome.DEGRADED


async def test_what_is_behind_is_remembered_until_cells_or_rows_change(tmp_path: Path) -> None:
    """An edited number asks nothing; another text, or rows that were swapped, ask once more."""
    with FakeGoogle() as google:
        sheet = google.add("key", {"P": [["Link", "Views"], ["Profile", 1], ["Profile", 2]]})
        sheet.links["P"] = {"A2": {"hyperlink": A}, "A3": {"hyperlink": B}}
        async with GoogleSheets(google.settings(tmp_path)) as sheets:
            for rows, asked in (
                ([["Profile", 1], ["Profile", 2]], 1),
                ([["Profile", 1], ["Profile", 9]], 1),
                ([["Profile", 9], ["Profile", 1]], 2),
                ([["Profile", 9], ["Other", 1]], 3),
                ([[A, 9], ["Other", 1]], 4),
            ):
                sheet.worksheets["P"] = [["Link", "Views"], *rows]
                sheets.begin()
                worksheet = await sheets.read(Project("p", "P"))
                assert google.count("links") == asked
                assert worksheet.links == ({3: (B,)} if rows[0][0] == A else {2: (A,), 3: (B,)})


async def test_rows_that_were_sorted_and_typed_anew_keep_their_links(tmp_path: Path) -> None:
    """Other names beside "Profile", or several rows alike with other numbers, ask once more; one such row does not."""
    with FakeGoogle() as google:
        sheet = google.add("key", {"P": []})
        async with GoogleSheets(google.settings(tmp_path)) as sheets:
            for rows, links, asked in (
                ([["@a", "Profile", "1K"], ["@b", "Profile", 2]], (A, B), 1),
                ([["@a", "Profile", "3K"], ["@b", "Profile", 4]], (A, B), 1),
                ([["@b", "Profile", 5], ["@a", "Profile", "6K"]], (B, A), 2),
                ([["", "Profile", 1], ["", "Profile", 2]], (A, B), 3),
                ([["", "Profile", 1], ["", "Profile", 3]], (A, B), 3),
                ([["", "Profile", 4], ["", "Profile", 2]], (B, A), 4),
            ):
                sheet.worksheets["P"] = [["Username", "Link", "Views"], *rows]
                sheet.links["P"] = {"B2": {"hyperlink": links[0]}, "B3": {"hyperlink": links[1]}}
                sheets.begin()
                worksheet = await sheets.read(Project("p", "P"))
                assert google.count("links") == asked
                assert worksheet.links == {2: (links[0],), 3: (links[1],)}


def test_which_texts_of_link_cells_are_asked_about() -> None:
    """A name may have one behind it, with a full stop in it too; an address, no value, an error and a sum need none."""
    others: list[Cell] = ["https://www.tiktok.com/@a", "www.tiktok.com/@a", "n/a", "#REF!", "Итого", 7, None]
    found = texts([["Link", "Views"], ["Ivan P.", 1], *([other, 2] for other in others)], Titles())
    assert found is not None
    assert list(found.cells) == [2]
