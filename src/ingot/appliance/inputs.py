"""Where appliance files come from: this machine, standard input, addresses with a digest."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urldefrag, urlsplit

from ingot.appliance.documents import Document
from ingot.appliance.packagetags import package_reference
from ingot.base.atomic import write_atomically
from ingot.base.document import DocumentError
from ingot.base.errors import IntegrityError, NotFoundError, UsageError
from ingot.debian.fetch import Fetcher
from ingot.debian.session import Session

SOURCE_BYTES_MAX = 1 << 20
STDIN = "-"
STDIN_NAME = "appliance"

_SCHEMES = ("http://", "https://")
_DIGEST = "sha256="


@dataclass(frozen=True, slots=True)
class Inputs:
    """The documents of an appliance.

    Attributes:
        folder: where relative paths of image references begin, and where ingot.lock stands.
        name: the appliance's.
    """

    documents: tuple[Document, ...]
    folder: Path
    name: str


def read_file(path: Path) -> Inputs:
    """Read one appliance file; its stem is the appliance's name.

    Raises:
        NotFoundError: there is no such file.
        DocumentError: it is too large.
        UsageError: it cannot be read.
    """
    return Inputs((_local(path),), path.parent, path.stem)


def inputs_folder(arguments: Sequence[str]) -> Path:
    """Return the folder of the first file of this machine among arguments, else the current one."""
    local = [Path(text) for text in arguments if text != STDIN and not text.startswith(_SCHEMES)]
    return local[0].parent if local else Path()


def read_inputs(
    arguments: Sequence[str], session: Session, stdin: BinaryIO | None = None
) -> Inputs:
    """Read every argument: a path, `-`, or `http(s)://…#sha256=DIGEST`.

    Args:
        arguments: at least one.
        session: fetches, and keeps what it fetched.
        stdin: None takes the process's.

    Raises:
        NotFoundError: a file does not exist.
        UsageError: a file cannot be read, or an address has no digest.
        IntegrityError: what an address gave does not have its digest.
        NetworkError: a server cannot be reached, or we are offline.
    """
    documents: list[Document] = []
    names: list[str] = []
    for argument in arguments:
        if argument == STDIN:
            data = (stdin or sys.stdin.buffer).read(SOURCE_BYTES_MAX + 1)
            documents.append(Document(_text(data, "<stdin>"), "<stdin>"))
            names.append(STDIN_NAME)
        elif argument.startswith(_SCHEMES):
            url = urldefrag(argument).url
            documents.append(Document(_text(_fetched(argument, session), url), url))
            names.append(Path(unquote(urlsplit(url).path)).stem or STDIN_NAME)
        else:
            path = Path(argument)
            documents.append(_local(path))
            names.append(path.stem)
    return Inputs(tuple(documents), inputs_folder(arguments), names[0])


def _local(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            data = file.read(SOURCE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise NotFoundError(
            f"{path} does not exist", hint="name an appliance file: ingot build FILE.yml"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error

    def package(text: str) -> str:
        return package_reference(path.parent / text)

    return Document(_text(data, str(path)), str(path), package)


def _text(data: bytes, what: str) -> str:
    if len(data) > SOURCE_BYTES_MAX:
        raise DocumentError(f"{what} is larger than {SOURCE_BYTES_MAX} bytes")
    return data.decode("utf-8", errors="replace")


def _fetched(argument: str, session: Session) -> bytes:
    """Return what an address has; nobody is asked for what is in the cache by its digest."""
    url, fragment = urldefrag(argument)
    digest = fragment.removeprefix(_DIGEST).lower()
    known = (
        fragment.startswith(_DIGEST) and len(digest) == 64 and not digest.strip("0123456789abcdef")
    )
    if not known:
        raise UsageError(
            f"{url} has no digest, so anybody on the way could change the appliance",
            hint=f"append #{_DIGEST} and the 64 digits that sha256sum prints of the file",
        )
    fetcher = Fetcher(session.cache_dir, session.offline, progress=session.progress)
    path = fetcher.content_path(digest)
    if path.is_file():
        return path.read_bytes()
    data = fetcher.get(url, SOURCE_BYTES_MAX)
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise IntegrityError(f"{url} has the SHA-256 {found}, not {digest}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)
    return data
