"""``docs/reference/python-api.md``: what other programs import, with signatures and docstrings."""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator

from source_comments import own_comments, paragraphs

_INTRODUCTION = """\
# Python API

The names that web apps, task queues and parsers of other packages may import. Everything else may change with any
version. A failure that an operator can fix is an answer with `"success": false` and `error`, not an exception, unless
the text says so.
"""
#: Module → its public names; heading → modules.
PUBLIC: dict[str, dict[str, tuple[str, ...]]] = {
    "A pass without a daemon": {
        "smart_sync": ("sync_all_projects_standalone", "sync_single_project_standalone", "__version__"),
    },
    "FastAPI": {"smart_sync.integrations.fastapi": ("router", "app")},
    "Celery": {
        "smart_sync.integrations.celery": ("app", "register", "smart_sync_all_projects", "smart_sync_single_project"),
    },
    "Parsers": {
        "smart_sync.parsers.parser": ("Parser", "Fetched", "Unfetched", "Paused", "RoundOver", "Usage"),
        "smart_sync.core.model": ("Account", "Metrics", "ParsedMetrics", "Precision"),
        "smart_sync.errors": ("ParserFailed",),
        "smart_sync.config": ("ParserSettings",),
        "smart_sync.config.secrets": ("Secret",),
    },
    "Parsers of an API": {
        "smart_sync.parsers.per_account": ("PlatformParser", "name_of"),
        "smart_sync.parsers.api_client": ("ApiSettings", "ApiUrl", "Session"),
        "smart_sync.parsers.budget": ("ApiRate", "Rate"),
        "smart_sync.parsers.http": ("HttpRequest", "HttpResponse"),
        "smart_sync.parsers.failures": ("AccountGone", "AccountFailed", "Refused", "Throttled"),
        "smart_sync.parsers.response_values": ("count", "mapping", "mappings", "text", "total"),
        "smart_sync.parsers.error_responses": ("judge", "decoded"),
    },
}  # fmt: skip
#: What has no docstring of its own: a type, or what a module makes when it is asked for.
_TEXTS = {
    "__version__": "The version of the distribution `smart-sync-daemon`.",
    "smart_sync.integrations.fastapi.app": "The router as an application of its own; `SMART_SYNC_API_TOKEN` holds the"
    " token, `SMART_SYNC_CONTROL__SOCKET` the path of the socket.",
    "smart_sync.integrations.celery.app": "The tasks in an application of their own; `CELERY_BROKER_URL` holds the"
    " broker, `SMART_SYNC_CONFIG` the path of the configuration.",
    "Fetched": "What `fetch` yields: `ParsedMetrics` or `Unfetched`.",
    "Secret": "The type of a key of a parser's settings that holds a secret: `env:NAME`, `file:PATH`,"
    " `credential:NAME`, or the text itself; `get_secret_value()` gives it.",
    "ApiUrl": "The type of a key that holds the address of an API.",
    "ApiRate": 'The type of a key that holds a rate: `"600/min"`.',
}  # fmt: skip


def as_markdown() -> str:
    """The page."""
    lines = [_INTRODUCTION]
    for heading, modules in PUBLIC.items():
        lines += [f"## {heading}", ""]
        for module, names in modules.items():
            for name in names:
                lines += _section(module, name)
    return "\n".join(lines) + "\n"


def _section(module: str, name: str) -> Iterator[str]:
    yield from (f"### {module}.{name}", "")
    text = _TEXTS.get(f"{module}.{name}") or _TEXTS.get(name)
    if text is not None:
        yield from (text, "")
        return
    found = getattr(importlib.import_module(module), name)
    (declared,) = ast.parse(textwrap.dedent(inspect.getsource(found))).body
    yield from ("```text", _signature(declared), "```", "")
    for paragraph in paragraphs(found.__doc__):
        yield from (paragraph, "")
    if isinstance(declared, ast.ClassDef) and (members := list(_members(declared, own_comments(found)))):
        yield from (*members, "")


def _signature(declared: ast.AST) -> str:
    """As it is written in the source, in one line."""
    if isinstance(declared, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in declared.bases)
        return f"class {declared.name}({bases})" if bases else f"class {declared.name}"
    assert isinstance(declared, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = ast.unparse(declared.args).removeprefix("self").removeprefix(", ")
    gives = f" -> {ast.unparse(declared.returns)}" if declared.returns is not None else ""
    waits = "async " if isinstance(declared, ast.AsyncFunctionDef) else ""
    return f"{waits}{declared.name}({arguments}){gives}"


def _members(declared: ast.ClassDef, comments: dict[str, str]) -> Iterator[str]:
    """The public fields and methods of a class."""
    for node in declared.body:
        if isinstance(node, ast.AnnAssign) and not ast.unparse(node.target).startswith("_"):
            comment = comments.get(ast.unparse(node.target), "")
            yield f"- `{ast.unparse(node)}`{f': {comment}' if comment else ''}"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield f"- `{_signature(node)}`: {' '.join(paragraphs(ast.get_docstring(node)))}"
