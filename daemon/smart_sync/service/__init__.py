"""The daemon: open, serve, close."""
