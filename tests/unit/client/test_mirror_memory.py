"""A mirror of ten million names stays within a ceiling of memory, whatever there is to do."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Two trees made up as they are read: of ten names one is missing over there, one is too much, one
# in a thousand differs. Removals wait on the disk, copies in a bounded queue.
_PROGRAM = """
import resource, sys
from ingot.base.progress import SILENT
from ingot.client.entries import Entry
from ingot.client.events import Tally
from ingot.client.execute import Conduct
from ingot.client.mirror import Mirror, Pair
from ingot.client.removals import RemovalLimit

COUNT = int(sys.argv[1])


class Made:
    is_file_tree = False

    def __init__(self, skipped):
        self.skipped = skipped

    def check(self):
        pass

    settle = check

    def entries(self, below=""):
        for index in range(COUNT):
            if index % 10 != self.skipped:
                size = 2 if index % 1000 == self.skipped + 1 else 1
                yield Entry(f"folder-{index // 1000:06}/name-{index:09}", size, 0, f"{index:032x}")

    def lacks(self, name):
        return True

    def remove(self, entries):
        return {}

    def label(self, name):
        return name


class Mover:
    def is_brief(self, source):
        return True

    def begin_copy(self, source, advance, *, replaces):
        return lambda: advance(source.size_bytes)

    def known_same(self, pairs):
        return [False] * len(pairs)

    def is_same(self, source, target):
        return True


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


conduct = Conduct(overwrite=True, removal_limit=RemovalLimit(percent=100))
pair = Pair(Made(1), Made(2), Mover())
before = peak_mib()
tally = Tally()
for event in Mirror(pair, conduct, remove=True, progress=SILENT).run():
    tally.add(event)
print(tally.copied, tally.removed, tally.unchanged, tally.failed, peak_mib() - before)
"""


def run(count: int) -> tuple[list[int], float]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(count)], check=True, capture_output=True, text=True
    )
    *counts, grown_mib = done.stdout.split()
    return [int(number) for number in counts], float(grown_mib)


@pytest.mark.parametrize(
    "count",
    [
        50_000,
        pytest.param(1_000_000, marks=pytest.mark.slow),
        pytest.param(10_000_000, marks=pytest.mark.slow),
    ],
)
def test_memory_does_not_grow_with_names(count: int) -> None:
    (copied, removed, unchanged, failed), grown_mib = run(count)
    assert removed == count // 10
    # What the target lacks, and what has another size there.
    assert copied == count // 10 + count // 1000
    assert unchanged == count - removed - copied
    assert failed == 0
    # Removals wait in 8 MiB before they go to the disk; threads and buffers take the rest.
    assert grown_mib < 32, f"{count} names took {grown_mib:.0f} MiB"
