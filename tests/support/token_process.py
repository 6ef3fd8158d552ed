"""A process that asks TikTok about one account with a renewed token: ``token_process.py URL FOLDER STAMP``."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter

from smart_sync.core.days import moment
from smart_sync.core.model import Account, ParsedMetrics
from smart_sync.parsers.tiktok import TikTok, TikTokSettings

GRANTED = "rft.canary-granted-by-the-user"


async def ask(url: str, folder: Path, now: datetime) -> int | None:
    """The followers."""
    table = {
        "kind": "tiktok",
        "source": "tiktok",
        "api_url": url,
        "client_key": "the-key-of-app",
        "client_secret": "the-secret-of-app",
        "accounts": {"charli": {"refresh_token": GRANTED}},
    }
    parser = TikTok(TypeAdapter(TikTokSettings).validate_python(table), lambda: now)
    parser.keep_tokens(folder / "tokens", "tiktok")
    account = Account("a", "p", "tiktok", "", "https://www.tiktok.com/@charli")
    async for fetched in parser.fetch([account]):
        return cast("ParsedMetrics", fetched).metrics.followers
    return None


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(ask(sys.argv[1], Path(sys.argv[2]), moment(sys.argv[3])))}\n")
