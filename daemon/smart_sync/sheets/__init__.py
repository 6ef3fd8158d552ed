"""Worksheets in: from Google, or from a directory of CSV files."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from smart_sync import logs

if TYPE_CHECKING:
    from smart_sync.config import SheetsSettings
    from smart_sync.sheets.source import Memory, SharedLimits, SheetSource


def open_sheets(
    settings: "SheetsSettings",
    memory: "Memory | None" = None,
    environment: Mapping[str, str] | None = None,
    announce: Callable[..., None] = logs.emit,
    limits: "SharedLimits | None" = None,
) -> "SheetSource":
    """The source of worksheets that ``settings`` names; enter it with ``async with`` before reading.

    ``memory`` keeps the keys of spreadsheets that are known by title from one run to the next;
    ``environment`` is looked into for credentials in place of the process's own; ``announce`` gets the events;
    ``limits`` are those of quotas that other processes use too.
    """
    # Imported where needed: the Google libraries cost 0.3 s and 25 MB, which a CSV directory never needs.
    if settings.source == "csv":
        from smart_sync.sheets.csv_directory import CsvSheets

        return CsvSheets(settings)
    from smart_sync.sheets.google import GoogleSheets

    return GoogleSheets(settings, memory, environment=environment, announce=announce, limits=limits)
