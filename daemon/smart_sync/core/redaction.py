"""Recognises secrets by their shape or name, and removes them from text.

Secrets are looked for in pieces too: a key that was cut short, wrapped or escaped is still most of a key.
"""

import re
from collections.abc import Iterable, Iterator

REDACTED = "[redacted]"
#: Characters in a row that a text may share with a secret and still be shown.
MAX_SHARED = 19
#: Secrets that are known for a while: so many at once.
MAX_PASSING = 500
#: How long the pieces are by which a shared run is found: any run above `MAX_SHARED` holds one at a multiple of it.
_PIECE = 10
#: Longer than any name in a path: less is no path, whatever it looks like.
_MAX_NAME = 255
_MAX_PATH = 1024

#: A run without a separator, as keys have and names of files have not.
_RUN = re.compile(r"[A-Za-z0-9+=]{24,}|[\w+=-]{32,}", re.ASCII)
#: The same with all that belongs to it.
_LONG = re.compile(r"[\w+=-]{24,}", re.ASCII)
#: As tokens have that are identifiers, too: it may well be public, so that it is a secret only where none belongs.
_UUID = re.compile(r"(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])", re.IGNORECASE)
#: Base64, which may have slashes as paths have.
_BASE64 = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_CODE = re.compile(r"[\w+=-]+", re.ASCII)
_KINDS = (str.isdigit, str.islower, str.isupper)
#: As variables are called: in capitals, or in small letters.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}|[a-z_][a-z0-9_]{0,63}", re.ASCII)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORDS = frozenset(
    {
        "auth", "authorization", "authentication", "bearer", "cookie", "credential", "credentials", "csrf", "hmac",
        "jwt", "key", "pass", "passphrase", "passwd", "password", "pwd", "secret", "session", "sessionid", "sid",
        "sig", "signature", "token", "tokens", "keys",
    }
)  # fmt: skip
_SECRET_ENDS = ("key", "token", "secret", "password", "passwd", "signature", "cookie")

#: What looks like a secret wherever it stands: PEM keys, keys of Google, Facebook and webhooks, bearer tokens, what a
#: URL has before its host or under the name of a secret, and base64 that goes on and on.
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|\bya29\.[\w.-]+"
    r"|\bAIza[\w-]{6,}"
    r"|\bEAA[A-Za-z0-9]{16,}"
    r"|\bwhsec_[\w+/=-]+"
    r"|(?<=Bearer )[\w.~+/=-]+"
    r"|(?<=Basic )[A-Za-z0-9+/=]{8,}"
    r"|(?<=:/)/?[^\s/@:\"']*:[^\s/@\"']+(?=@)"
    r"|(?:(?<=[?&])|(?<![^\s;,]))(?P<name>[\w.-]{0,32}(?:key|token|secret|password|passwd|pwd|signature|sig|sid)=)[^&\s\"']+"
    r"|(?<![\w+/=-])[\w+/=-]{64,}(?![\w+/=-])",
    re.DOTALL | re.ASCII | re.IGNORECASE,
)


def names_secret(name: str) -> bool:
    """Whether a value under ``name`` (a header, parameter or key) is a secret: ``X-RapidAPI-Key``, ``token``."""
    words = [word.lower() for word in _WORD.findall(name)]
    return any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDS) for word in words)


def may_be_secret(text: str) -> bool:
    """Whether ``text`` has a run of characters shaped like a key or token, unlike words and file names."""
    return has_shape(text) or any(_is_random(run[0]) for run in _RUN.finditer(text))


def lookalikes(text: str) -> Iterator[str]:
    """The parts of ``text`` shaped like secrets: those of `may_be_secret`, base64 with slashes, and UUIDs."""
    for match in _SHAPES.finditer(text):
        if _redacted(match) != match[0]:
            yield match[0].removeprefix(match["name"] or "")
    yield from (run for run in _BASE64.findall(text) if _is_base64(run))
    yield from (run for run in _LONG.findall(text) if may_be_secret(run))
    yield from (match[0] for match in _UUID.finditer(text))


def has_shape(text: str) -> bool:
    """Whether ``text`` has the shape of a secret beyond doubt, so that a field for another purpose may refuse it."""
    return without_shapes(text) != text


def _is_random(run: str) -> bool:
    kinds = [any(map(kind, run)) for kind in _KINDS]
    return sum(kinds) == 3 or (kinds[0] and sum(kinds) == 2 and not set(run) & set("-_"))


