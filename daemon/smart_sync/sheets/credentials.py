"""The service account: finds its key, and makes credentials for google-auth.

The key is looked for in ``[sheets] credentials``, then in ``$SMART_SYNC_GOOGLE_CREDENTIALS``, then in the systemd
credential named ``google``.  The first two hold the path of a file or the key itself; a key, in a file or not, is
JSON or base64 of it.  Nothing of what may be a key gets into a message.
"""

import base64
import binascii
import errno
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.oauth2 import service_account
from pydantic import SecretStr

from smart_sync import logs
from smart_sync.aio import plain_files
from smart_sync.config import secrets
from smart_sync.core.foreign_text import read_json
from smart_sync.errors import SheetUnavailable

VARIABLE = "SMART_SYNC_GOOGLE_CREDENTIALS"
SYSTEMD_NAME = "google"
SCOPES = (
    "https://www.googleapis.com/auth/spreadsheets.readonly",
    "https://www.googleapis.com/auth/drive.metadata.readonly",
)
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
MAX_BYTES = 65_536

#: What a key must have; the address is shown to people, so that the key itself must not stand there.
_FORMS = {
    "client_email": re.compile(r"[\w.+-]{1,64}@[\w.-]{1,255}", re.ASCII),
    "private_key": re.compile(r".+", re.DOTALL),
}

_HOW = "create a service account with a JSON key in Google Cloud, and name the file in [sheets] credentials"


class Credentials(service_account.Credentials):
    """A service account's credentials that never refresh by themselves.

    google-auth refreshes from whichever threads find the token stale, without a lock, and since 2.55
    starts a thread that looks up a regional access boundary.  `AccessToken` refreshes instead.
    """

    def before_request(self, request: object, method: str, url: str, headers: dict[str, str]) -> None:
        """Add the token to ``headers``."""
        self.apply(headers)  # type: ignore[no-untyped-call]


def find(configured: Path | SecretStr | None, environment: Mapping[str, str] = os.environ) -> Credentials:
    """The service account's credentials, from the first configured place; reads a file.

    ``configured``: the file, or the key itself.  Raises `SheetUnavailable` if there are none, or if they are of no use.
    """
    place = "[sheets] credentials"
    if configured is None and (text := environment.get(VARIABLE, "").strip()):
        configured, place = secrets.path_or_secret(text), f"${VARIABLE}"
    if isinstance(configured, SecretStr):
        return _parsed(configured.get_secret_value(), place, "neither JSON, nor base64 of it, nor a file")
    if configured is not None:
        return _parsed(_read(configured), str(configured), "not a JSON key of a service account")
    if directory := environment.get("CREDENTIALS_DIRECTORY"):
        systemd = Path(directory) / SYSTEMD_NAME
        if _is_there(systemd):
            place = f"the systemd credential {SYSTEMD_NAME}"
            return _parsed(_read(systemd), place, "not a JSON key of a service account")
    raise SheetUnavailable("there are no credentials for Google", _HOW, step="key", trouble="google-key")


def _is_there(path: Path) -> bool:
    """Whether ``path`` exists; if that is unknown, reading it will give the reason."""
    try:
        return path.exists()
    except OSError:
        return True


def _read(path: Path) -> str:
    try:
        return plain_files.read_file(path, MAX_BYTES)[0].decode(errors="replace")
    except OSError as error:
        if error.errno == errno.EFBIG:
            return ""  # no key is as large
        raise SheetUnavailable(
            f"the Google credentials {path} cannot be read: {error.strerror}",
            "correct [sheets] credentials, or let the daemon's user read the file",
            trouble="google-key",
        ) from None


def _parsed(content: str, place: str, otherwise: str) -> Credentials:
    """The credentials in ``content``, JSON or base64 of it; else raises with ``otherwise``."""
    info = _object(content) if len(content) <= MAX_BYTES else None
    key = info.get("private_key") if info is not None else None
    if not isinstance(key, str) or not content.lstrip().startswith("{"):
        # Nobody knows which part of it is the key.
        for run in re.findall(r"[A-Za-z0-9+/=]{28,}", content):
            logs.protect(run)
    if info is None:
        raise SheetUnavailable(f"{place} is {otherwise}", _HOW, step="key", trouble="google-key")
    texts = {name: text for name, text in info.items() if isinstance(text, str)}
    if missing := [name for name, form in _FORMS.items() if not form.fullmatch(texts.get(name, ""))]:
        raise SheetUnavailable(
            f'{place} is not the key of a service account (it lacks "{missing[0]}")',
            "an OAuth client or an API key will not do: " + _HOW,
            step="key",
            trouble="google-key",
        )
    private_key = info["private_key"].replace("\\n", "\n")
    logs.protect(private_key)
    token_uri = info.get("token_uri")
    whole = {
        "private_key": private_key,
        "token_uri": token_uri if isinstance(token_uri, str) and token_uri else TOKEN_URI,
    }
    return _built(info | whole, place)


def _object(content: str) -> dict[str, Any] | None:
    for text in _readings(_bare(content)):
        try:
            # Not strict: real line breaks in the private key mean what they look like.
            info = read_json(text, strict=False)
        except ValueError:
            continue
        if isinstance(info, dict):
            return info
    return None


def _readings(text: str) -> Iterator[str]:
    """The possible decodings of ``text``: JSON, JSON with line breaks as ``\\n``, or base64 of either."""
    yield text
    yield text.replace("\\n", "\n")
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True).decode("utf-8-sig")
    except (binascii.Error, ValueError):
        return
    yield decoded
    yield decoded.replace("\\n", "\n")


def _bare(text: str) -> str:
    """``text`` without a byte order mark, and without an env file's quotes."""
    text = text.strip().removeprefix("\ufeff").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].strip()
    return text


def _built(info: dict[str, Any], place: str) -> Credentials:
    try:
        credentials: Credentials = Credentials.from_service_account_info(info, scopes=SCOPES)  # type: ignore[no-untyped-call]
    except Exception:  # whatever google-auth and cryptography make of foreign text
        raise SheetUnavailable(
            f"the private key of {info['client_email']} in {place} is damaged",
            "download a new JSON key for the service account",
            step="new_key",
            trouble="google-key",
        ) from None
    return credentials
