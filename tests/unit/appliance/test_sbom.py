"""The bill of materials and the list of files: complete, deterministic, readable."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from ingot.appliance.contents import Change, Contents, compare, read_contents
from ingot.appliance.mtree import read_mtree, render_mtree
from ingot.appliance.sbom import BilledPackage, read_sbom, render_sbom
from ingot.base.errors import NotFoundError, UsageError
from ingot.oci.image import Image, ImageConfig, ImagePackage
from ingot.oci.tree import Entry, Tree, directory, file, symlink

LIBC = ImagePackage(
    *("deb", "libc6", "2.36-9+deb12u10", "amd64", "a" * 64),
    source="glibc",
    source_version="2.36-9+deb12u10",
    release="bookworm",
)
DEBIAN = ("debian", "bookworm", ("glibc", "2.36-9+deb12u10"))
CLICK = ImagePackage("wheel", "click", "8.1.8", sha256="b" * 64)
OWN = ImagePackage("distribution", "ingot", "0.1.0")
MUSL = ImagePackage("apk", "musl", "1:1.2.5~x", "x86_64")


def tree_of(*entries: Entry) -> Tree:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree


def image(reference: str, *packages: ImagePackage, digest: str = "", os_id: str = "") -> Image:
    tree = tree_of(file("etc/os-release", f'NAME=x\nID="{os_id}"\n')) if os_id else Tree()
    return Image(reference, ImageConfig(), tree, packages, digest)


IMAGES = [
    image("component:store", CLICK, LIBC, OWN),
    image("component:dhcp", LIBC),
    image("alpine:3", MUSL, digest="sha256:" + "c" * 64, os_id="alpine"),
    image("ubuntu:24", LIBC, digest="sha256:" + "d" * 64, os_id="ubuntu"),
]


def test_the_document_is_spdx() -> None:
    document = json.loads(render_sbom("box", "amd64", IMAGES))
    assert document["spdxVersion"] == "SPDX-2.3"
    assert document["dataLicense"] == "CC0-1.0"
    assert document["SPDXID"] == "SPDXRef-DOCUMENT"
    assert document["creationInfo"]["created"] == "1970-01-01T00:00:00Z"
    assert re.fullmatch(r"urn:ingot:sbom:box:[0-9a-f]{64}", document["documentNamespace"])
    identifiers = [package["SPDXID"] for package in document["packages"]]
    assert len(set(identifiers)) == len(identifiers) == 1 + 4 + 5
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", identifier) for identifier in identifiers)
    for package in document["packages"]:
        assert package["downloadLocation"] == "NOASSERTION"
        assert package["filesAnalyzed"] is False
    for row in document["relationships"]:
        assert row["spdxElementId"] in {*identifiers, "SPDXRef-DOCUMENT"}
        assert row["relatedSpdxElement"] in identifiers


def test_packages_have_urls_and_digests() -> None:
    document = json.loads(render_sbom("box", "amd64", IMAGES))
    urls = {
        package["externalRefs"][0]["referenceLocator"]: package.get("checksums")
        for package in document["packages"]
        if "externalRefs" in package
    }
    assert set(urls) == {
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=bookworm",
        "pkg:deb/ubuntu/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=bookworm",
        "pkg:pypi/click@8.1.8",
        "pkg:generic/ingot@0.1.0",
        "pkg:apk/alpine/musl@1%3A1.2.5~x?arch=x86_64",
    }
    assert urls["pkg:pypi/click@8.1.8"] == [{"algorithm": "SHA256", "checksumValue": "b" * 64}]
    assert urls["pkg:generic/ingot@0.1.0"] is None


def test_equal_appliances_have_equal_documents() -> None:
    document = render_sbom("box", "amd64", IMAGES)
    assert render_sbom("box", "amd64", list(reversed(IMAGES))) == document
    changed = [image("component:store", dataclasses.replace(CLICK, version="8.2"))]
    others = [render_sbom("other", "amd64", IMAGES), render_sbom("box", "arm64", IMAGES)]
    others.append(render_sbom("box", "amd64", [*changed, *IMAGES[1:]]))
    spaces = {json.loads(data)["documentNamespace"] for data in (document, *others)}
    assert len(spaces) == 4


def test_the_document_is_read_again() -> None:
    bill = read_sbom(render_sbom("box", "amd64", IMAGES), "x")
    assert bill.images == {image.reference: image.digest for image in IMAGES}
    assert bill.packages == [
        BilledPackage("alpine:3", "apk", "musl", "1:1.2.5~x", "x86_64", "alpine"),
        BilledPackage("component:dhcp", "deb", "libc6", LIBC.version, "amd64", *DEBIAN),
        BilledPackage("component:store", "deb", "libc6", LIBC.version, "amd64", *DEBIAN),
        BilledPackage("component:store", "distribution", "ingot", "0.1.0"),
        BilledPackage("component:store", "wheel", "click", "8.1.8"),
        BilledPackage("ubuntu:24", "deb", "libc6", LIBC.version, "amd64", "ubuntu", *DEBIAN[1:]),
    ]
    with pytest.raises(UsageError):
        read_sbom(b"{}", "x")


ODD = "odd name\n=#\\\udcff/\u00e9"
TREE = tree_of(
    directory("bin"),
    file("bin/app", "app", 0o4755, uid=3, gid=4),
    symlink("bin/sh", "/a b"),
    Entry("dev/null", "char", 0o666, device=(1, 3)),
    Entry("ping", "file", 0o755, content=file("x", "x").content, xattrs=(("user.a", b"\xff"),)),
    file(ODD, "odd"),
)


def test_files_are_listed_in_mtree() -> None:
    lines = render_mtree(TREE).decode("ascii").splitlines()
    assert lines[0] == "#mtree"
    assert lines[1] == "./bin type=dir mode=0755 uid=0 gid=0"
    digest = "a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333"
    assert lines[2] == f"./bin/app type=file mode=4755 uid=3 gid=4 size=3 sha256digest={digest}"
    assert lines[3] == "./bin/sh type=link mode=0777 uid=0 gid=0 link=/a\\040b"
    assert lines[5] == "./dev/null type=char mode=0666 uid=0 gid=0 device=linux,1,3"
    assert lines[-1].endswith("xattr.user.a=/w==")


def test_the_list_is_read_again() -> None:
    found = read_mtree(render_mtree(TREE), "x")
    assert list(found) == [entry.path for entry in TREE]
    assert found["bin/app"].size_bytes == 3
    assert found["bin"].size_bytes == 0
    assert found["bin/sh"].attributes["link"] == "/a b"
    with pytest.raises(UsageError):
        read_mtree(b"hello\n", "x")


def contents(tree: Tree, *images: Image) -> Contents:
    bill = read_sbom(render_sbom("box", "amd64", images), "x")
    return Contents("box", "amd64", [], bill, read_mtree(render_mtree(tree), "x"))


def test_builds_are_compared() -> None:
    old = contents(TREE, *IMAGES)
    assert compare(old, old) == []
    changed = [image("component:store", dataclasses.replace(CLICK, version="8.2"), LIBC, OWN)]
    moved = image("alpine:3", MUSL, digest="sha256:" + "e" * 64, os_id="alpine")
    new = contents(tree_of(directory("bin"), file("new", "x")), *changed, moved)
    found = compare(old, new)
    assert [(change.kind, change.name) for change in found] == [
        ("image", "alpine:3"),
        ("image", "component:dhcp"),
        ("image", "ubuntu:24"),
        ("package", "wheel click"),
        ("file", "bin/app"),
        ("file", "bin/sh"),
        ("file", "dev"),
        ("file", "dev/null"),
        ("file", "new"),
        ("file", "odd name\n=#\\\udcff"),
        ("file", ODD),
        ("file", "ping"),
    ]
    assert found[3] == Change("package", "wheel click", "8.1.8", "8.2")
    assert found[1].after is None


def test_a_build_without_its_lists(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        read_contents(tmp_path / "box")
    assert caught.value.hint == "build it: ingot build FILE.yml"
    (tmp_path / "box.manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="no manifest of a build"):
        read_contents(tmp_path / "box")
