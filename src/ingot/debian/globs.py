"""Path patterns of component.yml: `*` and `?` within a name, `**` across names, `[…]` sets.

A pattern matches a path, or any folder above it: `usr/share/doc` means all that lies there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|[^*?\[]+|\[")


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that says whether a path matches any of `patterns`."""
    if not patterns:
        return lambda _path: False
    expression = "|".join(_translate(pattern.strip("/")) for pattern in patterns)
    match = re.compile(rf"(?:{expression})(?:/.*)?", re.DOTALL).fullmatch
    return lambda path: match(path) is not None


def _translate(pattern: str) -> str:
    return "".join(_piece(token) for token in _TOKEN.findall(pattern))


def _piece(token: str) -> str:
    match token:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _ if token.startswith("[") and len(token) > 1:
            inner = token[1:-1].replace("\\", "\\\\")
            return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
        case _:
            return re.escape(token)
