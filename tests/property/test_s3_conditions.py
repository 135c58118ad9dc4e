"""Conditions and ranges agree with naive models of RFC 9110 and of Amazon's documentation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingot.s3.conditions import (
    check_copy_source,
    check_delete,
    check_read,
    check_write,
    parse_conditions,
    parse_delete_conditions,
)
from ingot.s3.dates import format_http_date, format_iso8601
from ingot.s3.errors import S3Error
from ingot.s3.ranges import parse_range

NS_PER_S = 10**9
NOW_S = 1_800_000_000

ETAGS = st.sampled_from(["a", "b", "c-2"])
TAG_LISTS = st.none() | st.just(["*"]) | st.lists(ETAGS, min_size=1, max_size=3)
TIMES = st.none() | st.integers(min_value=NOW_S - 2, max_value=NOW_S + 2)
# If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since.
ASKED = st.tuples(TAG_LISTS, TAG_LISTS, TIMES, TIMES)
TIMES_NS = st.integers(min_value=(NOW_S - 2) * NS_PER_S, max_value=(NOW_S + 2) * NS_PER_S)
QUOTES = st.sampled_from(['"{}"', "{}", 'W/"{}"'])


def written(tags, quotes):
    return None if tags is None else ", ".join(t if t == "*" else quotes.format(t) for t in tags)


def date(time_s):
    return None if time_s is None else format_http_date(time_s * NS_PER_S)


def headers_of(asked, quotes, prefix=""):
    match, none_match, modified, unmodified = asked
    headers = {
        "if-match": written(match, quotes),
        "if-none-match": written(none_match, quotes),
        "if-modified-since": date(modified),
        "if-unmodified-since": date(unmodified),
    }
    return {prefix + name: value for name, value in headers.items() if value is not None}


def outcome(check, *arguments):
    try:
        check(*arguments)
    except S3Error as error:
        return error.status
    return 200


def names(tags, etag):
    return "*" in tags or etag in tags


def read_as_rfc_9110_says(etag, time_s, asked):
    """Section 13.2.2, step by step."""
    match, none_match, modified, unmodified = asked
    if match is not None:
        if not names(match, etag):
            return 412
    elif unmodified is not None and time_s > unmodified:
        return 412
    if none_match is not None:
        if names(none_match, etag):
            return 304
    elif modified is not None and time_s <= modified:
        return 304
    return 200


@given(etag=ETAGS, time_ns=TIMES_NS, asked=ASKED, quotes=QUOTES)
def test_reads_and_copies(etag, time_ns, asked, quotes):
    expected = read_as_rfc_9110_says(etag, time_ns // NS_PER_S, asked)
    conditions = parse_conditions(headers_of(asked, quotes))
    assert outcome(check_read, conditions, etag, time_ns) == expected
    prefix = "x-amz-copy-source-"
    conditions = parse_conditions(headers_of(asked, quotes, prefix), prefix=prefix)
    refused = outcome(check_copy_source, conditions, etag, time_ns)
    assert refused == {304: 412}.get(expected, expected)


@given(etag=st.none() | ETAGS, match=TAG_LISTS, none_match=TAG_LISTS, quotes=QUOTES)
def test_writes(etag, match, none_match, quotes):
    expected = 200
    if match is not None and etag is None:
        expected = 404
    elif (match is not None and not names(match, etag)) or (
        none_match is not None and etag is not None and names(none_match, etag)
    ):
        expected = 412
    conditions = parse_conditions(headers_of((match, none_match, None, None), quotes))
    assert outcome(check_write, conditions, etag) == expected


@given(
    found=st.tuples(ETAGS, st.integers(min_value=0, max_value=3), TIMES_NS),
    asked=st.tuples(TAG_LISTS, st.none() | st.integers(min_value=0, max_value=3), TIMES),
    quotes=QUOTES,
    is_iso=st.booleans(),
)
def test_deletions(found, asked, quotes, is_iso):
    etag, size_bytes, time_ns = found
    match, size, modified = asked
    holds = (
        (match is None or names(match, etag))
        and size in {None, size_bytes}
        and modified in {None, time_ns // NS_PER_S}
    )
    text = date(modified)
    if is_iso and modified is not None:
        text = format_iso8601(modified * NS_PER_S)
    conditions = parse_delete_conditions(
        written(match, quotes), None if size is None else str(size), text
    )
    refused = outcome(check_delete, conditions, etag, size_bytes, time_ns)
    assert refused == (200 if holds else 412)
    assert bool(conditions) == (asked != (None, None, None))


@given(
    size_bytes=st.integers(min_value=0, max_value=12),
    first=st.none() | st.integers(min_value=0, max_value=14),
    last=st.none() | st.integers(min_value=0, max_value=14),
)
def test_ranges(size_bytes, first, last):
    body = bytes(range(size_bytes))
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if (first is None and last is None) or (None not in (first, last) and last < first):
        assert parse_range(text, size_bytes) is None, "what cannot be read is ignored"
        return
    if first is None:
        expected = body[-last:] if last else b""
    else:
        expected = body[first:] if last is None else body[first : last + 1]
    if not expected:
        assert outcome(parse_range, text, size_bytes) == 416
        return
    found = parse_range(text, size_bytes)
    assert found is not None
    assert (body[found.start :][: found.length], found.length) == (expected, len(expected))
