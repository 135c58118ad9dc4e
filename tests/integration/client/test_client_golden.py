"""The whole command line against transcripts in tests/golden/cli: code, stdout and stderr.

A transcript is what a terminal shows. `$ ingot …` runs a command; what it prints follows,
standard error with `2> ` in front, and its exit code in brackets. `<<< TEXT` at the end of a
command gives it standard input. `$ file PATH TEXT` and `$ bytes PATH COUNT` make files of this
machine. The alias `s3` is a server of the test's own, empty at the start of each transcript.
Times, durations, rates, random names and addresses are masked. `INGOT_GOLDEN=write` writes the
transcripts anew from their commands.
"""

from __future__ import annotations

import importlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from ingot.base.secret import Secret
from ingot.cli import main
from ingot.cli.commands import SHARED_WITH_MC
from ingot.client.aliases import Alias
from ingot.client.connections import Connections
from ingot.s3.documents.delete import ObjectIdentifier

_FOLDER = Path(__file__).resolve().parents[2] / "golden" / "cli"
# Read before a test's own home takes such variables away.
_IS_WRITING = os.environ.get("INGOT_GOLDEN") == "write"
_CASES = sorted(path.stem for path in _FOLDER.glob("*.txt"))
# What differs from run to run, and what is shown in its place.
_MASKS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]{3,4}", "<time>"),
    (r'"(duration|speed|roundtrip|timeLeft)": ?[0-9.e+]+', r'"\1": <number>'),
    (r"\bin [0-9.]+ ?(ms|µs|s|m)\b", "in <duration>"),
    (r"(\d+:)?[0-9.]+ ?(ms|µs)\b", "<duration>"),
    (r'("version(Id|ID)": ?")[\w.-]{16,}', r"\1<version>"),
    (r"\([0-9a-f]{32}\)", "(<version>)"),
    (r"[0-9.]+ [KMG]?i?B/s", "<rate>"),
    (r'("(RequestID|HostId)": ")[^"]*"', r'\1<id>"'),
    (r"\b[0-9a-f]{20}\b", "<rule>"),
    (r"\b[A-Z2-7]{20}\b", "<access key>"),
    (r"(Secret key: |\"secretKey\": \")[A-Za-z0-9]{40}", r"\1<secret key>"),
    (
        r"(?m)^  (runs on|version|up for|drive|buckets|objects|versions|used)( +).*",
        r"  \1\2<as it is>",
    ),
    (r"X-Amz-(Date|Signature|Credential)=[^&\s\"]+", r"X-Amz-\1=<signed>"),
)


class Terminal:
    """Runs the commands of a transcript in this process and writes down what happens."""

    def __init__(self, folder: Path, endpoint: str, capture: Any) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._capture = capture

    def replay(self, transcript: str) -> str:
        lines: list[str] = []
        for line in transcript.splitlines():
            if line.startswith("$ "):
                lines += [line, *self._obeyed(line[2:])]
            elif line.startswith("#"):
                lines.append(line)
        return "\n".join(lines) + "\n"

    def _obeyed(self, command: str) -> list[str]:
        asked, _, fed = command.partition(" <<< ")
        program, *arguments = shlex.split(asked)
        if program == "file":
            return self._written(arguments[0], f"{' '.join(arguments[1:])}\n".encode())
        if program == "bytes":
            return self._written(arguments[0], bytes(int(arguments[1])))
        assert program == "ingot", f"no such thing in a transcript: {command}"
        return self._ran(arguments, f"{fed}\n".encode() if fed else b"")

    def _written(self, name: str, data: bytes) -> list[str]:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return []

    def _ran(self, arguments: list[str], fed: bytes) -> list[str]:
        self._capture.readouterr()
        keyboard, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(fed))
        try:
            code = main.run(arguments)
        finally:
            sys.stdin = keyboard
        out, err = (self._masked(text) for text in self._capture.readouterr())
        return [
            *out.splitlines(),
            *(f"2> {line}".rstrip() for line in err.splitlines()),
            f"[{code}]",
        ]

    def _masked(self, text: str) -> str:
        text = text.replace(str(self._folder), "<folder>")
        text = text.replace(os.environ["HOME"], "<home>")
        text = text.replace(self._endpoint, "<endpoint>")
        text = text.replace(self._endpoint.partition("://")[2], "<address>")
        for pattern, shown in _MASKS:
            text = re.sub(pattern, shown, text)
        return text


@pytest.fixture(scope="module")
def golden_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server for transcripts only: they show its buckets."""
    from tests.conftest import end, launch

    running = launch(tmp_path_factory.mktemp("golden") / "data", workers=1)
    yield running
    end(running)


@pytest.fixture
def terminal(
    golden_server: Any,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Any,
) -> Iterator[Terminal]:
    """A terminal in an empty folder, whose alias `s3` is an empty server."""
    server = golden_server
    keys = f"{server.access_key}:{server.secret_key}"
    monkeypatch.setenv("MC_HOST_s3", f"http://{keys}@127.0.0.1:{server.port}")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield Terminal(folder, server.endpoint, capfd)
    alias = Alias("s3", server.endpoint, server.access_key, Secret(server.secret_key))
    with Connections() as connections:
        client = connections.client(alias)
        for bucket in client.list_buckets():
            versions = client.iterate_versions(bucket.name)
            client.delete_objects(
                bucket.name, [ObjectIdentifier(item.key, item.version_id) for item in versions]
            )
            client.delete_bucket(bucket.name)


@pytest.mark.parametrize("case", _CASES)
def test_commands_say_and_do_what_the_transcript_shows(terminal: Terminal, case: str) -> None:
    path = _FOLDER / f"{case}.txt"
    expected = path.read_text()
    shown = terminal.replay(expected)
    if _IS_WRITING:
        path.write_text(shown)
    assert expected == shown


def leaves(command: click.Command, name: str) -> Iterator[str]:
    """Yield the names of a command, or of all below it."""
    if not isinstance(command, click.Group):
        yield name
        return
    for word, inner in command.commands.items():
        yield from leaves(inner, f"{name} {word}")


def test_every_command_is_in_a_transcript() -> None:
    text = "".join((_FOLDER / f"{case}.txt").read_text() for case in _CASES)
    shown = re.findall(r"^\$ ingot (?:--json )?([^<\n]*)", text, re.MULTILINE)
    missing = []
    for row in SHARED_WITH_MC:
        module, _, attribute = row.target.partition(":")
        command = getattr(importlib.import_module(f"ingot.cli.{module}"), attribute)
        missing += [
            name
            for name in leaves(command, row.name)
            if not any(f"{line} ".startswith(f"{name} ") for line in shown)
        ]
    assert missing == []
