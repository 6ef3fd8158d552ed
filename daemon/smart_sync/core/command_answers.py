"""The JSON objects of the commands besides passes: check, parse, webhooks, ingest, confirm, backup, repair.

Stamps are naive UTC in ISO 8601.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict


class FindingAnswer(TypedDict):
    """One item checked by `check`; ``level``: ok, warning or error; ``code``: its entry in docs/faq.md, or ""."""

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
    """A parser's request and its response, without secrets."""

    label: str
    method: str
    url: str
    status: int
    body: str


class ParserInspection(TypedDict):
    """A parser's result for a link: values, why some are missing, its requests, why it failed."""

    parser: str
    values: list[Mapping[str, object]]
    unfetched: list[str]
    calls: int
    exchanges: Sequence[ExchangeAnswer]
    failure: str


class LinkInspection(TypedDict):
    """The parsers' results for a link."""

    link: str
    parsers: list[ParserInspection]


class InspectionsAnswer(TypedDict):
    """What ``smart-sync parse`` answers."""

    success: bool
    links: list[LinkInspection]


class WebhookAnswer(TypedDict):
    """A webhook or notification target."""

    webhook: str
    events: list[str]
    disabled: bool


class DeliveryAnswer(TypedDict):
    """A message to a webhook, and the state of its delivery."""

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
    """A webhook's response to a test."""

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
    """A parsed value that was taken back."""

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
    """A finding that was confirmed; only the keys that apply."""

    kind: Required[str]
    project_id: Required[str]
    account_id: str
    link: str
    metric: str
    value: int


class ConfirmAnswer(TypedDict):
    """What ``smart-sync confirm`` answers: the links, and the findings accepted from the next pass on."""

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
    """A snapshot's value before and after the repair."""

    old: int | None
    new: int


class RepairedAnswer(TypedDict):
    """What ``smart-sync snapshots repair`` answers; ``counts``: whether the snapshot is the one that the day shows."""

    success: bool
    account_id: str
    link: str
    day: str
    changes: dict[str, RepairedValue]
    counts: bool
