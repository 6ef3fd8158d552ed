"""Texts that our code writes down literally: messages, with something in place of each value."""

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import smart_sync

ROOT = Path(smart_sync.__file__).parent


def texts_of(calls: Mapping[str, int]) -> Iterator[tuple[str, ast.Call, str]]:
    """Place, call and text of each argument that is a literal; ``calls``: name → how many arguments, from the first."""
    for module, name, node in calls_by_name():
        for argument in node.args[: calls.get(name, 0)]:
            if text := sample(argument):
                yield f"{module}:{node.lineno}", node, text


@functools.cache
def trees() -> list[tuple[str, ast.Module]]:
    """The name of each module of ours, and what it says."""
    return [(path.stem, ast.parse(path.read_text())) for path in sorted(ROOT.rglob("*.py"))]


@functools.cache
def calls_by_name() -> list[tuple[str, str, ast.Call]]:
    """Module, name and call of each function that is called by its bare name."""
    return [
        (module, node.func.id, node)
        for module, tree in trees()
        for node in nodes(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of a tree, as `ast.walk` gives them, in a third of its time: all tests wait for it."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        for value in vars(node).values():
            if isinstance(value, ast.AST):
                left.append(value)
            elif isinstance(value, list):
                left += [one for one in value if isinstance(one, ast.AST)]


def sample(node: ast.expr) -> str:
    """The text of a literal, with something in place of each value; "" for what is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = [str(part.value) if isinstance(part, ast.Constant) else "X1" for part in node.values]
    # What begins with a value goes on with a text that was made elsewhere.
    return "".join(parts) if any(part.strip("; ") != "X1" for part in parts) else ""


@functools.cache
def all_texts() -> list[str]:
    """Each literal text in our code."""
    found = (node for _module, tree in trees() for node in nodes(tree) if isinstance(node, ast.expr))
    return list(dict.fromkeys(text for node in found if (text := sample(node))))


#: Values in a quoted message: "…", a place before it, what a cell says behind it, a number, a name, a metric.
_VALUE = re.compile(r"…|^\w+![A-Z]+\d+: |(?<=\w) \(\w+\)$|\d[\d,]*|@\w+|\b(?:followers|likes|comments|videos|views)\b")


def says(text: str, quoted: str) -> bool:
    """Whether ``text`` has what a page quotes, but for the values."""
    parts = [part.strip(""" '";""") for part in _VALUE.split(quoted)]
    return any(parts) and all(part in text for part in parts)


def is_said(quoted: str) -> bool:
    """Whether any text of ours has what a page quotes."""
    return any(says(text, quoted) for text in all_texts())
