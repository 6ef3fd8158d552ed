"""`smart-sync check` against a spreadsheet with one of each mistake."""

import json
from typing import Any

import pytest

from daemon_process import run_command, write_config
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
    ended = run_command(
        "check", "--json", "--config", str(write_config(world.folder, google=world.google, spreadsheet=KEY))
    )
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
