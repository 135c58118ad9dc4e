"""What must be asked of each object by itself: tags and metadata, several at once, in order."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ingot.base.errors import NotFoundError, UsageError
from ingot.s3.headers import METADATA_PREFIX
from ingot.s3client.client import S3Client
from ingot.transport.cord import branch

_WORKERS = 8
_AHEAD = 4 * _WORKERS
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an object must have beside its name; patterns by name, found somewhere in the value.

    Attributes:
        tags: by their names.
        metadata: by lower-case names of metadata, and of content headers.
    """

    tags: Mapping[str, re.Pattern[str]]
    metadata: Mapping[str, re.Pattern[str]]

    def __bool__(self) -> bool:
        """Whether anything is wanted."""
        return bool(self.tags or self.metadata)

    def holds(self, client: S3Client, bucket: str, key: str, version_id: str | None = None) -> bool:
        """Ask the service whether an object has it all; one that is gone has nothing.

        Raises:
            DeniedError, NetworkError: the service refused or is away.
        """
        try:
            if self.metadata:
                info = client.head_object(bucket, key, version_id=version_id)
                if not _all_found(self.metadata, {**info.content_headers, **info.metadata}):
                    return False
            if not self.tags:
                return True
            tags = client.get_object_tagging(bucket, key, version_id=version_id)
            return _all_found(self.tags, tags)
        except NotFoundError:
            return False


def parse_wanted(tags: Sequence[str], metadata: Sequence[str]) -> Wanted:
    """Read `NAME=REGEX`, each.

    Raises:
        UsageError: one of them is written otherwise, or is no regular expression.
    """
    return Wanted(
        dict(_pattern(text) for text in tags),
        {
            name.lower().removeprefix(METADATA_PREFIX): pattern
            for name, pattern in map(_pattern, metadata)
        },
    )


def filtered(items: Iterable[_Item], keep: Callable[[_Item], bool]) -> Iterator[_Item]:
    """Yield items that are kept, in their order; `keep` runs in several threads, a bit ahead."""
    waiting: deque[tuple[_Item, Future[bool]]] = deque()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="probe") as threads, branch() as cord:
        for item in items:
            waiting.append((item, threads.submit(cord.run, keep, item)))
            if len(waiting) >= _AHEAD:
                first, future = waiting.popleft()
                if future.result():
                    yield first
        for first, future in waiting:
            if future.result():
                yield first


def _all_found(patterns: Mapping[str, re.Pattern[str]], values: Mapping[str, str]) -> bool:
    return all(
        name in values and pattern.search(values[name]) is not None
        for name, pattern in patterns.items()
    )


def _pattern(text: str) -> tuple[str, re.Pattern[str]]:
    name, separator, regex = text.partition("=")
    try:
        if name and separator:
            return name, re.compile(regex)
    except re.error as error:
        raise UsageError(f"{regex!r} is no regular expression: {error}") from error
    raise UsageError(f"{text!r} is no condition", hint="write it like NAME=REGEX")
