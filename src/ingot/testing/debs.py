"""Small Debian packages and signed archives, made in the test that wants them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_TIMEOUT_S = 60


def make_tar(files: Mapping[str, bytes | None], links: Mapping[str, str] | None = None) -> bytes:
    """Return a tar: file bodies by path (None makes a directory), then symlinks."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(f"./{name}")
            if body is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            else:
                member.size, member.mode = len(body), 0o644
            archive.addfile(member, io.BytesIO(body or b""))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


def make_ar(members: Mapping[str, bytes]) -> bytes:
    """Return an ar archive as dpkg-deb writes it."""
    parts = [b"!<arch>\n"]
    for name, body in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n"
        parts += [header.encode(), body, b"\n" * (len(body) % 2)]
    return b"".join(parts)


def make_deb(files: Mapping[str, bytes | None], links: Mapping[str, str] | None = None) -> bytes:
    """Return a .deb with these files; its control archive is empty, as nothing of ours reads it."""
    return make_ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": lzma.compress(make_tar({})),
            "data.tar.xz": lzma.compress(make_tar(files, links)),
        }
    )


class SigningKey:
    """An OpenPGP key pair in a GnuPG home of its own; close it to end GnuPG's agent."""

    def __init__(self, name: str = "Test Archive") -> None:
        # A socket's path may have 107 bytes, which a test's folder easily exceeds.
        self._home = tempfile.mkdtemp(prefix="ik-")
        self._gpg("--quick-generate-key", name, "ed25519", "sign", "never")

    def public(self, *, armour: bool = False) -> bytes:
        """Return the public key."""
        return self._gpg(*(["--armor"] if armour else []), "--export")

    def clearsign(self, text: str) -> bytes:
        """Return `text` with a signature around it."""
        return self._gpg("--clearsign", "--output", "-", data=text.encode())

    def close(self) -> None:
        """End the agent and remove the key."""
        command = ["gpgconf", "--homedir", self._home, "--kill", "all"]
        subprocess.run(command, check=False, timeout=_TIMEOUT_S)
        shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _gpg(self, *arguments: str, data: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", self._home, "--batch", "--quiet", "--passphrase", ""]
        done = subprocess.run(
            [*command, "--pinentry-mode", "loopback", *arguments],
            input=data,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_S,
        )
        return done.stdout


@dataclass(slots=True)
class SmallArchive:
    """A Debian archive in a folder, to be served by any file server.

    Attributes:
        stanzas: the Packages file's, by package name; edit before `publish` to break things.
        release: fields of the Release file.
    """

    root: Path
    key: SigningKey
    suite: str = "bookworm"
    architecture: str = "amd64"
    stanzas: dict[str, str] = field(default_factory=dict)
    foreign: dict[str, dict[str, str]] = field(default_factory=dict)
    release: dict[str, str] = field(
        default_factory=lambda: {
            "Origin": "Debian",
            "Suite": "stable",
            "Codename": "bookworm",
            "Date": "Thu, 01 Jan 2026 00:00:00 UTC",
            "Acquire-By-Hash": "yes",
        }
    )

    def add(
        self,
        name: str,
        version: str,
        files: Mapping[str, bytes | None],
        *,
        links: Mapping[str, str] | None = None,
        architecture: str | None = None,
        **fields: str,
    ) -> Path:
        """Add a package and return its .deb; `fields` are such as `Depends`, `_` for `-`."""
        deb = make_deb(files, links)
        own = architecture is None or architecture == self.architecture
        architecture = architecture or self.architecture
        ending = "" if own else f"_{architecture}"
        relative = f"pool/main/{name[0]}/{name}/{name}_{version.replace(':', '.')}{ending}.deb"
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(deb)
        extra = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in fields.items())
        stanzas = self.stanzas if own else self.foreign.setdefault(architecture, {})
        stanzas[name] = (
            f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n{extra}"
            f"Filename: {relative}\nSize: {len(deb)}\n"
            f"SHA256: {hashlib.sha256(deb).hexdigest()}\nDescription: test\n more text\n"
        )
        return path

    def publish(self) -> None:
        """Write the indexes and sign them."""
        folder = self.root / "dists" / self.suite
        listed = ""
        for architecture, stanzas in {self.architecture: self.stanzas, **self.foreign}.items():
            relative = f"main/binary-{architecture}/Packages.xz"
            packages = lzma.compress("\n".join(stanzas.values()).encode())
            digest = hashlib.sha256(packages).hexdigest()
            place = folder / relative
            for path in (place, place.parent / "by-hash" / "SHA256" / digest):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(packages)
            listed += f" {digest} {len(packages)} {relative}\n"
        fields = "".join(f"{key}: {value}\n" for key, value in self.release.items())
        text = f"{fields}SHA256:\n{listed}"
        (folder / "InRelease").write_bytes(self.key.clearsign(text))

    def keyring(self, *, armour: bool = False) -> Path:
        """Write the public key beside the archive and return the file."""
        path = self.root / ("key.asc" if armour else "key.gpg")
        path.write_bytes(self.key.public(armour=armour))
        return path


@contextlib.contextmanager
def apt_configuration(folder: Path, sources: str) -> Iterator[str]:
    """Yield the text of `apt-config dump` for a host with these deb822 sources."""
    etc = folder / "etc/apt"
    (etc / "sources.list.d").mkdir(parents=True)
    (etc / "sources.list.d/test.sources").write_text(sources, encoding="utf-8")
    yield f'Dir "{folder}{os.sep}";\nDir::Etc "etc/apt";\n'
