"""JMESPath expressions of a configuration, applied to responses."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import jmespath
import jmespath.exceptions
from jmespath import functions
from jmespath.visitor import TreeInterpreter
from pydantic import AfterValidator

from smart_sync.core.foreign_text import is_abbreviated
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


class _SumOfCounts(functions.Functions):
    """JMESPath's functions, but sums ignore numbers below 0: some sources overflow 32 bits."""

    @functions.signature({"types": ["array-number"]})
    def _func_sum(self, numbers: list[float]) -> float:
        if any(number < 0 for number in numbers):
            raise AccountFailed(f"among what is added up is a number below 0 ({min(numbers)})")
        return sum(numbers)


_COUNTS = jmespath.Options(custom_functions=_SumOfCounts())


class _ZeroIsFalse(TreeInterpreter):
    """JMESPath, but 0 is false: ``has_more: 0`` means that there is no more."""

    def _is_false(self, value: Any) -> bool:
        # The stubs leave it out; jmespath has no other way to change what is false.
        return bool(super()._is_false(value)) or value == 0  # type: ignore[misc]


#: What JMESPath itself takes for false; 0 is none of them (but equals False).
_FALSE: tuple[object, ...] = (None, "", [], {})


class _Counting(TreeInterpreter):
    """JMESPath that counts each projection's input and output, because a sum over nothing is 0, too."""

    def __init__(self, pages: list[Any]) -> None:
        super().__init__()
        self._pages = pages
        self._given: Counter[int] = Counter()
        self._found: Counter[int] = Counter()
        #: The projections that go through the pages themselves.
        self._of_pages: set[int] = set()

    def visit_projection(self, node: Any, value: Any) -> Any:
        """As the base class, counting."""
        return self._counted(node, self.visit(node["children"][0], value))

    def visit_filter_projection(self, node: Any, value: Any) -> Any:
        """As the base class; elements that the filter drops are not missing."""
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            tests = ((one, self.visit(node["children"][2], one)) for one in base)
            base = [one for one, holds in tests if holds is not False and holds not in _FALSE]
        return self._counted(node, base)

    def visit_value_projection(self, node: Any, value: Any) -> Any:
        """As the base class, counting."""
        base = self.visit(node["children"][0], value)
        return self._counted(node, list(base.values()) if isinstance(base, dict) else None)

    def _counted(self, node: Any, base: Any) -> list[Any] | None:
        if not isinstance(base, list):
            return None
        kept = [value for one in base if (value := self.visit(node["children"][1], one)) is not None]
        self._given[id(node)] += len(base)
        self._found[id(node)] += len(kept)
        if len(base) == len(self._pages) and all(map(lambda one, page: one is page, base, self._pages)):
            self._of_pages.add(id(node))
        return kept

    def misses(self, parsed: Any, value: Any) -> bool:
        """Whether an array in ``parsed`` was missing, or ``value`` is a sum over nothing."""
        empty = {node for node, given in self._given.items() if given and not self._found[node]}
        return not empty.isdisjoint(map(id, _arrays(parsed))) or (value == 0 and not empty.isdisjoint(self._of_pages))

    def finds_nothing(self) -> bool:
        """Whether a projection had input and no output."""
        return any(given and not self._found[node] for node, given in self._given.items())


def _arrays(node: Any, *, inner: bool = False) -> Iterator[Any]:
    """The projections of an expression whose results another one iterates."""
    is_projection = str(node["type"]).endswith("projection")
    if is_projection and inner:
        yield node
    for number, child in enumerate(node["children"]):
        if isinstance(child, Mapping):
            yield from _arrays(child, inner=(is_projection and number == 0) or (inner and node["type"] == "flatten"))


def missing(expression: str, document: Any, *, paged: bool) -> str:
    """Why a 0 or sum found by ``expression`` is no count, in words; "" if it is one.

    JMESPath passes over what is not there, so that ``sum(items[].n)`` of an error message is 0, and of an error on the
    second page the sum of the first.  An array that is there and empty is an honest 0.  ``paged``: ``document`` is the
    array of the pages.
    """
    parsed = jmespath.compile(expression).parsed
    for number, page in enumerate(document if paged else [], 1):
        counting = _Counting([page])
        try:
            if counting.misses(parsed, counting.visit(parsed, [page])):
                return f"page {number} has nothing where {expression} looks"
        except (jmespath.exceptions.JMESPathError, *_UNFIT):
            continue  # it is made for all pages together
    counting = _Counting([])
    value = counting.visit(parsed, document)
    return f"the answer has nothing where {expression} looks" if value == 0 and counting.finds_nothing() else ""


def search(expression: str, document: Any) -> Any:
    """The value of ``expression`` in ``document``. Raises `AccountFailed` if it does not fit."""
    return _visited(TreeInterpreter(_COUNTS), expression, document)


def condition(expression: str, document: Any) -> Any:
    """`search` with 0 as false; the result is for `is_true`."""
    return _visited(_ZeroIsFalse(), expression, document)


def is_true(value: object) -> bool:
    """Whether a `condition` holds: not None, false, 0 or empty."""
    return value not in (None, False, 0, "", [], {})


def metric(expression: str, document: Any) -> tuple[int | None, Precision]:
    """The count found by ``expression``, and whether it is rounded (``"1.2M"``); None if there is none.

    Raises `AccountFailed` where the expression does not fit, or what it finds is no count.
    """
    value = search(expression, document)
    if value is None or value == "":
        return None, Precision.EXACT
    if not isinstance(value, str | int | float):
        raise AccountFailed(f"{expression} finds no number but {kind_of(value)}")
    try:
        count = read_count(value)
    except Unreadable as problem:
        raise AccountFailed(f"what {expression} finds is no count: {problem}") from None
    return count, Precision.ROUNDED if is_abbreviated(value, count or 0) else Precision.EXACT


def _visited(interpreter: TreeInterpreter, expression: str, document: Any) -> Any:
    try:
        return interpreter.visit(jmespath.compile(expression).parsed, document)
    except (jmespath.exceptions.JMESPathError, *_UNFIT) as error:
        raise AccountFailed(f"the answer does not fit the expression {expression}: {_why(error)}") from None


def _why(error: Exception) -> str:
    if isinstance(error, jmespath.exceptions.JMESPathTypeError):
        return f"{error.function_name}() is given what is {error.actual_type}"
    return type(error).__name__


def kind_of(value: object) -> str:
    """An object or an array, in words."""
    return "an object" if isinstance(value, dict) else "an array"
