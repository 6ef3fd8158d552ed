"""Russian texts about cells, rows, typed numbers and pins; see `reasons`."""

#: As `reasons.RUSSIAN`.
CELLS = {
    # Cells to put right.
    "true or false, not a count": "истина или ложь, а не число",
    "not a number": "не число",
    "not a whole number": "не целое число",
    "negative": "отрицательное",
    "too large": "слишком большое",
    "two units, which would multiply each other": "две единицы, которые умножились бы друг на друга",
    "a number cannot begin so": "число не может так начинаться",
    "a letter stands among its digits": "среди цифр стоит буква",
    "its separators can be read in more than one way": "разделители можно понять по-разному",
    "its separators can be read in more than one way, or in none": "разделители нельзя понять однозначно",
    "an arrow before a number can mean a change": "стрелка перед числом может означать изменение",
    "says {word}, in the column for {metric}": "написано {word}, а столбец — {metric}",
    "an error of the spreadsheet": "ошибка таблицы",
    "not computed yet": "ещё не вычислено",
    "a date, not a count": "дата, а не число",
    "a percentage, not a count": "процент, а не число",
    "not a count": "не число",
    "more than one line, or signs that no link has": "несколько строк или знаки, которых в ссылке не бывает",
    "the cell holds several links ({links})": "в ячейке несколько ссылок ({links})",
    "leave one": "оставьте одну",
    "the link shows no profile (but a video, a group, a search …)": "ссылка не на профиль (видео, группа, поиск …)",
    "put the profile's link here": "вставьте сюда ссылку на профиль",
    "the link is of none of the platforms that Smart Sync knows ({hosts})": (
        "ссылка не с площадки, которую знает Smart Sync ({hosts})"
    ),
    "no account is created for the row": "аккаунт для строки не создаётся",
    "put the link of a profile on one of them, or delete the row": (
        "вставьте ссылку на профиль на одной из них или удалите строку"
    ),
    "the link is shortened and does not show whose it is": "ссылка сокращена, и по ней не видно, чья она",
    "open it, and put the profile's link here": "откройте её и вставьте сюда ссылку на профиль",
    "a name without its platform ({why})": "имя без площадки ({why})",
    "a text and no link, nor can one be had from behind it": "текст, а не ссылка, и за ним ссылки нет",
    "values without a link": "значения без ссылки",
    "this row is not read, for the header is below it, in row {row}": (
        "эта строка не читается: заголовок стоит под ней, в строке {row}"
    ),
    "move it below that": "перенесите её под него",
    "the row stands above the header, in row {row}": "строка стоит над заголовком, в строке {row}",
    "move it below that, or if it is meant: {command}": ("перенесите её под него или, если так и задумано: {command}"),
    "those cells below are not read": "ячейки ниже не читаются",
    "this header has no column for the link": "в этом заголовке нет столбца для ссылки",
    "a header that is not understood ({titles})": "непонятный заголовок ({titles})",
    "use known names, or [sheets.columns]": "используйте известные названия или [sheets.columns]",
    "the header is written with {letters}": "заголовок написан с {letters}",
    "correct it": "исправьте",
    "rows {rows} are the same account": "строки {rows} — один и тот же аккаунт",
    "per metric the larger value counts": "по каждой метрике считается большее значение",
    "of those with the mark of a pin": "из отмеченных закреплением",
    "of the cells that can be read": "из ячеек, которые читаются",
    "{metrics}: the last known value, larger than that of the cells that can be read": (
        "{metrics}: последнее известное значение, оно больше, чем в ячейках, которые читаются"
    ),
    "the last known value, larger than that of the cells that can be read": (
        "последнее известное значение, оно больше, чем в ячейках, которые читаются"
    ),
    "{metrics}: of those with the mark of a pin": "{metrics}: из отмеченных закреплением",
    "{metrics}: of the cells that can be read": "{metrics}: из ячеек, которые читаются",
    "it stands where the row of {link} stood, whose row is gone": "она стоит там, где была пропавшая строка {link}",
    "its link is nearly that of {link}, whose row is gone": "её ссылка похожа на ссылку {link}, чья строка пропала",
    "so many rows are gone at once that it may be one of them, such as {link}": (
        "пропало столько строк сразу, что это может быть одна из них, например {link}"
    ),
    "{n} fields where the header has {all}": "полей {n}, а в заголовке {all}",
    "put quotes around what has a separator in it": "возьмите в кавычки то, в чём есть разделитель",
    "the file ends after {n} of {all} fields": "файл кончается после {n} из {all} полей",
    "write it whole, then rename it": "запишите его целиком, потом переименуйте",
    "another column has this name too": "это название есть и у другого столбца",
    "column {letters} counts": "действует столбец {letters}",
    "no account has this link": "ни у одного аккаунта нет этой ссылки",
    "{more} more problems": "и ещё замечаний: {more}",
    "{more} more link cells show no profile": "и ещё ячеек без ссылки на профиль: {more}",
    "{accounts} are one and the same on the platform": "{accounts} — на площадке одно и то же",
    "no row has their link": "ни в одной строке нет их ссылки",
    "deactivate all but one": "отключите все, кроме одного",
    "neither the worksheet nor a parser has a value any more": "ни на листе, ни у парсера больше нет значения",
    "the last one, {value}, is used since {when}": "последнее, {value}, действует с {when}",
    "type it again, or if it is meant: {command}": "введите его снова или, если так и задумано: {command}",
    "is_active is neither 1 nor 0, so it is not synced": "is_active не 1 и не 0, поэтому не синхронизируется",
    "project {name} has this account": "этот аккаунт есть в проекте {name}",
    "its worksheet has yet to be read again": "его лист ещё не прочитан снова",
    "with the same numbers, so this worksheet looks like a copy": "с теми же числами, этот лист похож на копию",
    "worksheet {title} looks like a copy of project {name}'s: no account is created for {rows} of it": (
        "лист {title} похож на копию листа проекта {name}: аккаунты не создаются, строк: {rows}"
    ),
    "delete the copy, or if both are meant: {command}": "удалите копию, а если нужны оба листа: {command}",
    "with the same numbers, and its worksheet is gone, so this one looks like it, renamed": (
        "с теми же числами, а его листа больше нет: похоже, этот лист — он, переименованный"
    ),
    "worksheet {title} looks like project {name}'s, renamed: no account is created for {rows} of it": (
        "лист {title} похож на переименованный лист проекта {name}: аккаунты не создаются, строк: {rows}"
    ),
    "name it {name} again, or if it is another project: {command}": (
        "назовите его снова {name}, а если это другой проект: {command}"
    ),
    "it may be the row of {link} that project {name} misses": "возможно, эту строку {link} потерял проект {name}",
    "correct the link, or if it is another account: {command}": "исправьте ссылку, а если аккаунт другой: {command}",
    "see: smart-sync check": "см. smart-sync check",
    "a rule of the table refuses Smart Sync's row of the day, and readers do not see the merged values": (
        "правило таблицы не принимает строку дня от Smart Sync, и читатели не видят объединённых значений"
    ),
    "a mark that pins, and no number": "знак закрепления без числа",
    # Why a typed number is doubted.
    "this is {name}'s number": "это число аккаунта {name}",
    "this is the number of its {metric}": "это число из столбца {metric}",
    "looks like last week's": "похоже на число недельной давности",
    "looks like yesterday's": "похоже на вчерашнее число",
    "looks like that of {days} days ago": "похоже на число {days} дней назад",
    "unlike what the parser says": "парсер говорит другое",
    # Pins.
    "{pin}: past its date": "{pin}: срок прошёл",
    "worksheet and parsers decide again": "снова решают лист и парсеры",
    "{pin}, and by a mark in its cell too": "{pin}, и ещё знаком в ячейке",
    "the command's counts": "действует то, что закреплено командой",
    "take the mark out of the cell, or: {command}": "уберите знак из ячейки, или: {command}",
    "{pin}, 20 % or more off what worksheet and parsers say now": "{pin}: лист и парсеры расходятся на 20 % и больше",
    "{pin}, 20 % or more off what the parser says now": "{pin}: парсер расходится на 20 % и больше",
    "if it is over: {command}": "если закреплять больше незачем: {command}",
    "if it is over, take the mark away": "если закреплять больше незачем, уберите знак",
    "a digit is missing": "не хватает цифры",
    "a digit too many": "лишняя цифра",
    "two digits are swapped": "две цифры переставлены",
    "looks like thousands": "похоже, указаны тысячи",
    "zeros are missing": "не хватает нулей",
    "a digit is wrong": "неверная цифра",
    "looks like the growth, not the total": "похоже на прирост, а не на итог",
    "it has fallen": "значение упало",
    "far above how it has grown": "намного больше обычного роста",
}
