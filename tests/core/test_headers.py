"""What the titles of columns say: `smart_sync.core.worksheet.titles`, `headers` and `table` together."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smart_sync.core.model import METRICS, Cell, Metrics, Outcome, Table, Worksheet
from smart_sync.core.worksheet.headers import letters
from smart_sync.core.worksheet.table import read_table
from smart_sync.core.worksheet.titles import Titles
from typed import Case, cases
from world import KEY, World

LINK = "https://www.tiktok.com/@user"
TITLES = Titles()

#: Title → field and power of ten.
UNDERSTOOD = {
    "👥 Followers": ("followers", 0),
    "Followers (total)": ("followers", 0),
    "Подписчики [всего]": ("followers", 0),
    "Subs": ("followers", 0),
    "Subscriber count": ("followers", 0),
    "Кол-во подписчиков": ("followers", 0),
    "Количество подписчиков:": ("followers", 0),
    "Фолловеры": ("followers", 0),
    "Follower": ("followers", 0),
    "♥ Likes": ("likes", 0),
    "Лайков": ("likes", 0),
    "Number of likes": ("likes", 0),
    "Комментарии*": ("comments", 0),
    "Comments ⬇": ("comments", 0),
    "3. Videos": ("videos", 0),
    "Video count": ("videos", 0),
    "Number of videos": ("videos", 0),
    "Количество видео": ("videos", 0),
    "Views ↓": ("views", 0),
    "▼ Views": ("views", 0),
    "View count": ("views", 0),
    "Total views": ("views", 0),
    "Просмотры — всего": ("views", 0),
    "Просмотры\n(не трогать)": ("views", 0),
    "# of views": ("views", 0),
    "VIEWS!": ("views", 0),
    "❗️ Views ❗️": ("views", 0),
    "Views / Просмотры": ("views", 0),
    "Ｖｉｅｗｓ": ("views", 0),
    "Views\u200b": ("views", 0),
    "Просмотры, тыс.": ("views", 3),
    "Просмотры (тыс.)": ("views", 3),
    "Views (K)": ("views", 3),
    "Views, in thousands": ("views", 3),
    "Followers in millions": ("followers", 6),
    "Подписчики (млн)": ("followers", 6),
    "Тыс. просмотров": ("views", 3),
    "Views (в тысячах)": ("views", 3),
    "1) Link": ("link", 0),
    "🔗 Ссылка": ("link", 0),
    "Ссылка\nна  аккаунт": ("link", 0),
    "Link (profile)": ("link", 0),
    "Ссылка на канал": ("link", 0),
    "Соцсеть": ("platform", 0),
    "Username": ("username", 0),
    "Ник": ("username", 0),
    "Тематика": ("topic", 0),
    "Topic": ("topic", 0),
    "Telegram": ("telegram", 0),
    "Телеграм": ("telegram", 0),
    "Username (Telegram)": ("telegram", 0),
    "Telegram менеджера": ("telegram", 0),
    "Fans": ("followers", 0),
}
NOT_UNDERSTOOD = [
    "Followers (start)",
    "Followers (before)",
    "Likes (at start)",
    "Comments (initial)",
    "Подписчики (начальные)",
    "Link (video)", "Platform (topic)",
    "Reach", "Posts", "Following", "Подписки", "Views (30 days)", "Views (May)", "Views, %", "Просмотры за неделю",
    "Просмотры (новые)", "Views 2", "Δ Views", "Followers +", "Views/day", "Views K", "Views (000)", "Просмотры (т)",
    "Views (тыс. в день)", "Videos (views)", "Комментарий", "Comment", "Video", "Target views", "Views, K (тыс.)",
    "Views (ads)", "Followers (bots)", "Followers (female)", "Подписчики (платные)", "Followers (RU only)",
    "№ видео", "Видео №", "Video number",
    "Average views", "Likes / Views", "", "👍", "x" * 100,
]  # fmt: skip


def table(*rows: list[Cell], locale: str = "en_US") -> Table:
    return read_table(Worksheet("P", list(rows), locale), TITLES)


def reasons(found: Table) -> str:
    return "\n".join(map(str, found.problems))


@pytest.mark.parametrize("title", UNDERSTOOD)
def test_titles_as_people_write_them(title: str) -> None:
    """Names in any case and number, with pictures, notes, numbering and punctuation around them, are understood."""
    meaning = TITLES.meaning(title)
    assert meaning is not None
    assert (meaning.field, meaning.scale, meaning.spelling) == (*UNDERSTOOD[title], "")


@pytest.mark.parametrize("title", NOT_UNDERSTOOD)
def test_titles_of_something_else(title: str) -> None:
    """A period, a change, a share, a plan or a unit that cannot be told makes another column of it."""
    assert TITLES.meaning(title) is None


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Подпиcчики", "Latin c, read as 'подписчики'"),
        ("Прoсмoтры", "Latin o, read as 'просмотры'"),
        ("Просмотры (тыc.)", "Latin c, read as 'просмотры (тыс.)'"),
        ("Viеws", "Cyrillic е, read as 'views'"),
        ("Lіnk", "Cyrillic і, read as 'link'"),
    ],
)
def test_letters_of_another_alphabet_are_told(title: str, said: str) -> None:
    """A name with letters that only look right is read as what it looks like, and told with both spellings."""
    found = table(["Link", title, "Likes"], [LINK, 5, 1]) if title != "Lіnk" else table([title, "Likes"], [LINK, 1])
    assert said in reasons(found)
    assert title in reasons(found)


@pytest.mark.parametrize("case", cases("metric-header-not-understood-silently"), ids=lambda case: case.id)
def test_the_cases_of_titles(case: Case) -> None:
    """The cases of titles are understood."""
    titles = [title.removesuffix(" (with a Latin c)") for title in case.input.split(" | ")]
    found = table([*titles], [LINK, 7, 9])
    assert found.rows[0].metrics == Metrics(followers=7, views=9)
    assert ("Latin c" in reasons(found)) == ("Latin" in case.input)


def test_a_unit_multiplies() -> None:
    """A unit in the title multiplies its cells; one in the cell besides is a problem."""
    found = table(["Link", "Просмотры, тыс.", "Followers (K)"], [LINK, 12.5, "3"], [LINK, "12K", "1,234"])
    assert found.rows[0].metrics == Metrics(followers=3000, views=12_500)
    assert found.rows[1].unreadable == {"views", "followers"}


def test_the_plainest_name_counts() -> None:
    """Of two columns for one metric the plainest name counts, and the other is told."""
    found = table(["Link", "Total views", "Views"], [LINK, 1, 2])
    assert found.rows[0].metrics == Metrics(views=2)
    assert [(p.column, p.value) for p in found.problems] == [("B", "Total views")]


def test_a_second_header_counts_from_there_on() -> None:
    """Below a further header its own columns count; the letters of columns that moved are not told."""
    found = table(
        ["Link", "Views", "Followers", "Likes"],
        [LINK + "1", 500_000, 7000, 3],
        [],
        ["Followers", "Ссылка", "Views", "Likes"],
        [8000, LINK + "2", 200_000, 4],
    )
    assert [row.metrics for row in found.rows] == [Metrics(7000, 3, views=500_000), Metrics(8000, 4, views=200_000)]
    assert not found.problems
    assert found.letters == {"likes": "D"}


def test_a_second_header_that_is_not_understood() -> None:
    """A metric whose column cannot be told any more is no value, its last one stands in, and it is reported once."""
    found = table(["Link", "Views", "Followers"], [LINK, 5, 7], ["Link", "Posts", "Reach"], [LINK, 15, 300_000])
    assert found.rows[1].metrics == Metrics()
    assert found.rows[1].unreadable == {"followers", "views"}
    assert [problem.row for problem in found.problems] == [3]
    assert "no column for followers, views; headers seen: Link, Posts, Reach" in reasons(found)


def test_a_second_header_without_a_link() -> None:
    """A header without a known name for the link makes its metrics unreadable, unless it repeats the first."""
    first: list[Cell] = ["Link", "Views", "Followers"]
    row: list[Cell] = [LINK, 5, 7]
    found = table([*first], [*row], ["Profil", "Followers", "Views"], [LINK, 8, 9], [*first], [*row])
    assert [row.metrics for row in found.rows] == [Metrics(7, views=5), Metrics(), Metrics(7, views=5)]
    assert found.rows[1].unreadable == {"followers", "views"}
    assert [problem.row for problem in found.problems] == [3]
    assert not table([*first], [*row], ["", "Views", "Followers"], [*row]).problems


def test_a_second_header_of_unknown_words() -> None:
    """Below a word for the link and different ones for metrics nothing is read until a known header; it is told."""
    first: list[Cell] = ["Link", "Views", "Followers", "Likes"]
    row: list[Cell] = [LINK, 5, 7, 9]
    blanks: list[list[Cell]] = [[], [" ", None, ""]]
    for blank in blanks:
        found = table([*first], [*row], blank, ["Profil", "Zuschauer", "Herzen"], [*row], [*first], [*row])
        assert [row.metrics for row in found.rows] == [Metrics(7, 9, views=5), Metrics(), Metrics(7, 9, views=5)]
        assert found.rows[1].unreadable == {"followers", "likes", "views"}
        assert [problem.row for problem in found.problems] == [4]
        assert "a header that is not understood (Zuschauer, Herzen)" in reasons(found)


def test_a_row_of_words_is_no_header() -> None:
    """Between rows whatever it says; below a blank row one without a word for the link, or with other than titles."""
    first: list[Cell] = ["Link", "Views", "Followers", "Likes"]
    row: list[Cell] = [LINK, 5, 7, 9]
    between: list[list[Cell]] = [
        ["Ivan Petrov", "pending", "private"],
        ["Апрель", "план", "факт"],
        ["paste link here", "whole number", "no spaces"],
    ]
    anywhere: list[list[Cell]] = [
        ["maria", "closed", "closed"],
        ["maria", "Zuschauer", "Herzen", 5],
        ["@maria", "Zuschauer", "Herzen"],
        ["maria", "n/a", ""],
        ["Итого", "Zuschauer", "Herzen"],
        [LINK, "Zuschauer", "Herzen"],
    ]
    for other in (*between, *anywhere):
        assert table([*first], [*row], [*other], [*row]).rows[-1].metrics == Metrics(7, 9, views=5)
    for other in anywhere:
        assert table([*first], [*row], [], [*other], [*row]).rows[-1].metrics == Metrics(7, 9, views=5)


def test_numbers_below_the_header_are_no_heading() -> None:
    """Sums without a label in the row below the titles make no column another one, however they are written."""
    written: list[list[Cell]] = [["", 12, 34], ["", "1,234", "5,678"], ["", "1.234", "5.678"]]
    for sums in written:
        found = read_table(Worksheet("P", [["Link", "Views", "Likes"], sums, [LINK, "1.200", 2]], "de_DE"), Titles())
        assert found.rows[-1].metrics == Metrics(likes=2, views=1200)


def test_a_label_is_no_header() -> None:
    """The link's title alone, or a cell that happens to be one, changes no column."""
    row: list[Cell] = [LINK, 5, 7, "x"]
    for label in (["Link"], ["@maria", 1, 2, "URL"], ["Ссылка", "", ""]):
        found = table(["Link", "Views", "Followers", "Note"], [*row], [*label], [*row])
        assert found.rows[-1].metrics == Metrics(7, views=5)
        assert not found.problems


