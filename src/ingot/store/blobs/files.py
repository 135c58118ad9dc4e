"""Blobs as files: one for each large blob, fanned out over the folders of its session.

Small ones share packs where the filesystem can free a part of a file.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from ingot.base import failpoints
from ingot.base.units import KIB, MIB
from ingot.store.blobs import holes
from ingot.store.blobs.contract import (
    READ_BYTES_MAX,
    BlobRef,
    BlobWriter,
    Draft,
    Named,
    PieceBytes,
)
from ingot.store.blobs.direct import DirectFile
from ingot.store.blobs.frames import FrameSums, read_frames
from ingot.store.blobs.packs import Packs, Place
from ingot.store.blobs.packwriter import PackWriter
from ingot.store.blobs.sessions import Sessions
from ingot.store.blobs.syncs import Syncs, full_device
from ingot.store.blobs.transfer import pread, write
from ingot.store.errors import BlobDamagedError
from ingot.store.space import Space

# Session, then the blob's number in it: the last three digits count within a folder, which so
# takes 4,096 blobs before the next one is begun.
_ID = re.compile(r"[0-9a-f]{12}\.[0-9a-f]{10}")
_FOLDER_DIGITS = 7
_WRITE_BACK_BYTES = 16 * MIB
# Measured: docs/decisions/0008-direct-writes.md.
_DIRECT_BYTES_MIN = 4 * MIB
# Measured: docs/decisions/0007-packs.md.
_PACKED_BYTES_MAX = 256 * KIB
# How many files are compared with the catalog in one pass over it.
_FILES_PER_PASS = 100_000

# Failures of link(2) that a copy gets around: the inode has its most links (65,000 on ext4), the
# filesystem has no hard links, or there are two filesystems.
_NO_LINK = {errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV}


class FileBlobs:
    """A `Blobs` in `directory`; any number of processes may have it open."""

    def __init__(
        self, directory: Path, *, on_failure: Callable[[str], None] = lambda reason: None
    ) -> None:
        """Open the blobs, creating their folders.

        Args:
            directory: where they are.
            on_failure: called, from any thread, with the reason when something cannot be synced:
                nothing may be acknowledged after that.
        """
        self._syncs = Syncs(on_failure)
        self._data = directory / "data"
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._space = Space(directory)
        packs = directory / "packs"
        packs.mkdir(mode=0o700, exist_ok=True)
        self._sessions = Sessions(directory / "sessions")
        self._syncs.folder(directory)
        self.whole_bytes_max = _PACKED_BYTES_MAX if holes.supported(packs) else 0
        self._packs = Packs(packs, self._syncs)
        self._pack_writer = PackWriter(
            packs, self._sessions.own, self._syncs, self._packs.drop_if_empty
        )
        self._numbers = itertools.count()
        self._folder_lock = threading.Lock()
        self._folders: set[Path] = set()

    def writer(self, size_hint: int | None = None) -> BlobWriter:
        """Begin a blob."""
        self._space.check_body(size_hint or 0)
        blob_id, path = self._new_path()
        direct = size_hint is not None and size_hint >= _DIRECT_BYTES_MIN
        return _FileWriter(blob_id, path, self._syncs, direct=direct)

    def draft(self, content: bytes) -> Draft:
        """Give a blob its place in the session's pack."""
        assert 0 < len(content) <= self.whole_bytes_max
        self._space.check_body(len(content))
        return self._pack_writer.draft(content)

    def seal(self, drafts: Sequence[Draft]) -> Sequence[Exception | None]:
        """Append drafts to their packs."""
        return self._pack_writer.seal(drafts)

    def read(
        self,
        ref: BlobRef,
        start: int = 0,
        length: int | None = None,
        *,
        piece_bytes: PieceBytes = lambda: READ_BYTES_MAX,
    ) -> Iterator[bytes]:
        """Yield verified bytes; see the contract."""
        stop = ref.size_bytes if length is None else min(ref.size_bytes, start + length)
        if start >= stop:
            return
        place = Place.parse(ref.id)
        if place is not None:
            yield from self._packs.read(ref, place, start, stop, piece_bytes)
            return
        descriptor = self._open(ref.id)
        try:
            yield from read_frames(partial(pread, descriptor), ref, start, stop, piece_bytes)
        finally:
            os.close(descriptor)

    def clone(self, refs: Sequence[BlobRef]) -> list[BlobRef]:
        """Give the same bytes new names by hard links; copy what is in packs."""
        clones: list[BlobRef] = []
        folders: set[Path] = set()
        try:
            for ref in refs:
                if Place.parse(ref.id) is not None:
                    clones.append(self._copy(b"".join(self.read(ref))))
                    continue
                blob_id, path = self._new_path()
                clones.append(BlobRef(blob_id, ref.size_bytes, ref.seal))
                folders.add(path.parent)
                self._link_or_copy(ref.id, path)
            for folder in folders:
                self._syncs.folder(folder)
            failpoints.reach("blob.cloned")
        except BaseException:
            self.delete([clone.id for clone in clones])
            raise
        return clones

    def delete(self, blob_ids: Sequence[str]) -> None:
        """Unlink files and sync their folders; make holes in packs."""
        folders: set[Path] = set()
        packed: list[Place] = []
        for blob_id in blob_ids:
            place = Place.parse(blob_id)
            if place is not None:
                if not self._pack_writer.drop(place):
                    packed.append(place)
                continue
            path = self._path(blob_id)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
                folders.add(path.parent)
        failpoints.reach("blob.unlinked")
        for folder in folders:
            self._syncs.folder(folder)
        self._packs.delete(packed)

    def ended_sessions(self) -> list[str]:
        """Return the sessions whose process is gone."""
        return self._sessions.ended()

    def claim(self, session: str) -> AbstractContextManager[bool]:
        """Lock an ended session."""
        return self._sessions.claim(session)

    def sweep(self, sessions: Sequence[str], named: Named) -> int:
        """Unlink the files and free the ranges that no record names."""
        count = 0
        for unnamed in self._unnamed_files(sessions, named):
            self.delete([*unnamed])
            count += len(unnamed)
        return count + self._packs.sweep(sessions, named)

    def census(self, named: Named) -> tuple[int, int]:
        """Return how many blobs there are, and how many (or ranges in packs) no record names.

        Nobody may be writing.
        """
        files = sum(1 for session in self._all_sessions() for _ in self._files(session))
        packed = sum(Place.parse(blob_id) is not None for blob_id in named())
        unnamed = sum(map(len, self._unnamed_files(self._all_sessions(), named)))
        strays = self._packs.stray_ranges(named)
        return files + packed + strays, unnamed + strays

    def export(self, blob_id: str, directory: Path, *, link: bool) -> int:
        """Give a blob the same place in another directory of blobs; return its file's bytes.

        The file is synced, its folders are not. A blob whose file is missing is left out.

        Args:
            blob_id: the blob.
            directory: where the other blobs are.
            link: whether both may share the bytes on the device, where it allows that.

        Raises:
            StoreFullError: the other device is full.
        """
        place = Place.parse(blob_id)
        if place is not None:
            return self._packs.export(place, directory / "packs")
        source, target = self._path(blob_id), _place(directory / "data", blob_id)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not (link and _linked(source, target)):
                _copy(source, target, os.fsync)
        except FileNotFoundError:
            return 0
        return target.stat().st_size

    def settle(self, session: str) -> None:
        """Forget a session and the folders it left empty."""
        own = self._data / session
        with contextlib.suppress(FileNotFoundError):
            for folder in os.listdir(own):
                _remove_if_empty(own / folder)
            _remove_if_empty(own)
        self._sessions.settle(session)

    def close(self, *, settled: bool = False) -> None:
        """End this session."""
        self._pack_writer.close()
        if settled and self._pack_writer.tidy and self._sessions.is_open:
            self.settle(self._sessions.own)
        self._sessions.close()

    def _all_sessions(self) -> list[str]:
        return sorted(os.listdir(self._data))

    def _files(self, session: str) -> Iterator[str]:
        """Yield the ids of the blobs of a session that have files of their own."""
        with contextlib.suppress(FileNotFoundError):
            for folder in sorted(os.listdir(self._data / session)):
                for name in os.listdir(self._data / session / folder):
                    yield f"{session}.{folder}{name}"

    def _unnamed_files(self, sessions: Sequence[str], named: Named) -> Iterator[set[str]]:
        found = itertools.chain.from_iterable(map(self._files, sessions))
        while unnamed := set(itertools.islice(found, _FILES_PER_PASS)):
            for blob_id in named():
                unnamed.discard(blob_id)
            yield unnamed

    def _new_path(self) -> tuple[str, Path]:
        number = next(self._numbers)
        digits = f"{number:010x}"
        folder = self._data / self._sessions.own / digits[:_FOLDER_DIGITS]
        if folder not in self._folders:
            self._make_folder(folder)
        return f"{self._sessions.own}.{digits}", folder / digits[_FOLDER_DIGITS:]

    def _make_folder(self, folder: Path) -> None:
        with self._folder_lock:
            if folder not in self._folders:
                folder.mkdir(parents=True, exist_ok=True)
                self._syncs.folder(folder.parent)
                self._syncs.folder(self._data)
                # Blobs are numbered upwards: older folders are not asked for again.
                self._folders = {folder}

    def _copy(self, content: bytes) -> BlobRef:
        if self.whole_bytes_max:
            return self._pack_writer.append(content)
        writer = self.writer(len(content))
        try:
            writer.append(content)
            return writer.seal()
        except BaseException:
            writer.abort()
            raise

    def _path(self, blob_id: str) -> Path:
        return _place(self._data, blob_id)

    def _link_or_copy(self, blob_id: str, target: Path) -> None:
        source = self._path(blob_id)
        try:
            if not _linked(source, target):
                _copy(source, target, self._syncs.file)
        except FileNotFoundError as error:
            raise BlobDamagedError(blob_id, "the file is missing") from error

    def _open(self, blob_id: str) -> int:
        try:
            return os.open(self._path(blob_id), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BlobDamagedError(blob_id, "the file is missing") from error


class _FileWriter:
    """Writes under the final name: a blob exists for readers when a record names it.

    Large ones go to the device directly. Of one whose size was not known the kernel is told, while
    it arrives, to begin with what it has: the device would idle until the sync else, and the sync
    at the end last as long as writing everything.
    """

    def __init__(self, blob_id: str, path: Path, syncs: Syncs, *, direct: bool) -> None:
        self._syncs = syncs
        self._blob_id = blob_id
        self._path = path
        self._sums = FrameSums()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with full_device():
            self._direct = DirectFile(path) if direct else None
            self._descriptor = (
                os.open(path, flags, 0o600) if self._direct is None else self._direct.descriptor
            )
        self._begun_bytes = 0

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Write bytes and sum them up."""
        self._sums.update(data)
        self._write(data)
        waiting_bytes = self._sums.size_bytes - self._begun_bytes
        if self._direct is None and waiting_bytes >= _WRITE_BACK_BYTES:
            # On Linux this begins to write dirty pages and drops clean ones: there are none here.
            # What fails then is reported by the sync.
            advice = os.POSIX_FADV_DONTNEED
            os.posix_fadvise(self._descriptor, self._begun_bytes, waiting_bytes, advice)
            self._begun_bytes += waiting_bytes

    def seal(self) -> BlobRef:
        """Write the footer and sync the file and its folder."""
        footer, seal = self._sums.footer()
        self._write(footer)
        if self._direct is not None:
            with full_device():
                self._direct.finish()
        failpoints.reach("blob.written")
        self._syncs.file(self._descriptor)
        self._syncs.folder(self._path.parent)
        self._close()
        failpoints.reach("blob.sealed")
        return BlobRef(self._blob_id, self._sums.size_bytes, seal)

    def abort(self) -> None:
        """Remove the file."""
        if self._descriptor >= 0:
            self._close()
            os.unlink(self._path)

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        with full_device():
            if self._direct is None:
                write(self._descriptor, data)
            else:
                self._direct.write(data)

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
        if self._direct is not None:
            self._direct.release()


def _place(data: Path, blob_id: str) -> Path:
    # The id comes from the catalog; it must never lead out of the directory.
    if not _ID.fullmatch(blob_id):
        raise BlobDamagedError(blob_id, "this is no name of a blob")
    session, digits = blob_id.split(".")
    return data / session / digits[:_FOLDER_DIGITS] / digits[_FOLDER_DIGITS:]


def _linked(source: Path, target: Path) -> bool:
    """Give a file a second name; tell whether that is possible."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def _copy(source: Path, target: Path, sync: Callable[[int], None]) -> None:
    with full_device(), open(source, "rb") as old, open(target, "xb") as new:
        shutil.copyfileobj(old, new, READ_BYTES_MAX)
        new.flush()
        sync(new.fileno())


def _remove_if_empty(folder: Path) -> None:
    try:
        os.rmdir(folder)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
