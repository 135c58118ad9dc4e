"""An archive's signed table of contents: the signature checked, the fields read."""

from __future__ import annotations

import base64
import contextlib
import email.utils
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ingot.base.errors import Error, IntegrityError, MissingToolError

_HASH_LINE = re.compile(r"([0-9a-f]{64})\s+(\d+)\s+(\S+)")
_GPGV_TIMEOUT_S = 60


class SignatureError(IntegrityError):
    """An index is not signed by a key that may sign it."""

    slug = "signature"


class ReleaseError(Error):
    """A Release file is malformed or out of date."""

    slug = "release"


class Release(msgspec.Struct, frozen=True):
    """What of a Release file is used.

    Attributes:
        suite: the release's role, such as `stable`.
        codename: the release's name, such as `bookworm`.
        valid_until_s: Unix time after which the archive wants it refused; None for never.
        by_hash: indexes can be fetched by their digest, which never races with an update.
        files: SHA-256 and size by path.
    """

    origin: str
    suite: str
    codename: str
    valid_until_s: float | None
    by_hash: bool
    files: dict[str, tuple[str, int]]


def verify_inrelease(data: bytes, keyrings: list[Path], where: str) -> str:
    """Return the signed text of a clear-signed file, and only that.

    Args:
        data: the file as fetched.
        keyrings: binary or ASCII-armoured files of public keys that may sign.
        where: what the file is called in errors.

    Raises:
        SignatureError: no signature, a bad one, or none by a key of the keyrings.
        MissingToolError: gpgv is not installed.
    """
    program = shutil.which("gpgv")
    if program is None:
        raise MissingToolError(
            "gpgv is needed to check the archive's signature", hint="apt-get install gpgv"
        )
    if not keyrings:
        raise SignatureError(
            f"{where}: no keyring is known for this archive",
            hint="give one with --keyring, or Signed-By in apt's sources",
        )
    with tempfile.TemporaryDirectory(prefix="ingot-gpgv-") as folder:
        command = [program, "--homedir", folder, "--status-fd", "2", "--output", "-"]
        for keyring in _binary_keyrings(keyrings, Path(folder)):
            command += ["--keyring", str(keyring)]
        signed = Path(folder, "InRelease")
        signed.write_bytes(data)
        done = subprocess.run(
            [*command, str(signed)],
            capture_output=True,
            check=False,
            timeout=_GPGV_TIMEOUT_S,
            env={**os.environ, "LC_ALL": "C"},
        )
    status = {
        words[1]
        for line in done.stderr.decode("utf-8", "replace").splitlines()
        if (words := line.split()) and words[0] == "[GNUPG:]"
    }
    # NO_PUBKEY may stand beside a good signature: archives sign with old and new keys at once.
    if "VALIDSIG" not in status or "GOODSIG" not in status or "BADSIG" in status:
        raise SignatureError(
            f"{where} is not signed by a trusted key ({_describe(status)})",
            hint="the mirror may be damaged or not the one its keyring is for",
        )
    return done.stdout.decode("utf-8")


def parse_release(text: str, where: str) -> Release:
    """Read the signed text of a Release file.

    Raises:
        ReleaseError: it lists no SHA-256 digests, or a date is malformed.
    """
    fields: dict[str, str] = {}
    files: dict[str, tuple[str, int]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith(" "):
            match = _HASH_LINE.fullmatch(line.strip()) if name == "sha256" else None
            if match:
                files[match[3]] = (match[1], int(match[2]))
            continue
        name, _, value = line.partition(":")
        name = name.lower()
        fields[name] = value.strip()
    if not files:
        raise ReleaseError(f"{where} lists no SHA-256 digests")
    return Release(
        origin=fields.get("origin", ""),
        suite=fields.get("suite", ""),
        codename=fields.get("codename", ""),
        valid_until_s=_date(fields["valid-until"], where) if "valid-until" in fields else None,
        by_hash=fields.get("acquire-by-hash", "") == "yes",
        files=files,
    )


def _date(text: str, where: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except ValueError as error:
        raise ReleaseError(f"{where}: {text!r} is not a date") from error


def _binary_keyrings(keyrings: list[Path], folder: Path) -> Iterator[Path]:
    """Yield keyrings as gpgv wants them; ASCII-armoured ones are decoded into `folder`."""
    for index, keyring in enumerate(keyrings):
        with contextlib.suppress(FileNotFoundError):
            data = keyring.read_bytes()
            if b"-----BEGIN PGP" not in data[:1024]:
                yield keyring.absolute()
                continue
            binary = folder / f"keyring-{index}.gpg"
            binary.write_bytes(_dearmour(data.decode("ascii", "replace")))
            yield binary


def _dearmour(text: str) -> bytes:
    """Decode ASCII armour (RFC 9580, 6.2): headers, an empty line, base64, a checksum line."""
    binary = b""
    for block in re.findall(r"-----BEGIN PGP[^\n]*\n(.*?)-----END PGP", text, re.DOTALL):
        lines = [line.strip() for line in block.splitlines()]
        body = lines[lines.index("") + 1 :] if "" in lines else lines
        binary += base64.b64decode("".join(line for line in body if not line.startswith("=")))
    return binary


def _describe(status: set[str]) -> str:
    reasons = {
        "BADSIG": "the signature does not match the text",
        "EXPKEYSIG": "the key has expired",
        "REVKEYSIG": "the key is revoked",
        "EXPSIG": "the signature has expired",
        "NO_PUBKEY": "its key is not in the keyring",
    }
    return next((reasons[word] for word in reasons if word in status), "there is no signature")
