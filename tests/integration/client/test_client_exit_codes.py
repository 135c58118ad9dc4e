"""Each documented exit code really occurs: commands as processes, on a server, with --json.

Standard output holds lines of JSON only, and the last error on standard error is of the kind that
the exit code stands for.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import Error

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "exit-codes.md"
TIMEOUT_S = 60
SIGNALS = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
# BUCKET is a bucket with the objects a, d/b; OTHER is one that keeps versions. Of this machine are
# the file `a`, which differs from the object, and the folder `d`; nobody listens at `dead`.
CASES: dict[int, tuple[str, ...]] = {
    0: (
        "ls s3/BUCKET",
        "stat s3/BUCKET/a",
        "find s3/BUCKET --name b",
        "du s3/BUCKET",
        "cp a s3/BUCKET/new",
        "mv s3/BUCKET/a s3/BUCKET/moved",
        "mirror --overwrite d s3/BUCKET/d",
        "diff s3/BUCKET s3/BUCKET",
        "rm --recursive --force s3/BUCKET/d",
        "ping --count 1 s3",
        "ready s3",
        "alias list",
        "ps --all",
    ),
    1: (
        "diff d s3/BUCKET",
        "undo s3/BUCKET/a",
        "encrypt info s3/BUCKET",
        "cors set s3/BUCKET missing.json",
        "sql s3/BUCKET/a",
    ),
    2: (
        "ls",
        "ls --no-such-option s3",
        "nonsense",
        "alias",
        "rm --recursive s3/BUCKET",
        "cp d s3/BUCKET",
        "mb s3/UPPER",
        "mirror --watch --dry-run d s3/BUCKET",
        "validate wrong.yml",
        "run --mem nonsense store",
    ),
    3: (
        "rm s3/BUCKET/a s3/BUCKET/none",
        "stat s3/BUCKET/a s3/BUCKET/none",
        "mirror . s3/BUCKET",
        "mb s3/BUCKET s3/BUCKET-new",
    ),
    4: (
        "ls bad/BUCKET",
        "cp a bad/BUCKET/a",
        "mirror d bad/BUCKET",
        "mb bad/BUCKET-new",
        "quota info bad/BUCKET",
    ),
    5: (
        "ls s3/none-such",
        "ls nobody/bucket",
        "cat s3/BUCKET/none",
        "cp none s3/BUCKET/",
        "rm s3/BUCKET/none s3/BUCKET/nothing",
        "mirror none s3/BUCKET",
        "share download s3/BUCKET/none",
        "alias remove nobody",
        "logs nobody",
        "server check d",
    ),
    6: (
        "mb s3/BUCKET",
        "rb s3/BUCKET",
        "put --if-not-exists a s3/BUCKET/a",
        "server check DATA",
    ),
    7: (
        "ls dead/BUCKET",
        "cp a dead/BUCKET/a",
        "get dead/BUCKET/a b",
        "mirror d dead/BUCKET",
        "ready dead",
        "ping --count 1 dead",
    ),
}


def codes_by_slug() -> dict[str, int]:
    """Return the exit code of each kind of error."""
    found, waiting = {}, [Error]
    for kind in waiting:
        found[kind.slug] = kind.exit_code
        waiting += kind.__subclasses__()
    return found


@pytest.fixture
def place(
    remote: Any, server: Any, wrong_keys: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Make what the commands need, and return what stands for its names."""
    assert wrong_keys == "bad"
    monkeypatch.setenv("MC_HOST_dead", "http://key:secret-key@127.0.0.1:1")
    monkeypatch.setenv("INGOT_STATE_DIR", str(tmp_path / "home" / "state"))
    remote.put_all({"a": b"object", "d/b": b"same"})
    work = tmp_path / "work"
    (work / "d").mkdir(parents=True)
    (work / "a").write_text("file")
    (work / "d" / "b").write_text("same")
    (work / "wrong.yml").write_text("services: none\n")
    monkeypatch.chdir(work)
    return {"BUCKET": remote.bucket, "DATA": str(server.data_dir)}


def run(command: str, names: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for name, value in names.items():
        command = command.replace(name, value)
    return subprocess.run(
        [sys.executable, "-m", "ingot", "--json", *command.split()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("code", "command"), [(code, command) for code, rows in CASES.items() for command in rows]
)
def test_it_occurs(code: int, command: str, place: dict[str, str]) -> None:
    done = run(command, place)
    assert done.returncode == code, done.stdout + done.stderr
    for line in done.stdout.splitlines():
        assert json.loads(line)["status"] in {"success", "error"}
    told = [json.loads(line) for line in done.stderr.splitlines()]
    errors = [line["error"] for line in told if line["status"] == "error"]
    if code == 0 or command.startswith("diff"):
        assert errors == []
        return
    assert codes_by_slug()[errors[-1]["slug"]] == code
    for error in errors:
        assert error["type"] == "error"
        assert error["message"]
        assert error["cause"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("watch", "s3/BUCKET"),
        ("find", "s3/BUCKET", "--watch", "--name", "*.none"),
        ("mirror", "--watch", "d", "s3/BUCKET/d"),
    ],
)
@pytest.mark.parametrize(("number", "code"), SIGNALS.items())
def test_signals_have_codes_of_their_own(
    start: Any, place: dict[str, str], words: tuple[str, ...], number: signal.Signals, code: int
) -> None:
    # What runs under `nohup` leaves it to its children that nothing hangs them up.
    before = signal.signal(number, signal.SIG_DFL)
    running = start("--json", *(word.replace("BUCKET", place["BUCKET"]) for word in words))
    signal.signal(number, before)
    running.wait_for_text("watching")
    assert running.stop(number) == code
    for line in running.log().splitlines():
        assert json.loads(line)["status"] in {"success", "info"}


def test_every_documented_code_is_tried_here() -> None:
    documented = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", PAGE.read_text())}
    assert documented == {*CASES, *SIGNALS.values()}
