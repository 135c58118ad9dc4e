"""CORS: which of a bucket's rules speaks of a request, and the headers that answer it: pure.

Source: the Fetch standard, "CORS protocol"; Amazon S3 user guide, "Using cross-origin resource
sharing".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingot.s3.documents.cors import CorsRule


class CorsRequest(NamedTuple):
    """What a page asks for.

    Attributes:
        origin: of the page.
        method: of the request that it makes or wants to make.
        headers: that it wants to send (of a preflight), in lower case.
    """

    origin: str
    method: str
    headers: tuple[str, ...] = ()


def find_rule(rules: Sequence[CorsRule], asked: CorsRequest) -> CorsRule | None:
    """Return the first rule that allows what is asked for."""
    for rule in rules:
        if (
            asked.method in rule.methods
            and any(_fits(pattern, asked.origin) for pattern in rule.origins)
            and all(
                any(_fits(pattern.lower(), name) for pattern in rule.headers)
                for name in asked.headers
            )
        ):
            return rule
    return None


def answer_headers(rule: CorsRule, asked: CorsRequest) -> list[tuple[str, str]]:
    """Return the headers that let a page see the answer to its request."""
    any_origin = "*" in rule.origins
    headers = [
        ("access-control-allow-origin", "*" if any_origin else asked.origin),
        ("access-control-allow-methods", ", ".join(rule.methods)),
    ]
    if not any_origin:
        headers.append(("access-control-allow-credentials", "true"))
    if asked.headers:
        headers.append(("access-control-allow-headers", ", ".join(asked.headers)))
    if rule.exposed:
        headers.append(("access-control-expose-headers", ", ".join(rule.exposed)))
    if rule.max_age_s is not None:
        headers.append(("access-control-max-age", str(rule.max_age_s)))
    # A cache must not give one origin the answer of another.
    headers.append(
        ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
    )
    return headers


def parse_requested_headers(text: str) -> tuple[str, ...]:
    """Read Access-Control-Request-Headers."""
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _fits(pattern: str, value: str) -> bool:
    """Tell whether a value is of a pattern with at most one star."""
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == value
    long_enough = len(value) >= len(before) + len(after)
    return long_enough and value.startswith(before) and value.endswith(after)
