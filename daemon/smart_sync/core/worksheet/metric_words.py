"""The words for a metric: in a column's title, and after a number (``12 480 подписчиков``)."""

from collections.abc import Iterator, Mapping

from smart_sync.core.worksheet.locales import loosened

_RUSSIAN = " а у ом е ы и ов ам ами ах"
_SOFT = "й я ю ем и ев ям ями ях"
_FEMININE = "а ы и е у ой ам ами ах"

#: Per metric: whole words, and stems with their endings.  Good as a column's title too.
_WORDS: Mapping[str, str] = {
    "followers": "follower followers subscriber subscribers sub subs fans"
    " abonnent abonnenten seguidor seguidores suscriptor suscriptores inscritos iscritti abonné abonnés abonnes"
    " takipçi abone підписники підписників підписника підписник",
    "likes": "like likes beğeni curtidas вподобань вподобання лайків",
    "comments": "comments kommentar kommentare comentario comentarios comentários"
    " commentaire commentaires commenti yorum коментар коментарі коментарів коментаря",
    "videos": "videos видео відео",
    "views": "view views plays aufrufe visualizaciones visualizações visualizzazioni vista vistas vue vues"
    " görüntüleme görüntülenme перегляд перегляди переглядів перегляду перегляда",
}  # fmt: skip
_STEMS: Mapping[str, Mapping[str, str]] = {
    "followers": {"подписчик": _RUSSIAN, "подписчиц": _FEMININE, "фолловер": _RUSSIAN, "фоловер": _RUSSIAN},
    "likes": {"лайк": _RUSSIAN},
    "comments": {"комментари": _SOFT, "коммент": _RUSSIAN},
    "videos": {"видеоролик": _RUSSIAN},
    "views": {"просмотр": _RUSSIAN},
}
#: Good behind a number only: as titles they can be something else (``Comment`` is a remark, ``Reels`` are links).
_BEHIND_A_NUMBER: Mapping[str, str] = {
    "followers": "fan fans people чел человек человека подп",
    "likes": "heart hearts нравится",
    "comments": "comment reply replies",
    "videos": "video vid vids clip clips reel reels shorts ролик ролика ролики роликов клип клипа клипов видос видосов",
    "views": "play",
    "": "pcs шт штук",
}
_REMARKS = frozenset({"комментарий", "коммент", "kommentar", "comentario", "commentaire", "коментар"})


def _title_nouns() -> Iterator[tuple[str, str]]:
    for metric, words in _WORDS.items():
        yield from ((word, metric) for word in words.split())
    for metric, stems in _STEMS.items():
        for stem, endings in stems.items():
            yield from ((stem + ending, metric) for ending in ("", *endings.split()))


_TITLE_NOUNS = {loosened(word): metric for word, metric in _title_nouns()}
#: Word, in small letters → the metric that it names as a column's title.
TITLES: Mapping[str, str] = {word: metric for word, metric in _TITLE_NOUNS.items() if word not in _REMARKS}
#: Word → the metric that it names behind a number; "" for any.
NOUNS: Mapping[str, str] = _TITLE_NOUNS | {
    loosened(word): metric for metric, words in _BEHIND_A_NUMBER.items() for word in words.split()
}


def metric_of(word: str) -> str | None:
    """The metric that ``word`` after a number names; "" if it fits any, None if it is no such word."""
    return NOUNS.get(loosened(word))
