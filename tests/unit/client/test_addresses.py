from __future__ import annotations

from pathlib import Path

import pytest

from ingot.base.errors import NotFoundError, UsageError
from ingot.client.addresses import (
    LocalAddress,
    RemoteAddress,
    check_intended_local,
    parse_address,
    parse_bucket,
    parse_remote,
)
from ingot.client.aliases import AliasBook


@pytest.fixture
def book(tmp_path: Path) -> AliasBook:
    return AliasBook(tmp_path / "config.json", {"MC_HOST_local": "http://a:b@127.0.0.1:9000"})


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("local", "", ""),
        ("local/", "", ""),
        ("local/b", "b", ""),
        ("local/b/", "b", ""),
        ("local/b/k", "b", "k"),
        ("local/b/k//x/", "b", "k//x/"),
        ("local/b//k", "b", "/k"),
    ],
)
def test_an_alias_bucket_and_key_are_cut_at_the_first_slashes(
    book: AliasBook, text: str, bucket: str, key: str
) -> None:
    address = parse_address(text, book)
    assert isinstance(address, RemoteAddress)
    assert (bucket, key) == (address.bucket, address.key)


@pytest.mark.parametrize("text", ["./local/b", "/local/b", "other/b", "-", "file.txt"])
def test_what_begins_with_no_alias_is_local(book: AliasBook, text: str) -> None:
    assert LocalAddress(text) == parse_address(text, book)


def test_an_empty_address_is_refused(book: AliasBook) -> None:
    with pytest.raises(UsageError):
        parse_address("", book)


@pytest.mark.parametrize(
    ("text", "prefix"), [("local/b", ""), ("local/b/p", "p/"), ("local/b/p/", "p/")]
)
def test_the_prefix_of_a_folder_ends_with_a_slash(book: AliasBook, text: str, prefix: str) -> None:
    assert prefix == parse_remote(text, book).folder_prefix


def test_an_address_prints_as_it_was_written(book: AliasBook) -> None:
    for text in ("local", "local/b", "local/b/k/x"):
        assert text == str(parse_remote(text, book))


def test_where_an_s3_address_is_needed_an_unknown_alias_is_not_found(book: AliasBook) -> None:
    with pytest.raises(NotFoundError) as caught:
        parse_remote("loacl/b", book)
    assert caught.value.hint is not None
    assert "'local'" in caught.value.hint


def test_where_an_s3_address_is_needed_a_path_is_refused(book: AliasBook) -> None:
    with pytest.raises(UsageError, match="local path"):
        parse_remote("./x", book)


@pytest.mark.parametrize("text", ["local", "local/b/k"])
def test_a_bucket_is_an_alias_and_one_segment(book: AliasBook, text: str) -> None:
    with pytest.raises(UsageError, match="not a bucket"):
        parse_bucket(text, book)


def test_a_misspelt_alias_as_target_is_refused_not_made_a_folder(
    book: AliasBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        check_intended_local(LocalAddress("loacl/b"), book)
    assert caught.value.hint is not None
    assert "local/b" in caught.value.hint
    check_intended_local(LocalAddress("./loacl/b"), book)
    check_intended_local(LocalAddress("elsewhere/b"), book)
    check_intended_local(LocalAddress("loacl"), book)
    (tmp_path / "loacl").mkdir()
    check_intended_local(LocalAddress("loacl/b"), book)
