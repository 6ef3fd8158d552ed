"""A worksheet becomes a table: `smart_sync.core.worksheet.table`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasty import NASTY_IDS, NASTY_TEXTS
from smart_sync.core.matching.match import combine, match
from smart_sync.core.matching.sheet_side import missing_accounts
from smart_sync.core.model import MAX_COUNT, METRICS, Cell, Metrics, Project, SheetRow, Table, Worksheet
from smart_sync.core.state import AccountState
from smart_sync.core.wording import MAX_SHOWN, quoted, shown
from smart_sync.core.worksheet.headers import letters
from smart_sync.core.worksheet.problem_list import MAX_PROBLEMS, MAX_SHOWN_PROBLEMS, limited
from smart_sync.core.worksheet.table import NoHeader, read_table
from smart_sync.core.worksheet.titles import Titles

HEADER: list[Cell] = ["Link", "Followers", "Likes", "Comments", "Videos", "Views"]
LINK = "https://www.tiktok.com/@user"


def table(*rows: list[Cell], locale: str = "en_US") -> Table:
    return read_table(Worksheet("Project", list(rows), locale), Titles())


def account(number: int) -> list[Cell]:
    return [f"{LINK}{number}", number, number + 1, number + 2, number + 3, number + 4]


def test_reads_a_plain_worksheet() -> None:
    """A row below the header becomes an account with its row number, link and metrics."""
    found = table(HEADER, [LINK, 1, 2, 3, 4, 5])
    places = dict(zip(("link", *METRICS), "ABCDEF", strict=True))
    rows, headers = (SheetRow(2, LINK, Metrics(1, 2, 3, 4, 5)),), tuple(map(str, HEADER))
    assert found == Table("Project", rows, letters=places, headers=headers)


def test_reads_the_columns_managers_have() -> None:
    """Columns are found by header in any order, case and spaces aside; unknown columns are left alone."""
    header: list[Cell] = ["@Username", " LINK ", "Platform", "views", "Following", "Followers", "Status", "Тематика"]
    found = table(header, ["@Maria", LINK, "TikTok", 5, 77, 1, "ok", "x"])
    assert found.rows == (SheetRow(2, LINK, Metrics(followers=1, views=5), frozenset(), "tiktok", "Maria", "x"),)
    assert found.columns == {"followers", "views"}
    assert not found.problems


def test_reads_russian_headers() -> None:
    """Russian headers are known."""
    found = table(["Ссылка", "Подписчики", "Лайки", "Комментарии", "Видео", "Просмотры"], [LINK, 1, 2, 3, 4, 5])
    assert found.rows[0].metrics == Metrics(1, 2, 3, 4, 5)


@pytest.mark.parametrize("name", ["Account URL", "account_url", "LINK:", "Ссылка на аккаунт", "\ufeffLink", "Link\n"])
def test_finds_the_link_column(name: str) -> None:
    """The column of the link has several usual names."""
    assert table([name, "Likes"], [LINK, 2]).rows[0].link == LINK


def test_reads_synonyms() -> None:
    """Names from the configuration are known too, and win over the built-in ones."""
    sheet = Worksheet("x", [["Profil", "Abonnenten", "Views"], [LINK, 1, 2]])
    found = read_table(sheet, Titles({"link": ["profil"], "followers": ["ABONNENTEN "], "likes": ["Views"]}))
    assert found.rows[0].metrics == Metrics(followers=1, likes=2)


def test_finds_the_header_below_titles() -> None:
    """Rows above the header are skipped, also one that says Link, and row numbers stay those a person sees."""
    found = table(["Report for May"], [], [None, "Link"], HEADER, account(1))
    assert [row.row for row in found.rows] == [5]


def test_takes_a_header_of_the_link_alone() -> None:
    """A worksheet without a metric has accounts all the same."""
    found = table(["Link"], [LINK])
    assert found.rows[0].metrics == Metrics()
    assert found.columns == frozenset()


@pytest.mark.parametrize(
    "header",
    [
        [["Link", "Metrics", None], ["", "Followers", "Views"]],
        [["", "Followers", "Views"], ["Link", None, ""]],
        [["Link", "Followers", "Metrics"], [None, None, "Views"]],
    ],
)
def test_reads_a_header_of_merged_cells(header: list[list[Cell]]) -> None:
    """A header that merged cells spread over two rows is read as one."""
    found = table(*header, [LINK, 1, 5])
    assert found.rows == (SheetRow(3, LINK, Metrics(followers=1, views=5)),)
    assert not found.problems


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ([], ()),
        ([[], [None, ""], ["  "]], ()),
        ([["Title"], ["Name", " Followers ", "x" * 100], ["a", "b", "c"]], ("Name", "Followers", "x" * 59 + "…")),
        ([[1, 2], [3, True]], ()),
    ],
)
def test_tells_which_headers_it_saw(rows: list[list[Cell]], seen: tuple[str, ...]) -> None:
    """Without a column for the link there is no table, and the error names the headers that are there."""
    with pytest.raises(NoHeader) as caught:
        table(*rows)
    assert caught.value.seen == seen


def test_first_of_two_columns_wins() -> None:
    """Of two columns with one name the first counts, and the second is reported with its place."""
    found = table(["Link", "Likes", "", "LIKES", "", "Account URL"], [LINK, 1, 8, 2, 9, "x"])
    assert found.rows[0].metrics == Metrics(likes=1)
    assert found.rows[0].link == LINK
    assert [(p.row, p.column, p.value) for p in found.problems] == [(1, "D", "LIKES"), (1, "F", "Account URL")]


def test_a_row_above_the_header_is_named() -> None:
    """Where a header was sorted in among the rows, each account above it is reported; a caption is none."""
    caption: list[Cell] = ["https://docs.google.com/spreadsheets/d/1", 2026]
    profile: list[Cell] = [LINK, "our brand"]
    found = table(caption, profile, account(1), [], account(2), HEADER, account(3))
    assert [row.row for row in found.rows] == [7]
    assert [(p.row, p.column, p.value) for p in found.problems] == [(3, "A", f"{LINK}1"), (5, "A", f"{LINK}2")]
    assert all("the header is below it, in row 6; move it below that" in p.reason for p in found.problems)


@pytest.mark.parametrize("count", [1, 2, 200, 201, 202])
def test_loses_no_row(count: int) -> None:
    """Every row of a worksheet of any length is read."""
    found = table(HEADER, *map(account, range(count)))
    assert [row.metrics.followers for row in found.rows] == list(range(count))


def test_blank_rows_end_nothing() -> None:
    """Blank rows in the middle do not count, and the rows below them keep their numbers."""
    blank: list[list[Cell]] = [[], [""], [None] * 9, ["  ", "-"]] * 105
    found = table(HEADER, account(1), *blank, account(2))
    assert [row.row for row in found.rows] == [2, 423]
    assert not found.problems


def test_rows_may_have_any_width() -> None:
    """Rows narrower than the header have no value there; cells beyond the header do not matter."""
    found = table(HEADER, [LINK, 1], [LINK], [*account(3), "note", 99])
    assert [row.metrics for row in found.rows] == [Metrics(1), Metrics(), Metrics(3, 4, 5, 6, 7)]


def test_last_column_may_begin_empty() -> None:
    """A last column whose first cells are empty is read where it has values."""
    found = table(HEADER, [LINK, 1, 2, 3, 4], [LINK, 1, 2, 3, 4], account(1))
    assert [row.metrics.views for row in found.rows] == [None, None, 5]


def test_unreadable_cell_is_reported_with_its_place() -> None:
    """A cell that is not a count is no value, marked unreadable, and reported with worksheet, row, column, text."""
    found = table(["x"], [*["x"] * 25, *HEADER], [*[None] * 25, LINK, "#REF!", 2, "a\x1b[31mb" + "c" * 99])
    row, (first, second) = found.rows[0], found.problems
    assert row.metrics == Metrics(likes=2)
    assert row.unreadable == {"followers", "comments"}
    assert (first.worksheet, first.row, first.column, first.value) == ("Project", 3, "AA", "#REF!")
    assert first.reason == "followers: an error of the spreadsheet"
    assert (second.column, len(second.value), second.value[:10]) == ("AC", MAX_SHOWN, "a\\x1b[31mb")


def test_locale_decides() -> None:
    """The worksheet's locale decides ambiguous text."""
    assert table(HEADER, [LINK, "1.234"], locale="de_DE").rows[0].metrics.followers == 1234
    assert table(HEADER, [LINK, "1.234"], locale="en_US").rows[0].unreadable == {"followers"}


