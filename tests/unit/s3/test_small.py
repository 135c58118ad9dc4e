"""Dates, ETags, errors and the headers of objects."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime

import pytest

from ingot.s3.dates import (
    SECONDS_CACHED,
    format_all_iso8601,
    format_amz_date,
    format_http_date,
    format_iso8601,
    parse_amz_date,
    parse_http_date,
    parse_iso8601,
)
from ingot.s3.errors import ERRORS, S3Error
from ingot.s3.etags import is_md5, multipart_etag, quote_etag, unquote_etag
from ingot.s3.headers import (
    format_user_metadata,
    parse_content_headers,
    parse_count,
    parse_overrides,
    parse_part_number,
    parse_user_metadata,
)

AT_NS = 1_795_485_900_123_456_789


class TestDates:
    def test_three_ways_of_one_instant(self) -> None:
        assert format_http_date(AT_NS) == time.strftime(
            "%a, %d %b %Y %H:%M:%S GMT", time.gmtime(AT_NS // 10**9)
        )
        assert format_iso8601(AT_NS) == "2026-11-24T02:05:00.123Z"
        assert format_amz_date(AT_NS) == "20261124T020500Z"

    def test_each_is_read_back(self) -> None:
        assert parse_http_date(format_http_date(AT_NS)) == AT_NS // 10**9
        assert parse_iso8601(format_iso8601(AT_NS)) == AT_NS // 10**6 * 10**6
        assert parse_amz_date(format_amz_date(AT_NS)) == AT_NS // 10**9

    def test_many_instants_are_written_as_each_is(self) -> None:
        instants = [
            0,
            AT_NS,
            AT_NS + 999_999,
            AT_NS + 1_000_000,
            1,
            999_999_999,
            253402300799 * 10**9,
        ]
        # More seconds than are remembered, and the first ones again.
        instants += [second * 10**9 + second for second in range(SECONDS_CACHED + 5)] + instants
        assert format_all_iso8601(instants) == [format_iso8601(at) for at in instants]
        for at in instants[:7]:
            assert (
                format_iso8601(at)[:19] == datetime.fromtimestamp(at // 10**9, UTC).isoformat()[:19]
            )
            assert format_iso8601(at)[19:] == f".{at // 10**6 % 1000:03d}Z"

    def test_iso8601_of_others(self) -> None:
        expected = AT_NS // 10**9 * 10**9
        assert parse_iso8601("2026-11-24T02:05:00Z") == expected
        assert parse_iso8601("2026-11-24T03:05:00+01:00") == expected

    @pytest.mark.parametrize(
        "text",
        [
            *("", "2026-11-24", "2026-11-24T02:05:00", "now"),
            *("9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01"),
        ],
    )
    def test_bad_iso8601(self, text: str) -> None:
        with pytest.raises(ValueError):
            parse_iso8601(text)

    @pytest.mark.parametrize(
        "text",
        [
            *("", "soon", "20261124", "99999999T999999Z", "20261124T0205Z"),
            f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 -0001",
            f"Mon, 01 Jan 2020 00:00:00 +{'9' * 20}",
        ],
    )
    def test_bad_dates_are_none(self, text: str) -> None:
        assert parse_amz_date(text) is None
        assert parse_http_date(text) is None


class TestETags:
    @pytest.mark.parametrize("text", ['"a"', "a", 'W/"a"', ' "a" '])
    def test_quotes_come_and_go(self, text: str) -> None:
        assert unquote_etag(text) == "a"
        assert unquote_etag(quote_etag("a")) == "a"

    def test_md5s_are_told_from_others(self) -> None:
        md5 = hashlib.md5(b"x").hexdigest()
        assert is_md5(md5)
        assert not is_md5(f"{md5}-2")
        assert not is_md5(md5.upper())

    def test_the_tag_of_parts(self) -> None:
        parts = [hashlib.md5(part).digest() for part in (b"a", b"b")]
        assert multipart_etag(parts) == f"{hashlib.md5(b''.join(parts)).hexdigest()}-2"


class TestErrors:
    def test_an_error_knows_its_row(self) -> None:
        error = S3Error("NoSuchKey", Key="k")
        assert (error.code, error.status, error.fields) == ("NoSuchKey", 404, {"Key": "k"})
        assert error.message == ERRORS["NoSuchKey"].message

    def test_a_message_may_be_its_own(self) -> None:
        assert S3Error("InvalidArgument", "no").message == "no"

    def test_codes_outside_the_table_do_not_exist(self) -> None:
        with pytest.raises(KeyError):
            S3Error("Nonsense")

    def test_statuses_are_errors(self) -> None:
        assert all(row.status in range(304, 600) for row in ERRORS.values())


class TestHeaders:
    def test_metadata_is_taken_by_prefix(self) -> None:
        headers = {"x-amz-meta-a": "1", "x-amz-meta-b-c": "", "x-amz-date": "x"}
        assert parse_user_metadata(headers) == {"a": "1", "b-c": ""}
        pairs = format_user_metadata({"a": "1"})
        assert list(pairs) == [("x-amz-meta-a", "1")]

    def test_metadata_ends_at_two_kib(self) -> None:
        parse_user_metadata({"x-amz-meta-a": "v" * 2047})
        with pytest.raises(S3Error) as caught:
            parse_user_metadata({"x-amz-meta-a": "v" * 2048})
        assert caught.value.code == "MetadataTooLarge"

    @pytest.mark.parametrize("value", ["a\r\nb", "a\x00", "\x7f", "v" * 8193])
    def test_values_cannot_split_an_answer(self, value: str) -> None:
        for call in (
            lambda: parse_user_metadata({"x-amz-meta-a": value}),
            lambda: parse_content_headers({"content-type": value}),
            lambda: parse_overrides({"response-content-type": value}),
        ):
            with pytest.raises(S3Error) as caught:
                call()
            assert caught.value.code == "InvalidArgument"

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("aws-chunked", None),
            ("aws-chunked,gzip", "gzip"),
            ("gzip, aws-chunked", "gzip"),
            ("gzip", "gzip"),
        ],
    )
    def test_aws_chunked_is_not_kept(self, sent: str, kept: str | None) -> None:
        headers = {"content-encoding": sent, "content-type": "a/b", "host": "h"}
        expected = {"content-type": "a/b"} | ({"content-encoding": kept} if kept else {})
        assert parse_content_headers(headers) == expected

    def test_overrides(self) -> None:
        query = {"response-content-type": "a/b", "response-expires": "never", "x": "y"}
        assert parse_overrides(query) == {"content-type": "a/b", "expires": "never"}

    @pytest.mark.parametrize("text", ["1", "10000", "007"])
    def test_part_numbers(self, text: str) -> None:
        assert parse_part_number(text) == int(text)

    @pytest.mark.parametrize("text", ["", "0", "10001", "-1", "1.0", "٣", "1 "])
    def test_bad_part_numbers(self, text: str) -> None:
        with pytest.raises(S3Error) as caught:
            parse_part_number(text)
        assert caught.value.code == "InvalidArgument"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [(None, 1000), ("", 1000), ("0", 0), ("7", 7), ("1001", 1000), ("2147483647", 1000)],
    )
    def test_counts(self, text: str | None, expected: int) -> None:
        assert parse_count("max-keys", text, limit=1000) == expected

    @pytest.mark.parametrize("text", ["-1", "x", "2147483648", "99999999999"])
    def test_bad_counts(self, text: str) -> None:
        with pytest.raises(S3Error) as caught:
            parse_count("max-keys", text, limit=1000)
        assert caught.value.fields["ArgumentName"] == "max-keys"
