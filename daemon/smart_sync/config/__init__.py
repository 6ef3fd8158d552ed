"""The configuration: TOML, then the environment (``SMART_SYNC_…``), then the command line.

Every mistake in the file and in the environment is reported together, each with its key (`ConfigError.problems`).
Relative paths are relative to the file they stand in.
"""

from smart_sync.config.loading import DEFAULT_PATHS, ENVIRONMENT, MAX_FILE_BYTES, find, load, load_readable
from smart_sync.config.notify import NotifySettings, PingSettings, TargetSettings, WebhookSettings
from smart_sync.config.sections import (
    ControlSettings,
    DatabaseSettings,
    HistorySettings,
    LogSettings,
    MergeSettings,
    ParsedSettings,
    ParserSettings,
    ScheduleSettings,
    SheetsSettings,
    SnapshotsSettings,
)
from smart_sync.config.settings import DefaultsSettings, Settings, SyncSettings

__all__ = [
    "DEFAULT_PATHS",
    "ENVIRONMENT",
    "MAX_FILE_BYTES",
    "ControlSettings",
    "DatabaseSettings",
    "DefaultsSettings",
    "HistorySettings",
    "LogSettings",
    "MergeSettings",
    "NotifySettings",
    "ParsedSettings",
    "ParserSettings",
    "PingSettings",
    "ScheduleSettings",
    "Settings",
    "SheetsSettings",
    "SnapshotsSettings",
    "SyncSettings",
    "TargetSettings",
    "WebhookSettings",
    "find",
    "load",
    "load_readable",
]
