"""What the answers of YouTube's Data API hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from smart_sync.core.campaign import Video
from smart_sync.parsers.failures import CallFailed
from smart_sync.parsers.found import count, mapping, mappings, text
from smart_sync.parsers.videos import published_at


def items(body: Any, kind: str) -> list[Mapping[str, Any]]:
    """The items of a list answer; YouTube leaves the key out where there are none."""
    answer = mapping(body)
    if answer.get("kind") != kind or not isinstance(answer.get("items", []), list):
        raise CallFailed("the answer is not what it should be", retry=False)
    return mappings(answer.get("items", []))


def playlist(channel: Mapping[str, Any]) -> str | None:
    """The list of the channel's uploads."""
    return text(mapping(mapping(channel.get("contentDetails")).get("relatedPlaylists")).get("uploads")) or None


def video(item: Mapping[str, Any], dates: Mapping[str, datetime | None]) -> Video:
    """A video with its figures; ``dates`` by id, where the playlist shows them."""
    said, found = mapping(item.get("statistics")), text(item.get("id"))
    at = dates.get(found) or published_at(mapping(item.get("snippet")).get("publishedAt"))
    views, likes, comments = (count(said.get(name)) for name in ("viewCount", "likeCount", "commentCount"))
    return Video(at, views, likes, comments, found)


def video_id(item: Mapping[str, Any]) -> str:
    """The video of a playlist's item, in whichever part the answer has it."""
    details, snippet = mapping(item.get("contentDetails")), mapping(item.get("snippet"))
    return text(details.get("videoId")) or text(mapping(snippet.get("resourceId")).get("videoId"))
