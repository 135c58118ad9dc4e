"""A file's times, mode and owner as metadata of its object, as mc and rclone write them; pure."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

# rclone, s3fs and others keep a file's time under this name, in seconds with a fraction.
MTIME_METADATA = "mtime"
# mc keeps all that it knows in one, as `gid:0/mode:33188/mtime:1700000000#123/uid:0`.
MC_METADATA = "mc-attrs"
_NS_PER_S = 1_000_000_000
_ID_MAX = 2**32 - 2
# Times that every file system holds: up to the year 2262.
_SECONDS_MAX = 2**63 // _NS_PER_S - 1


@dataclass(frozen=True, slots=True)
class FileAttributes:
    """What is known of a file beside its bytes; None where it is not known.

    Attributes:
        modified_ns: when it was last changed, nanoseconds since the epoch.
        mode: permission bits.
        uid: whose it is.
        gid: which group's it is.
    """

    modified_ns: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None

    def metadata(self) -> dict[str, str]:
        """Return it as metadata of an object, which mc and rclone read too."""
        if self.modified_ns is None:
            return {}
        seconds, rest_ns = divmod(self.modified_ns, _NS_PER_S)
        fields = {"mtime": f"{seconds}#{rest_ns}"}
        if self.mode is not None:
            fields["mode"] = str(stat.S_IFREG | self.mode)
        if self.uid is not None and self.gid is not None:
            fields |= {"uid": str(self.uid), "gid": str(self.gid)}
        return {
            MTIME_METADATA: _decimal(self.modified_ns),
            MC_METADATA: "/".join(f"{name}:{fields[name]}" for name in sorted(fields)),
        }

    @classmethod
    def parse(cls, metadata: Mapping[str, str]) -> Self:
        """Read it from an object's metadata; what makes no sense counts as not known."""
        parts = (part.partition(":") for part in metadata.get(MC_METADATA, "").split("/"))
        fields = {name: value for name, _, value in parts}
        modified_ns = _time_ns(fields.get("mtime", ""), "#")
        if modified_ns is None:
            modified_ns = _time_ns(metadata.get(MTIME_METADATA, ""), ".")
        mode = _number(fields.get("mode", ""), 2**31)
        return cls(
            modified_ns,
            # Never more than permissions: who may write objects may not make a file set-uid.
            None if mode is None else mode & 0o777,
            _number(fields.get("uid", ""), _ID_MAX),
            _number(fields.get("gid", ""), _ID_MAX),
        )


def _decimal(time_ns: int) -> str:
    # Before 1970 the whole number is negative, its fraction too.
    seconds, rest_ns = divmod(abs(time_ns), _NS_PER_S)
    return f"{'-' if time_ns < 0 else ''}{seconds}.{rest_ns:09d}"


def _time_ns(text: str, mark: str) -> int | None:
    sign = -1 if text.startswith("-") else 1
    seconds_text, _, fraction = text.removeprefix("-").partition(mark)
    seconds = _number(seconds_text, _SECONDS_MAX)
    if seconds is None:
        return None
    if not fraction:
        return sign * seconds * _NS_PER_S
    if not (fraction.isascii() and fraction.isdecimal()):
        return None
    # mc writes a number of nanoseconds after the second, the others decimals of it.
    if mark == "#":
        return sign * seconds * _NS_PER_S + int(fraction[:9])
    return sign * (seconds * _NS_PER_S + int(fraction[:9].ljust(9, "0")))


def _number(text: str, highest: int) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(highest))):
        return None
    number = int(text)
    return number if number <= highest else None
