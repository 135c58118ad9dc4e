"""Versions of Python packages: their total order (PEP 440), as sortable keys."""

from __future__ import annotations

import functools
import re

from ingot.base.errors import Error

_VERSION = re.compile(
    r"""
    \s* v?
    (?:(?P<epoch>[0-9]+)!)?
    (?P<release>[0-9]+(?:\.[0-9]+)*)
    (?:[-_.]?(?P<pre>alpha|beta|preview|pre|a|b|c|rc)[-_.]?(?P<pre_number>[0-9]*))?
    (?:-(?P<bare_post>[0-9]+)|(?P<post>[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>[0-9]*)))?
    (?P<dev>[-_.]?dev[-_.]?(?P<dev_number>[0-9]*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?
    \s*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PRE = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_FIRST, _LAST = (-1,), (1,)

Key = tuple[object, ...]


class PythonVersionError(Error):
    """A text is no version of a Python package."""

    slug = "version"


@functools.lru_cache(maxsize=65536)
def python_version_key(version: str) -> Key:
    """Return a key whose order is the order of versions; equal versions have equal keys.

    Raises:
        PythonVersionError: the text is none.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise PythonVersionError(f"{version!r} is not a version of a Python package")
    release = [int(part) for part in match["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    post = match["bare_post"] or (match["post_number"] or "0" if match["post"] else None)
    dev = match["dev_number"] or "0" if match["dev"] else None
    return (
        int(match["epoch"] or 0),
        tuple(release),
        _pre_key(match, is_dev_only=dev is not None and post is None),
        _FIRST if post is None else (0, int(post)),
        _LAST if dev is None else (0, int(dev)),
        _local_key(match["local"]),
    )


def _pre_key(match: re.Match[str], *, is_dev_only: bool) -> Key:
    """Return the place of a pre-release: 1.0.dev1 < 1.0a1 < 1.0rc1 < 1.0 < 1.0.post1."""
    if match["pre"]:
        word = match["pre"].lower()
        return (0, _PRE.get(word, word), int(match["pre_number"] or 0))
    return _FIRST if is_dev_only else _LAST


def _local_key(local: str | None) -> Key:
    if local is None:
        return _FIRST
    parts = re.split(r"[-_.]", local.lower())
    # Numbers come after words, and are compared as numbers.
    return (0, *((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts))
