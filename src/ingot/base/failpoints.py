"""Named points where a test lets this process die as in a power cut; off unless asked for.

`INGOT_FAILPOINTS=blob.sealed:3,sweep.deleted:1`, read once at import, kills the process with
SIGKILL when it comes to `blob.sealed` for the third time or to `sweep.deleted` for the first:
nothing is flushed, nothing tidied up. `INGOT_FAILPOINTS_GATE` names a file: visits count only once
it exists. For tests of durability; a server in service never sets it.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

from ingot.base.errors import UsageError

VARIABLE: Final = "INGOT_FAILPOINTS"
GATE_VARIABLE: Final = "INGOT_FAILPOINTS_GATE"

POINTS: Final = frozenset(
    {
        "blob.written",  # the bytes are in the file, nothing is synced
        "blob.sealed",  # file and folder are synced, no record names the blob yet
        "blob.cloned",  # copies exist, no record names them yet
        "pack.written",  # small bodies are in their pack, which is not synced
        "pack.sealed",  # the pack is synced, no record names what was added
        "pack.punched",  # holes are where blobs were, the pack is not synced
        "blob.unlinked",  # files are gone, their folders are not synced
        "catalog.flushed",  # a group of commits is written, between BEGIN and COMMIT
        "catalog.committed",  # a group is durable, nobody was told
        "object.put",  # an object is there, nobody was told
        "object.copied",  # a copy is there, nobody was told
        "object.deleting",  # a deletion is decided, nothing of it is written
        "object.deleted",  # an object is gone, nobody was told
        "object.annotated",  # tags or a lock changed, nobody was told
        "object.expired",  # a lifecycle rule let one go, the others of its page still are
        "objects.deleted",  # the objects of a batch are gone, nobody was told
        "versions.removed",  # versions are gone for good, nobody was told
        "upload.begun",  # an upload is there, nobody knows its id
        "upload.part",  # a part is there, nobody was told
        "upload.aborted",  # an upload is gone, its parts still are
        "upload.completing",  # the object of an upload is planned, nothing of it is written
        "upload.completed",  # the object is there, the upload's other parts still are
        "bucket.fenced",  # a bucket takes writes, no list names it yet
        "bucket.created",  # a bucket is there, nobody was told
        "bucket.unfenced",  # a bucket takes no writes, the list names it still
        "bucket.deleted",  # a bucket is gone, nobody was told
        "bucket.ruled",  # versioning or the default retention changed, nobody was told
        "bucket.amended",  # tags, policy, CORS or lifecycle changed, nobody was told
        "quota.marked",  # a bucket has a quota, what was there before is not counted
        "quota.counted",  # what a bucket holds is counted, nobody was told
        "garbage.deleted",  # blobs are gone, their entry in the garbage queue is not
        "sweep.deleted",  # orphans are gone, their session is not settled
    }
)


def parse(text: str) -> dict[str, int]:
    """Return after how many visits each point kills.

    Raises:
        UsageError: a point is unknown, or a count is no positive number.
    """
    armed = {}
    for item in filter(None, text.split(",")):
        name, _, count = item.partition(":")
        if name not in POINTS or not count.isdigit() or int(count) < 1:
            raise UsageError(f"{VARIABLE}: {item!r} is no failpoint with a count, such as NAME:1")
        armed[name] = int(count)
    return armed


_armed = parse(os.environ.get(VARIABLE, ""))
_gate = os.environ.get(GATE_VARIABLE, "")
_lock = threading.Lock()


def reach(name: str) -> None:
    """Say that this process came to a point; costs a truth test when no point is armed."""
    if _armed:
        _count_down(name)


def _count_down(name: str) -> None:
    assert name in POINTS, name
    if _gate and not os.path.exists(_gate):
        return
    with _lock:
        if name in _armed:
            _armed[name] -= 1
            if _armed[name] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
