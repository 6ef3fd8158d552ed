"""What screens look like, 80 and 140 cells wide: as the files of tests/pictures have it.

``UPDATE_PICTURES=1 pytest tests/cli/test_pictures.py`` draws them anew; look at the difference before it is committed.
"""

import io
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fake_google import FakeGoogle
from screen_cases import sixty_days, troubles
from smart_sync import config
from smart_sync.admin.history import growth, history
from smart_sync.cli.output.data import show_history
from smart_sync.cli.output.explanation import show_explanations
from smart_sync.cli.output.growth_table import show_growth
from smart_sync.cli.output.passes import show_answer
from smart_sync.core.model import METRICS, Trigger
from smart_sync.report.explain import explain
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from terminal import screen
from world import NOON

PICTURES = Path(__file__).parents[1] / "pictures"
#: How long it took is another time each time.
_SECONDS = re.compile(r"(read|decide|write|snapshots,) \d+\.\d s")
Case = Callable[..., Awaitable[Path]]


class Window(io.StringIO):
    """A terminal, as far as screens ask."""

    def isatty(self) -> bool:
        return True


async def _answers(file: Path) -> dict[str, tuple[Callable[[Any], None], Any]]:
    """Command → what shows it, and what is shown."""
    settings = config.load(file)
    path = settings.database.path
    async with opened(settings, Reporter(), clock=lambda: NOON) as resources:
        dry = await SyncPass(resources).run(PassRequest(Trigger.CLI, None, dry_run=True))
    return {
        "growth": (show_growth, await growth(path, None, "views", 30, NOON)),
        "explain nova": (show_explanations, await explain(settings, "nova", METRICS, NOON)),
        "history --limit 2": (show_history, await history(path, 2, None, failed=False)),
        "sync --dry-run": (show_answer, dry.answer() | {"duration_seconds": 1}),
    }


@pytest.mark.parametrize("case", [sixty_days, troubles])
async def test_screens_look_as_their_pictures(
    case: Case, tmp_path: Path, google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Growth, explanations, history and a dry run, as people see them."""
    answers = await _answers(await case(tmp_path, google, NOON))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    for width in (80, 140):
        monkeypatch.setenv("COLUMNS", str(width))
        drawn = ""
        for command, (show, answer) in answers.items():
            with monkeypatch.context() as patch:
                patch.setattr("sys.stdout", window := Window())
                show(answer)
            drawn += f"$ smart-sync {command}\n{window.getvalue()}\n"
        drawn = _SECONDS.sub(r"\1 0.0 s", drawn)
        drawn = "\n".join(line.rstrip() for line in screen(drawn)) + "\n"
        picture = PICTURES / f"{case.__name__}-{width}.txt"
        if os.environ.get("UPDATE_PICTURES"):
            PICTURES.mkdir(exist_ok=True)
            picture.write_text(drawn)
        assert drawn == picture.read_text(), f"see the docstring of {__file__}"
