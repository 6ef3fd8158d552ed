"""Secrets that can be told from everything else, what people make of them by accident, and whether any came out."""

import base64
import json
import random
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

#: Characters in a row of a secret that are too many.
WINDOW = 24
_PIECE = WINDOW // 2
_SIGNS = string.ascii_letters + string.digits + "-_"


def token(chance: random.Random, length: int = 56) -> str:
    """A random key as platforms give them."""
    return "".join(chance.choice(_SIGNS) for _ in range(length - 3)) + "aZ7"


def passphrase(chance: random.Random) -> str:
    """A secret that looks like words."""
    return "-".join("".join(chance.choice(string.ascii_lowercase) for _ in range(6)) for _ in range(8))


def signing(chance: random.Random) -> str:
    """A secret that webhooks are signed with."""
    return "whsec_" + base64.b64encode(chance.randbytes(40)).decode()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unpadded(text: str) -> str:
    return _encoded(text + "\n" * ((1 - len(text)) % 3)).rstrip("=")


#: What becomes of a secret on its way into a configuration.
FORMS: Mapping[str, Callable[[str], str]] = {
    "as it is": str,
    "cut short": lambda text: text[:-7],
    "padding lost": _unpadded,
    "quotes kept": lambda text: f'"{text}"',
    "single quotes kept": lambda text: f"'{text}'",
    "literal \\n": lambda text: f"{text[:28]}\\n{text[28:]}\\n",
    "real line breaks": lambda text: f"{text[:28]}\n{text[28:]}\n",
    "base64 twice": lambda text: _encoded(_encoded(text)),
    "byte order mark": lambda text: "\ufeff" + text,
}


def needles_of(secret: str, form: str, *, whole: str | None = None) -> tuple[str, ...]:
    """What must not come out where ``whole`` (the secret itself unless told) was given in ``form``."""
    whole = secret if whole is None else whole
    given = FORMS[form](whole)
    encoded = form in ("padding lost", "base64 twice")
    return (secret, *((given, _encoded(whole)) if encoded else (given,) if whole == secret else ()))


@dataclass(frozen=True)
class Planted:
    """A secret at one entrance: what it adds to a configuration, and what must not come out."""

    name: str
    toml: str
    needles: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    #: File name → content, next to the configuration.
    files: Mapping[str, str] = field(default_factory=dict)


def _shapes(text: str) -> Iterator[str]:
    yield from (text, quote(text), quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1])
    yield json.dumps(text, ensure_ascii=False)[1:-1]


class Search:
    """Finds secrets in what came out, whole or by any ``WINDOW`` characters in a row."""

    def __init__(self, needles: Mapping[str, Iterable[str]]) -> None:
        self._texts = [
            (name, shape) for name, texts in needles.items() for text in texts for shape in set(_shapes(text))
        ]
        self._pieces: dict[str, set[int]] = {}
        for number, (_, text) in enumerate(self._texts):
            for at in range(len(text) - _PIECE + 1):
                self._pieces.setdefault(text[at : at + _PIECE], set()).add(number)

    def hits(self, text: str) -> set[str]:
        """The names of the secrets that ``text`` holds, or a part of them."""
        found = {name for name, secret in self._texts if len(secret) < WINDOW and secret in text}
        # Any run of WINDOW characters has a piece of half that length at a multiple of it.
        for at in range(0, len(text) - _PIECE + 1, _PIECE):
            for number in self._pieces.get(text[at : at + _PIECE], ()):
                name, secret = self._texts[number]
                if name not in found and _is_shared(text, at, secret):
                    found.add(name)
        return found


def _is_shared(text: str, at: int, secret: str) -> bool:
    """Whether the piece at ``at`` belongs to a longer run of ``secret``."""
    start = max(0, at - WINDOW + _PIECE)
    return any(
        len(window := text[begin : begin + WINDOW]) == WINDOW and window in secret for begin in range(start, at + 1)
    )
