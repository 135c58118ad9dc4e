"""Small container images for tests: layers from tar members, layouts, pushes to a registry."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from ingot.oci.digest import digest_of, hex_of
from ingot.oci.manifest import CONFIG_TYPE, INDEX_TYPE, LAYER_TYPE, MANIFEST_TYPE, REF_NAME

_TIMEOUT_S = 30


def member(name: str, data: bytes | None = None, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Make a tar member: a file with `data`, else a directory; `fields` are TarInfo's."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
    info.mode = 0o755 if data is None else 0o644
    info.size = len(data or b"")
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data or b""


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a pax tar of members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def gzipped(data: bytes) -> bytes:
    """Compress without a date."""
    return gzip.compress(data, mtime=0)


@dataclass
class SmallImage:
    """One image for one platform.

    Attributes:
        layers: uncompressed tars.
        compress: how each layer travels.
        run: the `config` object of the configuration.
    """

    layers: Sequence[bytes]
    architecture: str = "amd64"
    compress: Callable[[bytes], bytes] = gzipped
    run: dict[str, Any] = field(default_factory=dict)
    diff_ids: list[str] | None = None

    def blobs(self) -> dict[str, bytes]:
        """Return configuration and layers by digest."""
        packed = [self.compress(layer) for layer in self.layers]
        return {digest_of(data): data for data in (self.config(), *packed)}

    def config(self) -> bytes:
        """Return the configuration."""
        diff_ids = self.diff_ids or [digest_of(layer) for layer in self.layers]
        document = {
            "architecture": self.architecture,
            "os": "linux",
            "config": self.run,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
        return json.dumps(document).encode()

    def manifest(self) -> bytes:
        """Return the manifest."""
        packed = [self.compress(layer) for layer in self.layers]
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(self.config(), CONFIG_TYPE),
            "layers": [descriptor(data, f"{LAYER_TYPE}+gzip") for data in packed],
        }
        return json.dumps(document).encode()


def descriptor(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    """Return what points to `data`."""
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}


def index_of(*images: SmallImage) -> bytes:
    """Return an index of images by platform."""
    manifests = [
        descriptor(
            image.manifest(),
            MANIFEST_TYPE,
            platform={"os": "linux", "architecture": image.architecture},
        )
        for image in images
    ]
    document = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
    return json.dumps(document).encode()


def write_layout(folder: Path, named: dict[str, Sequence[SmallImage]]) -> Path:
    """Write an OCI layout; a name with several images gets an index of them."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    roots = []
    for name, images in named.items():
        data = images[0].manifest() if len(images) == 1 else index_of(*images)
        kind = MANIFEST_TYPE if len(images) == 1 else INDEX_TYPE
        roots.append(descriptor(data, kind, annotations={REF_NAME: name}))
        parts = [data, *(image.manifest() for image in images)]
        parts += [blob for image in images for blob in image.blobs().values()]
        for part in parts:
            (blobs / hex_of(digest_of(part))).write_bytes(part)
    index = {"schemaVersion": 2, "manifests": roots}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def write_docker_archive(path: Path, image: SmallImage, name: str) -> Path:
    """Write what `docker save` wrote before it knew OCI layouts; equal layers become links."""
    config_name = f"{hex_of(digest_of(image.config()))}.json"
    members = [member(config_name, image.config())]
    first: dict[str, str] = {}
    names = []
    for number, layer in enumerate(image.layers):
        own = f"{number}/layer.tar"
        names.append(own)
        seen = first.setdefault(digest_of(layer), own)
        link = {"type": tarfile.SYMTYPE, "linkname": f"../{seen}", "size": 0}
        members.append(member(own, layer) if seen == own else member(own, b"", **link))
    saved = [{"Config": config_name, "RepoTags": [name], "Layers": names}]
    members.append(member("manifest.json", json.dumps(saved).encode()))
    path.write_bytes(tar_of(*members))
    return path


def push(url: str, name: str, images: Sequence[SmallImage], headers: dict[str, str]) -> str:
    """Push images under `REPOSITORY:TAG`, an index of several; return the root's digest."""
    repository, _, tag = name.rpartition(":")
    base = f"{url}/v2/{repository}"
    with urllib3.PoolManager(timeout=_TIMEOUT_S) as pool:

        def send(method: str, target: str, body: bytes, media_type: str) -> dict[str, str]:
            sent = {**headers, "content-type": media_type}
            answer = pool.request(method, target, body=body, headers=sent)
            assert answer.status in {201, 202}, (method, target, answer.status, answer.data)
            return dict(answer.headers)

        for image in images:
            for digest, data in image.blobs().items():
                place = send("POST", f"{base}/blobs/uploads/", b"", "")["Location"]
                place = place if "://" in place else f"{url}{place}"
                separator = "&" if "?" in place else "?"
                target = f"{place}{separator}digest={digest}"
                send("PUT", target, data, "application/octet-stream")
            version = tag if len(images) == 1 else digest_of(image.manifest())
            send("PUT", f"{base}/manifests/{version}", image.manifest(), MANIFEST_TYPE)
        if len(images) == 1:
            return digest_of(images[0].manifest())
        index = index_of(*images)
        send("PUT", f"{base}/manifests/{tag}", index, INDEX_TYPE)
        return f"sha256:{hashlib.sha256(index).hexdigest()}"
