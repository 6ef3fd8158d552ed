"""Helpers for asyncio: rate limits, background tasks, HTTP requests, blocking calls."""
