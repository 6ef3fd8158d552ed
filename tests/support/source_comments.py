"""What stands in ``#:`` comments above the fields of a class, and in docstrings: the texts of the reference pages."""

import inspect
import re
from typing import Any

_FIELD = re.compile(r"((?:^    #: ?.*\n)+)^    (\w+)(?:: |\s*=)", re.MULTILINE)


def own_comments(cls: Any) -> dict[str, str]:
    """Field → its comment, for those that the class itself declares."""
    return {name: _joined(re.sub(r"^    #: ?", "", text, flags=re.MULTILINE)) for text, name in _comments(cls)}


def _comments(cls: Any) -> list[tuple[str, str]]:
    return _FIELD.findall(inspect.getsource(cls))


def comments(cls: type[Any]) -> dict[str, str]:
    """Field → its comment, inherited ones too; of several the one that is nearest to ``cls``."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("smart_sync"):
            found |= own_comments(base)
    return found


def paragraphs(text: str | None) -> list[str]:
    """The paragraphs of a docstring, each in one line, as Markdown has them."""
    return [_joined(part) for part in inspect.cleandoc(text or "").split("\n\n") if part.strip()]


def _joined(text: str) -> str:
    return markdown(" ".join(text.split()))


def markdown(text: str) -> str:
    """Code between two backquotes of reStructuredText as Markdown has it."""
    return text.replace("``", "`")
