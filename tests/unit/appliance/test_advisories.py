"""Advisories: the tracker and OSV, versions in their own orders, what is joined or left out."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ingot.appliance.advisories.finding import Subject, subjects_of
from ingot.appliance.advisories.load import open_database
from ingot.appliance.advisories.report import Report, report
from ingot.appliance.sbom import Bill, BilledPackage
from ingot.base.errors import NotFoundError, UsageError


def deb(name: str, version: str, source: tuple[str, str], release: str = "bookworm") -> Any:
    return BilledPackage("image", "deb", name, version, "amd64", "debian", release, source)


BILL = Bill(
    {"image": "", "other": ""},
    [
        # A rebuild (+b1) has the version of its source, without the mark.
        deb("libssl3", "3.0.15-1~deb12u1+b1", ("openssl", "3.0.15-1~deb12u1")),
        deb("openssl", "3.0.15-1~deb12u1", ("openssl", "3.0.15-1~deb12u1")),
        deb("busybox-static", "1:1.35.0-4+b3", ("busybox", "1:1.35.0-4")),
        deb("old", "1.0-1", ("old", "1.0-1"), "bullseye"),
        deb("homeless", "1.0-1", ("homeless", "1.0-1"), ""),
        BilledPackage("image", "wheel", "urllib3", "2.2.1"),
        BilledPackage("other", "wheel", "typing-extensions", "4.12.0rc1"),
        BilledPackage("other", "apk", "musl", "1.2.5", "", "alpine"),
        BilledPackage("other", "deb", "libc6", "2.39", "", "ubuntu", "noble", ("glibc", "2.39")),
    ],
)


def row(status: str, fixed: str = "", urgency: str = "not yet assigned", **more: str) -> Any:
    made = {"status": status, "urgency": urgency, "repositories": {"bookworm": "1"}, **more}
    return {**made, "fixed_version": fixed} if fixed else made


def cve(**releases: Any) -> Any:
    return {"description": "…", "debianbug": 1, "scope": "remote", "releases": releases}


TRACKER = {
    "openssl": {
        "CVE-1-FIXED-LATER": cve(bookworm=row("resolved", "3.0.15-1~deb12u2", "high")),
        "CVE-2-FIXED-HERE": cve(bookworm=row("resolved", "3.0.15-1~deb12u1")),
        "CVE-3-FIXED-BEFORE": cve(bookworm=row("resolved", "3.0.9-1")),
        "CVE-4-NEVER": cve(bookworm=row("resolved", "0")),
        "CVE-5-OPEN": cve(
            bookworm=row("open", "", "low**", nodsa="Minor issue", nodsa_reason="postponed")
        ),
        "CVE-6-UNIMPORTANT": cve(bookworm=row("open", "", "unimportant")),
        "CVE-7-UNDETERMINED": cve(bookworm=row("undetermined")),
        "CVE-8-ELSEWHERE": cve(trixie=row("open"), sid=row("open")),
        "CVE-9-TILDE": cve(bookworm=row("resolved", "3.0.15-1", "medium")),
    },
    "busybox": {
        "CVE-10-EPOCH": cve(bookworm=row("resolved", "2.0-1")),
        "CVE-11-EPOCH": cve(bookworm=row("resolved", "1:1.35.0-4+deb12u1")),
    },
    "old": {"CVE-12": cve(bullseye=row("open"), bookworm=row("resolved", "0"))},
    # Advisories are about source packages: this is another one's name.
    "libssl3": {"CVE-13-BINARY": cve(bookworm=row("open"))},
}


@pytest.fixture
def tracker(tmp_path: Path) -> Path:
    path = tmp_path / "debian.json"
    path.write_text(json.dumps(TRACKER))
    return path


def look(path: Path, **choice: Any) -> Report:
    return report(BILL, [open_database(path)], **choice)


def found(path: Path, **choice: Any) -> list[tuple[str, str]]:
    return [(row.identifier, row.fixed) for row in look(path, **choice).rows]


def test_the_tracker_is_asked_by_source_version_and_release(tracker: Path) -> None:
    assert found(tracker) == [
        ("CVE-1-FIXED-LATER", "3.0.15-1~deb12u2"),
        ("CVE-9-TILDE", "3.0.15-1"),
        ("CVE-5-OPEN", ""),
        ("CVE-11-EPOCH", "1:1.35.0-4+deb12u1"),
        ("CVE-12", ""),
    ]
    rows = {row.identifier: row for row in look(tracker).rows}
    assert rows["CVE-1-FIXED-LATER"].severity == "high"
    assert rows["CVE-1-FIXED-LATER"].installed == ("libssl3", "openssl")
    assert rows["CVE-5-OPEN"].note == "Minor issue"
    assert rows["CVE-12"].severity == "unknown"


def test_what_is_unimportant_is_shown_on_demand(tracker: Path) -> None:
    more = dict(found(tracker, with_minor=True)).keys() - dict(found(tracker)).keys()
    assert more == {"CVE-6-UNIMPORTANT", "CVE-7-UNDETERMINED"}
    notes = {row.identifier: row.note for row in look(tracker, with_minor=True).rows}
    assert notes["CVE-7-UNDETERMINED"] == "not determined"


def test_only_fixed_and_ignored(tracker: Path) -> None:
    assert [name for name, _ in found(tracker, only_fixed=True)] == [
        *("CVE-1-FIXED-LATER", "CVE-9-TILDE", "CVE-11-EPOCH"),
    ]
    assert "CVE-12" not in dict(found(tracker, ignored=["CVE-12"]))


def test_what_no_advisory_is_about_is_said(tracker: Path) -> None:
    told = look(tracker)
    assert told.checked == 4
    # A package without a release, one of another distribution, wheels, Alpine's.
    assert told.unchecked == {"apk": 1, "deb": 2, "wheel": 2}


def record(identifier: str, ecosystem: str, name: str, **more: Any) -> Any:
    about = {"package": {"ecosystem": ecosystem, "name": name}}
    about |= {key: more.pop(key) for key in ("ranges", "versions") if key in more}
    about |= {"ecosystem_specific": {"urgency": more.pop("urgency")}} if "urgency" in more else {}
    base = {"id": identifier, "modified": "2026-01-01T00:00:00Z", "schema_version": "1.6.0"}
    return {**base, "affected": [about], **more}


def events(*pairs: str, kind: str = "ECOSYSTEM") -> list[Any]:
    return [{"type": kind, "events": [dict([pair.split("=")]) for pair in pairs]}]


OSV = [
    record("PYSEC-1", "PyPI", "urllib3", ranges=events("introduced=0", "fixed=2.2.2"),
           aliases=["CVE-2024-37891", "GHSA-34jh"]),
    record("GHSA-34jh", "PyPI", "urllib3", ranges=events("introduced=2.0.0", "fixed=2.2.2"),
           aliases=["CVE-2024-37891"], database_specific={"severity": "MODERATE"}),
    record("GHSA-old", "PyPI", "urllib3", ranges=events("introduced=0", "fixed=1.26.5")),
    record("GHSA-two", "PyPI", "urllib3",
           ranges=events("introduced=0", "fixed=1.26.18", "introduced=2.0.0", "fixed=2.0.7")),
    record("GHSA-last", "PyPI", "urllib3", ranges=events("introduced=2.2", "last_affected=2.2.1")),
    record("GHSA-listed", "PyPI", "urllib3", versions=["2.2.01"]),
    record("GHSA-git", "PyPI", "urllib3", ranges=events("introduced=0", kind="GIT")),
    record("GHSA-gone", "PyPI", "urllib3", ranges=events("introduced=0"),
           withdrawn="2025-01-01T00:00:00Z"),
    # Names are normalised, and a candidate comes before its release.
    record("GHSA-name", "PyPI", "Typing_Extensions",
           ranges=events("introduced=4.12.0a1", "fixed=4.12.0")),
    record("GHSA-after", "PyPI", "typing-extensions", ranges=events("introduced=4.12.0")),
    record("DSA-1-1", "Debian:12", "openssl", urgency="high",
           ranges=events("introduced=0", "fixed=3.0.15-1~deb12u2"), upstream=["CVE-9"]),
    record("DSA-2-1", "Debian:11", "openssl", ranges=events("introduced=0")),
    record("DEBIAN-CVE-3", "Debian:11", "old", ranges=events("introduced=0", "fixed=1.0-2")),
    record("DSA-4-1", "Debian", "busybox", ranges=events("introduced=0", "fixed=1:1.35.0-4")),
    record("ALPINE-1", "Alpine:v3.20", "musl", ranges=events("introduced=0")),
]  # fmt: skip
EXPECTED = [
    ("DSA-1-1", "3.0.15-1~deb12u2"),
    ("CVE-2024-37891", "2.2.2"),
    ("DEBIAN-CVE-3", "1.0-2"),
    ("GHSA-name", "4.12.0"),
    ("GHSA-last", ""),
    ("GHSA-listed", ""),
]


def write_osv(kind: str, folder: Path) -> Path:
    path = folder / kind
    if kind == "list.json":
        path.write_text("\n " + json.dumps(OSV))
        return path
    if kind == "all.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README", "not a record")
            for item in OSV:
                archive.writestr(f"{item['id']}.json", json.dumps(item))
        return path
    for item in OSV:
        place = path / item["id"][:4]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{item['id']}.json").write_text(json.dumps(item))
    return path


@pytest.mark.parametrize("kind", ["list.json", "all.zip", "folder"])
def test_osv_in_each_of_its_forms(kind: str, tmp_path: Path) -> None:
    path = write_osv(kind, tmp_path)
    names = ("CVE-9", *(name for name, _ in EXPECTED[1:]))
    assert found(path) == [(name, fixed) for name, (_, fixed) in zip(names, EXPECTED, strict=True)]
    rows = {row.identifier: row for row in look(path).rows}
    # Three names, one advisory; the worst word for it is the one that is shown.
    joined = rows["CVE-2024-37891"]
    assert joined.aliases == ("GHSA-34jh", "PYSEC-1")
    assert joined.severity == "moderate"
    assert look(path).unchecked == {"apk": 1, "deb": 2}


def test_a_single_record_is_read(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(OSV[0]))
    assert found(path) == [("CVE-2024-37891", "2.2.2")]


def test_several_files_are_asked_together(tracker: Path, tmp_path: Path) -> None:
    databases = [open_database(tracker), open_database(write_osv("all.zip", tmp_path))]
    told = report(BILL, databases)
    assert {"CVE-1-FIXED-LATER", "CVE-9"} <= {row.identifier for row in told.rows}
    assert told.unchecked == {"apk": 1, "deb": 2}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        '"x"',
        "[1]",
        '{"openssl": 1}',
        '[{"id": 1}]',
        '{"id": "x", "modified": 1, "affected": 2}',
    ],
)
def test_what_is_no_database_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UsageError):
        look(path)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_database(tmp_path / "no.json")


def test_versions_that_cannot_be_compared_are_told(tmp_path: Path) -> None:
    bill = Bill({"i": ""}, [BilledPackage("i", "wheel", "odd", "2024b-custom!")])
    path = tmp_path / "list.json"
    path.write_text(json.dumps([record("X-1", "PyPI", "odd", ranges=events("introduced=0"))]))
    assert [row.identifier for row in report(bill, [open_database(path)]).rows] == ["X-1"]


def test_signed_kernels_are_known_by_what_was_signed() -> None:
    image = deb(
        "linux-image-6.1.0-56-cloud-amd64", "6.1.192-2", ("linux-signed-amd64", "6.1.192+2")
    )
    (subject,) = subjects_of(Bill({"image": ""}, [image]))
    assert subject == Subject("debian", "linux", "6.1.192-2", "bookworm")


def test_subjects_are_what_advisories_name() -> None:
    subjects = subjects_of(BILL)
    assert Subject("debian", "busybox", "1:1.35.0-4", "bookworm") in subjects
    assert Subject("pypi", "urllib3", "2.2.1") in subjects
    assert not [subject for subject in subjects if subject.name in {"musl", "glibc"}]
