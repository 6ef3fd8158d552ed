"""A process that makes requests inside a quota: a line with the moment of each goes to a file that all share.

``python quota_process.py URL FILE CALLS WINDOW shared|own``: until it is ended.
"""

import asyncio
import os
import random
import sys
import time

from smart_sync.aio.rate_limit import Limit, RateLimit
from smart_sync.config.database_url import server
from smart_sync.store.postgres.postgres_database import PostgresDatabase

#: Seconds of the longest request, and how many of one process are under way.
LONGEST, AT_ONCE = 0.05, 4


async def requests(limit: Limit, arrived: int) -> None:
    while True:
        async with limit.slot(lasts=LONGEST):
            await asyncio.sleep(random.uniform(0, LONGEST / 2))
            os.write(arrived, f"{time.monotonic_ns()} {os.getpid()}\n".encode())
            await asyncio.sleep(random.uniform(0, LONGEST / 2))


async def main(url: str, file: str, calls: int, window: float, kind: str) -> None:
    arrived = os.open(file, os.O_WRONLY | os.O_APPEND)
    async with PostgresDatabase(server(url)) as database, asyncio.TaskGroup() as group:
        limit = database.limit("google reader", calls, window) if kind == "shared" else RateLimit(calls, window)
        for _ in range(AT_ONCE):
            group.create_task(requests(limit, arrived), name="requests")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]))
