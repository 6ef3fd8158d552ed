"""What README and the pages of docs/ show: their code blocks."""

from pathlib import Path

from markdown_pages import DOCS, ROOT, blocks

__all__ = ["README", "ROOT", "code_blocks", "pages"]

README = ROOT / "README.md"


def pages() -> list[Path]:
    """README and the pages of docs/."""
    return [README, *sorted(DOCS.rglob("*.md"))]


def code_blocks(language: str) -> list[str]:
    """The code blocks of one language, of all pages."""
    return [block.text for page in pages() for block in blocks(page) if block.language == language]
