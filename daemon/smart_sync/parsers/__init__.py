"""Parsed values in: from files, platform APIs and plugins."""
