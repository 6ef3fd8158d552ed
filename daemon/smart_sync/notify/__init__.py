"""Telling others: signed webhooks from a lasting queue, and a dead man's switch."""
