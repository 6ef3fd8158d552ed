"""What a worksheet says: cells, headers, the table."""
