"""The code blocks of the how-to for users of the web app: each is run by a test."""

import re
from pathlib import Path

PATH = Path(__file__).parents[1] / "docs" / "how-to" / "beside-the-web-app.md"


def blocks() -> list[tuple[str, str]]:
    """Language and text of each block, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", PATH.read_text(), re.DOTALL | re.MULTILINE)


def block(language: str, marker: str) -> str:
    """The one block of ``language`` that holds ``marker``."""
    (found,) = [text for name, text in blocks() if name == language and marker in text]
    return found
