"""The requests we make of Google's APIs; each runs in a thread, parsing included, and gives what was asked."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import gspread
import requests
from gspread.urls import SPREADSHEET_VALUES_BATCH_URL
from gspread.utils import absolute_range_name

from smart_sync.sheets.answers import Values, understand

#: Numbers as numbers whatever the locale (a date too), blanks cut, no pretty-printing.
OPTIONS = {"majorDimension": "ROWS", "valueRenderOption": "UNFORMATTED_VALUE", "prettyPrint": "false"}
QUERY = urlencode(OPTIONS)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a spreadsheet says of itself."""

    titles: tuple[str, ...]
    #: As in its settings, e.g. ``de_DE``; empty if it does not say.
    locale: str


def values(client: gspread.Client, key: str, titles: Sequence[str]) -> list[Values]:
    """All cells of the worksheets ``titles``: one ``values:batchGet``."""
    ranges = [absolute_range_name(title) for title in titles]
    content = client.http_client.request(
        "get", SPREADSHEET_VALUES_BATCH_URL % key, params=OPTIONS | {"ranges": ranges}
    ).content
    size = len(content)
    try:
        text = content.decode()
        # Before ten megabytes become a hundred, the bytes may go.
        del content
        # A Python function, so that the parser lets the event loop run between two numbers: C code keeps the GIL.
        body = json.loads(text, parse_int=lambda digits: int(digits))
    except ValueError as error:
        raise requests.exceptions.InvalidJSONError(error) from error
    return understand(body, len(titles), size)


def metadata(client: gspread.Client, key: str) -> Metadata:
    """The titles of all worksheets, and the spreadsheet's locale: one ``spreadsheets.get``, without cells."""
    body = client.http_client.fetch_sheet_metadata(
        key, {"fields": "properties.locale,sheets.properties(title,sheetId)", "prettyPrint": "false"}
    )
    try:
        titles = tuple(str(sheet["properties"]["title"]) for sheet in body["sheets"])
        locale = body.get("properties", {}).get("locale", "")
    except (TypeError, KeyError, AttributeError):
        raise requests.exceptions.InvalidJSONError("expected the properties of a spreadsheet") from None
    return Metadata(titles, locale if isinstance(locale, str) else "")


def keys(client: gspread.Client, title: str) -> list[str]:
    """The keys of the spreadsheets with exactly this title: one Drive ``files`` (a thousand to a page)."""
    # gspread puts the title between quotes as it is.
    escaped = title.replace("\\", "\\\\").replace('"', '\\"')
    try:
        files = client.list_spreadsheet_files(escaped)
        return [str(file["id"]) for file in files if file["name"] == title]
    except (TypeError, KeyError, AttributeError):
        raise requests.exceptions.InvalidJSONError("expected a list of files") from None
