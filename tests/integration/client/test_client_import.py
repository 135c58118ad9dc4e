"""alias import and import-aws: what becomes an alias, and that it works."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def mc_file(tmp_path: Path, server: Any) -> Path:
    """A configuration as mc writes it, in a place where nobody looks by itself."""
    fields = {"url": server.endpoint, "api": "s3v4", "path": "auto"}
    keys = {"accessKey": server.access_key, "secretKey": server.secret_key}
    example = {"accessKey": "YOUR-ACCESS-KEY-HERE", "secretKey": "YOUR-SECRET-KEY-HERE"}
    entries = {"one": fields | keys, "two": fields | keys, "s3": fields | example}
    path = tmp_path / "mc.json"
    path.write_text(json.dumps({"version": "10", "aliases": entries}))
    return path


def names(cli: Any) -> set[str]:
    return {one["alias"] for one in cli("alias", "list", "--json").documents()} - {"s3"}


def test_all_of_mc_are_imported_and_work(cli: Any, server: Any, mc_file: Path) -> None:
    result = cli("alias", "import", mc_file)
    assert (result.code, result.out) == (
        0,
        f"added one ({server.endpoint})\nadded two ({server.endpoint})\n",
    )
    assert names(cli) == {"one", "two"}
    assert cli("ls", "one").code == 0


def test_some_are_imported_and_unknown_ones_refused(cli: Any, mc_file: Path) -> None:
    assert cli("alias", "import", mc_file, "two").code == 0
    assert names(cli) == {"two"}
    assert cli("alias", "import", mc_file, "one", "three").code == 5
    assert names(cli) == {"two"}


def test_one_entry_comes_from_standard_input(
    cli: Any, mc_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = json.dumps(json.loads(mc_file.read_text())["aliases"]["one"]).encode()
    for arguments, code in (([], 2), (["mine"], 0)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(entry)))
        assert cli("alias", "import", "-", *arguments).code == code
    assert cli("ls", "mine").code == 0


def test_nothing_is_replaced_unasked(cli: Any, mc_file: Path) -> None:
    assert cli("alias", "set", "two", "http://127.0.0.1:1", "A", "B", "--no-verify").code == 0
    assert cli("alias", "import", mc_file).code == 6
    assert names(cli) == {"two"}
    assert cli("alias", "import", mc_file, "--overwrite").code == 0
    assert cli("alias", "import", mc_file).code == 0
    assert cli("ls", "two").code == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"aliases": {"a": {"url": "nonsense"}}}'])
def test_what_is_not_of_mc_is_refused(cli: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    assert cli("alias", "import", "x").code == 1
    assert cli("alias", "import", "missing").code == 1


def test_profiles_of_aws_are_imported(cli: Any, home: Path, server: Any) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text(
        f"[here]\naws_access_key_id = {server.access_key}\n"
        f"aws_secret_access_key = {server.secret_key}\n"
        "[cloud]\naws_access_key_id=A\naws_secret_access_key=B%x\naws_session_token=T\n"
    )
    (home / ".aws" / "config").write_text(
        f"[profile here]\nendpoint_url = {server.endpoint}\n"
        "[profile cloud]\nregion = eu-west-1\ns3 =\n  addressing_style = path\n"
        "[profile role]\nrole_arn = arn:x\n"
    )
    result = cli("alias", "import-aws")
    assert result.code == 0
    assert sorted(result.out.splitlines()) == [
        "added cloud (https://s3.eu-west-1.amazonaws.com)",
        f"added here ({server.endpoint})",
    ]
    assert cli("ls", "here").code == 0
    assert "B%x" not in cli("alias", "list").out
    assert cli("alias", "import-aws", "role").code == 5


def test_a_file_that_is_no_file_of_profiles_does_not_leak(cli: Any, home: Path) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text("aws_secret_access_key=secret\n")
    result = cli("alias", "import-aws")
    assert result.code == 1
    assert "secret\n" not in result.err
