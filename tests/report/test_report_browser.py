"""The report in a real browser: what it shows, what it says and asks for, and what mouse and keyboard do.

Needs Debian's ``chromium-headless-shell`` (or any Chromium); without one these tests are skipped.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from browser import Browser, Tab, find
from nasty import NASTY_TEXTS
from report_data import NOW, ReportDatabase, fill, grown, report_of
from smart_sync.report.inputs import Options

EXECUTABLE = find()
pytestmark = pytest.mark.skipif(
    EXECUTABLE is None, reason="no Chromium: install it with apt-get install chromium-headless-shell"
)

LIVE = "document.querySelectorAll('.live')[0]"
PLOT = f"{LIVE}.querySelector('.plot')"
READOUT = f"{LIVE}.querySelector('.readout').textContent"
DRAWN = "[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('canvas'))"
SCHEMES = ("light", "dark")
#: From npm, where it is installed in this folder; it is no part of the product.
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
HARMFUL_PROJECT = "<script>alert(1)</script>"

#: Text whose contrast against what is behind it is below WCAG AA (4.5; 3 for large text).
LOW_CONTRAST = """(() => {
  const light = (rgb) => rgb.map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (e) => { for (; e; e = e.parentElement) {
    const c = colour(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c.slice(0, 3); } };
  return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility()
    && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && !e.closest('script, option')).filter(e => {
    const style = getComputedStyle(e), a = light(colour(style.color).slice(0, 3)), b = light(behind(e));
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5);
  }).map(e => e.outerHTML.slice(0, 80));
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert EXECUTABLE
    with Browser(EXECUTABLE, tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A harmful project whose account has values of 9, 8, 3, 1 and 0 days ago, and an ordinary one."""
    folder = tmp_path_factory.mktemp("report")
    database = ReportDatabase(folder / "view_counter.db")
    project_id = database.project(HARMFUL_PROJECT)
    account = database.account(project_id, "</script><img src=x onerror=alert(1)>", link="javascript:alert(1)")
    database.snapshots(account, grown({9: 1_600, 8: 1_500, 3: 9_000, 1: 9_500, 0: 10_250}))
    database.account(project_id, "\u202eno values")
    database.passed(project_id, "degraded", "the worksheet cannot be read </td><script>alert(1)</script>")
    fill(database, projects=1, accounts=4, days=60)
    database.execute("UPDATE projects SET target_views = 20000")
    written = folder / "growth.html"
    written.write_bytes(report_of(database.path, options=Options("operator")))
    return written


def opened(browser: Browser, page: Path, **media: str) -> Tab:
    tab = browser.open(page, **media)
    tab.until(DRAWN)
    return tab


def silent(tab: Tab, page: Path) -> bool:
    """Whether the page has said nothing on the console and asked for nothing but itself."""
    return tab.said() == [] and tab.requests() == [page.as_uri()]


def choose(tab: Tab, name: str, value: str) -> None:
    tab.run(
        f"(() => {{ const s = {LIVE}.querySelector('[name={name}]'); s.value = {json.dumps(value)};"
        " s.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def drawn(tab: Tab) -> list[str]:
    """The texts of the first chart, drawn once more; each must lie within its canvas."""
    tab.run(
        "(() => { window.drawn = []; window.cut = []; const draw = CanvasRenderingContext2D.prototype.fillText;"
        " CanvasRenderingContext2D.prototype.fillText = function (text, x, y) { window.drawn.push(text);"
        " const wide = this.measureText(text).width, left = { left: x, start: x, center: x - wide / 2 }[this.textAlign]"
        " ?? x - wide; if (left < 0 || left + wide > this.canvas.width) window.cut.push(text);"
        " draw.call(this, text, x, y); }; })()"
    )
    choose(tab, "show", "level")
    tab.until("window.drawn.length > 3")
    assert tab.run("window.cut") == []
    texts: list[str] = tab.run("window.drawn")
    return texts


def test_axes_name_the_days_and_the_target(browser: Browser, page: Path, tmp_path: Path) -> None:
    """Each tick is whole; the target has its line; the first day's axis is that day's; two years name the year."""
    assert "target: 20,000" in drawn(opened(browser, page))
    database = ReportDatabase(tmp_path / "view_counter.db")
    account = database.account(database.project("P"), "a")
    for days, said in ((1, "10 Mar"), (120, "6 Jan 26")):
        database.execute("DELETE FROM account_snapshots")
        database.snapshots(account, grown({ago: 900_000_000 - 1_000 * ago for ago in range(days)}))
        written = tmp_path / f"{days}.html"
        written.write_bytes(report_of(database.path, None, 200, NOW))
        texts = [text for text in drawn(opened(browser, written)) if text[-1].isalpha() or " " in text]
        assert said in texts
        assert days > 1 or {text.split()[1] for text in texts if " " in text} == {"Mar"}


def test_it_shows_everything_and_asks_for_nothing(browser: Browser, page: Path) -> None:
    """Each project has its sections and charts; nothing on the console, no request, no element out of a name."""
    tab = opened(browser, page)
    headings = tab.run("[...document.querySelectorAll('h2, #project-0 ~ h3')].map(h => h.textContent)")
    assert HARMFUL_PROJECT in headings
    for heading in (
        "In detail",
        "To put right",
        "Totals",
        "Accounts",
        "Movers",
        "Corrected by hand",
        "Stale",
        "Last passes",
    ):
        assert heading in headings
    assert tab.run("document.querySelectorAll('.cards svg path').length") >= 5
    assert tab.run("document.images.length + document.querySelectorAll('iframe, object, embed, base').length") == 0
    assert silent(tab, page)


def test_every_nasty_name_leaves_the_page_whole(browser: Browser, tmp_path: Path) -> None:
    """With a project and an account for each nasty text all charts are drawn, and nothing is said or asked for."""
    database = ReportDatabase(tmp_path / "view_counter.db")
    for number, text in enumerate(NASTY_TEXTS):
        storable = text.encode(errors="replace").decode()
        account = database.account(database.project(storable, project_id=f"p{number}"), storable, link=storable)
        database.snapshots(account, grown({0: 20, 1: 10}))
    written = tmp_path / "growth.html"
    written.write_bytes(report_of(database.path))
    tab = opened(browser, written)
    assert tab.run("document.querySelectorAll('main > section').length") == len(NASTY_TEXTS) + 2
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    assert silent(tab, written)


def test_the_policy_is_in_force(browser: Browser, page: Path, tmp_path: Path) -> None:
    """Should markup get in one day, the browser refuses to run it or to fetch for it."""
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text().replace("<h1>", "<script>window.ran = 1</script><img src='x.png'><h1>"))
    tab = opened(browser, broken)
    assert tab.run("window.ran === undefined")
    assert "Content Security Policy" in " ".join(tab.said())


def test_hover_reads_the_chart(browser: Browser, page: Path) -> None:
    """Under the mouse the day and its value are shown; a day without a snapshot says so."""
    tab = opened(browser, page)
    tab.run(f"{LIVE}.scrollIntoView()")
    box = tab.run(f"JSON.parse(JSON.stringify({PLOT}.querySelector('.u-over').getBoundingClientRect()))")
    step = box["width"] / tab.run("JSON.parse(document.getElementById('data').textContent).days - 1")
    for ago, said in ((3, "7 Mar 2026: 9,000 views"), (5, "5 Mar 2026: no value"), (0, "10 Mar 2026: 10,250 views")):
        tab.mouse("mouseMoved", x=box["right"] - step * ago - (1 if ago == 0 else 0), y=box["top"] + 50)
        tab.until(f"{READOUT} === {json.dumps(said)}")


def test_dragging_zooms_and_a_double_click_ends_it(browser: Browser, page: Path) -> None:
    """What is dragged over fills the chart, and the table behind it; a double-click shows all days."""
    tab = opened(browser, page)
    tab.run(f"{LIVE}.querySelector('details').open = true")
    tab.run(f"{LIVE}.scrollIntoView()")
    rows = f"{LIVE}.querySelectorAll('tbody tr').length"
    tab.until(f"{rows} === 60")
    box = tab.run(f"JSON.parse(JSON.stringify({PLOT}.querySelector('.u-over').getBoundingClientRect()))")
    y = box["top"] + 50
    tab.mouse("mouseMoved", x=box["left"] + box["width"] / 2, y=y)
    tab.mouse("mousePressed", x=box["left"] + box["width"] / 2, y=y, button="left", clickCount=1)
    tab.mouse("mouseMoved", x=box["right"] - 2, y=y, button="left", buttons=1)
    tab.mouse("mouseReleased", x=box["right"] - 2, y=y, button="left", clickCount=1)
    tab.until(f"{rows} > 20 && {rows} <= 31")
    for clicks in (1, 2):
        tab.mouse("mousePressed", x=box["left"] + 50, y=y, button="left", clickCount=clicks)
        tab.mouse("mouseReleased", x=box["left"] + 50, y=y, button="left", clickCount=clicks)
    tab.until(f"{rows} === 60")


def test_the_keyboard_does_what_the_mouse_does(browser: Browser, page: Path) -> None:
    """Arrows move from day to day and are read out; + and 0 zoom; the focus is to be seen and can leave."""
    tab = opened(browser, page)
    tab.run(f"{LIVE}.querySelector('button[data-zoom=all]').focus()")
    tab.press("Tab")
    assert tab.run(f"document.activeElement === {PLOT}")
    assert tab.run(f"getComputedStyle({PLOT}).outlineStyle") == "solid"
    tab.press("ArrowLeft")
    assert tab.run(f"{PLOT}.getAttribute('aria-valuetext')") == "9 Mar 2026: 9,500 views"
    tab.press("ArrowLeft")
    assert tab.run(READOUT) == "8 Mar 2026: no value"
    tab.run(f"{LIVE}.querySelector('details').open = true")
    tab.until(f"{LIVE}.querySelectorAll('tbody tr').length === 60")
    tab.press("+")
    tab.until(f"{LIVE}.querySelectorAll('tbody tr').length <= 31")
    tab.press("0")
    tab.until(f"{LIVE}.querySelectorAll('tbody tr').length === 60")
    tab.press("Home")
    assert tab.run(READOUT).startswith("10 Jan 2026")
    tab.press("Tab")
    assert tab.run("document.activeElement.tagName") == "SUMMARY"


def test_the_browser_unpacks_what_python_packed(browser: Browser, page: Path) -> None:
    """The table behind the chart holds every value, of an account or of the change per day, gaps as gaps."""
    tab = opened(browser, page)
    choose(tab, "account", "0")
    tab.run(f"{LIVE}.querySelector('details').open = true")
    cells = f"[...{LIVE}.querySelectorAll('tbody td')].slice(0, 11).map(cell => cell.textContent)"
    tab.until(f"{LIVE}.querySelector('tbody')")
    assert tab.run(cells) == ["10,250", "9,500", "–", "9,000", *"––––", "1,500", "1,600", "–"]
    choose(tab, "show", "daily")
    assert tab.run(cells) == ["+750", *"–––––––", "−100", "–", "–"]
    choose(tab, "metric", "0")
    assert tab.run(cells)[0] == "+75"
    assert silent(tab, page)


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm install --no-save --no-package-lock axe-core")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 360)])
def test_axe_finds_nothing(browser: Browser, page: Path, scheme: str, width: int) -> None:
    """axe-core finds no violation, on a desktop in light and on a phone in dark."""
    tab = opened(browser, page, prefers_color_scheme=scheme)
    tab.resize(width, mobile=width < 500)
    tab.run(f"{AXE.read_text()}; 0")
    assert tab.run("axe.run().then(found => found.violations.map(one => [one.id, one.nodes[0].html]))") == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colours_have_contrast(browser: Browser, page: Path, scheme: str) -> None:
    """All text has the contrast of WCAG AA, in light and in dark."""
    tab = opened(browser, page, prefers_color_scheme=scheme)
    background = tab.run("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    assert tab.run(LOW_CONTRAST) == []


def test_the_scheme_may_change_while_it_is_open(browser: Browser, page: Path) -> None:
    """The drawn charts follow the system when it turns dark."""
    tab = opened(browser, page, prefers_color_scheme="light")
    before = tab.run(f"{PLOT}.querySelector('canvas').toDataURL()")
    tab.emulate(prefers_color_scheme="dark")
    tab.until(f"{PLOT}.querySelector('canvas').toDataURL() !== {json.dumps(before)}")


def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, page: Path) -> None:
    """At 360 pixels the page is as wide as the screen, and the chart follows."""
    tab = browser.open(page)
    tab.resize(360, 740, mobile=True)
    tab.until(DRAWN)
    tab.until(f"{PLOT}.querySelector('canvas').getBoundingClientRect().width <= 360")
    assert tab.run("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]
    heads = "[...document.querySelectorAll('main > section .scroll')].filter(e => e.checkVisibility())"
    views = f"{heads}.map(e => e.querySelectorAll('thead th')[1]).filter(e => e.textContent === 'Views')"
    assert tab.run(f"{views}.length") >= 3
    assert tab.run(f"{views}.every(e => e.getBoundingClientRect().right <= 360)")


def test_paper_shows_lines_instead_of_controls(browser: Browser, page: Path) -> None:
    """Printed, also from a dark screen, it is dark on white, with the plain chart in place of the live one."""
    tab = opened(browser, page)
    tab.emulate(media="print", prefers_color_scheme="dark")
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.run("document.querySelector('.static svg').checkVisibility()")
    labels = "[...document.querySelector('.static svg').querySelectorAll('text')].map(e => e.textContent)"
    assert {"20\u00a0k", "10 Mar"} <= {*tab.run(labels)}
    assert not tab.run(f"{LIVE}.checkVisibility()")


def test_it_has_the_bones_of_an_accessible_page(browser: Browser, page: Path) -> None:
    """Language, one first heading, no level skipped, named charts, labelled controls, captions, no id twice."""
    tab = opened(browser, page)
    assert tab.run("document.documentElement.lang") == "en"
    levels = tab.run("[...document.querySelectorAll('h1, h2, h3, h4')].map(h => Number(h.tagName[1]))")
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for unnamed in (
        "[...document.querySelectorAll('svg')].filter(e => !e.getAttribute('aria-label'))",
        "[...document.querySelectorAll('select')].filter(e => !e.labels.length)",
        "[...document.querySelectorAll('table')].filter(e => !e.caption)",
        "[...document.querySelectorAll('section')].filter(e => !e.ariaLabel && !e.ariaLabelledByElements?.length)",
        "[...document.querySelectorAll('[id]')].filter((e, _, all) => all.filter(o => o.id === e.id).length > 1)",
    ):
        assert tab.run(f"{unnamed}.length") == 0, unnamed


def test_a_single_day_is_drawn(browser: Browser, tmp_path: Path) -> None:
    """One snapshot, or none, is no error in the browser either."""
    database = ReportDatabase(tmp_path / "view_counter.db")
    database.snapshots(database.account(database.project("P"), "a"), grown({0: 7}))
    database.project("Q")
    written = tmp_path / "growth.html"
    written.write_bytes(report_of(database.path))
    tab = opened(browser, written)
    tab.run(f"{PLOT}.focus()")
    for key in ("ArrowLeft", "ArrowRight", "+", "-", "0", "End"):
        tab.press(key)
    assert tab.run(READOUT) == "10 Mar 2026: 7 views"
    middle = tab.run(f"{PLOT}.querySelector('.u-over').clientWidth / 2")
    assert tab.run(f"{PLOT}.querySelector('.u-cursor-x').style.transform") == f"translate({middle:.0f}px, 0px)"
    assert silent(tab, written)


def test_an_empty_report_says_nothing_on_the_console(browser: Browser, tmp_path: Path) -> None:
    """The page of an empty database runs without an error."""
    ReportDatabase(tmp_path / "view_counter.db")
    written = tmp_path / "growth.html"
    written.write_bytes(report_of(tmp_path / "view_counter.db"))
    assert silent(browser.open(written), written)
