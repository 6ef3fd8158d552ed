"""The documents: what is made from the code is as the code has it, links lead somewhere, the site can be built."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

import reference_http
import reference_pages
from markdown_pages import DOCS, ROOT, anchors, blocks, links, missing_files, navigation, pages, texts
from reference_commands import every_command
from reference_configuration import every_section
from reference_database import READABLE, every_table
from reference_python import PUBLIC
from reference_types import OBJECTS
from smart_sync import config
from smart_sync.config import keys
from smart_sync.events import EVENTS
from source_comments import own_comments


@pytest.mark.parametrize("name", reference_pages.PAGES)
def test_the_reference_is_as_the_code_has_it(name: str) -> None:
    """Each page is what `make docs` would write."""
    assert (reference_pages.FOLDER / f"{name}.md").read_text() == reference_pages.page(name), "run: make docs"


def test_the_folder_has_no_other_page() -> None:
    """Nothing is left of a page that is made no more, and none is written by hand."""
    assert {path.stem for path in reference_pages.FOLDER.iterdir()} == set(reference_pages.PAGES)


def test_every_key_is_explained() -> None:
    """Each key of the configuration has a text of its own; those of the shipped file and of `config show` are there."""
    known = {key.heading: key for section in every_section() for key in section.keys}
    assert [heading for heading, key in known.items() if not key.text or not key.kind] == []
    assert "parsers.<name>.tokens" in known
    sections = {name.partition(".")[0] for name in known}
    assert sections == {name for name in config.Settings.model_fields if name != "token_file"}


_KEY_AND_DEFAULT = re.compile(r"`\[(\w+)\] (\w+)`(?:\]\([^)]*\))? \((?:new, )?([^()\n`]{1,20})\)")


def test_a_default_that_a_page_tells_is_the_keys() -> None:
    """``[sheets] stale_after`` ("6h"), in brackets behind the key, in the file's words or in days and hours."""
    defaults = {key.heading: key.default.strip('`"') for section in every_section() for key in section.keys}
    told = {
        (page.name, f"{section}.{name}", value.strip('"'))
        for page in pages()
        for section, name, value in _KEY_AND_DEFAULT.findall(page.read_text())
    }
    assert len(told) > 7
    wrong = [one for one in told if defaults[one[1]] != re.sub(r"^(\d+) ([dh])(?:ays|ours)$", r"\1\2", one[2])]
    assert wrong == []


def test_every_variable_sets_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable that the reference names is one that is not refused as misspelt."""
    path = tmp_path / "config.toml"
    path.write_text('[sheets]\nsource = "csv"\ndirectory = "sheets"\n')
    named = {key.variable for section in every_section() for key in section.keys if key.variable}
    assert list(keys.misspelt(dict.fromkeys(named, "x"), {})) == []
    monkeypatch.setenv("SMART_SYNC_SHEETS__TIMEOUT", "7s")
    monkeypatch.setenv("SMART_SYNC_PARSERS__STATE", "/tokens")
    monkeypatch.setenv("SMART_SYNC_SYNC__DEFAULTS__PROJECTS", '{"geo": "EU"}')
    settings = config.load(path)
    assert (settings.sheets.timeout, str(settings.token_file)) == (7, "/tokens")
    assert settings.sync.defaults.projects == {"geo": "EU"}


def test_every_option_of_an_endpoint_is_explained() -> None:
    """The docstring of each endpoint names exactly the options that its code takes."""
    endpoints = reference_http.every_endpoint()
    assert {one.path: set(one.options) for one in endpoints} == {one.path: one.taken for one in endpoints}
    assert [one.path for one in endpoints if not one.text] == []


def test_every_object_that_an_endpoint_names_has_a_table() -> None:
    """What an endpoint is said to answer is declared; comments are about keys that there are."""
    text = reference_pages.page("http-api")
    for name in ("PassAnswer", "ProjectAnswer", "StatusAnswer", "HealthAnswer", "AliveAnswer", "PinsAnswer"):
        assert f"### {name}\n" in text
    for declared in OBJECTS.values():
        assert declared.__doc__
        assert set(own_comments(declared)) <= set(declared.__annotations__)


def test_every_event_and_command_has_a_heading() -> None:
    """What a message names can be looked up by its name."""
    events, commands = (anchors(reference_pages.FOLDER / f"{name}.md") for name in ("events", "commands"))
    assert {name.replace(".", "") for name in EVENTS} <= events
    assert {name.replace(" ", "-") for name in every_command()} <= commands


def test_tables_for_readers_are_explained() -> None:
    """Each table of ours that the web app may read has a text."""
    tables = every_table()
    assert [name for name in READABLE if not tables[name].text] == []


def test_every_column_has_its_meaning() -> None:
    """Of all tables, ours and the shared ones: what stands in it, and what an empty one says."""
    assert [
        (one.name, column.name) for one in every_table().values() for column in one.columns if not column.text
    ] == []


def test_what_the_documents_import_is_public() -> None:
    """Each name that a Python block of the documents takes from us is on the page of the Python API."""
    known = {f"{module}.{name}" for modules in PUBLIC.values() for module, names in modules.items() for name in names}
    known |= set(dict.fromkeys(name.rpartition(".")[0] for name in known))
    shown = {
        f"{line.split()[1]}.{name.strip()}"
        for page in pages()
        for block in blocks(page)
        if block.language == "python"
        for line in block.text.splitlines()
        if line.startswith("from smart_sync")
        for name in line.partition(" import ")[2].split(",")
    }
    assert shown - known == set()


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a file of the repository finds it, and its heading; the page names no folder of a machine."""
    for target in links(page):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or file.suffix != ".md" or anchor in anchors(file), f"{page.name}: {target}"


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_file_that_a_page_names_is_there(page: Path) -> None:
    """In the repository or the package; but for those that a worked example adds."""
    assert [name for name in missing_files(page) if "twitter" not in name] == []


def test_the_map_names_every_folder_of_the_package() -> None:
    """CONTRIBUTING's map has each folder, from top to bottom, and none that is not there."""
    (shown,) = [text for text in texts(ROOT / "CONTRIBUTING.md", "") if text.startswith("cli ")]
    named = {word for line in shown.splitlines() for word in re.split(" {3,}", line)[0].split()}
    package = ROOT / "daemon" / "smart_sync"
    there = {path.name for path in package.iterdir() if (path / "__init__.py").exists()}
    assert named - {"logs"} == there
    assert (package / "logs.py").exists()


def test_every_page_is_in_the_navigation() -> None:
    """Each page of docs/ once, and no page that is not there."""
    listed = navigation()
    assert sorted(listed) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_the_site_can_be_built(tmp_path: Path) -> None:
    """Without a warning, without the network, with the reference, and with nothing of another host in it."""
    zensical = Path(sys.executable).with_name("zensical")
    for name in ("docs", "zensical.toml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    built = subprocess.run(
        [zensical, "build", "--strict"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    page = (tmp_path / "build" / "site" / "reference" / "configuration.html").read_text()
    assert 'id="sheetstimeout"' in page
    assert "fonts.googleapis" not in page
    assert "unpkg.com" not in page
