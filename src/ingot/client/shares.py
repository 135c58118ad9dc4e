"""The links that this user made and that are still good, kept in a file (0600)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Self

from ingot.base.atomic import write_atomically
from ingot.base.errors import Error
from ingot.base.locking import exclusive
from ingot.base.paths import state_dir

FILE_NAME = "shares.json"
SCHEMA = 1
DOWNLOAD, UPLOAD = "download", "upload"
# The newest that are kept; who shares a million objects has another list of them.
SHARES_MAX = 1000
_FILE_BYTES_MAX = 16 << 20


class Share(NamedTuple):
    """A link, or the command that uses it; `address` is `alias/bucket/key`."""

    kind: str
    address: str
    text: str
    expires_ns: int


class ShareBook:
    """Links that were made; expired ones are forgotten as others come.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def default(cls) -> Self:
        """Return the user's own book."""
        return cls(state_dir() / FILE_NAME)

    def add(self, shares: Iterable[Share], now_ns: int) -> None:
        """Keep links, durably.

        Raises:
            Error: the file cannot be read or written.
        """
        try:
            with exclusive(self._path):
                kept = [*self._read(now_ns), *shares][-SHARES_MAX:]
                document = {"schema": SCHEMA, "shares": [share._asdict() for share in kept]}
                data = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
                write_atomically(self._path, data, mode=0o600)
        except OSError as error:
            raise Error(f"cannot write {self._path}: {error.strerror}") from error

    def valid(self, kind: str, now_ns: int) -> list[Share]:
        """Return the links of a kind that are still good, the oldest first.

        Raises:
            Error: the file cannot be read.
        """
        return [share for share in self._read(now_ns) if share.kind == kind]

    def _read(self, now_ns: int) -> list[Share]:
        try:
            with self._path.open("rb") as file:
                document = json.loads(file.read(_FILE_BYTES_MAX))
            shares = [_share(item) for item in document["shares"]]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Error(f"cannot read {self._path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise Error(
                f"{self._path} is damaged: {error}", hint="remove it; it is only a list of links"
            ) from error
        return [share for share in shares if share.expires_ns > now_ns]


def _share(item: dict[str, Any]) -> Share:
    return Share(
        str(item["kind"]), str(item["address"]), str(item["text"]), int(item["expires_ns"])
    )
