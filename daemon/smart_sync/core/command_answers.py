"""The JSON objects of the commands around the passes: check, parse, webhooks, ingest, confirm, backup, repair.

Stamps are naive UTC in ISO 8601.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict


class FindingAnswer(TypedDict):
    """One thing that `check` looked at; ``level``: ok, warning or error; ``code``: its entry in docs/faq.md, or ""."""

    level: str
    message: str
    code: str


#: Project and platform ("" for all others), and per metric its strategy and the key that sets it.
RulesRow = Mapping[str, Any]


class CheckAnswer(TypedDict, total=False):
    """What ``smart-sync check`` and ``adopt`` answer; ``written``: the file that `adopt` wrote."""

    success: Required[bool]
    findings: Required[list[FindingAnswer]]
    merge: Required[list[RulesRow]]
    written: str | None


class ExchangeAnswer(TypedDict):
    """A request of a parser and its answer, without secrets."""

    label: str
    method: str
    url: str
    status: int
    body: str


class ParserInspection(TypedDict):
    """What a parser made of a link: values, why some are missing, what it asked, why it could not go on."""

    parser: str
    values: list[Mapping[str, object]]
    unfetched: list[str]
    calls: int
    exchanges: Sequence[ExchangeAnswer]
    failure: str


class LinkInspection(TypedDict):
    """What the parsers made of a link."""

    link: str
    parsers: list[ParserInspection]


class InspectionsAnswer(TypedDict):
    """What ``smart-sync parse`` answers."""

    success: bool
    links: list[LinkInspection]


class WebhookAnswer(TypedDict):
    """A webhook or a target of notices."""

    webhook: str
    events: list[str]
    disabled: bool


class DeliveryAnswer(TypedDict):
    """A message to a webhook, and what became of it."""

    webhook: str
    id: str
    type: str
    status: str
    created_at: str
    due_at: str | None
    attempts: int
    last_at: str | None
    answer: str


class WebhooksAnswer(TypedDict):
    """What ``smart-sync webhooks`` answers."""

    success: bool
    webhooks: list[WebhookAnswer]
    deliveries: list[DeliveryAnswer]


class WebhookTest(TypedDict):
    """What a webhook answered to a test."""

    webhook: str
    message_id: str
    accepted: bool
    status: int | None
    reason: str


class WebhookTests(TypedDict):
    """What ``smart-sync webhooks test`` answers."""

    success: bool
    results: list[WebhookTest]


class LineMistake(TypedDict):
    """A line of an input that is wrong, and why."""

    line: int
    reason: str


class IngestAnswer(TypedDict):
    """What ``smart-sync ingest`` answers: accounts, and lines."""

    success: bool
    accounts: int
    stored: int
    older: int
    ahead: int
    mistakes: list[LineMistake]


class ForgottenValue(TypedDict):
    """A parsed value that is taken back."""

    account_id: str
    link: str
    metric: str
    value: int
    source: str


class ForgetAnswer(TypedDict):
    """What ``smart-sync ingest --forget`` answers."""

    success: bool
    forgotten: int
    values: list[ForgottenValue]


class ConfirmedFinding(TypedDict, total=False):
    """A finding that was confirmed: what is not empty."""

    kind: Required[str]
    project_id: Required[str]
    account_id: str
    link: str
    metric: str
    value: int


class ConfirmAnswer(TypedDict):
    """What ``smart-sync confirm`` answers: the links, and the findings that count from the next pass on."""

    success: bool
    accounts: list[str]
    confirmed: int
    findings: list[ConfirmedFinding]


class BackupAnswer(TypedDict):
    """What ``smart-sync backup`` answers."""

    success: bool
    path: str
    bytes: int


class RepairedValue(TypedDict):
    """What a snapshot showed and shows."""

    old: int | None
    new: int


class RepairedAnswer(TypedDict):
    """What ``smart-sync snapshots repair`` answers; ``counts``: whether the day shows it now."""

    success: bool
    account_id: str
    link: str
    day: str
    changes: dict[str, RepairedValue]
    counts: bool
