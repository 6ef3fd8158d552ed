"""`docs/images/edit.svg`, the picture of README, shows what the program says and writes today."""

import re

from edit_picture import MARGIN, PICTURE, TYPED, WIDTH, draw, tell


def test_the_picture_is_what_the_program_says() -> None:
    """The edit arrives in the app's database, and the picture is what `make picture` would draw of it."""
    story = tell()
    assert [row for row in story.before if TYPED in row] == []
    (changed,) = [row for row in story.after if TYPED in row]
    assert changed[-1] == "sheet"
    assert PICTURE.read_text() == draw(story), "make picture"


def test_the_picture_fits_and_loads_nothing() -> None:
    """No text is wider than its panel, and nothing comes from elsewhere."""
    text = PICTURE.read_text()
    assert "href" not in text
    assert "url(" not in text
    texts = re.findall(r'<text x="(\d+)" y="\d+"(?: class="([\w ]+)")?[^>]*>(.*?)</text>', text)
    assert len(texts) > 10
    for x, style, line in texts:
        end = int(x) if "right" in style else int(x) + len(line) * 8
        assert end <= WIDTH - MARGIN, line
