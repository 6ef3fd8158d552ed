"""The file of renewed tokens: read whole, replaced whole, by one process at a time.

Only its owner may read it (mode 0600).  It is no part of the database, so that no backup, report or query has it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smart_sync.aio import plain_files
from smart_sync.core.foreign_text import read_json
from smart_sync.core.token_life import Token
from smart_sync.errors import ParserFailed

MAX_BYTES = 4 * 2**20
#: Bytes that are reserved for what an answer may add.
_ROOM = 32 * 1024
_POLL = 0.05


class TokensUnusable(ParserFailed):
    """The file of tokens cannot be read or written: no token is renewed, since it would be lost."""

    trouble = "token-ended"


def fingerprint(secret: str) -> str:
    """A hash that identifies a secret without revealing it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:32]


def load(path: Path) -> dict[str, Token]:
    """The state of each token, by key; empty if there is no file. Raises `TokensUnusable`."""
    try:
        content, _ = plain_files.read_file(path, MAX_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TokensUnusable(f"{path}: cannot be read: {error.strerror}; it holds the tokens of the parsers") from None
    try:
        return {key: _token(fields) for key, fields in read_json(content)["tokens"].items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise TokensUnusable(
            f"{path}: not a file of tokens; restore it, or remove it and give each account a new token"
        ) from None


def _token(fields: Mapping[str, Any]) -> Token:
    if not all(isinstance(value, str) for value in fields.values()):
        raise TypeError
    return Token(**{name: value for name, value in fields.items() if name in Token._fields})


@contextlib.contextmanager
def locked(path: Path, patience: float) -> Iterator[None]:
    """Lock the file against other processes. Raises `TokensUnusable` after ``patience`` seconds."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise TokensUnusable(f"{path}.lock: cannot be made: {error.strerror}; see [parsers] state") from None
    try:
        ends = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= ends:
                    raise TokensUnusable(f"{path}: another process has been at it for {patience:g} s") from None
                time.sleep(_POLL)
        yield
    finally:
        os.close(descriptor)


class Replacement:
    """A new file whose disk space is reserved before its content is known."""

    def __init__(self, path: Path, size: int) -> None:
        """Raises `TokensUnusable` where there is no room for it."""
        self._path = path
        self._new = path.with_name(f".{path.name}.new")
        try:
            with contextlib.suppress(FileNotFoundError):
                self._new.unlink()
            self._file = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.posix_fallocate(self._file, 0, size + _ROOM)
            os.fsync(self._file)
        except OSError as error:
            raise TokensUnusable(f"{path}: cannot be written: {error.strerror}; no token is renewed before") from None

    def put(self, tokens: Mapping[str, Token]) -> None:
        """Replace the file by ``tokens``: on disk, whole, when this returns. Raises `TokensUnusable`."""
        try:
            content = _encoded(tokens)
            os.pwrite(self._file, content, 0)
            os.ftruncate(self._file, len(content))
            os.fsync(self._file)
            self._new.rename(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise TokensUnusable(f"{self._path}: cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Remove the temporary file."""
        os.close(self._file)
        with contextlib.suppress(OSError):
            self._new.unlink()


@contextlib.contextmanager
def replacement(path: Path, tokens: Mapping[str, Token]) -> Iterator[Replacement]:
    """Opens a replacement for the file with ``tokens``; use it while the file is `locked`."""
    made = Replacement(path, len(_encoded(tokens)))
    try:
        yield made
    finally:
        made.close()


def _encoded(tokens: Mapping[str, Token]) -> bytes:
    fields = {key: {name: text for name, text in token._asdict().items() if text} for key, token in tokens.items()}
    return json.dumps({"about": "tokens of Smart Sync's parsers; keep it secret", "tokens": fields}).encode()