def test_values_without_a_link_are_reported() -> None:
    """A row with values but no link is no account and a problem; a row of totals is neither."""
    rows: list[list[Cell]] = [["", 1], ["n/a", "-", 2], ["Total", 3], ["ИТОГО", 3], ["", 3, 3, None, "Total"]]
    found = table(HEADER, *rows)
    assert not found.rows
    assert [(p.row, p.column, p.value) for p in found.problems] == [(2, "B", "1"), (3, "C", "2")]


def test_repeated_header_is_no_account() -> None:
    """A header repeated further down is skipped."""
    found = table(HEADER, account(1), HEADER, account(2))
    assert [row.row for row in found.rows] == [2, 4]
    assert not found.problems


@pytest.mark.parametrize("link", [f"{LINK}\n{LINK}2", f"{LINK}\ud800", "https://a.b/\0"])
def test_unusable_link_is_reported(link: str) -> None:
    """A cell with two links, or with what is no text, is no account and a problem; the other rows are."""
    found = table(HEADER, [link, 1], account(2))
    assert [row.row for row in found.rows] == [3]
    assert [(p.row, p.column) for p in found.problems] == [(2, "A")]


def test_links_are_kept_as_written() -> None:
    """Words and handles in the column of the link are somebody's links, as they are."""
    found = table(HEADER, [" @user ", 1], [12345, 2], ["vm.tiktok.com/ZM1", 3])
    assert [row.link for row in found.rows] == ["@user", "12345", "vm.tiktok.com/ZM1"]