def test_a_second_header_with_a_blank_title() -> None:
    """Where the title above a metric's column is blank in a further header the metric is not read, and told."""
    found = table(["Link", "Views", "Followers"], [LINK, 5, 7], ["Link", "Views", ""], [LINK, 8, 9])
    assert found.rows[1].metrics == Metrics(views=8)
    assert found.rows[1].unreadable == {"followers"}
    assert "no column for followers" in reasons(found)
    other = table(["Link", "Views", "Followers"], [LINK, 5, 7], ["Link", "Likes", "Views"], [LINK, 8, 9])
    assert other.rows[1].metrics == Metrics(likes=8, views=9)
    assert not other.problems


def test_a_title_of_signs_alone_hides_no_number() -> None:
    """Counts below an emoji or a dash are named where a metric has no column; row numbers (``#``, ``№``) are none."""
    rows: list[list[Cell]] = [[number, f"{LINK}{number}", 1000 + number, 70 * number] for number in range(1, 5)]
    for title, said in (("👁", "👁"), ("❤️", "❤️"), ("—", "—"), ("#", None), ("№", None)):
        of_signs = table([title, "Link", "Followers", title], *rows)
        assert (said in of_signs.not_understood) if said else not of_signs.not_understood, title


def test_a_second_header_with_a_unit_and_no_link() -> None:
    """A further header that names a unit and no link is told, and what stands below it is not taken as it is."""
    first: list[Cell] = ["Link", "Followers", "Views"]
    found = table(first, [LINK, 9000, 500], ["", "Followers, тыс.", "Views, тыс."], [f"{LINK}B", 9, 5])
    assert found.rows[1].metrics == Metrics()
    assert "this header has no column for the link" in reasons(found)
    same = table(first, [LINK, 9000, 500], ["", "Followers", "Views"], [f"{LINK}B", 9, 5])
    assert same.rows[1].metrics == Metrics(followers=9, views=5)
    assert not same.problems


