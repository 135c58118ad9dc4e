"""The commands of docs/how-to/bring-back.md, in their order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[3] / "docs/how-to/bring-back.md"


def test_every_command_of_the_page_works(cli: Any, remote: Any) -> None:
    assert cli("version", "enable", remote.address).code == 0
    remote.put_all({"notes.txt": b"1", "cat.jpg": b"1", "2026/a": b"1"})
    ledger = f"{remote.address}-ledger"
    commands = re.findall(r"^ingot (.*)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) > 10
    for command in commands:
        placed = command.replace("store/photos", remote.address).replace("store/ledger", ledger)
        # The page's moments are of long ago; the test's objects are not.
        placed = re.sub(r"--rewind \S+", "--rewind 0s", placed)
        if "legalhold" in placed:
            remote.s3.put_object(Bucket=ledger.partition("/")[2], Key="2026.csv")
        done = cli(*shlex.split(placed))
        assert (done.code, done.err) == (0, done.err), command
