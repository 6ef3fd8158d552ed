"""What people see on a terminal.  Names come from sheets: they are shown as text, never as markup or control codes."""

from smart_sync.cli.output.configuration import show_effective
from smart_sync.cli.output.data import (
    show_backup,
    show_confirmed,
    show_forgotten,
    show_history,
    show_ingested,
    show_repaired,
)
from smart_sync.cli.output.diagnostics import show_check, show_inspections, show_step, show_webhook_tests, show_webhooks
from smart_sync.cli.output.explanation import show_explanations
from smart_sync.cli.output.growth_table import show_growth
from smart_sync.cli.output.passes import show_answer, sync_with_progress
from smart_sync.cli.output.pin_lines import show_pinned, show_pins, show_unpinned
from smart_sync.cli.output.status import show_status, watch

__all__ = [
    "show_answer",
    "show_backup",
    "show_check",
    "show_confirmed",
    "show_effective",
    "show_explanations",
    "show_forgotten",
    "show_growth",
    "show_history",
    "show_ingested",
    "show_inspections",
    "show_pinned",
    "show_pins",
    "show_repaired",
    "show_status",
    "show_step",
    "show_unpinned",
    "show_webhook_tests",
    "show_webhooks",
    "sync_with_progress",
    "watch",
]
