"""README's parts that are made from the code, or run by tests.  ``python tests/readme.py`` rewrites them."""

import re
from pathlib import Path

from smart_sync.events import as_markdown

README = Path(__file__).parent.parent / "README.md"
_EVENTS = re.compile(r"(<!-- events: .*? -->\n).*?(<!-- end of events -->)", re.DOTALL)


def with_events(text: str) -> str:
    """README with the catalogue as the code declares it."""
    return _EVENTS.sub(lambda found: f"{found[1]}\n{as_markdown()}\n\n{found[2]}", text)


def code_blocks(language: str) -> list[str]:
    """README's code blocks of one language."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", README.read_text(), re.DOTALL | re.MULTILINE)


if __name__ == "__main__":
    README.write_text(with_events(README.read_text()))
