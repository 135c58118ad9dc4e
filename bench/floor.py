"""Write files and do nothing else: what the disk alone takes of a download."""

import argparse
import contextlib
import os
from pathlib import Path

from ingot.base.atomic import sync_file_system
from ingot.base.direct import BUFFER_BYTES, DirectWriter, aligned_buffer, reserve, write_all

# Through the page cache; and synced then, as a download of ours is; past it, as ours writes.
MODES = ("write", "write, sync", "write directly, sync")


def main() -> None:
    """Write so many files of a size into a folder."""
    parser = argparse.ArgumentParser(prog="python -m bench.floor", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", type=int)
    parser.add_argument("size_bytes", type=int)
    parser.add_argument("mode", choices=MODES)
    options = parser.parse_args()
    buffer = aligned_buffer()
    buffer[:] = os.urandom(BUFFER_BYTES)
    for index in range(options.files):
        with (options.folder / f"file-{index:06}.bin").open("xb") as file:
            _fill(file.fileno(), options.size_bytes, buffer, directly="directly" in options.mode)
    if "sync" in options.mode:
        sync_file_system(options.folder)


def _fill(descriptor: int, size_bytes: int, buffer: memoryview, *, directly: bool) -> None:
    places = range(0, size_bytes, len(buffer))
    if not directly:
        for offset in places:
            write_all(descriptor, buffer[: size_bytes - offset], offset)
        return
    reserve(descriptor, size_bytes)
    with contextlib.closing(DirectWriter(descriptor)) as writer:
        for offset in places:
            writer.write(buffer[: size_bytes - offset], offset)


if __name__ == "__main__":
    main()
