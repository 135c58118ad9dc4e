"""The commands of how-to pages, in their order."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

HOW_TO = Path(__file__).resolve().parents[3] / "docs/how-to"


def test_every_command_that_brings_back_works(cli: Any, remote: Any) -> None:
    assert cli("version", "enable", remote.address).code == 0
    remote.put_all({"notes.txt": b"1", "cat.jpg": b"1", "2026/a": b"1"})
    ledger = f"{remote.address}-ledger"
    commands = re.findall(r"^ingot (.*)$", (HOW_TO / "bring-back.md").read_text(), re.MULTILINE)
    assert len(commands) > 10
    for command in commands:
        placed = command.replace("store/photos", remote.address).replace("store/ledger", ledger)
        # The page's moments are of long ago; the test's objects are not.
        placed = re.sub(r"--rewind \S+", "--rewind 0s", placed)
        if "legalhold" in placed:
            remote.s3.put_object(Bucket=ledger.partition("/")[2], Key="2026.csv")
        done = cli(*shlex.split(placed))
        assert (done.code, done.err) == (0, done.err), command


def test_every_command_about_users_works(
    cli: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (HOW_TO / "users-and-policies.md").read_text()
    (policy,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "look.json").write_text(policy)
    (tmp_path / "cat.secret").write_text("cat-secret-key\n")
    commands = re.findall(r"^ingot (.*)$", page, re.MULTILINE)
    assert len(commands) > 20
    for command in commands:
        placed = command.replace(" store", " s3").replace("http://127.0.0.1:9000", server.endpoint)
        placed, _, kept = placed.partition(" > ")
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a-secret-key\n")))
        done = cli(*shlex.split(placed))
        assert (done.code, done.out != "") == (0, True), (command, done.err)
        if kept:
            (tmp_path / kept).write_text(done.out)
    alias = ("alias", "set", "cat", server.endpoint, "--access-key-file", "cat.json")
    assert cli(*alias).code == 0
    assert cli("admin", "user", "remove", "s3", "ann", "cat").code == 0
    assert cli("admin", "group", "remove", "s3", "staff").code == 0
    assert cli("admin", "policy", "remove", "s3", "look").code == 0