def test_a_unit_outside_the_titles_is_reported() -> None:
    """A unit in a section's name, in a footnote or beside the header is named with its cell."""
    first: list[Cell] = ["Link", "Views"]
    row: list[Cell] = [LINK, 5]
    places: dict[tuple[int, str], list[list[Cell]]] = {
        (3, "A"): [first, row, ["Instagram (в тысячах)"], [f"{LINK}B", 7]],
        (4, "C"): [first, row, [], ["", "", "* all numbers in thousands"]],
        (1, "D"): [[*first, "", "Note: views in thousands"], row],
    }
    for place, rows in places.items():
        found = table(*rows)
        assert [(one.row, one.column) for one in found.problems] == [place]
        assert "a unit outside the titles" in reasons(found)
    assert not table([*first, "Доход, тыс."], [*row, 12]).problems
    assert not table(first, row, ["Archive"], [f"{LINK}B", 7]).problems


def test_which_of_two_columns_counts_is_said() -> None:
    """Of several titles for one metric the plainest counts, wherever it stands, and the message says which."""
    found = table(["Link", "Views total", "Views"], [LINK, 50_000, 1000])
    assert found.rows[0].metrics == Metrics(views=1000)
    assert [(one.column, one.reason) for one in found.problems] == [
        ("B", "another column has this name too; column C counts")
    ]


