"""The whole command line against transcripts in tests/golden/cli: code, stdout and stderr.

A transcript is what a terminal shows. `$ ingot …` runs a command; what it prints follows,
standard error with `2> ` in front, and its exit code in brackets. `<<< TEXT` at the end of a
command gives it standard input. `$ ingot … &` starts a command that goes on; `$ until TEXT` waits
until it has said so, and `$ interrupt` presses Ctrl-C and shows it. `$ file PATH LINE...`,
`$ bytes PATH COUNT`, `$ link PATH TARGET`, `$ zip PATH FILE...` and `$ sample PATH` (a file beside
the transcripts) make files of this machine. `$ moment` keeps the time
as `<moment>` for later commands.

The alias `s3` is a server of the test's own, empty at the start of each transcript; `other` is an
independent service with settings that ours lacks, and `tls` one that is reached by TLS, takes
customers' keys and looks into zip files and Parquet. Times, durations, rates and addresses are
masked. Random names of versions, uploads and rules are numbered as they appear, `<id1>`, which
commands can say, too. `INGOT_GOLDEN=write` writes the transcripts anew from their commands.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from ingot.base.secret import Secret
from ingot.cli import main
from ingot.cli._fields import ROWS, matching
from ingot.cli.commands import SHARED_WITH_MC
from ingot.client.aliases import Alias
from ingot.client.connections import Connections
from ingot.s3.documents.delete import ObjectIdentifier

DEADLINE_S = 60
_FOLDER = Path(__file__).resolve().parents[2] / "golden" / "cli"
# Read before a test's own home takes such variables away.
_IS_WRITING = os.environ.get("INGOT_GOLDEN") == "write"
_CASES = sorted(path.stem for path in _FOLDER.glob("*.txt"))
# What differs from run to run, and what is shown in its place.
_MASKS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]{3,4}", "<time>"),
    (r'"(duration|elapsed|speed|roundtrip|timeLeft)": ?[0-9.e+]+', r'"\1": <number>'),
    (r"\bin [0-9.]+ ?(ms|µs|s|m)\b", "in <duration>"),
    (r"(\d+:)?[0-9.]+ ?(ms|µs)\b", "<duration>"),
    (r"[0-9.]+ [KMG]?i?B/s", "<rate>"),
    (r"\b[A-Z2-7]{20}\b", "<access key>"),
    (r"(Secret key: |\"secretKey\": \")[A-Za-z0-9]{40}", r"\1<secret key>"),
    (
        r"(?m)^  (runs on|version|up for|drive|buckets|objects|versions|used)( +).*",
        r"  \1\2<as it is>",
    ),
    (r"X-Amz-(Date|Signature|Credential)=[^&\s\"]+", r"X-Amz-\1=<signed>"),
    (r'("(RequestID|HostId)": ")[^"]*"', r'\1<request>"'),
    (r"\(good for [^)]*\)", "(good for <duration>)"),
    (r"(x-amz-(?:date|signature|credential))(=|\": \")[\w./-]+", r"\1\2<signed>"),
    (r"(policy(?:=|\": \"))eyJ[\w/+=]+", r"\1<signed>"),
    (r'("X-Amz-Meta-(Mtime|Mc-Attrs)": ")[^"]*"', r'\1<file>"'),
    (r"(?<=monitoring at )\S+", "<monitor>"),
)
# Random names, which are numbered.
_IDS = (
    r'"version(?:Id|ID)": ?"([\w.-]{16,})"',
    r'"uploadId": ?"([\w.-]{16,})"',
    r"\(([0-9a-f-]{32,})\)",
    r"([0-9a-f]{32}) v\d+ ",
    r"versionID +([\w.-]{16,})",
    r"\b([0-9a-f]{20})\b",
)

_OPTIONS_ELSEWHERE = ("--quiet", "--no-progress", "--json")
# Only MinIO tells of replication (wire/test_replicating.py), only builds are compared so, and what
# a service tells of itself is another each time.
_COMMANDS_ELSEWHERE = {
    "admin info",
    "replicate status",
    "replicate resync start",
    "replicate resync status",
    "replicate backlog",
    "compare",
}


class Places(NamedTuple):
    """Where services are."""

    endpoint: str
    other: str
    tls: str


class Terminal:
    """Runs the commands of a transcript in this process and writes down what happens."""

    def __init__(self, folder: Path, places: Places, capture: Any) -> None:
        self._folder = folder
        self._places = places
        self._capture = capture
        self._ids: dict[str, str] = {}
        self._moment = ""
        self._running: subprocess.Popen[bytes] | None = None

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
        for real, shown in [*self._ids.items(), (self._moment, "<moment>")]:
            asked = asked.replace(shown, real)
        program, *arguments = shlex.split(asked)
        if program == "ingot":
            if arguments[-1] == "&":
                self._start(arguments[:-1])
                return []
            return self._ran(arguments, f"{fed}\n".encode() if fed else b"")
        if program == "interrupt":
            return self._interrupted()
        acts: dict[str, Callable[..., None]] = {
            "file": lambda name, *lines: self._write(name, "\n".join([*lines, ""]).encode()),
            "bytes": lambda name, count: self._write(name, bytes(int(count))),
            "link": lambda name, target: (self._folder / name).symlink_to(target),
            "zip": self._zip,
            "sample": lambda name: self._write(name, (_FOLDER / name).read_bytes()),
            "moment": self._keep_moment,
            "until": lambda *words: self._wait(" ".join(words)),
        }
        acts[program](*arguments)
        return []

    def _keep_moment(self) -> None:
        # What a service keeps of a time is milliseconds; before and after must differ.
        time.sleep(0.005)
        self._moment = datetime.now(UTC).isoformat()
        time.sleep(0.005)

    def _zip(self, name: str, *members: str) -> None:
        with zipfile.ZipFile(self._folder / name, "w") as archive:
            for member in members:
                archive.write(self._folder / member, member)

    def _start(self, arguments: list[str]) -> None:
        with (self._folder / ".out").open("w") as out, (self._folder / ".err").open("w") as err:
            self._running = subprocess.Popen(
                [sys.executable, "-m", "ingot", *arguments], stdout=out, stderr=err
            )

    def _said(self) -> list[str]:
        return [(self._folder / name).read_text() for name in (".out", ".err")]

    def _wait(self, text: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not any(text in said for said in self._said()):
            assert time.monotonic() < deadline, f"it says {text!r}: {self._said()}"
            time.sleep(0.05)

    def _interrupted(self) -> list[str]:
        assert self._running is not None, "nothing runs"
        self._running.send_signal(signal.SIGINT)
        code = self._running.wait(DEADLINE_S)
        self._running = None
        return self._shown(code, *self._said())

    def close(self) -> None:
        """End what a transcript that failed has left running."""
        if self._running is not None:
            self._running.kill()
            self._running.wait(DEADLINE_S)

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def _ran(self, arguments: list[str], fed: bytes) -> list[str]:
        self._capture.readouterr()
        keyboard, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(fed))
        try:
            code = main.run(arguments)
        finally:
            sys.stdin = keyboard
        return self._shown(code, *self._capture.readouterr())

    def _shown(self, code: int, out: str, err: str) -> list[str]:
        return [
            *self._masked(out).splitlines(),
            *(f"2> {line}".rstrip() for line in self._masked(err).splitlines()),
            f"[{code}]",
        ]

    def _masked(self, text: str) -> str:
        for pattern in _IDS:
            for found in re.findall(pattern, text):
                self._ids.setdefault(found, f"<id{len(self._ids) + 1}>")
        for real, shown in self._ids.items():
            text = text.replace(real, shown)
        text = text.replace(str(self._folder), "<folder>")
        text = text.replace(os.environ["HOME"], "<home>")
        text = text.replace(self._places.endpoint, "<endpoint>")
        text = text.replace(self._places.endpoint.partition("://")[2], "<address>")
        text = text.replace(self._places.other, "<other>")
        text = text.replace(self._places.tls, "<tls>")
        for pattern, shown in _MASKS:
            text = re.sub(pattern, shown, text)
        return text


@pytest.fixture(scope="module")
def services(
    other_service: str, extended_service: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, str, str]]:
    """A server for transcripts only, since they show its buckets, and other services."""
    from tests.conftest import end, launch

    running = launch(tmp_path_factory.mktemp("golden") / "data", workers=1)
    yield running, other_service, extended_service
    end(running)


@pytest.fixture
def terminal(
    services: tuple[Any, str, str],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Any,
) -> Iterator[Terminal]:
    """A terminal in an empty folder, whose alias `s3` is an empty server."""
    server, other_service, extended_service = services
    keys = f"{server.access_key}:{server.secret_key}"
    monkeypatch.setenv("MC_HOST_s3", f"http://{keys}@127.0.0.1:{server.port}")
    monkeypatch.setenv("MC_HOST_other", other_service.replace("://", "://any:thing@"))
    monkeypatch.setenv("MC_HOST_tls", extended_service.replace("://", "://any:thing@"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "aws"))
    monkeypatch.setenv("INGOT_STATE_DIR", str(home / "state"))
    terminal = Terminal(folder, Places(server.endpoint, other_service, extended_service), capfd)
    yield terminal
    terminal.close()
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


class Shown(NamedTuple):
    """What a transcript shows of one command."""

    words: list[str]
    code: int
    out: list[str]


def read_transcripts() -> Iterator[Shown]:
    """Yield every command of every transcript with its output."""
    for case in _CASES:
        command, going_on, out = "", "", list[str]()
        for line in (_FOLDER / f"{case}.txt").read_text().splitlines():
            if line.startswith("$ ingot "):
                command, out = line.removeprefix("$ ingot ").partition(" <<< ")[0], []
                if command.endswith(" &"):
                    going_on = command.removesuffix(" &")
            elif line == "$ interrupt":
                command, out = going_on, []
            elif (code := re.fullmatch(r"\[(\d+)\]", line)) is not None:
                yield Shown(shlex.split(command), int(code[1]), out)
            elif not line.startswith(("$ ", "2> ", "# ")):
                out.append(line)


def leaves(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command, or all below it, by their words."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for word, inner in command.commands.items():
        yield from leaves(inner, *path, word)


def object_commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every object command."""
    for row in SHARED_WITH_MC:
        module, _, attribute = row.target.partition(":")
        command = getattr(importlib.import_module(f"ingot.cli.{module}"), attribute)
        yield from leaves(command, row.name)


