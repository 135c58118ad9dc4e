"""share upload and share list: others upload with the printed commands, and only what they may."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

BODY = b"from a guest"


@pytest.fixture
def guest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INGOT_STATE_DIR", str(tmp_path / "state"))
    path = tmp_path / "guest's file"
    path.write_bytes(BODY)
    return path


@pytest.fixture(params=["remote", "elsewhere"])
def either(request: pytest.FixtureRequest) -> Any:
    """Our server, and another service."""
    return request.getfixturevalue(request.param)


def run(command: str, file: Path, name: str = "") -> None:
    """Do what a guest does with a command: put names in and run it."""
    placed = command.strip().replace("'<FILE>'", f'"{file}"').replace("<NAME>", name)
    placed = placed.replace("'file=@<FILE>'", f'"file=@{file}"')
    subprocess.run(placed.replace("curl ", "curl --fail --silent ", 1), shell=True, check=True)


class TestUpload:
    def test_one_object_by_a_link(self, cli: Any, remote: Any, guest_file: Path) -> None:
        shared = cli("share", "upload", "--expire", "1h", f"{remote.address}/in/a b")
        assert shared.code == 0
        assert "good for 1h00m" in shared.err
        run(shared.out, guest_file)
        assert remote.objects() == {"in/a b": BODY}

    def test_any_name_below_by_a_form(self, cli: Any, either: Any, guest_file: Path) -> None:
        shared = cli("share", "upload", "--recursive", "--json", f"{either.address}/in/")
        (document,) = shared.documents()
        assert document["fields"]["key"] == "in/"
        run(document["share"], guest_file, "x")
        assert either.objects() == {"in/x": BODY}

    def test_a_type_and_a_size_by_a_form(self, cli: Any, either: Any, guest_file: Path) -> None:
        arguments = ("--content-type", "text/plain", "--max-size", "1K")
        shared = cli("share", "upload", *arguments, f"{either.address}/note")
        run(shared.out, guest_file)
        head = either.head("note")
        assert (head["ContentType"], head["ContentLength"]) == ("text/plain", len(BODY))

    def test_a_form_takes_no_more_than_it_says(
        self, cli: Any, remote: Any, guest_file: Path
    ) -> None:
        shared = cli("share", "upload", "--max-size", "5", f"{remote.address}/note")
        with pytest.raises(subprocess.CalledProcessError):
            run(shared.out, guest_file)
        assert remote.objects() == {}

    def test_what_cannot_be_shared(
        self, cli: Any, remote: Any, guest_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert cli("share", "upload", remote.address).code == 2
        assert cli("share", "upload", "s3").code == 2
        assert cli("share", "upload", "--expire", "8d", f"{remote.address}/k").code == 2
        assert cli("share", "upload", "s3/no-such-bucket-here/k").code == 5
        monkeypatch.setenv("MC_HOST_nobody", "http://127.0.0.1:1")
        assert cli("share", "upload", "nobody/bucket/k").code == 2
        assert cli("share", "list", "upload").out == ""


class TestList:
    def test_links_that_are_still_good_are_listed(
        self, cli: Any, remote: Any, guest_file: Path, tmp_path: Path
    ) -> None:
        remote.put_all({"a": b"", "b": b""})
        links = cli("share", "download", f"{remote.address}/a", f"{remote.address}/b").out
        cli("share", "download", "--expire", "1s", f"{remote.address}/a")
        cli("share", "upload", f"{remote.address}/c")
        book = tmp_path / "state/shares.json"
        assert book.stat().st_mode & 0o777 == 0o600
        listed = cli("share", "list", "download", "--json").documents()
        assert [item["share"] for item in listed][:2] == links.splitlines()
        assert all(item["timeLeft"] > 0 for item in listed)
        (upload,) = cli("share", "list", "upload", "--json").documents()
        assert upload["key"] == f"{remote.address}/c"
        book.write_text("{")
        damaged = cli("share", "list", "download")
        assert (damaged.code, "is damaged" in damaged.err) == (1, True)
        # A link is as good without the list.
        still = cli("share", "download", f"{remote.address}/a")
        assert (still.code, "warning: the links are good but not listed" in still.err) == (0, True)

    def test_a_version_is_shared(self, cli: Any, remote: Any, guest_file: Path) -> None:
        cli("version", "enable", remote.address)
        remote.put("k", b"old")
        version_id = remote.head("k")["VersionId"]
        remote.put("k", b"new")
        link = cli("share", "download", "--version-id", version_id, f"{remote.address}/k").out
        body = subprocess.run(["curl", "-fs", link.strip()], check=True, capture_output=True).stdout
        assert body == b"old"
