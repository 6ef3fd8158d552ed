"""The figures that pages tell in words are the code's: a constant that changes names the sentence to change."""

from datetime import timedelta

import pytest

from markdown_pages import DOCS
from smart_sync.core import parsed, schedule, token_life
from smart_sync.core.history import clock_jumps
from smart_sync.core.merge import growth_band, suspects, typing_mistakes
from smart_sync.core.notices import texts
from smart_sync.notify import delivery, receivers, sender
from smart_sync.parsers import api_client, videos
from smart_sync.store.postgres import postgres_database, server_connection
from smart_sync.store.sqlite import database, driver

#: A page, a sentence of it, the constant that it tells, and its value there.
TOLD: tuple[tuple[str, str, object, object], ...] = (
    ("how-to/webhooks.md", "after 5 s, 5 min, 30 min, 2 h, 5 h and 10 h", delivery.RETRIES,
     (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0)),
    ("how-to/webhooks.md", "2xx status within 15 seconds", sender.TIMEOUT, 15.0),
    ("how-to/telegram-and-mail.md", "plain text of at most ten lines", texts.MAX_LINES, 10),
    ("how-to/telegram-and-mail.md", "starts up to 12 hours late", schedule.DIGEST_LATE, timedelta(hours=12)),
    ("how-to/telegram-and-mail.md", "is given up after a minute", receivers.PATIENCE, 60.0),
    ("how-to/platforms.md", "asked again after 15 minutes", schedule.FIRST_RETRY, timedelta(minutes=15)),
    ("how-to/platforms.md", "private or deleted one after an hour", schedule.FIRST_REST, timedelta(hours=1)),
    ("how-to/platforms.md", "then twice as long, up to daily", schedule.LONGEST_REST, timedelta(days=1)),
    ("how-to/platforms.md", "warn 14 days ahead", token_life.AHEAD, timedelta(days=14)),
    ("how-to/write-a-parser.md", "tried three times, then as above", api_client.TRIES, 3),
    ("how-to/write-a-parser.md", "(without `after`: 5 minutes)", api_client.REST, timedelta(minutes=5)),
    ("how-to/write-a-parser.md", "(25 hours at the most)", schedule.LONGEST_PAUSE, timedelta(hours=25)),
    ("how-to/campaign-numbers.md", "at most 200 pages", videos.MAX_PAGES, 200),
    ("how-to/own-numbers.md", "more than 5 minutes ahead", parsed.AHEAD, timedelta(minutes=5)),
    ("how-to/own-numbers.md", "cut off after 60 seconds", driver.MAX_ASKING, 60.0),
    ("how-to/postgres.md", "waits for a lock for 2 seconds", server_connection.LOCK_MS, 2000),
    ("how-to/postgres.md", "whose client has been silent for 15 seconds", postgres_database.IDLE_MS, 15_000),
    ("how-to/postgres.md", "are retried for 30 seconds", server_connection.RECONNECTING, 30.0),
    ("faq.md", "A pass waits for two minutes", database.PATIENCE, 120.0),
    ("faq.md", "After three weeks without a pass", clock_jumps.GAP, timedelta(days=21)),
    ("faq.md", "for three days it deletes nothing", clock_jumps.SETTLED, timedelta(days=3)),
    ("explanation/suspects.md", "believed after a day", suspects.STANDS, timedelta(days=1)),
    ("explanation/suspects.md", "numbers of the last 30 days", growth_band.DAYS, 30),
    ("explanation/suspects.md", "falls by more than 0.5 %", growth_band.FALL, 0.005),
    ("explanation/suspects.md", "the parser agrees within 5 %", typing_mistakes.AGREES, 0.05),
    ("explanation/merge-rules.md", "more than 10 % of 100,000 followers or more", suspects.LARGE, 100_000),
)  # fmt: skip


@pytest.mark.parametrize(("page", "sentence", "constant", "value"), TOLD, ids=[told[1] for told in TOLD])
def test_a_figure_is_the_codes(page: str, sentence: str, constant: object, value: object) -> None:
    """The page has the sentence, and the constant the value."""
    assert sentence in " ".join((DOCS / page).read_text().split())
    assert constant == value
