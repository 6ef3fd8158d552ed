"""Which row of a worksheet belongs to which account, and which rows are missing."""
