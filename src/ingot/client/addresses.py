"""What the words of a command line name: a local path, or `alias/bucket/key`; no requests here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ingot.base.errors import NotFoundError, UsageError
from ingot.client.aliases import Alias, AliasBook


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """A file or folder of this machine; `text` is what the user wrote."""

    text: str

    @property
    def path(self) -> Path:
        """The path itself."""
        return Path(self.text)

    @property
    def is_stream(self) -> bool:
        """Whether it is `-`: standard input or output."""
        return self.text == "-"

    @property
    def names_folder(self) -> bool:
        """Whether the user wrote it as a folder, or it is one."""
        return self.text.endswith("/") or os.path.isdir(self.text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """`alias[/bucket[/key]]`; bucket and key are empty where absent; a key keeps its slashes.

    `is_open` is a bucket with a slash behind it: what is in it is meant, and not the folder.
    """

    alias: Alias
    bucket: str = ""
    key: str = ""
    is_open: bool = field(default=False, compare=False)

    @property
    def names_folder(self) -> bool:
        """Whether it can only mean a folder: a bucket, or a key that ends with a slash."""
        return not self.key or self.key.endswith("/")

    @property
    def folder_prefix(self) -> str:
        """The prefix of the keys below this address when it is taken as a folder."""
        return self.key if self.names_folder else self.key + "/"

    def at(self, key: str) -> RemoteAddress:
        """Return the address of another key of the same bucket."""
        return RemoteAddress(self.alias, self.bucket, key)

    def within(self, path: str) -> RemoteAddress:
        """Return the address of what lies below this one, which is taken as a folder."""
        if self.bucket:
            return self.at(self.folder_prefix + path)
        bucket, _, key = path.partition("/")
        return RemoteAddress(self.alias, bucket, key)

    def __str__(self) -> str:
        return "/".join([self.alias.name, *([self.bucket] if self.bucket else []), *self._tail()])

    def _tail(self) -> list[str]:
        return [self.key] if self.key else []


Address = LocalAddress | RemoteAddress


def parse_address(text: str, book: AliasBook) -> Address:
    """Tell what `text` names: the first segment is an alias, or it is a local path.

    An alias wins over a folder of the same name; `./name` is always local.

    Raises:
        UsageError: it is empty.
    """
    if not text:
        raise UsageError("an address is empty")
    name, _, rest = text.partition("/")
    alias = book.all().get(name)
    if alias is None:
        return LocalAddress(text)
    return _remote(alias, rest)


def parse_place(text: str, book: AliasBook) -> Address:
    """Tell what `text` names for a command that only looks: what is there, here or on S3.

    Raises:
        UsageError: it is empty, or a stream.
        NotFoundError: the first segment is no alias, and nothing local has this name.
    """
    address = parse_address(text, book)
    if isinstance(address, LocalAddress) and not os.path.lexists(text):
        if text.partition("/")[0] in ("", ".", "..", "~"):
            raise NotFoundError(f"{text} does not exist")
        return parse_remote(text, book)
    return address


def parse_remote(text: str, book: AliasBook) -> RemoteAddress:
    """Read `alias[/bucket[/key]]`.

    Raises:
        UsageError: it can only be a local path.
        NotFoundError: the first segment is no alias.
    """
    name, _, rest = text.partition("/")
    if name in ("", ".", "..", "-", "~"):
        raise UsageError(
            f"{text!r} is a local path; this command works on S3 addresses",
            hint="write it like ALIAS/BUCKET/KEY; 'ingot alias list' shows the aliases",
        )
    return _remote(book.get(name), rest)


def _remote(alias: Alias, rest: str) -> RemoteAddress:
    # `$STORE/$BUCKET` with a slash at the end of $STORE means the bucket, not the whole service.
    bucket, slash, key = rest.lstrip("/").partition("/")
    return RemoteAddress(alias, bucket, key, is_open=bool(slash) and not key)


def parse_bucket(text: str, book: AliasBook) -> RemoteAddress:
    """Read `alias/bucket`, nothing below it.

    Raises:
        UsageError: there is no bucket, or a key too.
        NotFoundError: the first segment is no alias.
    """
    address = parse_remote(text, book)
    if not address.bucket or address.key:
        raise UsageError(f"{text!r} is not a bucket", hint="write it like ALIAS/BUCKET")
    return address


def check_intended_local(
    address: LocalAddress, book: AliasBook, *, is_source_local: bool = False
) -> None:
    """Refuse a local target that looks like a misspelt or missing alias.

    Copying to `loacl/bucket` would otherwise fill a new local folder and report success.

    Args:
        address: the target.
        book: the aliases.
        is_source_local: then nothing else says that a service was not meant.

    Raises:
        UsageError: the first folder does not exist and is nearly an alias's name; or the source is
            local, too.
    """
    name, separator, rest = address.text.partition("/")
    if address.is_stream or name in ("", ".", "..", "~") or os.path.lexists(name):
        return
    near = book.nearest(name)
    if near is not None and separator:
        raise UsageError(
            f"there is no alias {name!r}, and no local folder of that name",
            hint=f"did you mean {near}/{rest}? For a new local folder write ./{address.text}",
        )
    if is_source_local and separator and rest:
        raise UsageError(
            f"there is no alias {name!r}, and no local folder of that name",
            hint=f"for a new local folder write ./{address.text}",
        )


def check_no_stream(address: Address) -> None:
    """Refuse `-` where it would become a file or folder of that name.

    Raises:
        UsageError: it is that.
    """
    if isinstance(address, LocalAddress) and address.is_stream:
        raise UsageError(
            "'-' is no place here", hint="print with 'ingot cat'; a file of this name is ./-"
        )


def parse_object(text: str, book: AliasBook) -> RemoteAddress:
    """Read `alias/bucket/key`.

    Raises:
        UsageError: there is no bucket or no key.
        NotFoundError: the first segment is no alias.
    """
    address = parse_remote(text, book)
    if not address.bucket or not address.key:
        raise UsageError(f"{text!r} is not an object", hint="write it like ALIAS/BUCKET/KEY")
    return address