@pytest.mark.parametrize("case", cases("second-header-ignored"), ids=lambda case: case.id)
def test_the_cases_of_second_headers(case: Case) -> None:
    """The cases of two tables in one worksheet: right values, or none and a problem."""
    second: list[list[Cell]] = (
        [["Link", "Followers", "Views"], [LINK + "B", 8000, 200_000]]
        if "200000" in str(case.expected)
        else [["Link", "Posts", "Reach"], [LINK + "B", 15, 300_000]]
    )
    found = table(["Link", "Views", "Followers"], [LINK, 500_000, 7000], [], *second)
    assert found.rows[1].metrics == (Metrics(8000, views=200_000) if second[0][1] == "Followers" else Metrics())
    assert found.problems or found.rows[1].metrics != Metrics()


def test_two_username_columns_are_harmless() -> None:
    """Beside ``Username``, ``@Username`` is the person who looks after the account; alone it is the account's name."""
    found = table(["@Username", "Username", "Link", "Views", "Тематика"], ["@boss", "maria", LINK, 5, "Food"])
    assert not found.problems
    assert found.rows[0][4:8] == ("", "maria", "Food", "@boss")
    found = table(["@Username", "Telegram", "Username", "Link"], ["@x", "@boss", "@maria", LINK])
    assert found.rows[0][4:8] == ("", "maria", "", "@boss")
    assert table(["@Username", "Link"], ["@maria", LINK]).rows[0].username == "maria"


