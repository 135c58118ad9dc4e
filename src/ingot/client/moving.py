"""Moves one content: a copy that is followed by removing the source, if it is still the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from ingot.base.errors import ConflictError, Error
from ingot.client.comparison import vanishing
from ingot.client.copier import Copier
from ingot.client.crew import Advance
from ingot.client.entries import Entry, Stamp
from ingot.client.filecopy import move_file
from ingot.client.localnames import remove_local_file
from ingot.client.places import FilePlace, ObjectPlace, Place


class MovingCopier(Copier):
    """A copier that leaves nothing where it copied from; see `Copier` for its arguments."""

    @property
    def changes_attributes(self) -> bool:
        """Nothing can be moved in place."""
        return False

    def begin(
        self,
        source: Place,
        target: Place,
        entry: Entry,
        advance: Advance,
        *,
        durable: bool = True,
        replaces: bool = True,
    ) -> Callable[[], None]:
        """Begin to write the content at `source` to `target`; the rest then removes the source.

        Raises:
            ConflictError: it was copied, but the source stays: it changed meanwhile, or it may be
                the target itself under another name; or both are one file.
            Error: as `Copier.copy`; or it was copied, but the source cannot be removed.
        """
        if isinstance(source, FilePlace) and isinstance(target, FilePlace):
            with vanishing(source):
                if move_file(source, target, replaces=replaces):
                    return partial(advance, entry.size_bytes)
        # Whoever asks: the source goes only after the copy is where no power cut takes it from.
        copied = super().begin(source, target, entry, advance, replaces=replaces)

        def finish() -> None:
            copied()
            self._remove(source, target, entry)

        return finish

    def _remove(self, source: Place, target: Place, entry: Entry) -> None:
        try:
            match source:
                case FilePlace():
                    _remove_file(source, entry)
                case ObjectPlace():
                    self._remove_object(source, target, entry)
        except ConflictError:
            raise
        except Error as error:
            # Not as the error it was: another attempt would look for a source that may be gone.
            raise Error(
                f"{entry.name} was copied, but its source stays: {error.message}", hint=error.hint
            ) from error

    def _remove_object(self, source: ObjectPlace, target: Place, entry: Entry) -> None:
        address = source.address
        now = self.info(source)
        if now.etag != entry.etag:
            raise ConflictError(f"{address} changed while it was moved; it stays")
        if isinstance(target, ObjectPlace) and target.address.alias != address.alias:
            goal = target.address
            # Two aliases may name one service; then the copy has replaced its own source.
            if (goal.bucket, goal.key) == (address.bucket, address.key):
                copied = self.info(target)
                if (copied.etag, copied.modified_ns) == (now.etag, now.modified_ns):
                    raise ConflictError(
                        f"{address} and {goal} may be the same object; it stays",
                        hint=f"if they are not, remove it with 'ingot rm {address}'",
                    )
        client = self.client(source)
        client.delete_object(address.bucket, address.key, if_match=entry.etag)


def _remove_file(source: FilePlace, entry: Entry) -> None:
    try:
        # Who writes may put size and mtime back, but nobody the ctime.
        if Stamp.of(os.stat(source.path)) != entry.stamp:
            raise ConflictError(f"{source.path} changed while it was moved; it stays")
        remove_local_file(source.root, source.name, follows_links=source.follows_links)
    except OSError as error:
        raise Error(f"cannot delete {source.path}: {error.strerror}") from error
