"""Smart Sync: keeps a view counter's SQLite database up to date with Google Sheets and parsed numbers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smart_sync.integrations.standalone import sync_all_projects_standalone, sync_single_project_standalone

__version__ = "1.0.0"
__all__ = ["__version__", "sync_all_projects_standalone", "sync_single_project_standalone"]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """The functions for Python callers; imported on first use, because they bring the whole daemon with them."""
        if name in __all__:
            from smart_sync.integrations import standalone

            return getattr(standalone, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