@pytest.mark.parametrize(
    "label", ["Итого:", "TOTAL:", "Grand total", "Всего по проекту", "Subtotal", "Total (all)", "Σ Итого", "Среднее"]
)
def test_totals_are_nothing(label: str) -> None:
    """A row of totals is neither an account nor a problem, whatever its label."""
    rows: list[list[Cell]] = [[label, 5, 6], ["", 5, 6, label]]
    for row in rows:
        found = table(["Link", "Views", "Likes"], [LINK, 1, 2], row)
        assert len(found.rows) == 1
        assert not found.problems


def test_formulas_below_the_table_are_nothing() -> None:
    """Rows without a link in which every value is 0 were filled down; one with a value is a problem."""
    zeros: list[list[Cell]] = [["", 0, "0"]] * 20
    assert not table(["Link", "Views", "Likes"], [LINK, 1, 2], *zeros).problems
    assert [p.row for p in table(["Link", "Views", "Likes"], *zeros, ["", 0, 3]).problems] == [22]


@pytest.mark.parametrize("title", [46082, 2026, True, "", None, 1.5])
def test_numbers_below_no_text_are_reported(title: Cell) -> None:
    """Numbers below a blank cell, a number or a tick box are named by their column where a metric has none."""
    found = table(["Link", "Followers", title], [LINK, 1, 5])
    assert found.rows[0].metrics == Metrics(1)
    assert found.not_understood in ((str(title),), ("column C",))


def test_numbers_beyond_the_header_are_reported() -> None:
    """Columns that the header's row does not reach are named; a numbering on the left, and blank ones, are not."""
    assert table(["Link", "Followers"], [LINK, 1, 5, ""]).not_understood == ("column C",)
    assert not table(["", "Link", "Followers"], [1, LINK, 1, "", "x"]).not_understood


def test_a_number_beside_the_table_is_no_column() -> None:
    """A sum or a date somewhere to the right is not told: a column without a title has numbers in half of the rows."""
    rows: list[list[Cell]] = [[LINK + str(number), number, "", 99 if number == 1 else ""] for number in range(5)]
    assert not table(["Link", "Followers"], *rows).not_understood


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("Target", "views"),
        ("Last 30 days", "views"),
        ("Март", "views"),
        ("Цели", "views"),
        ("Целое число", None),
        ("01.03 – 07.03", "views"),
        ("%", "views"),
        ("Audience", None),
        ("Instagram", None),
        ("Видео", None),
        ("на 12.03.2026", None),
        ("Последнее обновление 12.03", None),
        ("Don't change!", None),
        ("TikTok 2026", None),
    ],
)
@pytest.mark.parametrize("place", ["above", "below"])
def test_a_heading_that_makes_another_number_of_a_metric(heading: str, said: str | None, place: str) -> None:
    """What stands over or under a metric's title and is a plan, a period or a share ends its column, and is named."""
    titles: list[Cell] = ["Link", "Followers", "Views", "Likes"]
    beside: list[Cell] = ["", "", heading]
    found = table(*([titles, beside] if place == "below" else [beside, titles]), [LINK, 1, 2, 3])
    row = 2 if place == "below" else 1
    assert found.rows[0].metrics.followers == 1
    if said is None:
        assert not found.problems
        assert found.rows[0].metrics == Metrics(1, 3, views=2)
        return
    assert found.rows[0].metrics.views is None
    # Of merged cells the leftmost holds the text: it goes for the columns to its right too.
    assert found.rows[0].metrics.likes == (3 if place == "below" else None)
    (problem,) = found.problems
    assert (problem.row, problem.column, problem.value) == (row, "C", heading)
    assert said in problem.reason


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        (["", "Отчёт за март"], False),
        (["", "Report for March 2026"], False),
        (["", "March 2026"], True),
        (["", "01.03.2026", "", ""], True),
        (["Кампания", "Начало: 01.03.2026", "Конец: 31.03.2026"], False),
        (["", "KPI:", 1_000_000], False),
        (["", "KPI", "1 000 000"], False),
        (["", "", "", "План: 1 000 000"], False),
        (["Last 30 days"], False),
    ],
)
def test_a_caption_of_the_whole_table_ends_no_column(caption: list[Cell], named: bool) -> None:
    """A text over all metrics tells none from another: all are read; it is named where it may say something else."""
    found = table([*caption], ["Link", "Followers", "Views", "Likes"], [LINK, 1, 2, 3])
    assert found.rows[0].metrics == Metrics(1, 3, views=2)
    assert [(p.row, p.column) for p in found.problems] == ([(1, "B")] if named else [])