def shown_of(path: tuple[str, ...]) -> list[Shown]:
    """Return what the transcripts show of a command."""
    found = []
    for shown in read_transcripts():
        words = [word for word in shown.words if word not in {"--json", "-q", "--quiet"}]
        if tuple(words[: len(path)]) == path:
            found.append(shown)
    return found


def test_every_command_and_option_succeeds_in_a_transcript() -> None:
    missing = []
    for path, command in object_commands():
        name = " ".join(path)
        # Differences and Ctrl-C are what some commands are there for.
        done = [shown for shown in shown_of(path) if shown.code in {0, 1, 130}]
        if {shown.code for shown in done} <= {1} and name not in _COMMANDS_ELSEWHERE:
            missing.append(name)
        said = {word.partition("=")[0] for shown in done for word in shown.words}
        missing += [
            f"{name} {parameter.opts[0]}"
            for parameter in command.params
            if isinstance(parameter, click.Option)
            and not (parameter.hidden or parameter.opts[0] in _OPTIONS_ELSEWHERE)
            and said.isdisjoint([*parameter.opts, *parameter.secondary_opts])
        ]
    assert missing == [], missing


def test_every_line_of_json_is_in_a_transcript() -> None:
    seen = set()
    names = {" ".join(path): shown_of(path) for path, _ in object_commands()}
    for name, found in names.items():
        for shown in found:
            for line in shown.out if "--json" in shown.words and name != "sql" else ():
                document = json.loads(line.replace("<number>", "0"))
                assert document["status"] == "success"
                rows = matching(name, document)
                assert rows, f"{name} prints what is not documented: {line}"
                seen.update(rows)
    expected = {row for row in ROWS if not names.keys().isdisjoint(row.commands) and not row.raw}
    elsewhere = {row for row in ROWS if not _COMMANDS_ELSEWHERE.isdisjoint(row.commands)}
    assert expected - seen - elsewhere == set()
