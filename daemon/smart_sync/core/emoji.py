"""Signs that decorate a text and say nothing: emoji, arrows, bullets, asterisks."""

import unicodedata

_MARKS = frozenset("*•·†‡")
#: Blocks of pictures; of what is in them, these mean something: signs of arithmetic, 10, 100, dislike, no entry.
_BLOCKS = (
    (0x2190, 0x21FF), (0x2300, 0x23FF), (0x25A0, 0x27BF), (0x2B00, 0x2BFF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1FAFF),
)  # fmt: skip
_MEANINGFUL = frozenset("✕✖✗✘➕➖➗🔟💯👎🚫⛔❓❔❌")


def undecorated(text: str) -> str:
    """``text`` with a space in place of each decoration."""
    return text if text.isalnum() else "".join(" " if _is_decoration(sign) else sign for sign in text)


def _is_decoration(sign: str) -> bool:
    if sign in _MARKS:
        return True
    code = ord(sign)
    return (
        any(first <= code <= last for first, last in _BLOCKS)
        and sign not in _MEANINGFUL
        and unicodedata.category(sign) in ("So", "Sm", "Sk")
    )