@pytest.mark.parametrize("unit", ["in thousands", "тыс.", "(тыс.)", "В тысячах"])
def test_a_heading_that_is_a_unit(unit: str) -> None:
    """A unit over or under the titles multiplies the columns it stands at; elsewhere above the header it is named."""
    titles, beside = ["Link", "Followers", "Views"], ["", "", unit]
    for above, below in ((beside, titles), (titles, beside)):
        found = table([*above], [*below], [LINK, 1, 2.5])
        assert found.rows[0].metrics == Metrics(1, views=2500)
        assert not found.problems
    found = table([f"All numbers {unit}"], [], ["Link", "Views"], [LINK, 2])
    assert found.rows[0].metrics == Metrics(views=2)
    assert [(problem.row, problem.column) for problem in found.problems] == [(1, "A")]
    assert not table(["Target: 5 million views"], ["Link", "Views"], [LINK, 2]).problems


def test_a_row_of_texts_below_the_header_is_no_account_and_no_problem() -> None:
    """Plan and fact below merged titles: the plan is not read for the metric, and the whole row is the header's."""
    found = table(["Link", "Followers", "Views", "", ""], ["", "", "Plan", "Fact", "%"], [LINK, 1, 100, 50, 0.5])
    assert found.rows[0].metrics == Metrics(1)
    assert [(p.row, p.column, p.value) for p in found.problems] == [(2, "C", "Plan")]
    blank: list[Cell] = ["", "-", "n/a"]
    assert not table(["Link", "Followers", "Views"], blank, [LINK, 1, 2]).problems
    assert [p.row for p in table(["Link", "Followers", "Views"], ["", "12 480", ""], [LINK, 1, 2]).problems] == [2]


async def test_a_metric_without_a_column_is_told(world: World) -> None:
    """Where a column of numbers has a title that nobody understands, the metrics without a column are named."""
    world.add_project("P", ["a"])
    sheet = world.google.spreadsheets[KEY].worksheets
    sheet["P"] = [
        ["Link", "Followers", "Likes", "Comments", "Videos", "Reach"],
        ["https://www.tiktok.com/@a", 1, 2, 3, 4, 5],
    ]
    result = await world.sync_one()
    assert result.outcome == Outcome.SYNCED
    (said,) = [str(problem) for problem in result.problems]
    assert "no column for views; headers seen: 'Link', 'Followers'" in said
    sheet["P"][0][5] = "Manager"
    sheet["P"][1][5] = "Maria"
    assert not (await world.sync_one()).problems


async def test_no_metric_understood_degrades_the_project(world: World) -> None:
    """If the titles above the numbers are all unknown the project is degraded; a list of links alone is none."""
    world.add_project("P", ["a"])
    sheet = world.google.spreadsheets[KEY].worksheets
    sheet["P"] = [["Link", "Posts", "Reach"], ["https://www.tiktok.com/@a", 15, 300_000]]
    result = await world.sync_one()
    assert result.outcome == Outcome.DEGRADED
    assert "no column for any metric" in (result.error or "")
    assert "'Posts', 'Reach'" in (result.remedy or "")
    sheet["P"] = [["Link", "Followers", "Views"], ["", "Target", "Goal"], ["https://www.tiktok.com/@a", 15, 300_000]]
    result = await world.sync_one()
    assert result.outcome == Outcome.DEGRADED
    assert "take away the texts over or below 'Followers', 'Views'" in result.remedy
    sheet["P"] = [["Link", "Manager"], ["https://www.tiktok.com/@a", "Maria"]]
    assert (await world.sync_one()).outcome == Outcome.SYNCED


