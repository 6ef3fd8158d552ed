"""What people see on a terminal.  Names come from sheets: they are shown as text, never as markup or control codes."""

from smart_sync.cli.output.check import show_check
from smart_sync.cli.output.configuration import show_effective
from smart_sync.cli.output.data import show_confirmed, show_history
from smart_sync.cli.output.explanation import show_explanations
from smart_sync.cli.output.growth_table import show_growth
from smart_sync.cli.output.ingested import show_forgotten, show_ingested
from smart_sync.cli.output.inspections import show_inspections
from smart_sync.cli.output.passes import show_answer, sync_with_progress
from smart_sync.cli.output.setup import show_step
from smart_sync.cli.output.snapshot_repair import show_repaired
from smart_sync.cli.output.status import show_status, watch
from smart_sync.cli.output.webhooks import show_webhook_tests, show_webhooks

__all__ = [
    "show_answer",
    "show_check",
    "show_confirmed",
    "show_effective",
    "show_explanations",
    "show_forgotten",
    "show_growth",
    "show_history",
    "show_ingested",
    "show_inspections",
    "show_repaired",
    "show_status",
    "show_step",
    "show_webhook_tests",
    "show_webhooks",
    "sync_with_progress",
    "watch",
]
