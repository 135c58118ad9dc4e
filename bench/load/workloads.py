"""What each operation sends: what must be there first, and the requests that are measured."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from bench.load.connection import Request
from bench.load.signing import Payload, Target

# `mixed` in turns of 20: GET 45 %, HEAD 30 %, PUT 15 %, DELETE 10 %.
_MIX = (
    *("get", "head", "get", "put", "get", "head", "get", "delete", "head", "get"),
    *("get", "put", "head", "get", "head", "get", "put", "delete", "head", "get"),
)


def preparation(target: Target, op: str, paths: list[str], payload: Payload) -> Iterator[Request]:
    """Yield the PUTs that an operation needs to have been done."""
    if op not in {"put", "multipart"}:
        for path in paths:
            yield target.request("PUT", path, payload)


def requests(target: Target, op: str, paths: list[str], payload: Payload) -> Iterator[Request]:
    """Return the requests of an operation; endless, but for DELETE, which takes each key once."""
    if op in {"list", "multipart"}:
        return iter(())  # `sequences` makes them
    if op == "mixed":
        return _mixed(target, paths, payload)
    if op == "put":
        return itertools.cycle([target.request("PUT", path, payload) for path in paths])
    made = [target.request(op.upper(), path) for path in paths]
    return iter(made) if op == "delete" else itertools.cycle(made)


def _mixed(target: Target, paths: list[str], payload: Payload) -> Iterator[Request]:
    """Yield `_MIX` for ever; GET and HEAD find what was prepared, DELETE what PUT wrote."""
    fleeting = [f"{path}.fleeting" for path in paths]
    sources = {
        "get": itertools.cycle([target.request("GET", path) for path in paths]),
        "head": itertools.cycle([target.request("HEAD", path) for path in paths]),
        "put": itertools.cycle([target.request("PUT", path, payload) for path in fleeting]),
        "delete": itertools.cycle([target.request("DELETE", path) for path in fleeting]),
    }
    for op in itertools.cycle(_MIX):
        yield next(sources[op])
