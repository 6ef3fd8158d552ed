"""Parsed values: from files, platform APIs and plug-ins."""