async def test_a_new_account_has_what_its_columns_say(world: World) -> None:
    """User name, topic and Telegram user of a new account come from their columns, never one from another's."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project("P")
    header = ["@Username", "Username", "Link", "Тематика", "Views"]
    rows: list[list[Cell]] = [
        ["@boss", "maria", "https://www.tiktok.com/@maria", "Food", 5],
        ["@boss", "", "https://www.tiktok.com/@b"],
    ]
    world.google.spreadsheets[KEY].worksheets["P"] = [[*header], *rows]
    result = await world.sync_one()
    assert not result.problems
    told = "SELECT username, topic, telegram_user FROM project_social_accounts ORDER BY profile_link DESC"
    assert world.execute(told) == [("maria", "Food", "@boss"), ("b", "", "@boss")]


MUTATIONS: list[Callable[[str, random.Random], str]] = [
    lambda text, _: text.upper(),
    lambda text, choose: f"{choose.choice('👁★→•')} {text}",
    lambda text, choose: (
        f"{text}{choose.choice([':', '*', ' ↓', '!', '.', ' (total)', ' [x]', ' (30 d)', ' +', ' %'])}"
    ),
    lambda text, choose: f"{choose.choice(['new ', 'total ', 'Δ ', 'avg ', '1. ', '@', 'target '])}{text}",
    lambda text, choose: f"{text}{choose.choice([' (K)', ', тыс.', ' K', ' млн', ' in thousands', ' 2', ' / day'])}",
    lambda text, _: text[:1] + "\u200b" + text[1:],
    lambda text, _: text.replace("o", "о").replace("e", "е"),
    lambda text, choose: text.replace(choose.choice(text), "", 1),
    lambda text, _: "",
]


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_no_mutated_header_gives_a_wrong_value(choose: random.Random, times: int) -> None:
    """Whatever happens to the titles, a value is the one of its own column, times its unit, or there is a problem."""
    names: list[str] = ["Link", *(metric.capitalize() for metric in METRICS)]
    for _ in range(times):
        which = choose.randrange(1, 6)
        names[which] = choose.choice(MUTATIONS)(names[which] or "x", choose)
    order = choose.sample(range(6), 6)
    values: list[Cell] = [LINK, *range(11, 16)]
    found = table([names[index] for index in order], [values[index] for index in order])
    told = found.problems or found.not_understood
    for index, metric in enumerate(METRICS, 1):
        typed = 10 + index
        value = found.rows[0].metrics[index - 1]
        column = letters(order.index(index))
        if value is None:
            assert told or metric not in found.columns
            assert told or not names[index] or TITLES.is_harmless(names[index]), names
        else:
            assert value == typed * 10 ** _scale(names[index]), names
            assert found.letters[metric] == column, names


def _scale(title: str) -> int:
    meaning = TITLES.meaning(title)
    return meaning.scale if meaning else 0


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["1.234", "1,5K", "12", "x", "#REF!", 5, 2.5, "3 mln", "25,000", None]), max_size=6),
    st.sampled_from(["1.234", "1,234", "25,000", "3,4 млн", "12t", 7, "5 просмотров"]),
    st.sampled_from(["en_US", "de_DE", "ru_RU"]),
)
def test_a_cell_never_depends_on_another(others: list[Cell], cell: Cell, locale: str) -> None:
    """One cell's value, or problem, is the same whatever stands beside, above and below it."""
    alone = table(["Link", "Views"], [LINK, cell], locale=locale).rows[0]
    rows: list[list[Cell]] = [[LINK + str(number), other, other] for number, other in enumerate(others)]
    found = table(["Link", "Views", "Likes"], *rows, [LINK, cell, others[0] if others else None], *rows, locale=locale)
    here = found.rows[len(rows)]
    assert here.metrics.views == alone.metrics.views
    assert ("views" in here.unreadable) == ("views" in alone.unreadable)
