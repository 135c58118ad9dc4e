"""Users that `ingot admin` makes, against a real server: what their keys may do, seen by boto3."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ingot.s3client import ServiceDeniedError, connect

SECRET = "a-secret-key"


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give the next command standard input."""

    def give(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return give


@pytest.fixture
def said(server: Any) -> Iterator[Callable[..., str]]:
    """Return what a request with somebody's keys is answered: the code of the error, or ok."""
    made: dict[tuple[str, str], Any] = {}

    def ask(access_key: str, secret_key: str, operation: str, **arguments: Any) -> str:
        if (access_key, secret_key) not in made:
            made[access_key, secret_key] = boto3.client(
                "s3",
                endpoint_url=server.endpoint,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                region_name="us-east-1",
            )
        try:
            getattr(made[access_key, secret_key], operation)(**arguments)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"

    yield ask
    for client in made.values():
        client.close()


def allow(bucket: str, *actions: str) -> str:
    """Return a policy that allows something in a bucket."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Action": [*actions], "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_user_comes_works_and_goes(cli: Any, remote: Any, feed: Any, said: Any) -> None:
    remote.put("key", b"1")
    get = ("get_object", {"Bucket": remote.bucket, "Key": "key"})
    put = ("put_object", {"Bucket": remote.bucket, "Key": "new", "Body": b"2"})

    def may(operation: tuple[str, dict[str, Any]], secret: str = SECRET) -> str:
        return str(said("eve", secret, operation[0], **operation[1]))

    feed(f"{SECRET}\n")
    assert cli("admin", "user", "add", "s3", "eve").code == 0
    assert (may(get), may(put)) == ("AccessDenied", "AccessDenied")

    feed(allow(remote.bucket, "s3:GetObject"))
    assert cli("admin", "policy", "create", "s3", "eve-reads", "-").code == 0
    assert cli("admin", "policy", "attach", "s3", "eve-reads", "--user", "eve").code == 0
    assert (may(get), may(put)) == ("ok", "AccessDenied")

    assert cli("admin", "group", "add", "s3", "writers", "eve").code == 0
    assert cli("admin", "policy", "attach", "s3", "writeonly", "--group", "writers").code == 0
    assert (may(get), may(put)) == ("ok", "ok")
    assert cli("admin", "group", "disable", "s3", "writers").code == 0
    assert (may(get), may(put)) == ("ok", "AccessDenied")

    assert cli("admin", "user", "disable", "s3", "eve").code == 0
    assert may(get) == "InvalidAccessKeyId"
    assert cli("admin", "user", "enable", "s3", "eve").code == 0
    assert may(get) == "ok"

    again = cli("--json", "admin", "user", "add", "s3", "eve", "--generate").documents()[0]
    assert (may(get), may(get, again["secretKey"])) == ("SignatureDoesNotMatch", "ok")

    assert cli("admin", "user", "remove", "s3", "eve").code == 0
    assert may(get, again["secretKey"]) == "InvalidAccessKeyId"
    assert cli("admin", "group", "remove", "s3", "writers").code == 0
    assert cli("admin", "policy", "remove", "s3", "eve-reads").code == 0
    assert cli("admin", "user", "info", "s3", "eve").code == 5


def test_an_access_key_may_less_ends_and_goes(
    cli: Any, remote: Any, feed: Any, said: Any, tmp_path: Path
) -> None:
    remote.put("key", b"1")
    (tmp_path / "less.json").write_text(allow(remote.bucket, "s3:GetObject"))
    (tmp_path / "none.json").write_text(allow("elsewhere", "s3:GetObject"))
    feed(f"{SECRET}\n")
    assert cli("admin", "user", "add", "s3", "fay").code == 0
    assert cli("admin", "policy", "attach", "s3", "readwrite", "--user", "fay").code == 0

    made = cli("--json", "admin", "accesskey", "create", "s3", "fay", "--policy", "less.json")
    (key,) = made.documents()

    def may(operation: str, **more: Any) -> str:
        place = {"Bucket": remote.bucket, "Key": "key"}
        return str(said(key["accessKey"], key["secretKey"], operation, **place, **more))

    assert (may("get_object"), may("put_object", Body=b"2")) == ("ok", "AccessDenied")
    edit = ("admin", "accesskey", "edit", "s3", key["accessKey"])
    assert cli(*edit, "--name", "other", "--expiry-duration", "1h").code == 0
    assert (may("get_object"), may("put_object", Body=b"2")) == ("ok", "AccessDenied")
    assert cli(*edit, "--policy", "none.json").code == 0
    assert may("get_object") == "AccessDenied"
    (told,) = cli("--json", "admin", "accesskey", "info", "s3", key["accessKey"]).documents()
    assert (told["parentUser"], told["name"], told["impliedPolicy"]) == ("fay", "other", False)
    assert told["policy"] == json.loads((tmp_path / "none.json").read_text())
    assert told["expiration"] > "2026"

    assert cli("admin", "accesskey", "disable", "s3", key["accessKey"]).code == 0
    assert may("get_object") == "InvalidAccessKeyId"
    assert cli("admin", "accesskey", "remove", "s3", key["accessKey"]).code == 0
    assert cli("admin", "accesskey", "remove", "s3", key["accessKey"]).code == 5
    assert cli("admin", "user", "remove", "s3", "fay").code == 0


def test_who_may_not_is_told_so_and_secrets_stay_hidden(
    cli: Any, wrong_keys: str, server: Any, feed: Any
) -> None:
    feed(f"{SECRET}\n")
    refused = cli("admin", "user", "add", wrong_keys, "gus")
    assert (refused.code, SECRET in refused.err + refused.out) == (4, False)
    warned = cli("admin", "user", "add", wrong_keys, "gus", SECRET)
    assert (warned.code, SECRET in warned.err + warned.out) == (4, False)
    assert "other users of this machine can see" in warned.err
    assert cli("admin", "info", wrong_keys).code == 4
    assert cli("admin", "info", "no-such-alias").code == 5
    with connect(server.endpoint, "", "") as nobody, pytest.raises(ServiceDeniedError):
        nobody.server_info()


def test_without_keys_nothing_is_sealed(cli: Any, server: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("MC_HOST_open", server.endpoint)
    for arguments in (("user", "list", "open"), ("user", "add", "open", "gus", "--generate")):
        refused = cli("--json", "admin", *arguments)
        assert (refused.code, refused.error()["slug"]) == (2, "usage")
        assert "needs keys" in refused.error()["message"]


def test_a_terminal_asks_for_the_secret_twice_and_does_not_show_it(
    cli: Any, server: Any, said: Any
) -> None:
    keyboard, screen = pty.openpty()
    with closing(os.fdopen(keyboard, "r+b", buffering=0)) as typed:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingot", "admin", "user", "add", "s3", "hal"],
            stdin=screen,
            stdout=subprocess.PIPE,
            stderr=screen,
            start_new_session=True,
        )
        os.close(screen)
        shown = b""
        for _ in range(2):
            while not shown.endswith(b": "):
                shown += typed.read(64)
            typed.write(f"{SECRET}\n".encode())
            shown += b"\n"
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"added hal\n")
    assert b"Secret key" in shown
    assert SECRET.encode() not in shown
    assert said("hal", SECRET, "list_buckets") == "AccessDenied"
    assert cli("admin", "user", "remove", "s3", "hal").code == 0
