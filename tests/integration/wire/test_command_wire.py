"""The options of `ingot` about connections, as a service sees them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingot.cli import main
from ingot.client import wire

EMPTY = b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `ingot …` in a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("INGOT_CONFIG_DIR", str(tmp_path / "config"))
    for variable in ("NO_COLOR", "MC_CONFIG_DIR"):
        monkeypatch.delenv(variable, raising=False)
    return lambda *arguments: main.run([str(argument) for argument in arguments])


def name(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("MC_HOST_x", url.replace("://", "://access:secret@"))


def test_a_strange_certificate_is_taken_on_demand_only(
    run: Any, secured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(monkeypatch, secured.url)
    assert run("ls", "x") == 7
    secured.answers(200, EMPTY)
    assert run("--insecure", "ls", "x") == 0
    # It held for one command line.
    assert run("ls", "x") == 7
    secured.answers(200, EMPTY)
    monkeypatch.setenv("MC_INSECURE", "true")
    assert run("ls", "x") == 0


def test_a_name_is_resolved_as_it_was_said(
    run: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(monkeypatch, f"http://store.invalid:{scripted.port}")
    scripted.answers(200, EMPTY)
    scripted.answers(200, EMPTY)
    assert run("--resolve", f"store.invalid:{scripted.port}=127.0.0.1", "ls", "x") == 0
    assert run("--resolve", "STORE.invalid=127.0.0.1", "ls", "x") == 0
    hosts = {received.headers["host"] for received in scripted.received}
    assert hosts == {f"store.invalid:{scripted.port}"}


def test_a_header_goes_with_every_request_and_is_signed(
    run: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(monkeypatch, scripted.url)
    scripted.answers(200, EMPTY)
    assert run("-H", "X-Trace: 7", "--custom-header", "x-more:  a b", "ls", "x") == 0
    (received,) = scripted.received
    assert (received.headers["x-trace"], received.headers["x-more"]) == ("7", "a b")
    signed = received.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    assert {"x-trace", "x-more"} <= set(signed.split(";"))


def test_they_may_stand_after_the_verb_too(
    run: Any, secured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(monkeypatch, secured.url)
    secured.answers(200, EMPTY)
    assert run("-H", "X-Trace: 7", "ls", "x", "--insecure", "-H", "X-More: 8") == 0
    (received,) = secured.received
    assert (received.headers["x-trace"], received.headers["x-more"]) == ("7", "8")
    assert wire.current() == wire.Wire()
    secured.answers(200, b"1", etag='"c4ca4238a0b923820dcc509a6f75849b"')
    assert run("cat", "--zip", "-H", "X-Trace: 7", "--insecure=true", "x/bucket/a.zip/b") == 0
    received = secured.received[-1]
    assert (received.headers["x-minio-extract"], received.headers["x-trace"]) == ("true", "7")
    assert run("ls", "--insecure=false", "x") == 7
    secured.answers(404, b"")
    assert run("cors", "get", "x/bucket", "-insecure") == 5
    assert run("ls", "--", "-insecure") == 5


def test_what_is_shown_of_requests_has_no_secrets(
    run: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MC_HOST_x", scripted.url.replace("://", "://access:secret:token@"))
    scripted.answers(200, EMPTY, x_amz_request_id="4711")
    assert run("ls", "--debug", "-H", "Cookie: crumbs", "x") == 0
    out, err = capfd.readouterr()
    (received,) = scripted.received
    signature = received.headers["authorization"].rpartition("=")[2]
    assert out == ""
    assert f"debug: > GET {scripted.url}/\n" in err
    assert "debug: < 200\n" in err
    assert "x-amz-request-id: 4711" in err
    assert "Credential=access/" in err
    for secret in (signature, "token\n", "crumbs"):
        assert secret not in err
    scripted.answers(200, EMPTY)
    monkeypatch.setenv("MC_DEBUG", "1")
    assert run("ls", "x") == 0
    assert "debug: > GET" in capfd.readouterr().err


def test_a_limit_of_nothing_is_none(
    run: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(monkeypatch, scripted.url)
    scripted.answers(200, EMPTY)
    assert run("--limit-upload", "0", "ls", "x") == 0


def test_objects_without_locks_are_no_failure_whatever_the_status(
    run: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name(monkeypatch, scripted.url)
    refusal = b"<Error><Code>NoSuchObjectLockConfiguration</Code><Message>none</Message></Error>"
    scripted.answers(400, refusal)
    assert run("legalhold", "info", "x/bucket/key") == 0
    assert capfd.readouterr().out == "x/bucket/key is not held\n"
    scripted.answers(400, refusal)
    assert run("retention", "info", "x/bucket/key") == 0
    assert capfd.readouterr().out == "x/bucket/key may be removed\n"


def test_mcs_variables_ask_for_json_and_quiet(
    run: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name(monkeypatch, scripted.url)
    monkeypatch.setenv("MC_JSON", "true")
    assert run("ls") == 2
    assert '"slug": "usage"' in capfd.readouterr().err
    monkeypatch.setenv("MC_JSON", "false")
    assert run("ls") == 2
    assert capfd.readouterr().err.startswith("error: ")
    monkeypatch.setenv("MC_QUIET", "1")
    scripted.answers(404, b"")
    assert run("rb", "--force", "x/missing") == 0
    assert capfd.readouterr() == ("", "")


def test_a_folder_of_settings_holds_for_one_command_line(
    run: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".mc").mkdir()
    entry = '{"url": "http://127.0.0.1:1", "accessKey": "AK", "secretKey": "secret-key"}'
    (tmp_path / ".mc" / "config.json").write_text(
        f'{{"version": "10", "aliases": {{"a": {entry}}}}}'
    )
    apart = str(tmp_path / "apart")
    assert run("--config-dir", apart, "alias", "list") == 0
    assert capfd.readouterr().out == ""
    assert run("alias", "list", "--no-color") == 0
    assert capfd.readouterr().out.startswith("a  ")
    assert not {"NO_COLOR", "MC_CONFIG_DIR"} & os.environ.keys()


def test_uploads_and_downloads_are_slowed_down(
    run: Any, scripted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(monkeypatch, scripted.url)
    (tmp_path / "file").write_bytes(bytes(200_000))
    scripted.answers(200, etag='"x"')
    began_s = time.monotonic()
    assert run("--limit-upload", "400K", "put", tmp_path / "file", "x/bucket/key") == 0
    assert time.monotonic() - began_s > 0.3
    (tmp_path / "file").unlink()
    etag = "1f5039e50bd66b290c56684d8550c6c2"
    scripted.answers(200, content_length=200_000)
    body = bytes(200_000)
    scripted.answers(200, body, etag=f'"{etag}"')
    began_s = time.monotonic()
    run("--limit-download", "400K/s", "get", "x/bucket/key", tmp_path / "down")
    assert time.monotonic() - began_s > 0.3


def test_a_download_that_is_not_what_was_stored_takes_no_name(
    run: Any, scripted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(monkeypatch, scripted.url)
    target = tmp_path / "down"
    target.write_bytes(b"before")
    # The MD5 of other bytes; then a checksum of other bytes, with an ETag that tells nothing.
    for headers in (
        {"etag": '"00000000000000000000000000000000"'},
        {
            "etag": '"x-2"',
            "x_amz_checksum_crc32c": "AAAAAA==",
            "x_amz_checksum_type": "FULL_OBJECT",
        },
    ):
        scripted.answers(200, b"12345", cut=5, **headers)
        scripted.answers(200, b"12345", **headers)
        assert run("get", "x/bucket/key", target) == 1
        assert target.read_bytes() == b"before"
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["down"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--limit-upload", "fast"),
        ("--resolve", "name"),
        ("--resolve", "name=other-name"),
        ("--resolve", "name:70000=127.0.0.1"),
        ("-H", "no colon"),
        ("-H", "Host: elsewhere"),
        ("-H", "Authorization: mine"),
    ],
)
def test_what_is_not_understood(run: Any, arguments: tuple[str, ...]) -> None:
    assert run(*arguments, "ls", "x") == 2
    assert wire.current() == wire.Wire()
