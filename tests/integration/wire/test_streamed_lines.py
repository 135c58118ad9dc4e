"""What a command finds is printed as it is found: a listing that breaks off has had its lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingot.cli import main

KEYS = ("a", "b")
ENTRY = (
    "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;e&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass>"
)
OBJECTS = "".join(f"<Contents><Key>{key}</Key>{ENTRY}</Contents>" for key in KEYS)
VERSIONS = "".join(
    f"<Version><Key>{key}</Key><VersionId>1</VersionId><IsLatest>true</IsLatest>{ENTRY}</Version>"
    for key in KEYS
)
PAGE = (
    "<ListBucketResult><IsTruncated>true</IsTruncated>"
    f"<NextContinuationToken>2</NextContinuationToken>{OBJECTS}</ListBucketResult>"
)
VERSIONS_PAGE = (
    "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>"
    f"<NextVersionIdMarker>1</NextVersionIdMarker>{VERSIONS}</ListVersionsResult>"
)
DENIED = b"<Error><Code>AccessDenied</Code><Message>No more.</Message></Error>"


@pytest.fixture
def service(scripted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A service that answers by a script; its alias is `x`."""
    monkeypatch.setenv("INGOT_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("MC_HOST_x", scripted.url.replace("://", "://key:scripted-secret@"))
    return scripted


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (("ls",), PAGE),
        (("ls", "--recursive"), PAGE),
        (("find",), PAGE),
        (("tree", "--files"), PAGE),
        (("ls", "--versions"), VERSIONS_PAGE),
        (("find", "--versions"), VERSIONS_PAGE),
    ],
)
def test_lines_do_not_wait_for_the_end(
    service: Any, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], page: str
) -> None:
    service.answers(200, page.encode())
    service.answers(403, DENIED)
    assert main.run(["--json", *words, "x/b"]) == 4
    out, err = capsys.readouterr()
    printed = [json.loads(line)["key"].rpartition("/")[2] for line in out.splitlines()]
    # The last may wait until it is known whether more belongs to it: a branch, a version.
    assert printed in (["a"], ["a", "b"])
    assert json.loads(err)["error"]["cause"]["error"]["Code"] == "AccessDenied"
