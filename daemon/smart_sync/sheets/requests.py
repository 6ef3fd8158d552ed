"""The requests to Google's APIs, and how worksheets are split into batches.

Each runs in a thread, parsing included, and returns what was asked for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import gspread
import requests
from gspread.urls import DRIVE_FILES_API_V3_URL, SPREADSHEET_URL, SPREADSHEET_VALUES_BATCH_URL
from gspread.utils import absolute_range_name

from smart_sync.core.foreign_text import read_json, storable
from smart_sync.sheets.responses import Values, parse_values

#: Numbers as numbers whatever the locale, dates and durations as the text one sees, blanks cut, no pretty-printing.
OPTIONS = {
    "majorDimension": "ROWS",
    "valueRenderOption": "UNFORMATTED_VALUE",
    "dateTimeRenderOption": "FORMATTED_STRING",
    "prettyPrint": "false",
}
#: What `links` wants of each cell: nothing that its values have.
LINKS = {
    "includeGridData": "true",
    "fields": "sheets(properties.title,data(startRow,rowData.values("
    "hyperlink,textFormatRuns.format.link,chipRuns.chip.richLinkProperties)))",
    "prettyPrint": "false",
}
#: Pages of Drive's list, a thousand files each: more spreadsheets of one title there are not.
MAX_PAGES = 20

#: Letters of an address: proxies and logs on the way cut at 2 kB.
MAX_URL = 2048

_KEY = re.compile(r"[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True, slots=True)
class Metadata:
    """A spreadsheet's metadata."""

    titles: tuple[str, ...]
    #: As in its settings, e.g. ``de_DE``; empty if it does not say.
    locale: str
    #: The spreadsheet's own; empty if it does not say.
    title: str = ""


def values(client: gspread.Client, key: str, titles: Sequence[str]) -> list[Values]:
    """All cells of the worksheets ``titles``, by one ``values:batchGet``."""
    ranges = [absolute_range_name(title) for title in titles]
    return parse_values(_content(client, SPREADSHEET_VALUES_BATCH_URL % key, OPTIONS | {"ranges": ranges}), len(titles))


def metadata(client: gspread.Client, key: str) -> Metadata:
    """A spreadsheet's title, worksheet titles and locale, by one ``spreadsheets.get`` without cells."""
    query = {"fields": "properties(locale,title),sheets.properties(title,sheetId)", "prettyPrint": "false"}
    body = _object(_asked(client, SPREADSHEET_URL % key, query))
    sheets, properties = body.get("sheets"), body.get("properties")
    titles = [_text(sheet, "properties", "title") for sheet in sheets] if isinstance(sheets, list) else [None]
    storable_titles = [storable(title) for title in titles if title is not None]
    if len(storable_titles) < len(titles):
        raise requests.exceptions.InvalidJSONError("expected the properties of a spreadsheet")
    return Metadata(
        tuple(storable_titles), storable(_text(properties, "locale") or ""), storable(_text(properties, "title") or "")
    )


def links(client: gspread.Client, key: str, ranges: Mapping[str, str]) -> dict[str, dict[int, tuple[str, ...]]]:
    """The links behind one column's cells of each worksheet: title → row (from 1) → links, in one request.

    ``ranges``: title → cells, such as ``B2:B``.  One ``spreadsheets.get``, with nothing of the cells but their links.
    """
    cell_ranges = [absolute_range_name(title, cells) for title, cells in ranges.items()]
    body = _object(_asked(client, SPREADSHEET_URL % key, LINKS | {"ranges": cell_ranges}))
    links_by_title: dict[str, dict[int, tuple[str, ...]]] = {}
    for sheet in _objects(body.get("sheets")):
        title = _text(sheet, "properties", "title")
        if title is not None:
            for data in _objects(sheet.get("data")):
                start = data.get("startRow", 0)
                links_by_title.setdefault(title, {}).update(_links_by_row(data, start if type(start) is int else 0))
    return links_by_title


