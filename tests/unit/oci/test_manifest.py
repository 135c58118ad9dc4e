"""Manifests and indexes: told apart, bounded, and chosen from by platform."""

import json

import pytest

from ingot.base.errors import NotFoundError
from ingot.oci.manifest import (
    ConfigDocument,
    Descriptor,
    Index,
    Manifest,
    ManifestError,
    Platform,
    decode,
    decode_manifest,
    image_config,
    platform_for,
    select,
)

PART = {"digest": "sha256:" + "0" * 64, "size": 1}


def decoded(document: object) -> Manifest | Index:
    return decode_manifest(json.dumps(document).encode(), "x")


def test_content_says_what_it_is() -> None:
    assert isinstance(decoded({"config": PART, "layers": [PART]}), Manifest)
    assert isinstance(decoded({"manifests": [PART]}), Index)


@pytest.mark.parametrize(
    "document",
    [
        {"config": PART, "layers": [PART], "manifests": [PART]},
        {"config": PART},
        {"schemaVersion": 1, "fsLayers": [], "history": []},
        {"config": PART, "layers": [PART] * 513},
        {"layers": [PART]},
        {"manifests": [{"digest": 3}]},
        [],
    ],
)
def test_malformed_documents_are_refused(document: object) -> None:
    with pytest.raises(ManifestError):
        decoded(document)


def test_no_json_is_refused() -> None:
    with pytest.raises(ManifestError, match="malformed"):
        decode_manifest(b"{", "x")


def image(architecture: str, variant: str = "", os: str = "linux") -> Descriptor:
    return Descriptor(f"{architecture}{variant}", 1, platform=Platform(architecture, os, variant))


@pytest.mark.parametrize(
    ("debian", "chosen"),
    [("amd64", "amd64"), ("arm64", "arm64v8"), ("armhf", "armv7"), ("armel", "armv6")],
)
def test_the_platform_chooses(debian: str, chosen: str) -> None:
    images = [image("unknown", os="unknown"), image("arm", "v6"), image("arm", "v7")]
    images += [image("arm64", "v8"), image("amd64", os="windows"), image("amd64")]
    found = select(images, platform_for(debian), "x")
    assert found.digest == chosen
    assert found.platform is not None
    assert found.platform.os == "linux"


def test_an_entry_without_platform_serves_if_nothing_else_does() -> None:
    bare = Descriptor("bare", 1)
    assert select([bare, image("arm64")], platform_for("amd64"), "x") is bare
    assert select([bare, image("amd64")], platform_for("amd64"), "x").digest == "amd64"


def test_no_image_for_the_platform() -> None:
    with pytest.raises(NotFoundError) as caught:
        select([image("arm64"), image("unknown", os="unknown")], platform_for("amd64"), "name")
    assert caught.value.message == "name has no image for linux/amd64"
    assert caught.value.hint == "it is for linux/arm64"


def test_null_is_not_given() -> None:
    data = b'{"rootfs": {"diff_ids": []}, "config": {"Cmd": null, "Env": ["A=b"], "Labels": null}}'
    config = image_config(decode(data, ConfigDocument, "x"))
    assert (config.cmd, config.env, config.working_dir, dict(config.labels)) == (
        (),
        ("A=b",),
        "/",
        {},
    )
    assert image_config(decode(b'{"rootfs": {"diff_ids": []}}', ConfigDocument, "x")).user == ""
