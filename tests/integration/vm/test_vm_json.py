"""Every verb about machines speaks JSON lines, when it works and when it does not."""

import json
from typing import Any

from ingot.cli.commands import COMMANDS

VERBS = (
    *("run", "start", "ps", "stop", "kill", "wait", "port", "stats", "snapshot", "rm-machine"),
    *("logs", "console", "exec"),
)
# What about machines is said of appliances only is not here.
OTHERS = {
    "build",
    "validate",
    "lock",
    "pkg",
    "cache",
    "inspect",
    "vulns",
    "capabilities",
    "compare",
}


def lines(host: Any, *words: Any, code: int = 0) -> list[dict[str, Any]]:
    """Return what a command prints: results on standard output, an error on the other."""
    result = host.ingot("--json", *words, code=code)
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(line["status"] == "success" for line in told)
    if code:
        assert told == []
        told = [json.loads(result.stderr)]
        assert told[0]["status"] == "error"
    return told


def test_every_verb_is_tried_here() -> None:
    panel = {row.name for row in COMMANDS if row.panel == "Appliances"}
    assert set(VERBS) == panel - OTHERS


def test_every_verb_answers_in_json(host: Any) -> None:
    prefix = host.build("demo")
    flags = ("--publish", "127.0.0.1:18099:80", "--disk", "size=1M", "--detach")
    [started] = lines(host, "run", prefix, *flags)
    assert (started["name"], started["state"]) == ("demo", "running")
    [row] = lines(host, "ps")
    assert (row["pid"], row["running"]) == (started["pid"], True)
    [port] = lines(host, "port", "demo")
    assert (port["host_address"], port["host_port"]) == ("127.0.0.1", 18099)
    [usage] = lines(host, "stats", "--interval", "100ms")
    assert usage["memory_resident_bytes"] > 0
    host.await_console("demo", "tiny kernel up")
    assert "tiny kernel up" in json.dumps(lines(host, "logs", "demo"))
    [saved] = lines(host, "snapshot", "save", "demo", "fresh")
    assert saved["snapshot"] == "fresh"
    assert [each["snapshot"] for each in lines(host, "snapshot", "ls", "demo")] == ["fresh"]
    lines(host, "kill", "demo")
    lines(host, "snapshot", "restore", "--yes", "demo", "fresh")
    lines(host, "snapshot", "rm", "demo", "fresh")
    [stopped] = lines(host, "stop", "demo")
    assert stopped["how"] == "powered-off"
    [waited] = lines(host, "wait", "--until", "stopped", "demo")
    assert waited["state"] == "stopped"
    [again] = lines(host, "start", "demo")
    assert again["state"] == "running"
    [killed] = lines(host, "kill", "demo")
    assert killed["how"] == "killed"
    [gone] = lines(host, "rm-machine", "--yes", "demo")
    assert gone["name"] == "demo"


def test_every_verb_fails_in_json(host: Any) -> None:
    host.build("demo")
    absent = {verb: (verb, "absent") for verb in VERBS} | {
        "run": ("run", "absent", "--detach"),
        "ps": ("ps", "--no-such-flag"),
        "snapshot": ("snapshot", "ls", "absent"),
        "exec": ("exec", "absent", "web", "true"),
        "rm-machine": ("rm-machine", "--yes", "absent"),
    }
    for verb, words in absent.items():
        [told] = lines(host, *words, code=2 if verb == "ps" else 5)
        assert told["error"]["message"], verb
