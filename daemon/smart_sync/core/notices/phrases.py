"""The phrases of messages to people, in each language, and numbers with their nouns."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "ru"]

#: Key → text; names in braces are filled in.
_EN: Mapping[str, str] = {
    "where": "Where: {places}",
    "what": "What: {reason}",
    "do": "What to do: {remedy}",
    "since": "Since: {when}",
    "more": "and {number} more",
    "lines_left": "… {lines}",
    "and_more": "{names} and {number} more",
    "see_status": "smart-sync status names all of them",
    "see_check": "smart-sync check lists all of them",
    "left_out": "{number} more; {see}",
    "failed": "{projects}: failed, nothing was written",
    "degraded": "{projects}: the last known values are used",
    "recovered": "{projects}: well again",
    "stale": "{projects}: stale, the numbers grow old",
    "last_read": "Last read: {when}",
    "never_read": "never",
    "parser_failed": "parser {parser} brings no values",
    "parser_recovered": "parser {parser} brings values again",
    "try_parser": "smart-sync status says why; smart-sync parse LINK tries it",
    "pass_failed": "a pass could not be run",
    "see_log": "if it lasts: smart-sync check, and the log",
    "pass_recovered": "passes run again",
    "was_since": "The trouble began: {when}",
    "finished": "a pass over {projects} has ended",
    "counts": "failed {failed}, degraded {degraded}; {accounts} changed",
    "suspected": "{values} jumped",
    "jump": "{project}, {link}: {metric} {before} → {after}",
    "in_cell": "{jump}, cell {place}",
    "held": "the value before stands in",
    "check_jumps": "correct the cell; or if it is right: smart-sync confirm LINK",
    "problems": "{cells} to put right",
    "created": "{accounts} created",
    "created_in": "{project}: {number}",
    "test": "a test",
    "it_works": "This target works.",
    "digest": "{day}",
    "all_well": "Nothing to do: no suspects, no problems of worksheets, no stale projects.",
    "suspects_head": "Suspects: {number}",
    "problems_head": "Problems of worksheets: {number}",
    "stale_head": "Stale projects: {number}",
    "stale_line": "{project}, last read {when}: {reason}",
    "unwell_head": "Projects that failed, or are degraded: {number}",
    "parsers_head": "Parsers that bring no values: {number}",
    "parser_line": "{parser}, since {when}: {reason}",
    "growth_head": "Views, and their growth since the day before:",
    "grown": "{project}: {value} ({growth}), {accounts}",
    "no_value": "{project}: no value yet, {accounts}",
    "not_compared": "nothing to compare with",
    "over": "{growth} since {day}",
    "no_projects": "No project is active.",
}
_RU: Mapping[str, str] = {
    "where": "Где: {places}",
    "what": "Что: {reason}",
    "do": "Что делать: {remedy}",
    "since": "С какого времени: {when}",
    "more": "и ещё {number}",
    "lines_left": "… ещё {lines}",
    "and_more": "{names} и ещё {number}",
    "see_status": "все названы в smart-sync status",
    "see_check": "полный список: smart-sync check",
    "left_out": "ещё {number}; {see}",
    "failed": "{projects}: ошибка, ничего не записано",
    "degraded": "{projects}: действуют последние известные значения",
    "recovered": "{projects}: снова в порядке",
    "stale": "{projects}: данные устарели",
    "last_read": "Последнее чтение: {when}",
    "never_read": "не было",
    "parser_failed": "парсер {parser} не приносит значений",
    "parser_recovered": "парсер {parser} снова приносит значения",
    "try_parser": "причина видна в smart-sync status; проверить: smart-sync parse LINK",
    "pass_failed": "проход не удалось выполнить",
    "see_log": "если повторяется: smart-sync check и журнал",
    "pass_recovered": "проходы снова выполняются",
    "was_since": "Начало неполадки: {when}",
    "finished": "проход закончен: {projects}",
    "counts": "с ошибкой {failed}, на последних известных значениях {degraded}; изменено: {accounts}",
    "suspected": "резкий скачок: {values}",
    "jump": "{project}, {link}: {metric} {before} → {after}",
    "in_cell": "{jump}, ячейка {place}",
    "held": "действует прежнее значение",
    "check_jumps": "исправьте ячейку; если всё верно: smart-sync confirm LINK",
    "problems": "нужно исправить: {cells}",
    "created": "создано: {accounts}",
    "created_in": "{project}: {number}",
    "test": "проверка",
    "it_works": "Сообщения доходят.",
    "digest": "{day}",
    "all_well": "Делать ничего не нужно: нет подозрительных значений, замечаний к листам и устаревших проектов.",
    "suspects_head": "Подозрительные значения: {number}",
    "problems_head": "Замечания к листам: {number}",
    "stale_head": "Устаревшие проекты: {number}",
    "stale_line": "{project}, последнее чтение {when}: {reason}",
    "unwell_head": "Проекты с ошибкой или на прежних значениях: {number}",
    "parsers_head": "Парсеры, которые не приносят значений: {number}",
    "parser_line": "{parser}, с {when}: {reason}",
    "growth_head": "Просмотры и прирост за день:",
    "grown": "{project}: {value} ({growth}), {accounts}",
    "no_value": "{project}: значений ещё нет, {accounts}",
    "not_compared": "сравнить не с чем",
    "over": "{growth} с {day}",
    "no_projects": "Активных проектов нет.",
}
PHRASES: Mapping[Language, Mapping[str, str]] = {"en": _EN, "ru": _RU}

#: Noun → its forms: one, a few, many.
NOUNS: Mapping[Language, Mapping[str, tuple[str, str, str]]] = {
    "en": {
        "project": ("project", "projects", "projects"),
        "account": ("account", "accounts", "accounts"),
        "value": ("value", "values", "values"),
        "cell": ("cell", "cells", "cells"),
        "more line": ("more line", "more lines", "more lines"),
        "day": ("day", "days", "days"),
        "hour": ("hour", "hours", "hours"),
        "active account": ("active account", "active accounts", "active accounts"),
        "of accounts": ("account", "accounts", "accounts"),
        **{name: (name, name, name) for name in ("followers", "likes", "comments", "videos", "views")},
    },
    "ru": {
        "project": ("проект", "проекта", "проектов"),
        "account": ("аккаунт", "аккаунта", "аккаунтов"),
        "value": ("значение", "значения", "значений"),
        "cell": ("ячейка", "ячейки", "ячеек"),
        "more line": ("строка", "строки", "строк"),
        "day": ("день", "дня", "дней"),
        "hour": ("час", "часа", "часов"),
        "active account": ("активный аккаунт", "активных аккаунта", "активных аккаунтов"),
        "of accounts": ("аккаунта", "аккаунтов", "аккаунтов"),
        "followers": ("подписчик", "подписчика", "подписчиков"),
        "likes": ("лайк", "лайка", "лайков"),
        "comments": ("комментарий", "комментария", "комментариев"),
        "videos": ("видео", "видео", "видео"),
        "views": ("просмотр", "просмотра", "просмотров"),
    },
}
METRIC_NAMES: Mapping[Language, Mapping[str, str]] = {
    "en": {name: name for name in ("followers", "likes", "comments", "videos", "views")},
    "ru": {
        "followers": "подписчики",
        "likes": "лайки",
        "comments": "комментарии",
        "videos": "видео",
        "views": "просмотры",
    },
}


def phrase(lang: Language, key: str, **values: object) -> str:
    """The phrase ``key`` in the language ``lang``, with ``values`` filled in."""
    return PHRASES[lang][key].format(**values)


def number(lang: Language, value: int, *, signed: bool = False) -> str:
    """``1,234``, in Russian ``1 234`` with a space that no line breaks at; ``signed``: with a plus above 0."""
    text = f"{value:+,}" if signed and value else f"{value:,}"
    return text if lang == "en" else text.replace(",", "\u00a0")


def counted(lang: Language, value: int, noun: str) -> str:
    """A number with its noun: ``1 project``, ``5 проектов``."""
    one, few, many = NOUNS[lang][noun]
    if lang == "en":
        form = one if value == 1 else many
    elif value % 10 == 1 and value % 100 != 11:
        form = one
    else:
        form = few if value % 10 in (2, 3, 4) and value % 100 not in (12, 13, 14) else many
    return f"{number(lang, value)} {form}"
