"""The project's addresses, all made of one variable; everything else about the package is in pyproject.toml."""

import tomllib
from pathlib import Path

from setuptools import setup

_PROJECT = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text(encoding="utf-8"))
#: The repository's address in a browser; empty: nobody has said it yet, and the package names none.
REPOSITORY = _PROJECT["tool"]["smart-sync"]["repository"].rstrip("/")

setup(
    project_urls={
        "Homepage": REPOSITORY,
        "Source": REPOSITORY,
        "Changelog": f"{REPOSITORY}/blob/main/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
    }
    if REPOSITORY
    else {}
)