def test_owner_comes_from_columns_then_from_the_link() -> None:
    """Platform and user name of a new account come from their columns, and where those are blank from the link."""
    header: list[Cell] = ["Link", "Platform", "Username"]
    found = table(header, [LINK, "Threads", "@Maria"], [LINK, "", "-"], [LINK, None, "x\ud800"], [LINK])
    assert [(row.platform, row.username) for row in found.rows] == [("threads", "Maria"), *[("", "")] * 3]
    new = [account for row in found.rows for account in missing_accounts(Project("p", "P"), [row])]
    assert [(one.platform, one.username) for one in new] == [("threads", "Maria"), *[("tiktok", "user")] * 3]


def test_problems_are_bounded() -> None:
    """A worksheet of nothing but problems lists the first of them and counts the others."""
    bad: list[Cell] = [LINK, "x", "x"]
    found = table(HEADER, *[bad] * MAX_PROBLEMS)
    assert len(found.problems) == MAX_PROBLEMS + 1
    assert found.problems[-1].reason == f"{MAX_PROBLEMS:,} more problems"
    assert sum(one.count for one in found.problems) == 2 * MAX_PROBLEMS
    assert all(row.unreadable == {"followers", "likes"} for row in found.rows)
    whole = [*found.problems[:-1]] * 4
    told = limited([*whole, *found.problems], "Project")
    assert len(told) == MAX_SHOWN_PROBLEMS + 1
    assert sum(one.count for one in told) == 6 * MAX_PROBLEMS
    assert limited(found.problems, "Project") == found.problems


def test_headers_left_out_are_counted() -> None:
    """Of a wide worksheet's headers the first are named, and a person is told how many there are more."""
    assert quoted(["Link", "Views"]) == "'Link', 'Views'"
    assert quoted([str(number) for number in range(23)]).endswith(", '19' and 3 more")


counts = st.none() | st.integers(0, MAX_COUNT)
sheet_rows = st.builds(
    SheetRow,
    row=st.integers(1, 9),
    link=st.just(LINK),
    metrics=st.builds(Metrics, counts, counts, counts, counts, counts),
    platform=st.sampled_from(["", "tiktok"]),
)


def test_combines_rows_of_one_account() -> None:
    """Per metric the larger value counts; a metric is unreadable only where no row gives a value."""
    first = SheetRow(2, "a", Metrics(1, 5, None, None, 0), frozenset({"comments", "videos"}))
    second = SheetRow(7, "b", Metrics(3, 4, 6, None, None), frozenset({"views"}), "tiktok", "user")
    expected = SheetRow(2, "a", Metrics(3, 5, 6, None, 0), frozenset({"videos"}), "tiktok", "user")
    assert combine([first, second]) == expected


def test_a_larger_value_stands_in_for_a_cell_of_two_that_cannot_be_read() -> None:
    """Nobody typed a fall: of 200 and 100 the cell with 200 has become an error, and 200 stands in until it is read."""
    known = SheetRow(2, LINK, Metrics(100, 100, 300, None, 7))
    broken = SheetRow(3, LINK, Metrics(), frozenset({"followers", "comments", "videos"}))
    account = AccountState("a", "tiktok", "user", LINK, sheet=Metrics(200, 200, 200, 5, 7))
    found = match(Table("P", (known, broken)), [account])
    assert found.rows["a"].metrics == Metrics(None, 100, 300, None, 7)
    assert found.rows["a"].unreadable == {"followers", "videos"}
    (problem,) = found.problems
    assert problem.reason == (
        "rows 2, 3 are the same account; per metric the larger value counts; comments: of the cells that can be read;"
        " followers: the last known value, larger than that of the cells that can be read"
    )


