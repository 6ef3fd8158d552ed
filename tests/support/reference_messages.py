"""``docs/reference/webhook-messages.md``: what each message for webhooks holds."""

import inspect

from reference_types import link, object_lines, reached
from smart_sync.core import message_answers
from smart_sync.core.message_answers import DATA_OF
from source_comments import paragraphs

_INTRODUCTION = """\
# Webhook messages

The body of each request is one JSON object, in ASCII; [how to receive it](../how-to/webhooks.md#a-receiver).

<!-- run: tests/notify/test_webhook_messages.py -->
```json
{
  "type": "project.degraded",
  "timestamp": "2026-03-10T12:00:00.000000Z",
  "data": {
    "project_id": "17", "project_name": "Summer", "outcome": "degraded",
    "reason": "worksheet \\"Summer\\" is not in the spreadsheet", "remedy": "rename the worksheet or the project",
    "since": "2026-03-10T12:00:00.000000Z", "total_accounts": 12, "problem_count": 0, "run_id": "64d4a172-…"
  }
}
```
"""


def as_markdown() -> str:
    """The page."""
    lines = [_INTRODUCTION]
    lines += [f"{text}\n" for text in paragraphs(inspect.getdoc(message_answers))[1:]]
    lines += ["| type | data |", "|---|---|"]
    lines += [f"| `{kind}` | {link(data.__name__)} |" for kind, data in DATA_OF.items()]
    lines += ["", "## Data", ""]
    for name in reached(data.__name__ for data in DATA_OF.values()):
        lines += object_lines(name)
    return "\n".join(lines) + "\n"
