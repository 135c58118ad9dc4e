"""Bucket names, keys, paths and copy sources."""

from __future__ import annotations

import pytest

from ingot.s3.errors import S3Error
from ingot.s3.names import (
    bucket_name_problem,
    check_bucket_name,
    check_key,
    decode_path,
    encode_path,
    parse_copy_source,
    split_path,
)


@pytest.mark.parametrize("name", ["abc", "a-b.c", "1.2.3", "a" * 63, "my.bucket-1", "a--b"])
def test_good_bucket_names(name: str) -> None:
    check_bucket_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("ab", "a" * 64, "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a..b", "a.-b", "a-.b"),
        *("192.168.1.1", "xn--abc", "abc-s3alias", "sthree-x", "abc--x-s3", "äbc", "a/b", "abc\n"),
    ],
)
def test_bad_bucket_names(name: str) -> None:
    assert bucket_name_problem(name)
    with pytest.raises(S3Error) as caught:
        check_bucket_name(name)
    assert caught.value.code == "InvalidBucketName"
    assert caught.value.fields == {"BucketName": name}


@pytest.mark.parametrize("key", ["a", "a" * 1024, "ä" * 512, "..", "/", "a//b", "\x01\n", "🎉"])
def test_good_keys(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "InvalidArgument"),
        ("a\0b", "InvalidArgument"),
        ("a" * 1025, "KeyTooLongError"),
        ("ä" * 513, "KeyTooLongError"),
        ("\ud800", "InvalidURI"),
    ],
)
def test_bad_keys(key: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        check_key(key)
    assert caught.value.code == code


def test_paths_are_never_normalised() -> None:
    assert decode_path(b"/b/a//../%2E/%2F+%2B%C3%A4") == "/b/a//.././/++ä"
    assert split_path("/bucket//a/b/") == ("bucket", "/a/b/")
    assert split_path("/bucket") == ("bucket", "")
    assert split_path("/") == ("", "")


def test_paths_are_utf8() -> None:
    with pytest.raises(S3Error) as caught:
        decode_path(b"/b/%ff")
    assert caught.value.code == "InvalidURI"


def test_paths_are_encoded_as_signed() -> None:
    assert encode_path("/b/a b+c%~*'()ä//..") == "/b/a%20b%2Bc%25~%2A%27%28%29%C3%A4//.."


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bucket/key", ("bucket", "key", None)),
        ("/bucket/a/b%20c%2B+", ("bucket", "a/b c++", None)),
        ("bucket//key", ("bucket", "/key", None)),
        ("bucket/k%3Fx?versionId=v1", ("bucket", "k?x", "v1")),
    ],
)
def test_copy_sources(value: str, expected: tuple[str, str, str | None]) -> None:
    assert parse_copy_source(value) == expected


@pytest.mark.parametrize(
    "value", ["", "bucket", "bucket/", "/", "//key", "b/k?x=y", "b/k?versionId="]
)
def test_bad_copy_sources(value: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_copy_source(value)
    assert caught.value.code == "InvalidArgument"
