"""Listings that break off: what the client does not know it does not take for missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import NetworkError
from ingot.base.secret import Secret
from ingot.cli import main
from ingot.client.addresses import RemoteAddress
from ingot.client.aliases import Alias
from ingot.client.buckettree import BucketTree
from ingot.s3.documents.delete import ObjectIdentifier
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.errors import ServiceDeniedError
from ingot.transport.pool import Transport

MORE = "<IsTruncated>true</IsTruncated>"
ONE = (
    "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>"
)
# What is asked, the document, and what tells where its next page begins.
LISTINGS = {
    "iterate_objects": ("ListBucketResult", "<NextContinuationToken>{}</NextContinuationToken>"),
    "iterate_versions": ("ListVersionsResult", "<NextKeyMarker>{}</NextKeyMarker>"),
    "iterate_uploads": ("ListMultipartUploadsResult", "<NextKeyMarker>{}</NextKeyMarker>"),
    "iterate_parts": ("ListPartsResult", "<NextPartNumberMarker>{}</NextPartNumberMarker>"),
}


@pytest.fixture
def client(scripted: Any, transport: Transport) -> S3Client:
    credentials = Credentials("key", Secret("secret"))
    return S3Client(Endpoint.parse(scripted.url), credentials, transport=transport)


def ask(client: S3Client, method: str) -> list[Any]:
    upload = ("k", "u") if method == "iterate_parts" else ()
    return list(getattr(client, method)("b", *upload))


@pytest.mark.parametrize("method", LISTINGS)
def test_a_listing_that_goes_in_circles_is_no_whole_one(
    scripted: Any, client: S3Client, method: str
) -> None:
    root, marker = LISTINGS[method]
    for _ in range(3):
        scripted.answers(200, f"<{root}>{MORE}{marker.format(7)}</{root}>".encode())
    with pytest.raises(NetworkError, match="goes on, but not where"):
        ask(client, method)
    assert len(scripted.received) == 2


@pytest.mark.parametrize("method", LISTINGS)
def test_a_listing_that_does_not_tell_how_it_goes_on_is_no_whole_one(
    scripted: Any, client: S3Client, method: str
) -> None:
    root, _ = LISTINGS[method]
    scripted.answers(200, f"<{root}>{MORE}</{root}>".encode())
    with pytest.raises(NetworkError, match="goes on, but not where"):
        ask(client, method)


def test_keys_that_were_not_asked_for_are_noticed(scripted: Any, client: S3Client) -> None:
    contents = ONE.format("p/a") + ONE.format("q")
    scripted.answers(200, f"<ListBucketResult>{contents}</ListBucketResult>".encode())
    with pytest.raises(NetworkError, match="does not begin with"):
        list(client.iterate_objects("b", prefix="p/"))


def test_one_name_is_looked_up_by_listing_it(scripted: Any, client: S3Client) -> None:
    for key in ("p/a", "p/a/b"):
        page = f"<ListBucketResult>{ONE.format(key)}</ListBucketResult>"
        scripted.answers(200, page.encode())
    tree = BucketTree(
        client, RemoteAddress(Alias("x", scripted.url, "key", Secret("secret")), "b", "p/")
    )
    assert [item.name for item in tree.entries("a")] == ["a", "a/b"]
    lines = [received.line for received in scripted.received]
    # Who may only list and write needs no permission to read.
    assert all(line.startswith("GET /b?") for line in lines), lines


def test_a_failure_to_delete_that_names_nothing_we_asked_for_is_one(
    scripted: Any, client: S3Client
) -> None:
    failure = "<Error><Key/><Code>AccessDenied</Code><Message>no</Message></Error>"
    scripted.answers(200, f"<DeleteResult>{failure}</DeleteResult>".encode())
    with pytest.raises(ServiceDeniedError, match="no"):
        client.delete_objects("b", [ObjectIdentifier("a"), ObjectIdentifier("c")])


def test_a_failure_to_delete_is_of_the_version_that_we_asked_for(
    scripted: Any, client: S3Client
) -> None:
    failure = (
        "<Key>a</Key><VersionId>null</VersionId><Code>AccessDenied</Code><Message>no</Message>"
    )
    scripted.answers(200, f"<DeleteResult><Error>{failure}</Error></DeleteResult>".encode())
    (found,) = client.delete_objects("b", [ObjectIdentifier("a")])
    assert (found.key, found.version_id, found.code) == ("a", None, "AccessDenied")


@pytest.fixture
def home(tmp_path: Path, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, where the scripted service has the alias `x`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("INGOT_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("INGOT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MC_HOST_x", scripted.url.replace("://", "://access:secret@"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_mirror_deletes_nothing_by_half_a_listing(home: Path, scripted: Any) -> None:
    target = home / "dst"
    target.mkdir()
    for name in ("a", "b", "c"):
        (target / name).write_text("1")
    # A service of before ListObjectsV2 has a thousand objects and says `NextMarker`, or nothing.
    page = f"<ListBucketResult>{MORE}{ONE.format('a')}</ListBucketResult>".encode()
    for _ in range(8):
        scripted.answers(200, page)
    assert main.run(["mirror", "--remove", "--overwrite", "x/b", "dst"]) == 7
    assert {"a", "b", "c"} == {path.name for path in target.iterdir()}


def test_a_bucket_whose_name_leads_elsewhere_is_none(
    home: Path, scripted: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    names = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in ("../out", "/abs", ".."))
    listed = f"<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>"
    scripted.answers(200, listed.encode())
    assert main.run(["mirror", "x", "./dst"]) == 1
    assert capfd.readouterr().err.count("is no name of a bucket") == 3
    assert len(scripted.received) == 1
