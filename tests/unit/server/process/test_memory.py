"""A worker keeps what it frees: using as much again costs no page faults."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
from ingot.server.process import memory
if sys.argv[1] == "kept":
    memory.keep_freed_memory()
for answer in range(100):
    blocks = [b"x" * 250_000 for _ in range(3)]
    del blocks
    if answer == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize(("mode", "faults_are_few"), [("kept", True), ("as it is", False)])
def test_what_was_freed_is_used_again(mode: str, *, faults_are_few: bool) -> None:
    command = [sys.executable, "-c", _PROGRAM, mode]
    faults = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (faults < 1000) is faults_are_few
