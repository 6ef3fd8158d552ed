"""Worksheets in: from Google, or from a directory of CSV files."""
