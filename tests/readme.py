"""README's parts that are run by tests."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def code_blocks(language: str) -> list[str]:
    """README's code blocks of one language."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", README.read_text(), re.DOTALL | re.MULTILINE)
