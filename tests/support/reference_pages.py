"""The generated pages of ``docs/reference/``.  ``python tests/support/reference_pages.py`` writes them."""

from collections.abc import Callable
from pathlib import Path

import reference_commands
import reference_configuration
import reference_database
import reference_events
import reference_http
import reference_messages
import reference_python

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
#: Every page by name, and what makes it.
PAGES: dict[str, Callable[[], str]] = {
    "configuration": reference_configuration.as_markdown,
    "commands": reference_commands.commands_page,
    "exit-codes": reference_commands.exit_page,
    "events": reference_events.as_markdown,
    "http-api": reference_http.as_markdown,
    "webhook-messages": reference_messages.as_markdown,
    "python-api": reference_python.as_markdown,
    "database": reference_database.as_markdown,
}
_MARK = "<!-- made from the code by `make docs`; edit the code, not this page -->\n\n"


def page(name: str) -> str:
    """The text of a page."""
    return _MARK + PAGES[name]().rstrip("\n") + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in PAGES:
        (FOLDER / f"{name}.md").write_text(page(name))
