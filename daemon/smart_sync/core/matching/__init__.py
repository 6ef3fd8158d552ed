"""Which row of a worksheet belongs to which account."""