@given(st.lists(sheet_rows, min_size=1, max_size=4))
def test_combining_loses_no_value(rows: list[SheetRow]) -> None:
    """The combined row has no value below one that a manager typed, and none that nobody typed."""
    together = combine(rows)
    for index in range(len(METRICS)):
        typed = [row.metrics[index] for row in rows if row.metrics[index] is not None]
        assert together.metrics[index] == (max(value for value in typed if value is not None) if typed else None)
    assert combine([together, *rows]) == together == combine([together])


cells = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([*HEADER, LINK])


@settings(deadline=None)
@given(st.lists(st.lists(cells, max_size=8), max_size=8))
def test_any_worksheet_is_read_or_refused(rows: list[list[Cell]]) -> None:
    """Whatever the cells, there is a table of storable values or `NoHeader`."""
    _read(rows)


@pytest.mark.parametrize("text", NASTY_TEXTS, ids=NASTY_IDS)
def test_lives_through_nasty_worksheets(text: str) -> None:
    """A nasty string in a title, a header, a link, a metric or a name costs nothing but its own row or cell."""
    header: list[Cell] = [*HEADER, text, "Platform", "Username"]
    good: list[Cell] = [LINK, 1, 2, 3, 4, 5]
    found = _read([[text], header, [text, 1, 2], [LINK, text, 2, None, None, None, text, text, text], good])
    assert found is not None
    assert found.rows[-1].metrics == Metrics(1, 2, 3, 4, 5)
    assert found.rows[-2].metrics.likes == 2


def _read(rows: list[list[Cell]]) -> Table | None:
    try:
        found = read_table(Worksheet("x", rows), Titles())
    except NoHeader:
        return None
    for row in found.rows:
        assert all(value is None or 0 <= value <= MAX_COUNT for value in row.metrics)
        "\n".join((row.link, row.platform, row.username)).encode()
        assert row.link
    assert all(len(problem.value) <= MAX_SHOWN and problem.value.isprintable() for problem in found.problems)
    return found


@pytest.mark.parametrize(("column", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_letters(column: int, name: str) -> None:
    """Columns have the letters that a person sees."""
    assert letters(column) == name


def test_shows_signs_that_cannot_be_seen() -> None:
    """Odd spaces and marks in a cell are shown as escapes; a line end is a space."""
    assert shown(" 1\u2002234\u00a0x\u200b \n y ") == "1\\u2002234\\xa0x\\u200b y"


def test_shows_any_number() -> None:
    """A number with more digits than Python writes is shown as what it is."""
    assert shown(10**5000) == "a number of thousands of digits"


@pytest.mark.parametrize("cell", ["#REF!", "#N/A", "#ИМЯ?", "Loading...", "Загрузка...", "", None, "two\nlines.com/@a"])
def test_a_link_that_cannot_be_read_is_nobodys_and_named(cell: Cell) -> None:
    """A row whose link cell is an error, not computed, blank or unusable is kept apart, with its number and values."""
    found = table(HEADER, account(1), [cell, 7, "x", 0, 0, 0], account(2))
    assert [row.row for row in found.rows] == [2, 4]
    assert [(row.row, row.metrics.followers, row.unreadable) for row in found.without_link] == [
        (3, 7, frozenset({"likes"}))
    ]
    assert [problem.row for problem in found.problems] == [3]


@pytest.mark.parametrize("cell", ["@Name", "#1", "#hashtag", "loading.example/a", "https://x.com/a"])
def test_whatever_else_stands_in_a_link_cell_is_a_link(cell: str) -> None:
    """Only what a spreadsheet itself writes is no link."""
    assert [row.link for row in table(HEADER, [cell, 1, 2, 3, 4, 5]).rows] == [cell]


def test_what_counts_of_two_rows_of_one_account_is_told() -> None:
    """The problem says for which metrics not simply the larger value counts: pinned ones, and those with one unread."""
    first = SheetRow(2, LINK, Metrics(1, 5, views=450), frozenset({"videos"}), pinned=frozenset({"views"}))
    second = SheetRow(3, LINK, Metrics(3, None, views=600), frozenset({"likes", "videos"}))
    accounts = [AccountState("a", "tiktok", "user", LINK)]
    found = match(Table("P", (first, second)), accounts)
    assert found.rows["a"].metrics == Metrics(3, 5, views=450)
    (problem,) = found.problems
    assert problem.reason == (
        "rows 2, 3 are the same account; per metric the larger value counts;"
        " views: of those with the mark of a pin; likes: of the cells that can be read"
    )
    plain = match(Table("P", (second._replace(unreadable=frozenset()), second._replace(row=4))), accounts)
    assert [one.reason for one in plain.problems] == [
        "rows 3, 4 are the same account; per metric the larger value counts"
    ]
