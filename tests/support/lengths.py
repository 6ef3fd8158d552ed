"""How much a property tries: little in the suite, which has to be short; more in `make hunt`."""

import os


def examples(suite: int, hunt: int) -> int:
    """The number of examples of an expensive property."""
    return hunt if os.environ.get("HYPOTHESIS_PROFILE") == "hunt" else suite
