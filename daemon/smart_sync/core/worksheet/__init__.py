"""Interprets a worksheet: cells, headers, the table."""
