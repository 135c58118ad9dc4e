from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.base.secret import Secret
from ingot.client.aliases import Alias, AliasBook, check_name, check_url

SECRET = "s3cr3t/with+signs="


def book(tmp_path: Path, **environment: str) -> AliasBook:
    return AliasBook(tmp_path / "ingot" / "config.json", {"HOME": str(tmp_path), **environment})


def alias(name: str = "local", **fields: str) -> Alias:
    return Alias(name, fields.get("url", "http://127.0.0.1:9000"), "AK", Secret(SECRET))


def test_what_is_stored_is_read_back_by_another_book(tmp_path: Path) -> None:
    book(tmp_path).put(
        Alias("a", "https://h", "AK", Secret(SECRET), Secret("token"), "path", "eu-west-1")
    )
    read = book(tmp_path).get("a")
    assert (read.url, read.access_key, read.secret_key.reveal()) == ("https://h", "AK", SECRET)
    assert read.session_token is not None
    assert (
        read.session_token.reveal(),
        read.addressing,
        read.region,
    ) == ("token", "path", "eu-west-1")


def test_the_file_is_for_its_owner_only_and_leaves_nothing_behind(tmp_path: Path) -> None:
    book(tmp_path).put(alias())
    folder = tmp_path / "ingot"
    assert stat.S_IMODE((folder / "config.json").stat().st_mode) == 0o600
    assert {"config.json", "config.json.lock"} == {item.name for item in folder.iterdir()}


def test_a_secret_never_shows_in_a_repr(tmp_path: Path) -> None:
    assert SECRET not in repr(alias())


def test_putting_keeps_other_aliases_and_fields_of_later_versions(tmp_path: Path) -> None:
    own = book(tmp_path)
    own.put(alias("one"))
    path = tmp_path / "ingot" / "config.json"
    document = json.loads(path.read_text())
    document["colour"] = "blue"
    path.write_text(json.dumps(document))
    own.put(alias("two"))
    document = json.loads(path.read_text())
    assert document["colour"] == "blue"
    assert sorted(document["aliases"]) == ["one", "two"]


def test_removing_forgets_only_that_alias(tmp_path: Path) -> None:
    own = book(tmp_path)
    own.put(alias("one"))
    own.put(alias("two"))
    own.remove("one")
    assert list(own.all()) == ["two"]


def test_an_unknown_alias_is_not_found_with_the_nearest_name_as_hint(tmp_path: Path) -> None:
    own = book(tmp_path)
    own.put(alias("storage"))
    with pytest.raises(NotFoundError) as caught:
        own.get("storeage")
    assert caught.value.hint is not None
    assert "'storage'" in caught.value.hint
    with pytest.raises(NotFoundError):
        own.remove("storeage")


@pytest.mark.parametrize("prefix", ["MC_HOST_", "INGOT_HOST_"])
def test_a_variable_beats_the_file(tmp_path: Path, prefix: str) -> None:
    value = "https://KEY:se/cr%40et:tok@host:9443"
    own = book(tmp_path, **{f"{prefix}local": value})
    own.put(alias())
    read = own.get("local")
    assert (
        read.url,
        read.access_key,
        read.secret_key.reveal(),
    ) == ("https://host:9443", "KEY", "se/cr@et")
    assert read.session_token == Secret("tok")
    own.remove("local")
    with pytest.raises(NotFoundError, match="variable"):
        own.remove("local")


def test_our_variable_beats_that_of_mc(tmp_path: Path) -> None:
    own = book(tmp_path, MC_HOST_x="http://a:b@mc", INGOT_HOST_x="http://a:b@ours")
    assert own.get("x").url == "http://ours"


def test_a_malformed_variable_is_reported_without_its_secret(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        book(tmp_path, MC_HOST_x=f"ftp://AK:{SECRET}@host").all()
    assert "MC_HOST_x" in caught.value.message
    assert SECRET not in caught.value.message + (caught.value.hint or "")


@pytest.mark.parametrize(("member", "style"), [("aliases", "path"), ("hosts", "lookup")])
def test_the_configuration_of_mc_is_read_but_its_placeholders_are_not(
    tmp_path: Path, member: str, style: str
) -> None:
    entries = {
        "minio": {"url": "http://m:9000", "accessKey": "a", "secretKey": "b", style: "on"},
        "s3": {"url": "https://s3.amazonaws.com", "accessKey": "YOUR-ACCESS-KEY-HERE"},
        "broken": {"url": "gopher://x"},
    }
    (tmp_path / ".mc").mkdir()
    (tmp_path / ".mc" / "config.json").write_text(json.dumps({"version": "10", member: entries}))
    own = book(tmp_path)
    assert list(own.all()) == ["minio"]
    assert own.get("minio").addressing == "path"


def test_a_broken_file_of_mc_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / ".mc").mkdir()
    (tmp_path / ".mc" / "config.json").write_text("{")
    assert book(tmp_path).all() == {}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema": 99}',
        '{"schema": 1, "aliases": []}',
        '{"schema": 1, "aliases": {"a": 1}}',
        '{"schema": 1, "aliases": {"a": {"url": 1}}}',
        '{"schema": 1, "aliases": {"a": {"url": "nonsense"}}}',
    ],
)
def test_a_broken_file_of_ours_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "ingot").mkdir()
    (tmp_path / "ingot" / "config.json").write_text(text)
    with pytest.raises(Error, match=r"config\.json"):
        book(tmp_path).all()


@pytest.mark.parametrize(
    "url", ["host:9000", "ftp://host", "http://", "http://h/path", "http://u@h", "http://h:x"]
)
def test_an_endpoint_url_is_scheme_host_and_port_only(url: str) -> None:
    with pytest.raises(UsageError):
        check_url(url)


def test_a_slash_at_the_end_of_an_endpoint_url_is_dropped() -> None:
    assert check_url("https://host:9000/") == "https://host:9000"


@pytest.mark.parametrize("name", ["", "1a", "a/b", "a b", "-x", ".", "a" * 65])
def test_an_alias_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)
