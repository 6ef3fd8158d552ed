"""What screens are looked at with: an empty first day, 60 days, and troubles; each a folder with config.toml.

The days end today, for commands know what time it is.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon_process import write_config
from fake_google import FakeGoogle
from world import HEADER, KEY, World

DAYS = 60
#: Projects → accounts (name, platform), of every width: Cyrillic, Chinese, emoji, names as long as they come.
PROJECTS: dict[str, list[tuple[str, str]]] = {
    "Spring Launch": [("nova", "tiktok"), ("orion.official", "instagram"), ("aurora_borealis_daily_2026", "tiktok")],
    "Весна 2026": [("анна.смирнова", "instagram"), ("канал_о_путешествиях_и_еде", "youtube")],
    "東京キャンペーン🎌 autumn and winter collection": [
        ("東京グルメ散歩チャンネル", "youtube"),
        ("family👨‍👩‍👧🎉emoji", "tiktok"),
        ("the.longest.name.of.instagram", "instagram"),
    ],
}
_LINKS = {
    "tiktok": "https://www.tiktok.com/@{}",
    "instagram": "https://www.instagram.com/{}/",
    "youtube": "https://www.youtube.com/@{}",
}
#: The spreadsheet that nobody may read.
CLOSED = "c" * 44
_PARSERS = '[parsers.csv]\npath = "parsed.csv"\n'
_WEBHOOK = '[[webhooks]]\nurl = "http://127.0.0.1:9/hook"\nformat = "plain"\nallow_private = true\n'
_QUIET = "[schedule]\nrun_on_start = false\n"


def link_of(name: str, platform: str) -> str:
    """The address of an account's profile."""
    return _LINKS[platform].format(name)


async def fresh(folder: Path, google: FakeGoogle, end: datetime | None = None) -> Path:
    """An empty first day: the database has been made, nothing is in it, no pass has run."""
    await World(folder, google).create()
    return write_config(folder, _QUIET, google=google, spreadsheet=KEY)


async def sixty_days(folder: Path, google: FakeGoogle, end: datetime | None = None) -> Path:
    """Sixty days of passes, one a day, up to ``end`` (now): growth, gaps, an account that came late, edits."""
    world = await _world(folder, google)
    await _pass_days(world, end or datetime.now(UTC))
    # Edited since the last pass: what a dry run shows.
    google.spreadsheets[KEY].worksheets["Spring Launch"][1][6] += 175
    google.spreadsheets[KEY].worksheets["Весна 2026"][1][2] = 12_480
    return write_config(folder, _QUIET + _PARSERS, google=google, spreadsheet=KEY)


async def troubles(folder: Path, google: FakeGoogle, end: datetime | None = None) -> Path:
    """The same days, and then all at once: a spreadsheet that is shared no more, bad cells, jumps, a lost worksheet."""
    world = await _world(folder, google)
    for number in range(3):
        name = f"Closed {number}"
        world.add_project(name, [f"closed{number}"])
        world.execute("UPDATE projects SET google_sheet_name = ? WHERE name = ?", (CLOSED, name))
    _sheets(world, spreadsheets={CLOSED: CLOSED})
    google.add(CLOSED, {f"Closed {number}": [list(HEADER)] for number in range(3)}).shared = False
    end = end or datetime.now(UTC)
    await _pass_days(world, end, until=3)
    world.now = end - timedelta(minutes=4)
    sheets = google.spreadsheets[KEY].worksheets
    spring = sheets["Spring Launch"]
    spring[1][2:5] = ["#REF!", "many", spring[1][4] * 90]
    spring[2][6] *= 400
    del spring[3]
    spring.append(["@stranger", "https://www.tiktok.com/@stranger", 1, 1, 1, 1, 1])
    del sheets["Весна 2026"]
    await world.sync()
    (folder / "parsed.csv").write_text("link,views\nhttps://www.tiktok.com/@nova,many\n")
    text = f'[sheets.spreadsheets]\n"{CLOSED}" = "{CLOSED}"\n{_QUIET}{_PARSERS}{_WEBHOOK}'
    return write_config(folder, text, google=google, spreadsheet=KEY)


def _sheets(world: World, **changes: Any) -> None:
    world.sections["sheets"] = world.sections["sheets"].model_copy(update=changes)


async def _world(folder: Path, google: FakeGoogle) -> World:
    world = await World(folder, google).create()
    _sheets(world, reads_per_minute=3000)
    for project, accounts in PROJECTS.items():
        world.add_project(project)
        for name, platform in accounts:
            world.execute(
                "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
                " VALUES (?, ?, ?, ?, ?)",
                (f"account-{name}", f"project-{project}", platform, name, link_of(name, platform)),
            )
    (folder / "parsed.csv").write_text("link,views\nhttps://www.tiktok.com/@nova,32277\n")
    return world


async def _pass_days(world: World, end: datetime, until: int = 0) -> None:
    """A pass each day, the last one 10 minutes (or ``until`` days) before ``end``; some days are left out."""
    chance = random.Random(26)
    end -= timedelta(minutes=10)
    values: dict[str, list[int]] = {}
    for several in PROJECTS.values():
        for place, (name, _) in enumerate(several):
            values[name] = [10 ** (2 + place * 2) * chance.randrange(1, 9) for _ in range(4)] + [1_258_400 * 10**place]
    async with world.opened() as run_pass:
        for ago in range(DAYS - 1, until - 1, -1):
            for name, of_one in values.items():
                values[name] = [value + chance.randrange(value // 40 + 2) for value in of_one]
            world.now = end - timedelta(days=ago)
            _fill(world, values, ago)
            if ago not in (17, 18, 30):
                await run_pass()


def _fill(world: World, values: dict[str, list[int]], ago: int) -> None:
    for project, accounts in PROJECTS.items():
        rows: list[Sequence[Any]] = [
            [f"@{name}", link_of(name, platform), *values[name]]
            for name, platform in accounts
            # One that came late, and one that nobody counted at first.
            if not (name == "orion.official" and ago > 12)
        ]
        world.google.spreadsheets[KEY].worksheets[project] = [list(HEADER), *map(list, rows)]
