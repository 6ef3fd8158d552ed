"""The words people have for a metric: as a column's name, and behind a number (``12 480 подписчиков``)."""

from collections.abc import Iterator, Mapping

from smart_sync.core.locales import loosened

_RUSSIAN = " а у ом е ы и ов ам ами ах"
_SOFT = "й я ю ем и ев ям ями ях"
_FEMININE = "а ы и е у ой ам ами ах"

#: Per metric: whole words, and stems with their endings.
_WORDS: Mapping[str, str] = {
    "followers": "follower followers subscriber subscribers sub subs fan fans people чел человек человека подп"
    " abonnent abonnenten seguidor seguidores suscriptor suscriptores inscritos iscritti abonné abonnés abonnes"
    " takipçi abone підписники підписників підписника підписник",
    "likes": "like likes heart hearts нравится beğeni curtidas вподобань вподобання лайків",
    "comments": "comment comments reply replies kommentar kommentare comentario comentarios comentários"
    " commentaire commentaires commenti yorum коментар коментарі коментарів коментаря коменты комменты",
    "videos": "video videos vid vids clip clips reel reels shorts видео відео видосы видосов",
    "views": "view views play plays aufrufe visualizaciones visualizações visualizzazioni vista vistas vue vues"
    " görüntüleme görüntülenme перегляд перегляди переглядів перегляду перегляда",
}  # fmt: skip
_STEMS: Mapping[str, Mapping[str, str]] = {
    "followers": {"подписчик": _RUSSIAN, "подписчиц": _FEMININE, "фолловер": _RUSSIAN, "фоловер": _RUSSIAN},
    "likes": {"лайк": _RUSSIAN},
    "comments": {"комментари": _SOFT, "коммент": _RUSSIAN},
    "videos": {"ролик": _RUSSIAN, "видеоролик": _RUSSIAN, "клип": _RUSSIAN, "рилс": _RUSSIAN, "шортс": _RUSSIAN},
    "views": {"просмотр": _RUSSIAN},
}
#: Say nothing about the metric.
_ANY = "pcs шт штук"


def _all_nouns() -> Iterator[tuple[str, str]]:
    yield from ((word, "") for word in _ANY.split())
    for metric, words in _WORDS.items():
        yield from ((word, metric) for word in words.split())
    for metric, stems in _STEMS.items():
        for stem, endings in stems.items():
            yield from ((stem + ending, metric) for ending in ("", *endings.split()))


#: Word, in small letters → the metric it is for; "" for any.
NOUNS: Mapping[str, str] = {loosened(word): metric for word, metric in _all_nouns()}


def metric_of(word: str) -> str | None:
    """The metric that ``word`` names, in any case or number; "" if it fits any, None if it is no such word."""
    return NOUNS.get(loosened(word))
