"""Failpoints: off by default, exact when armed, and never armed by a slip."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingot.base import failpoints
from ingot.base.errors import UsageError

VISITS = """
from ingot.base import failpoints
for visit in range(3):
    print(visit, flush=True)
    failpoints.reach("blob.written")
    failpoints.reach("blob.sealed")
"""


def visit(armed):
    environment = os.environ | {failpoints.VARIABLE: armed}
    command = [sys.executable, "-c", VISITS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.split()


def test_nothing_dies_unless_asked():
    assert visit("") == (0, ["0", "1", "2"])


def test_an_armed_point_kills_at_its_visit():
    assert visit("blob.sealed:2,catalog.flushed:1") == (-signal.SIGKILL, ["0", "1"])


def test_visits_count_only_once_the_gate_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv(failpoints.GATE_VARIABLE, str(tmp_path / "gate"))
    assert visit("blob.sealed:1") == (0, ["0", "1", "2"])
    (tmp_path / "gate").touch()
    assert visit("blob.sealed:1") == (-signal.SIGKILL, ["0"])


@pytest.mark.parametrize("text", ["blob.seald:1", "blob.sealed", "blob.sealed:0", "blob.sealed:x"])
def test_a_slip_is_refused(text):
    with pytest.raises(UsageError, match="no failpoint"):
        failpoints.parse(text)


def test_every_point_is_somewhere_in_the_sources():
    root = Path(failpoints.__file__).parents[1]
    text = "".join(path.read_text() for path in root.rglob("*.py"))
    assert set(re.findall(r"failpoints\.reach\(\"([\w.]+)\"\)", text)) == failpoints.POINTS
