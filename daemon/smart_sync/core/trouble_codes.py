"""The codes of troubles: ``docs/faq.md`` has an entry for each.

A trouble has its code from where it is decided, whatever the words are that a person reads; it goes with it into the
database, the answers and onto the screen.
"""

from typing import Literal

Code = Literal[
    "daemon-not-running", "instance-busy", "control-socket", "config-mistake", "secret-readable", "drill",
    "disk-full", "database-locked", "database-damaged", "database-replaced", "database-version", "database-rights",
    "database-server", "no-projects", "database-missing", "two-masters", "database-clock", "clock", "database-columns",
    "snapshot-zeros", "google-api-off", "google-key", "google-quota", "sheet-not-shared", "not-a-spreadsheet",
    "no-spreadsheet", "no-worker", "google-away", "parsed-values", "csv-file", "stale", "sheet-missing",
    "sheet-unclaimed", "same-name", "rows-gone", "column-emptied", "sheet-empty", "column-missing", "same-account",
    "no-account", "link-unreadable", "number-ambiguous", "suspect-value", "number-unreadable", "value-carried",
    "pinned", "campaign-unclear", "token-ended", "parser-quota", "parser-key", "parser-terms", "account-gone",
    "parser-failed",
]  # fmt: skip
