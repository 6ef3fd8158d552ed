"""The sentences of `explain`, one for each metric: its value, where that is from, what the other side says, and why.

``told`` is what `report.explain` answers about a metric.
"""

from smart_sync.core.explain_answer import MetricAnswer
from smart_sync.core.merge.strategies import Winner
from smart_sync.core.wording import when

#: Why a side won where the two say different things: by strategy, and whether the sheet won.
_REASONS = {
    ("max", True): "the larger counts",
    ("max", False): "the larger counts",
    ("sheet", True): "the sheet counts ({rule})",
    ("sheet", False): "a 0 of the sheet gives way ({rule})",
    ("parsed", True): "a parsed 0 gives way ({rule})",
    ("parsed", False): "the parser counts ({rule})",
    ("latest", True): "the newest change counts ({rule})",
    ("latest", False): "the newest change counts ({rule})",
}


def sentence(metric: str, answer: MetricAnswer, cell: str = "", *, gone: bool = False, active: bool = True) -> str:
    """``views: 1,258,400 from the sheet (H4); the parser says 32,277; the larger counts``.

    ``cell``: "" if it is not known; ``gone``: whether the account's row is gone; ``active``: whether it is synced.
    """
    if answer["value"] is None and not active:
        return f"{metric}: no value: the account or its project is inactive, so neither side is asked"
    parts = _now(answer, cell, gone=gone)
    if answer["next"] is not None:
        parts.append(f"one side has changed since: the next pass makes it {answer['next']:,}")
    elif answer["next_is_no_value"]:
        parts.append("nobody has a vote any more: it has no value from the next pass on")
    return f"{metric}: {'; '.join(parts)}"


def _now(answer: MetricAnswer, cell: str, *, gone: bool) -> list[str]:
    value, sheet, parsed = answer["value"], answer["sheet"], answer["parsed"]
    place, parser = f" ({cell})" if cell else "", f"the parser {answer['source'] or ''}".rstrip()
    if value is None:
        return _nothing(answer)
    if answer["winner"] == Winner.CARRIED:
        since = f" since {when(answer['carried_since'])}" if answer["carried_since"] else ""
        why = "no side has one any more"
        suspect = answer["suspect"]
        if suspect is not None and suspect["held"]:
            why = f"the sheet's {suspect['new']:,}{place} is suspect, and held"
        elif sheet is not None:
            why = "its row is gone" if gone else f"the sheet's cell{place} cannot be read, or was emptied by accident"
        parts = [f"{value:,}, the last known value, is used{since}: {why}"]
        return [*parts, f"{parser} says {parsed:,}", *_reason(answer, sheet, parsed)] if parsed is not None else parts
    if answer["winner"] == Winner.PINNED:
        sides = (("the sheet", sheet, place), (parser, parsed, ""))
        others = [f"{name} says {said:,}{at}" for name, said, at in sides if said is not None]
        return [f"{value:,}, which a person has pinned, whatever the sides say", *others]
    if answer["winner"] == Winner.BOTH:
        return [f"{value:,} from the sheet{place}; {parser} says the same"]
    if answer["winner"] == Winner.SHEET:
        other = f"{parser} says {parsed:,}" if parsed is not None else "no parser has a value"
        return [f"{value:,} from the sheet{place}", other, *_reason(answer, sheet, parsed)]
    other = f"the sheet says {sheet:,}{place}" if sheet is not None else "the sheet has no value"
    return [f"{value:,} from {parser}", other, *_reason(answer, sheet, parsed)]


def _nothing(answer: MetricAnswer) -> list[str]:
    sides = [
        name for name, side in (("the sheet", answer["sheet"]), ("the parser", answer["parsed"])) if side is not None
    ]
    return [
        f"no value yet; {' and '.join(sides)} will give it" if sides else "no value: neither side has ever given one"
    ]


def _reason(answer: MetricAnswer, sheet: int | None, parsed: int | None) -> list[str]:
    if sheet is None or parsed is None:
        return []
    if answer["precision"] == "rounded" and answer["strategy"] == "max" and sheet < parsed:
        return ["the parsed value is rounded, and the exact one counts"]
    return [_REASONS[answer["strategy"], answer["winner"] != Winner.PARSED].format(rule=answer["rule"])]
