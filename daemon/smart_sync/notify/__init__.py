"""Notifications: signed webhooks and messages from a persistent queue, and a dead man's switch."""
