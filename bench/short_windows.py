"""``celery -A bench.short_windows worker``: workers for which a window of Google's quota is ``BENCH_WINDOW`` seconds.

In place of a minute, so that what a quota does to a pass is measured in seconds; nothing else is different.
"""

import os

from smart_sync.integrations.celery import app
from smart_sync.sheets import calls

calls.WINDOW = float(os.environ["BENCH_WINDOW"])

__all__ = ["app"]
