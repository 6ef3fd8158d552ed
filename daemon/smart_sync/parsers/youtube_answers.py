"""Parses responses of YouTube's Data API."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from smart_sync.core.campaign import Video
from smart_sync.parsers.failures import CallFailed
from smart_sync.parsers.response_values import count, mapping, objects, text
from smart_sync.parsers.videos import published_at

#: How the list says that nobody sees a video: it is private, or deleted.
_HIDDEN = frozenset({"private", "privacyStatusUnspecified"})


def items(body: Any, kind: str) -> list[Mapping[str, Any]]:
    """The items of a list response; YouTube leaves the key out if there are none."""
    answer = mapping(body)
    if answer.get("kind") != kind:
        raise CallFailed("the answer is not what it should be", retry=False)
    return objects(answer.get("items", []), "items")


def playlist(channel: Mapping[str, Any]) -> str | None:
    """The id of the channel's list of uploads."""
    return text(mapping(mapping(channel.get("contentDetails")).get("relatedPlaylists")).get("uploads")) or None


class Upload(NamedTuple):
    """An entry of a channel's uploads; ``is_hidden``: private or deleted."""

    id: str
    published: datetime | None
    is_hidden: bool


def uploads(body: object) -> list[Upload]:
    """A page of the list, each video once. Raises `CallFailed` for an entry without a video."""
    entries = {}
    for item in items(body, "youtube#playlistItemListResponse"):
        if not (video := video_id(item)):
            raise CallFailed("the list holds something that is no video", retry=False)
        at = published_at(mapping(item.get("contentDetails")).get("videoPublishedAt"))
        entries[video] = Upload(video, at, mapping(item.get("status")).get("privacyStatus") in _HIDDEN)
    return list(entries.values())


def videos(body: Any, listed: Iterable[Upload]) -> dict[str, Video]:
    """The videos by id with their figures, as far as ``body`` has them; times come from ``listed``, if given."""
    dates = {one.id: one.published for one in listed}
    videos_by_id = {}
    for item in items(body, "youtube#videoListResponse"):
        statistics, video = mapping(item.get("statistics")), text(item.get("id"))
        at = dates.get(video) or published_at(mapping(item.get("snippet")).get("publishedAt"))
        views, likes, comments = (count(statistics.get(name)) for name in ("viewCount", "likeCount", "commentCount"))
        videos_by_id[video] = Video(at, views, likes, comments, video)
    return videos_by_id


def video_id(item: Mapping[str, Any]) -> str:
    """The video id of a playlist's item, from any of the parts that may have it."""
    details, snippet = mapping(item.get("contentDetails")), mapping(item.get("snippet"))
    return text(details.get("videoId")) or text(mapping(snippet.get("resourceId")).get("videoId"))
