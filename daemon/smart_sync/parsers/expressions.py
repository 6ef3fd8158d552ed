"""JMESPath over the answers of sources, for the texts of a configuration."""

from typing import Annotated, Any

import jmespath
import jmespath.exceptions
from jmespath.visitor import TreeInterpreter
from pydantic import AfterValidator

from smart_sync.core.model import Precision
from smart_sync.core.worksheet.cells import Unreadable, read_count
from smart_sync.parsers.failures import AccountFailed

#: What functions of JMESPath raise of values that they were not made for.
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


def _compiled(text: str) -> str:
    try:
        jmespath.compile(text)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"not a JMESPath expression: {str(error).splitlines()[0]}") from None
    return text


#: A JMESPath expression, checked when the configuration is read.
Expression = Annotated[str, AfterValidator(_compiled)]


class _ZeroIsFalse(TreeInterpreter):
    """JMESPath, but 0 counts as false: ``has_more: 0`` means that there is no more."""

    def _is_false(self, value: Any) -> bool:
        # The stubs leave it out; jmespath has no other way to change what is false.
        return bool(super()._is_false(value)) or value == 0  # type: ignore[misc]


def search(expression: str, document: Any) -> Any:
    """What ``expression`` finds in ``document``.  Raises `AccountFailed` where it does not fit."""
    return _visited(TreeInterpreter(), expression, document)


def condition(expression: str, document: Any) -> Any:
    """As `search`, with 0 as false; the result is for `is_true`."""
    return _visited(_ZeroIsFalse(), expression, document)


def is_true(found: Any) -> bool:
    """Whether a `condition` holds: anything but nothing, false, 0 and what is empty."""
    return found not in (None, False, 0, "", [], {})


def metric(expression: str, document: Any) -> tuple[int | None, Precision]:
    """The count that ``expression`` finds, and how exact it is: ``"1.2M"`` is rounded; None if there is none.

    Raises `AccountFailed` where the expression does not fit, or what it finds is no count.
    """
    found = search(expression, document)
    if found is None or found == "":
        return None, Precision.EXACT
    if not isinstance(found, str | int | float):
        raise AccountFailed(f"{expression} finds no number but {_kind(found)}")
    try:
        count = read_count(found)
    except Unreadable as problem:
        raise AccountFailed(f"what {expression} finds is no count: {problem}") from None
    # "1.2M" has other digits than 1200000; "12,480 followers" has those of 12480.
    is_rounded = isinstance(found, str) and "".join(filter(str.isdecimal, found)).lstrip("0") != (
        str(count).lstrip("0")
    )
    return count, Precision.ROUNDED if is_rounded else Precision.EXACT


def _visited(interpreter: TreeInterpreter, expression: str, document: Any) -> Any:
    try:
        return interpreter.visit(jmespath.compile(expression).parsed, document)
    except (jmespath.exceptions.JMESPathError, *_UNFIT) as error:
        raise AccountFailed(f"the answer does not fit the expression {expression}: {type(error).__name__}") from None


def _kind(found: object) -> str:
    return "an object" if isinstance(found, dict) else "an array"