def is_plausible_path(text: str) -> bool:
    """Whether ``text`` is plausibly a path, so that a message may quote it."""
    return (
        0 < len(text) <= _MAX_PATH
        and text.isprintable()
        and not text.lstrip().startswith(("{", "[", '"', "'"))
        and "://" not in text
        and all(len(name.encode(errors="replace")) <= _MAX_NAME for name in text.split("/"))
        and not may_be_secret(text)
        and not _is_code(text)
    )


def _is_code(text: str) -> bool:
    """Whether ``text`` is one word of mixed case, or letters and digits, as keys are and few file names."""
    return len(text) >= 8 and _CODE.fullmatch(text) is not None and sum(any(map(kind, text)) for kind in _KINDS) > 1


def is_plausible_name(text: str) -> bool:
    """Whether ``text`` is plausibly a variable's name, so that a message may quote it."""
    return _VARIABLE.fullmatch(text) is not None and not may_be_secret(text)


def without_shapes(text: str) -> str:
    """``text`` without parts shaped like secrets."""
    return _SHAPES.sub(_redacted, text)


def _redacted(match: re.Match[str]) -> str:
    run = match[0]
    if match["name"] is not None:
        return match["name"] + REDACTED
    if len(run) >= 64 and re.fullmatch(r"[\w+/=-]+", run, re.ASCII) and not _is_base64(run):
        return run
    return REDACTED


def _is_base64(run: str) -> bool:
    """Whether a run is base64: a path may be as long, but has fewer capitals and digits among its letters."""
    return all(sum(map(kind, run)) * 12 >= len(run) for kind in (str.isupper, str.islower)) and any(
        map(str.isdigit, run)
    )


class KnownSecrets:
    """Known secrets, found in any text, whole or in part."""

    def __init__(self) -> None:
        #: The longest first: one secret may be the beginning of another.  Replaced as a whole: threads read it.
        self._whole: tuple[str, ...] = ()
        self._long: tuple[str, ...] = ()
        self._pieces: set[str] = set()
        self._passing: tuple[str, ...] = ()

    def add(self, secret: str, *, pieces: str | None = None) -> None:
        """Remove ``secret`` from now on, unless shorter than 6, and long runs of ``pieces`` (default: of itself)."""
        if len(secret) < 6 or secret in self._whole:
            return
        self._whole = tuple(sorted((*self._whole, secret), key=len, reverse=True))
        long = secret if pieces is None else pieces
        if len(long) > MAX_SHARED:
            self._long = (*self._long, long)
            self._pieces.update(long[at : at + _PIECE] for at in range(len(long) - _PIECE + 1))

    def add_passing(self, secret: str) -> None:
        """`add` for a secret that will be replaced: the latest `MAX_PASSING` are known, each as a whole."""
        if len(secret) >= 6:
            others = (known for known in self._passing if known != secret)
            self._passing = (*others, secret)[-MAX_PASSING:]

    def removed_from(self, text: str) -> str:
        """``text`` without known secrets, long parts of them, and parts shaped like secrets."""
        for secret in (*sorted(self._passing, key=len, reverse=True), *self._whole):
            if secret in text:
                text = text.replace(secret, REDACTED)
        text = without_shapes(text)
        spans = list(_joined(self._shared(text)))
        for start, end in reversed(spans):
            text = text[:start] + REDACTED + text[end:]
        return text

    def _shared(self, text: str) -> Iterator[tuple[int, int]]:
        at, last = 0, len(text) - _PIECE
        while at <= last:
            end = at + _PIECE
            if text[at:end] in self._pieces:
                start, end = self._grown(text, at)
                if end - start > MAX_SHARED:
                    yield start, end
                    at = end
                    continue
            at += _PIECE

    def _grown(self, text: str, at: int) -> tuple[int, int]:
        """The longest run around the piece at ``at`` that is part of a secret."""
        best = (at, at + _PIECE)
        for secret in self._long:
            if text[at : at + _PIECE] not in secret:
                continue
            start, end = at, at + _PIECE
            while end < len(text) and text[start : end + 1] in secret:
                end += 1
            while start > 0 and text[start - 1 : end] in secret:
                start -= 1
            best = max(best, (start, end), key=lambda span: span[1] - span[0])
        return best


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans in order, with adjacent and overlapping ones joined."""
    current: tuple[int, int] | None = None
    for start, end in spans:
        if current is not None and start <= current[1]:
            current = (current[0], max(end, current[1]))
            continue
        if current is not None:
            yield current
        current = (start, end)
    if current is not None:
        yield current
