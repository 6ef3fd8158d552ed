"""Numbers with their nouns, as people say them."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 row``, ``1,200 rows``; ``plural`` where an s at the end would be wrong."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
