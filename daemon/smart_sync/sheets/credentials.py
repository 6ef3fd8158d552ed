"""The service account: where its key is found, and the access token that all requests share.

The key is looked for in ``[sheets] credentials``, then in ``$SMART_SYNC_GOOGLE_CREDENTIALS`` (JSON,
base64 of it, or a path), then in the systemd credential named ``google``.
"""

import base64
import binascii
import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.auth.exceptions import MalformedError
from google.oauth2 import service_account

from smart_sync import logs, plain_files
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

_HOW = "create a service account with a JSON key in Google Cloud, and name the file in [sheets] credentials"


class Credentials(service_account.Credentials):
    """A service account that calls nobody by itself.

    google-auth refreshes from whichever threads find the token stale, without a lock, and since 2.55
    starts a thread that looks up a regional access boundary.  `token.Token` refreshes instead.
    """

    def before_request(self, request: object, method: str, url: str, headers: dict[str, str]) -> None:
        """Add the token to ``headers``."""
        self.apply(headers)  # type: ignore[no-untyped-call]


def find(path: Path | None, environment: Mapping[str, str] = os.environ) -> Credentials:
    """The service account's credentials, from the first place that has them; reads a file.

    Raises `SheetUnavailable` if there are none, or if they are of no use.
    """
    if path is not None:
        return _parse(_read(path), str(path))
    if given := environment.get(VARIABLE, "").strip():
        return _parse(_from_variable(given), f"${VARIABLE}")
    if directory := environment.get("CREDENTIALS_DIRECTORY"):
        systemd = Path(directory) / SYSTEMD_NAME
        if _is_there(systemd):
            return _parse(_read(systemd), f"the systemd credential {SYSTEMD_NAME}")
    raise SheetUnavailable("there are no credentials for Google", _HOW)


def _is_there(path: Path) -> bool:
    """Whether there is something at ``path``; where that may not be known, reading it will say why."""
    try:
        return path.exists()
    except OSError:
        return True


def _from_variable(given: str) -> bytes:
    if given.startswith("{"):
        return given.encode()
    try:
        return base64.b64decode("".join(given.split()), validate=True)
    except binascii.Error:
        pass
    if "\n" not in given and len(given) < 4096 and Path(given).exists():
        return _read(Path(given))
    raise SheetUnavailable(
        f"${VARIABLE} is neither JSON, nor base64 of it, nor a file", "set it to the service account's JSON key"
    )


def _read(path: Path) -> bytes:
    try:
        return plain_files.read_file(path, MAX_BYTES)[0]
    except OSError as error:
        if error.errno == errno.EFBIG:
            return b""  # no key is as large
        raise SheetUnavailable(
            f"the Google credentials {path} cannot be read: {error.strerror}",
            "correct [sheets] credentials, or let the daemon's user read the file",
        ) from None


def _parse(content: bytes, place: str) -> Credentials:
    """The credentials in ``content``.  No part of it may get into a message: it holds the private key."""
    try:
        info = read_json(content)
    except ValueError:
        info = None
    if not isinstance(info, dict):
        raise SheetUnavailable(f"{place} is not a JSON key of a service account", _HOW)
    if missing := [key for key in ("client_email", "private_key") if not isinstance(info.get(key), str)]:
        raise SheetUnavailable(
            f'{place} is not the key of a service account (it lacks "{missing[0]}")',
            "an OAuth client or an API key will not do: " + _HOW,
        )
    logs.protect(info["private_key"])
    return _build(info | {"token_uri": info.get("token_uri") or TOKEN_URI}, place)


def _build(info: dict[str, Any], place: str) -> Credentials:
    try:
        found: Credentials = Credentials.from_service_account_info(info, scopes=SCOPES)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, MalformedError):
        raise SheetUnavailable(
            f"the private key of {info['client_email']} in {place} is damaged",
            "download a new JSON key for the service account",
        ) from None
    return found
