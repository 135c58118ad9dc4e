"""What the kernel tells of changes below a folder, by name; and that it told not all of them."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import select
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingot.base.errors import Error

# <linux/inotify.h>
_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_UNMOUNT, _Q_OVERFLOW, _IGNORED = 0x2000, 0x4000, 0x8000
_ONLYDIR, _DONT_FOLLOW, _ISDIR = 0x1000000, 0x2000000, 0x40000000
_APPEARED = _CREATE | _MOVED_TO
_WENT = _DELETE | _MOVED_FROM
_OF_ITSELF = _DELETE_SELF | _MOVE_SELF | _UNMOUNT
_WANTED = _MODIFY | _ATTRIB | _CLOSE_WRITE | _APPEARED | _WENT | _DELETE_SELF | _MOVE_SELF
# Watch descriptor, mask, cookie, length of the name that follows.
_HEAD = struct.Struct("iIII")
_READ_BYTES = 1 << 16
# A folder that is gone, or none any more, or not for us, is told of by the folder above.
_NOT_WATCHED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM}


class EventsLostError(Error):
    """The kernel's queue was full: what happened since is not known, new folders included."""


class FolderEvents:
    """Watches a folder and all below; a folder that appears is named when it is watched.

    So whoever then looks at what is below that name misses nothing. Not for several threads.

    Args:
        root: the folder.
        follow_links: watch folders that links lead to, too.

    Raises:
        OSError: it cannot be watched: it is not there, or the system's limits are reached.
    """

    def __init__(self, root: Path, *, follow_links: bool = False) -> None:
        self._root = str(root)
        self._follow_links = follow_links
        # A folder with several names (by links) is one watch.
        self._names: dict[int, set[str]] = {}
        self._watches: dict[str, int] = {}
        os.stat(root)
        self._descriptor = _called("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        try:
            self._watch_tree("")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Watch no more."""
        os.close(self._descriptor)

    def take(self, timeout_s: float, *, step_s: float, burst_s: float) -> set[str]:
        """Wait for changes, and return the names that changed; none if the time runs out.

        The root's own name is empty.

        Args:
            timeout_s: how long to wait for the first.
            step_s: a burst of changes ends when none comes for so long.
            burst_s: or when it lasts so long.

        Raises:
            EventsLostError: there were more than the kernel keeps.
            OSError: a folder that appeared cannot be watched.
        """
        changed: set[str] = set()
        if not self._poll.poll(timeout_s * 1000):
            return changed
        end_s = time.monotonic() + burst_s
        while True:
            for watch, mask, name in self._read():
                self._note(watch, mask, name, changed)
            if time.monotonic() >= end_s or not self._poll.poll(step_s * 1000):
                return changed

    def _read(self) -> Iterator[tuple[int, int, str]]:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(data):
            watch, mask, _, length = _HEAD.unpack_from(data, offset)
            offset += _HEAD.size + length
            yield watch, mask, os.fsdecode(data[offset - length : offset].rstrip(b"\0"))

    def _note(self, watch: int, mask: int, name: str, changed: set[str]) -> None:
        if mask & _Q_OVERFLOW:
            raise EventsLostError("more changed at once than the system keeps")
        if mask & _IGNORED:
            for folder in self._names.pop(watch, set()):
                self._watches.pop(folder, None)
            return
        for folder in tuple(self._names.get(watch, ())):
            if mask & _OF_ITSELF:
                # Of others than the root the folder above tells.
                if not folder:
                    changed.add("")
                continue
            full = f"{folder}/{name}" if folder and name else folder or name
            if mask & _WENT and full in self._watches:
                self._forget_tree(full)
            if mask & _APPEARED and (mask & _ISDIR or self._follow_links):
                self._watch_tree(full)
            changed.add(full)

    def _watch_tree(self, start: str) -> None:
        pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(start, frozenset())]
        while pending:
            name, above = pending.pop()
            path = os.path.join(self._root, name) if name else self._root
            try:
                below = self._watch(name, path, above)
                if below is None:
                    continue
                with os.scandir(path) as scan:
                    pending.extend(
                        (f"{name}/{item.name}" if name else item.name, below)
                        for item in scan
                        if _is_folder(item, follow_links=self._follow_links)
                    )
            except OSError as error:
                if error.errno not in _NOT_WATCHED:
                    raise

    def _watch(
        self, name: str, path: str, above: frozenset[tuple[int, int]]
    ) -> frozenset[tuple[int, int]] | None:
        """Watch one folder; None if it is one of those above, by a link."""
        if self._follow_links:
            status = os.stat(path)
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                return None
            above |= {identity}
        follows = self._follow_links or not name
        mask = _WANTED | _ONLYDIR | (0 if follows else _DONT_FOLLOW)
        watch = _called("inotify_add_watch", self._descriptor, os.fsencode(path), mask)
        former = self._watches.get(name)
        if former is not None and former != watch:
            self._names.get(former, set()).discard(name)
        self._watches[name] = watch
        self._names.setdefault(watch, set()).add(name)
        return above

    def _forget_tree(self, start: str) -> None:
        """Forget a folder that has another name now, or is elsewhere: its events would mislead."""
        prefix = start + "/"
        gone = [name for name in self._watches if name == start or name.startswith(prefix)]
        for name in gone:
            watch = self._watches.pop(name)
            names = self._names.get(watch, set())
            names.discard(name)
            if not names and self._names.pop(watch, None) is not None:
                try:
                    _called("inotify_rm_watch", self._descriptor, watch)
                except OSError as error:
                    if error.errno != errno.EINVAL:  # it went with its folder
                        raise


def _is_folder(item: os.DirEntry[str], *, follow_links: bool) -> bool:
    try:
        return item.is_dir(follow_symlinks=follow_links)
    except OSError:  # a link that leads nowhere, or in circles
        return False


@functools.cache
def _library() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _called(name: str, *arguments: int | bytes) -> int:
    result: int = getattr(_library(), name)(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
