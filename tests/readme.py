"""What README and the pages of docs/ show: their code blocks, and the parts made from the code.

``python tests/readme.py`` rewrites those parts.
"""

import re
from pathlib import Path

from smart_sync.events import as_markdown

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
EVENTS_PAGE = ROOT / "docs" / "reference" / "events.md"
COMMANDS_PAGE = ROOT / "docs" / "reference" / "commands.md"
_EVENTS = re.compile(r"(<!-- events: .*? -->\n).*?(<!-- end of events -->)", re.DOTALL)


def pages() -> list[Path]:
    """README and the pages of docs/."""
    return [README, *sorted((ROOT / "docs").rglob("*.md"))]


def with_events(text: str) -> str:
    """The page with the catalogue as the code declares it."""
    return _EVENTS.sub(lambda found: f"{found[1]}\n{as_markdown()}\n\n{found[2]}", text)


def code_blocks(language: str) -> list[str]:
    """The code blocks of one language, of all pages."""
    return [
        block
        for page in pages()
        for block in re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
    ]


if __name__ == "__main__":
    EVENTS_PAGE.write_text(with_events(EVENTS_PAGE.read_text()))
