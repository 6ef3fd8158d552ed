"""Our reasons and remedies in Russian, sentence by sentence; `translation` finds them in a text."""

from smart_sync.core.notices.cell_reasons import CELLS
from smart_sync.core.notices.parser_reasons import PARSERS
from smart_sync.core.notices.phrases import METRIC_NAMES

#: A part of a reason or remedy, as it stands between semicolons → the same in Russian.
RUSSIAN = {
    **CELLS,
    **PARSERS,
    "this makes another number of {metrics}": "с этой надписью столбцы {metrics} — другие числа",
    "that is not read": "они не читаются",
    "write it into the title": "впишите её в название столбца",
    "this stands over all numbers, which are read as totals": "надпись стоит над всеми числами, они читаются как итоги",
    "if they are none, write it into the titles": "если это не так, впишите её в названия столбцов",
    "take away the texts over or below {titles}": "уберите надписи над или под {titles}, с ними это другие числа",
    "a unit outside the titles counts for no column": "единица не в названии не относится ни к одному столбцу",
    "write it into the titles of the metrics": "впишите её в названия столбцов",
    "the cell shows {text}, and the link behind it is {name}'s": "в ячейке {text}, а ссылка под ней — {name}",
    "correct one of them": "исправьте одно из двух",
    # A worksheet that cannot be read.
    'worksheet "{title}" is not in {place}': "листа «{title}» нет в {place}",
    'worksheet "{title}" is not in the spreadsheet': "листа «{title}» нет в таблице",
    "rename the worksheet or the project": "переименуйте лист или проект",
    'the projects {ids} have one name and so share worksheet "{title}"': (
        "у проектов {ids} одно название, а значит, и один лист «{title}»"
    ),
    "no account is created for its rows": "для его строк аккаунты не создаются",
    "rename all but one of them and give each its worksheet, or set is_active = 0": (
        "переименуйте все, кроме одного, и дайте каждому свой лист или поставьте is_active = 0"
    ),
    'worksheet "{title}" has its accounts': "его аккаунты — на листе «{title}»",
    'name it "{name}" again, or rename the project': "верните листу имя «{name}» или переименуйте проект",
    "a rule of account_snapshots refuses the row of the day of {accounts}: readers do not see the merged values": (
        "правило account_snapshots не принимает строку дня, {accounts}: читатели не видят объединённых значений"
    ),
    "switch the web app's own sync off, or drop the rule": (
        "отключите собственную синхронизацию веб-приложения или удалите правило"
    ),
    "all others belong to projects": "остальные листы принадлежат проектам",
    "there is {titles}": "есть: {titles}",
    "add {file}.csv": "добавьте {file}.csv",
    'worksheet "{title}" cannot be a file': "лист «{title}» не может быть файлом",
    "a title for a CSV file has no / \\ in it": "в названии для файла CSV не может быть / и \\",
    "{path} cannot be read: {why}": "{path} не читается: {why}",
    "check {table} path": "проверьте {table} path",
    "{path} has no values: {why}": "в {path} нет значений: {why}",
    "no line is below its header": "под заголовком нет ни одной строки",
    "did what should have written it fail?": "то, что его пишет, завершилось с ошибкой?",
    "split the worksheet": "разделите лист",
    "check that it is a file, not a link or a folder, and its permissions": (
        "проверьте, что это файл, а не ссылка и не папка, и права на него"
    ),
    "{file} is not UTF-8 in line {line}": "{file}: строка {line} не в UTF-8",
    "save it as CSV UTF-8": "сохраните его как CSV UTF-8",
    "{file} is not valid CSV: {why}": "{file}: неверный CSV: {why}",
    "look for an unclosed quote": "найдите незакрытую кавычку",
    "the directory of worksheets {path} cannot be read: {why}": "папка с листами {path} не читается: {why}",
    "correct [sheets] directory": "исправьте [sheets] directory",
    "if it is on a network drive, check that drive": "если он на сетевом диске, проверьте этот диск",
    "the file of the Google credentials cannot be read: {why}": "файл ключа Google не читается: {why}",
    "reading was stopped": "чтение прервано",
    'Google cannot read worksheet "{title}"': "Google не может прочитать лист «{title}»",
    "is it a chart?": "возможно, это диаграмма",
    'Google\'s answer for worksheet "{title}" is not what it should be: {why}': (
        "ответ Google для листа «{title}» не такой, как должен быть: {why}"
    ),
    "if it lasts, look for a proxy between here and Google": "если повторяется, поищите прокси между нами и Google",
    "there are no credentials for Google": "нет ключа для Google",
    "create a service account with a JSON key in Google Cloud, and name the file in [sheets] credentials": (
        "создайте в Google Cloud сервисный аккаунт с ключом JSON и укажите файл в [sheets] credentials"
    ),
    "an OAuth client or an API key will not do: {how}": "клиент OAuth или ключ API не подойдут: {how}",
    "the Google credentials {path} cannot be read: {why}": "ключ Google {path} не читается: {why}",
    "correct [sheets] credentials, or let the daemon's user read the file": (
        "исправьте [sheets] credentials или дайте пользователю демона читать файл"
    ),
    '{place} is not the key of a service account (it lacks "{name}")': (
        "{place} — не ключ сервисного аккаунта (нет «{name}»)"
    ),
    "the private key of {email} in {place} is damaged": "закрытый ключ {email} в {place} повреждён",
    "download a new JSON key for the service account": "скачайте новый ключ JSON сервисного аккаунта",
    "project {id} has no name, so no worksheet": "у проекта {id} нет названия, а значит, и листа",
    "give the project a name": "дайте проекту название",
    'no spreadsheet is configured for "{name}"': "для «{name}» не указана таблица",
    "add it to [sheets.spreadsheets]": "добавьте её в [sheets.spreadsheets]",
    "Google's answer for {what} is not what it should be: {why}": "ответ Google для {what} не такой, как надо: {why}",
    "no worker has taken it within {n} s": "за {n} с его не взял ни один рабочий процесс",
    "no worker can take it: the database has lost the task": "его никто не может взять: задание пропало из базы данных",
    "start one: celery -A smart_sync.integrations.celery worker": (
        "запустите: celery -A smart_sync.integrations.celery worker"
    ),
    "its worker ({who}) has given no sign of life for {n} s": "его рабочий процесс ({who}) молчит уже {n} с",
    "see the log of the worker {who}": "см. журнал рабочего процесса {who}",
    "{what} was not asked for: {why}": "{what}: запроса не было: {why}",
    "Google did not answer in time for {what}": "Google не ответил вовремя: {what}",
    "if it lasts, raise [sheets] timeout": "если повторяется, увеличьте [sheets] timeout",
    "Google cannot be reached for {what}: {why}": "нет связи с Google ({what}): {why}",
    "if it lasts, check the network": "если повторяется, проверьте сеть",
    "the request for {what} could not be made: {why}": "запрос {what} не удалось отправить: {why}",
    "check [sheets] api_url and spreadsheet": "проверьте [sheets] api_url и spreadsheet",
    "check [sheets] spreadsheet and api_url": "проверьте [sheets] spreadsheet и api_url",
    "Google refuses the credentials of {email}: {why}": "Google не принимает ключ {email}: {why}",
    "check that {email} and its key still exist in Google Cloud and that this machine's clock is right": (
        "проверьте, что {email} и его ключ ещё есть в Google Cloud и что часы этой машины идут верно"
    ),
    "Google did not give {what} within {time} s": "Google не отдал {what} за {time} с",
    "if it lasts, check the network, or raise [sheets] deadline": (
        "если повторяется, проверьте сеть или увеличьте [sheets] deadline"
    ),
    "{what} is not a Google spreadsheet": "{what} — не таблица Google",
    "open it and choose File → Save as Google Sheets": "откройте её и выберите Файл → Сохранить как таблицу Google",
    "Google does not accept the token of {email}": "Google не принимает токен {email}",
    "check that {email} is enabled in Google Cloud": "проверьте, что {email} включён в Google Cloud",
    "there is no spreadsheet {what}": "таблицы {what} нет",
    "correct [sheets] spreadsheet, or share the spreadsheet with {email} as Viewer": (
        "исправьте [sheets] spreadsheet или откройте таблицу для {email} (Читатель)"
    ),
    "Google's read quota is used up": "квота чтения Google исчерпана",
    "Google's quota is used up": "квота Google исчерпана",
    "lower [sheets] reads_per_minute, or raise the quota": "уменьшите [sheets] reads_per_minute или увеличьте квоту",
    "Google answers {status} for {what}: {why}": "Google отвечает {status} ({what}): {why}",
    "nothing to do unless it lasts": "ничего, если это не повторяется",
    "Google refuses to read {what}: {why}": "Google отказывается читать {what}: {why}",
    "the Google Sheets API (or Drive API) is not enabled for the service account": (
        "Google Sheets API (или Drive API) не включён для сервисного аккаунта"
    ),
    "enable both in the Cloud project of {email}": "включите оба в проекте Cloud, к которому относится {email}",
    "{email} may not read {what}": "{email} не имеет доступа к {what}",
    "share the spreadsheet with {email} as Viewer": "откройте таблицу для {email} (Читатель)",
    "{place} is neither JSON, nor base64 of it, nor a file": "{place}: не JSON, не base64 от него и не файл",
    "{place} is not a JSON key of a service account": "{place}: не ключ JSON сервисного аккаунта",
    "{number} spreadsheets are called {title}": "таблиц с названием {title}: {number}",
    "put the key or URL of the right one into [sheets]": "укажите ключ или адрес нужной в [sheets]",
    # A worksheet that says less than it did.
    "if it is meant: {command}": "если так и задумано: {command}",
    "or if it is meant: {command}": "или, если так и задумано: {command}",
    "{rows} of worksheet {title} is gone at once": "с листа {title} разом пропало строк: {rows}",
    "{rows} of worksheet {title} are gone at once": "с листа {title} разом пропало строк: {rows}",
    "the last known values are used": "действуют последние значения",
    "its last known values are used": "действуют последние значения",
    "the last known value is used": "действует последнее значение",
    "its last known values are used since {when}": "последние значения действуют с {when}",
    "restore the rows from the version history": "восстановите строки из истории версий",
    "restore the rows from the version history, or if it is meant: {command}": (
        "восстановите строки из истории версий или, если так и задумано: {command}"
    ),
    "{n} stand in": "последние значения действуют дальше: {n}",
    "{n} stands in": "последние значения действуют дальше: {n}",
    "restore it from the version history": "восстановите из истории версий",
    "restore it from the spreadsheet's version history, or fill it": "восстановите из истории версий или заполните",
    "the column for {metric} of worksheet {title} has lost its values at once": (
        "столбец {metric} листа {title} разом потерял значения"
    ),
    "worksheet {title} is not there": "листа {title} нет",
    "restore it": "восстановите",
    "until then its campaign is not counted": "до тех пор его кампания не считается",
    "worksheet {title} is empty": "лист {title} пуст",
    "worksheet {title} has no column for the link": "на листе {title} нет столбца для ссылки",
    "name it Link or Account URL, or add its name to [sheets.columns]": (
        "назовите его Link или Account URL или добавьте название в [sheets.columns]"
    ),
    "worksheet {title} has no column for any metric": "на листе {title} нет столбца ни для одной метрики",
    "name them Followers, Likes, Comments, Videos, Views, or add their names to [sheets.columns]": (
        "назовите их Followers, Likes, Comments, Videos, Views или добавьте названия в [sheets.columns]"
    ),
    "headers seen: {titles}": "видны заголовки: {titles}",
    "not understood: {titles}": "не поняты: {titles}",
    "no column for {metric}": "нет столбца {metric}",
    "the column for {metric} is gone": "столбца {metric} больше нет",
    "name it again, or if it is meant: {command}": "назовите его снова или, если так и задумано: {command}",
    "blank or 0 with its whole column": "пусто или 0 вместе со всем столбцом",
    "the row is gone": "строки больше нет",
    "account {id} has no link in the database, so that no row is its own": (
        "у аккаунта {id} в базе нет ссылки, поэтому его строки не найти"
    ),
    "no row has the link of {link}, which came from another project": (
        "ни в одной строке нет ссылки {link}, перешедшей из другого проекта"
    ),
    "row {row}: {link} may be it": "возможно, это строка {row}: {link}",
    "restore it, or if it is meant: {command}": "восстановите её или, если так и задумано: {command}",
    "correct it, or if it is meant: {command}": "исправьте или, если так и задумано: {command}",
    "its link cell cannot be read, and the row of {link} stood here": "ссылка не читается, а здесь была строка {link}",
    # Parsed values.
    "the inbox holds a value that is no count from 0 to 2^63-1": (
        "во входящих значение, которое не является числом от 0 до 2^63-1"
    ),
    "it counts as no value": "оно считается отсутствующим",
    "lines of {path} that cannot be used: {n}": "строк {path}, которые нельзя использовать: {n}",
    "the first is line {n}: {why}": "первая — строка {n}: {why}",
    "{source} has brought no parsed value since {time}": "от {source} нет значений с {time}",
    "older than [parsed] max_age, its values do not count any more": (
        "они старше [parsed] max_age и больше не учитываются"
    ),
    "see what should have written them, or set [parsed] stale_after": (
        "посмотрите, что должно их писать, или задайте [parsed] stale_after"
    ),
    "line {n}: {why}": "строка {n}: {why}",
    "the header names neither account_id nor link": "в заголовке нет ни account_id, ни link",
    "the header names {names} twice": "заголовок называет {names} дважды",
    "nothing can be read": "прочитать ничего нельзя",
    "more fields than the header": "полей больше, чем в заголовке",
    "its account_id is that of {link}, its link that of another account": (
        "account_id — от {link}, а ссылка — другого аккаунта"
    ),
    "put a value that holds a comma in quotes": "значение с запятой возьмите в кавычки",
    "{name} is no column, did you mean {other}?": "столбца {name} нет; возможно, имелся в виду {other}?",
    "neither account_id nor link": "нет ни account_id, ни link",
    "no metric has a value": "ни у одной метрики нет значения",
    "precision is neither exact nor rounded": "precision — ни exact, ни rounded",
    "parsed_at is not a time in ISO 8601, such as 2026-03-01T12:00:00Z": (
        "parsed_at — не время по ISO 8601, например 2026-03-01T12:00:00Z"
    ),
    "{path} is not a text file in UTF-8 (byte {n})": "{path} — не текстовый файл в UTF-8 (байт {n})",
    "save it as UTF-8": "сохраните его в UTF-8",
    "{path} has a time that no calendar has": "у {path} время, которого нет в календаре",
    "correct it with: touch {path}": "исправьте командой: touch {path}",
    "{metrics}: not counted since {time}, as the parser could not see all that it takes (log: parser.finished)": (
        "{metrics}: не считается с {time}, парсер не видит всего, что для этого нужно (журнал: parser.finished)"
    ),
    "not counted since {time}, as the parser could not see all that it takes (log: parser.finished)": (
        "не считается с {time}, парсер не видит всего, что для этого нужно (журнал: parser.finished)"
    ),
    "the last sums stand": "действуют последние суммы",
    "the parser has a bug: {why}": "в парсере ошибка: {why}",
    "not done within {n} s": "не готово за {n} с",
    "the next pass goes on (see deadline, rate and every)": "продолжит следующий проход (см. deadline, rate и every)",
    "the budget of {n} requests in 24 hours is used up": "запросы на 24 часа исчерпаны ({n})",
    "asks again at {time}": "спросит снова {time}",
    "the source has none of {n} accounts: {why}": "у источника нет ни одного из аккаунтов ({n}): {why}",
    "correct what {table} asks for": "исправьте, что запрашивает {table}",
    "No such file or directory": "такого файла нет",
    "Permission denied": "нет прав",
    "Is a directory": "это папка",
    "a parsed_at that is no time": "parsed_at, которое не является временем",
    "write it as 2026-03-10 12:00:00": "пишите его так: 2026-03-10 12:00:00",
    "values of {source} have a parsed_at more than 5 minutes ahead": (
        "у значений от {source} parsed_at больше чем на 5 минут впереди"
    ),
    "each counts as of when it was first seen": "каждое считается с момента, когда его увидели впервые",
    "set that clock right": "поправьте те часы",
    "a program has written what is no count into the merged {metric}": (
        "программа записала не число в объединённое значение {metric}"
    ),
    "only Smart Sync may write there": "писать туда может только Smart Sync",
    "the value is decided anew": "значение решается заново",
    "the query gives {what}": "запрос даёт {what}",
    "the query failed, what it would give does not count: {why}": "запрос не выполнен, значений от него нет: {why}",
    # The database.
    "{path}: the disk is full": "{path}: диск заполнен",
    "free some space, the next pass writes what is missing": ("освободите место, следующий проход запишет недостающее"),
    "{path}: read-only": "{path}: только для чтения",
    "give the daemon's user write permission for the file and its folder": (
        "дайте пользователю демона право записи в файл и его папку"
    ),
    "{path}: another process has held the database locked for too long": "{path}: база занята слишком долго",
    "find it with fuser": "найдите его через fuser",
    "restore it from a backup": "восстановите из резервной копии",
    "the database refused every account: {why}": "база данных не приняла ни одного аккаунта: {why}",
    "the database refuses {n} of {all} accounts: {why}": "база данных не принимает {n} из {all} аккаунтов: {why}",
    "the database refuses this account, which stays as it was: {why}": (
        "база данных не принимает этот аккаунт, его числа остались прежними: {why}"
    ),
    "the database refuses to create {n}: {why}": "база данных не даёт создать аккаунты ({n}): {why}",
    "the database refuses the account of this row: {why}": "база данных не принимает аккаунт этой строки: {why}",
    "the database refuses {n} more": "база данных не принимает ещё {n}",
    "a rule of the table ignores the row": "правило таблицы пропускает строку",
    "look at the triggers, rules and column types of the web app's tables": (
        "посмотрите триггеры, правила и типы столбцов таблиц веб-приложения"
    ),
    "make the counts of account_snapshots BIGINT, as docs/how-to/postgres.md says": (
        "сделайте числа в account_snapshots типом BIGINT, как сказано в docs/how-to/postgres.md"
    ),
    "the table {name} is gone": "таблицы {name} больше нет",
    "restore it from a backup, or finish the migration that has renamed it": (
        "восстановите её из резервной копии или завершите миграцию, которая её переименовала"
    ),
}
#: What stands before a colon, and what follows it is a reason of its own.
BEFORE = {
    "the last answer": "последний ответ",
    "no worker could read it": "ни один рабочий процесс не смог его прочитать",
    "link": "ссылка",
    "no account is created for this row": "для этой строки аккаунт не создаётся",
    **METRIC_NAMES["ru"],
}
#: What stands for ``{pin}``, the longest first.
PINS = {
    "{metric} pinned to {value} since {day} by {who} until {end}": (
        "{metric}: закреплено {value} с {day} по {end} ({who})"
    ),
    "{metric} pinned to {value} since {day} until {end}": "{metric}: закреплено {value} с {day} по {end}",
    "{metric} pinned to {value} since {day} by {who}": "{metric}: закреплено {value} с {day} ({who})",
    "{metric} pinned to {value} since {day}": "{metric}: закреплено {value} с {day}",
}
