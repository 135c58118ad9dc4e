"""Pages of other origins: preflight requests, and the headers that let a page read its answer."""

from __future__ import annotations

import functools

from ingot.s3.cors import (
    CorsRequest,
    answer_headers,
    find_rule,
    parse_requested_headers,
)
from ingot.s3.documents.cors import CorsRule, parse
from ingot.s3.errors import S3Error
from ingot.server.request import Request
from ingot.server.response import Headers, Response, empty, header
from ingot.server.service import Service
from ingot.store.errors import NoSuchBucketError

CORS_SETTING = "cors"
_METHOD = "access-control-request-method"
_HEADERS = "access-control-request-headers"
_RULES_CACHED_MAX = 1024


def is_preflight(request: Request) -> bool:
    """Tell whether a browser asks before it sends what a page wants to send."""
    return request.method == "OPTIONS"


def preflight(request: Request, service: Service) -> Response:
    """Answer whether a page may send a request.

    Raises:
        S3Error: `AccessForbidden` when no rule allows it, `BadRequest` when it is no preflight.
    """
    headers = request.headers
    if "origin" not in headers:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    if _METHOD not in headers:
        raise S3Error("BadRequest", "Invalid Access-Control-Request-Method: null")
    asked = CorsRequest(
        headers["origin"], headers[_METHOD], parse_requested_headers(headers.get(_HEADERS, ""))
    )
    rules = _rules_of(request.bucket, service)
    if rules is None:
        raise S3Error("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
    rule = find_rule(rules, asked)
    if rule is None:
        raise S3Error(
            "AccessForbidden",
            "CORSResponse: This CORS request is not allowed. This is usually because the evaluation"
            " of Origin, request method / Access-Control-Request-Method or"
            " Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
            Method=asked.method,
        )
    return empty(200, dict(answer_headers(rule, asked)))


def cors_headers(request: Request, service: Service) -> Headers:
    """Return what an answer says to the page that asked, if a rule allows the page to see it."""
    asked = CorsRequest(request.headers["origin"], request.method)
    rules = _rules_of(request.bucket, service)
    rule = None if rules is None else find_rule(rules, asked)
    if rule is None:
        return []
    return [header(name, value) for name, value in answer_headers(rule, asked)]


def _rules_of(bucket: str, service: Service) -> tuple[CorsRule, ...] | None:
    if not bucket:
        return None
    try:
        text = service.store.buckets.get(bucket).settings.get(CORS_SETTING)
    except NoSuchBucketError:
        return None
    return None if text is None else _parse(text)


@functools.lru_cache(maxsize=_RULES_CACHED_MAX)
def _parse(text: str) -> tuple[CorsRule, ...]:
    return tuple(parse(text.encode()))
