"""The documents that people read: their links, anchors and code blocks."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOW_TO = DOCS / "how-to"
_FENCE = re.compile(
    r"(?:^[ \t]*<!-- (?P<mark>(?:not run|run): [^\n]*?) -->\n(?:[ \t]*\n)?)?"
    r"^(?P<indent>[ \t]*)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)")
_HEADING = re.compile(r"^#{1,6} (?P<text>.+?)\s*#*$", re.MULTILINE)


class Block(NamedTuple):
    """A code block, where it stands, and what is said of running it (``not run: REASON``, ``run: HOW``)."""

    page: Path
    line: int
    language: str
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every document: those at the root, and those of the folders that have some."""
    folders = (DOCS, ROOT / "systemd", ROOT / "deploy")
    return sorted([*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))])


def blocks(path: Path) -> Iterator[Block]:
    """The code blocks of a document, without their indentation."""
    text = path.read_text()
    for found in _FENCE.finditer(text):
        indent = len(found["indent"])
        lines = (
            line[indent:] if not line[:indent].strip() else line for line in found["text"].splitlines(keepends=True)
        )
        line = text.count("\n", 0, found.start("language")) + 1
        yield Block(path, line, found["language"], "".join(lines), found["mark"] or "")


def texts(path: Path, language: str, marker: str = "") -> list[str]:
    """The code blocks of one language that hold ``marker``, in order."""
    return [block.text for block in blocks(path) if block.language == language and marker in block.text]


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def calls(path: Path) -> list[str]:
    """The calls of ``smart-sync`` in a document's sentences."""
    return re.findall(r"`(smart-sync [^`\n]+)`", _FENCE.sub("", path.read_text()))


#: Where the paths that documents name begin: at the root, in the package, or in the tests.
_STARTS = (ROOT, ROOT / "daemon" / "smart_sync", ROOT / "tests")


def missing_files(path: Path) -> list[str]:
    """The files and folders of the repository that a document names (``core/merge/plan.py``) and that are not there."""
    named = re.findall(r"`([\w.-]+/[\w./-]+)`", _FENCE.sub("", path.read_text()))
    known = {folder.name for start in _STARTS for folder in start.iterdir() if folder.is_dir()}
    ours = [name for name in named if name.partition("/")[0] in known - {"build", "var"}]
    return [name for name in ours if not any((start / name).exists() for start in _STARTS)]


def links(path: Path) -> list[str]:
    """The targets of a document's links."""
    return [found["target"] for found in _LINK.finditer(_without_code(path.read_text()))]


def anchors(path: Path) -> set[str]:
    """What behind a ``#`` leads into a document: its headings, as GitHub and the site make anchors of them."""
    found: dict[str, int] = {}
    anchors = set()
    for heading in _HEADING.finditer(_FENCE.sub("", path.read_text())):
        slug = slug_of(heading["text"])
        count = found.get(slug, 0)
        found[slug] = count + 1
        anchors |= {slug} if not count else {f"{slug}_{count}", f"{slug}-{count}"}
    return anchors


def slug_of(heading: str) -> str:
    """The anchor of a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def navigation() -> list[str]:
    """The pages of the site, as its navigation lists them."""
    nav = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    return list(_leaves(nav))


def _leaves(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
        return
    for one in entry.values() if isinstance(entry, dict) else entry:
        yield from _leaves(one)
