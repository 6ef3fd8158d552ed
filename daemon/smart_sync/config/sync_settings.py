"""``[sync]``: how a pass works, and who does it."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from smart_sync.config import values
from smart_sync.config.sections import Section
from smart_sync.config.values import Broker, ColumnValue, Seconds
from smart_sync.errors import ConfigError

#: Where Celery's own programs look for the broker, and where it is unless something else is said.
BROKER_VARIABLE, BROKER = "CELERY_BROKER_URL", "redis://localhost:6379/0"
#: The columns of a new row that are filled from the worksheet, or by Smart Sync itself.
_FILLED = {
    "projects": {"id", "name", "created_at", "is_active"},
    "accounts": {"id", "project_id", "platform", "username", "profile_link", "added_at", "is_active"},
}


class DefaultsSettings(Section):
    """Column → value of the rows that ``create_missing`` makes, for what no worksheet says."""

    #: Column → value of each project that ``create_missing`` makes, for what the web app's table demands.
    projects: dict[str, ColumnValue] = Field(default_factory=dict)
    #: Column → value of each account that ``create_missing`` makes; ``topic`` and ``telegram_user`` are for rows whose
    #: cells are empty.
    accounts: dict[str, ColumnValue] = Field(default_factory=dict)

    @field_validator("projects", "accounts", mode="after")
    @classmethod
    def _not_filled(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if filled := sorted(name for name in given if name.lower() in _FILLED[str(info.field_name)]):
            raise ValueError(f"{', '.join(filled)}: filled by Smart Sync itself")
        return given


class SyncSettings(Section):
    """How a pass works."""

    #: What is created if the sheets have it and the database lacks it: nothing, accounts of known projects, or
    #: projects with their accounts.
    create_missing: Literal["none", "accounts", "projects"] = "none"
    defaults: DefaultsSettings = DefaultsSettings()
    #: Projects that are merged at the same time; those that are ready together share a transaction.
    concurrency: Annotated[int, Field(ge=1, le=256)] = 256
    #: How long a pass waits for the parsers; what they bring later is merged by the next pass.
    parsers_wait: Seconds = 10.0
    #: "none": the daemon reads and merges by itself; "celery": it gives each spreadsheet to a worker on any machine.
    workers: Literal["none", "celery"] = "none"
    #: Where workers get their tasks from, as Celery writes it; else what $CELERY_BROKER_URL says, or the Redis of this
    #: machine.  A URL, or where it is kept: env:NAME, file:PATH or credential:NAME.
    broker: Broker | None = None
    #: Seconds without a sign of life after which the spreadsheet of a worker is given to another one.
    worker_timeout: Annotated[Seconds, Field(ge=1)] = 60.0

    def broker_url(self, environment: Mapping[str, str] = os.environ) -> str:
        """Where workers get their tasks from.  Raises `ConfigError`."""
        if self.broker is not None:
            return self.broker.get_secret_value()
        try:
            return values.broker(SecretStr(environment.get(BROKER_VARIABLE) or BROKER)).get_secret_value()
        except ValueError as error:
            raise ConfigError((f"the environment: {BROKER_VARIABLE}: {error}",)) from None