def _links_by_row(data: Mapping[str, Any], start: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    rows = data.get("rowData")
    for number, row in enumerate(rows if isinstance(rows, list) else [], start + 1):
        cells = _objects(row.get("values")) if isinstance(row, dict) else []
        if cells and (several := _links_of(cells[0])):
            yield number, several


def _links_of(cell: Mapping[str, Any]) -> tuple[str, ...]:
    """The web addresses behind a cell: its own link, those of parts of its text, those of its chips."""
    links = [_text(cell, "hyperlink")]
    links += [_text(run, "format", "link", "uri") for run in _objects(cell.get("textFormatRuns"))]
    links += [_text(run, "chip", "richLinkProperties", "uri") for run in _objects(cell.get("chipRuns"))]
    return tuple(dict.fromkeys(storable(link) for link in links if link and link.lower().startswith("http")))


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def keys(client: gspread.Client, title: str) -> list[str]:
    """The keys of the spreadsheets with exactly this title, by Drive ``files``, usually one page."""
    escaped = title.replace("\\", "\\\\").replace('"', '\\"')
    query = {
        "q": f'mimeType="application/vnd.google-apps.spreadsheet" and name = "{escaped}"',
        "pageSize": 1000,
        "supportsAllDrives": True,
        "includeItemsFromAllDrives": True,
        "fields": "kind,nextPageToken,files(id,name)",
    }
    all_ids: list[str] = []
    for _ in range(MAX_PAGES):
        body = _object(_asked(client, DRIVE_FILES_API_V3_URL, query))
        files, page = body.get("files"), body.get("nextPageToken")
        if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
            break
        ids = [file.get("id") for file in files if file.get("name") == title]
        if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in ids):
            break
        all_ids += ids
        if page is None:
            return all_ids
        if not isinstance(page, str) or not page.isascii():
            break
        query["pageToken"] = page
    raise requests.exceptions.InvalidJSONError("expected a list of files")


def _asked(client: gspread.Client, url: str, query: Mapping[str, Any]) -> str:
    """The text of a good answer."""
    try:
        return _content(client, url, query).decode()
    except ValueError as error:
        raise requests.exceptions.InvalidJSONError("the answer is not UTF-8") from error


def _content(client: gspread.Client, url: str, query: Mapping[str, Any]) -> bytes:
    """Google's response to a GET; if the address is too long, a POST as Google's own client sends it."""
    form = urlencode(query, doseq=True)
    if len(url) + len(form) < MAX_URL:
        return client.http_client.request("get", url, params=dict(query)).content
    headers = {"X-HTTP-Method-Override": "GET", "Content-Type": "application/x-www-form-urlencoded"}
    return client.http_client.request("post", url, data=form.encode(), headers=headers).content


def _json(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError as error:
        raise requests.exceptions.InvalidJSONError(str(error)) from None


def _object(text: str) -> Mapping[str, Any]:
    body = _json(text)
    if not isinstance(body, dict):
        raise requests.exceptions.InvalidJSONError("expected an object")
    return body


def _text(value: object, *path: str) -> str | None:
    """The text at ``path`` of nested objects; None if there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


#: What Google advises for one answer.
MAX_ANSWER_BYTES = 2_000_000
#: What a worksheet that was never read is taken for: some three hundred rows.
UNKNOWN_BYTES = 20_000
#: What is said of a worksheet that holds nothing.
_EMPTY_BYTES = 200


def next_batch(titles: Iterable[str], sizes: Mapping[str, int]) -> list[str]:
    """The first of ``titles`` that fit into one request, but at least one.

    A request is full when its answer would pass `MAX_ANSWER_BYTES`, judged by ``sizes``, the bytes each worksheet had
    last time.
    """
    batch: list[str] = []
    answer = 0
    for title in titles:
        answer += max(sizes.get(title, UNKNOWN_BYTES), _EMPTY_BYTES)
        if batch and answer > MAX_ANSWER_BYTES:
            break
        batch.append(title)
    return batch
