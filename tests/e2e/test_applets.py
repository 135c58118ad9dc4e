"""The guest's scripts call nothing that Debian's busybox lacks, which only a boot would show."""

import re
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import ingot.system

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(600)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

SYSTEM = Path(next(iter(ingot.system.__path__)))
# A word that stands where a command does: first of a line, or after what begins a command.
COMMAND = re.compile(
    r"(?:^|[|;&({!]|\$\(|\b(?:then|do|else|if|elif|while|until)\b)"
    r"[ \t]*([a-z_][a-z0-9_]*)(?=[ \t\n;)]|$)",
    re.MULTILINE,
)
SHELL_WORDS = """
    if then else elif fi for while until do done case esac in
    alias cd command continue break eval exec exit export kill local read return set shift trap
    ulimit umask unset wait
"""
# Of a package that the container has; of the table of drivers that the build writes.
OTHERS = {"metadata/metadata": {"jq"}, "init/drivers": {"drive"}}


def scripts() -> dict[str, str]:
    found = {}
    for path in SYSTEM.rglob("*"):
        if path.is_file() and path.suffix in {"", ".conf"}:
            text = path.read_text()
            if "busybox sh" in text.partition("\n\n")[0] or "() {" in text:
                found[str(path.relative_to(SYSTEM))] = text
    return found


def commands(text: str) -> set[str]:
    """Return what a script calls by a bare name, but for functions, variables and quoted text."""
    text = re.sub(r"<< *'?END'?\n.*?\nEND\n", "\n", text, flags=re.DOTALL)
    text = re.sub(r"(?m)(^|\s)#.*$", "", text)
    # Programs of awk and jq, and words in single quotes; arithmetic; labels of `case`.
    text = re.sub(r"'[^']*'", "''", text)
    text = re.sub(r"\$\(\(.*?\)\)", "0", text)
    text = re.sub(r"(?m)^[ \t]*[^\s()]+( \| [^\s()]+)*\)", "", text)
    text = re.sub(r"\bexec ", "", text)
    # Of a quoted text, what is called in it.
    text = re.sub(r'"[^"]*"', lambda match: " ".join(re.findall(r"\$\([^)]*\)", match[0])), text)
    found = {match[1] for match in COMMAND.finditer(text) if text[match.end(1) :][:1] != "="}
    return found - set(SHELL_WORDS.split())


def functions(texts: dict[str, str]) -> set[str]:
    return {name for text in texts.values() for name in re.findall(r"(?m)^([a-z_0-9]+)\(\)", text)}


@pytest.fixture(scope="module")
def applets(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    folder = tmp_path_factory.mktemp("applets")
    (folder / "tool").mkdir()
    (folder / "tool/component.yml").write_text("packages: [busybox-static]\n")
    (folder / "own.yml").write_text("init: [component:tool]\n")
    cli("build", folder / "own.yml", "--dir", folder, "--format", "tar")
    with tarfile.open(folder / "own.tar") as archive:
        program = archive.extractfile("usr/bin/busybox")
        assert program is not None
        (folder / "busybox").write_bytes(program.read())
    (folder / "busybox").chmod(0o755)
    listed = subprocess.run(
        [folder / "busybox", "--list"], capture_output=True, text=True, check=True
    )
    return frozenset(listed.stdout.split())


def test_every_command_is_an_applet_or_one_of_ours(applets: frozenset[str]) -> None:
    texts = scripts()
    assert {"init/boot", "init/service", "format/disks", "dhcp/dhcp"} <= texts.keys()
    assert "udhcpc" in commands(texts["dhcp/dhcp-card"])
    ours = functions(texts)
    missing = {
        name: sorted(unknown)
        for name, text in texts.items()
        if (unknown := commands(text) - applets - ours - OTHERS.get(name, set()))
    }
    assert missing == {}


def test_a_command_that_is_missing_is_seen(applets: frozenset[str]) -> None:
    text = 'a=1\nif ! dd if="$1" | sum -s; then\n  x=$(cksum < "$1") || killall5\nfi\n'
    assert commands(text) - applets == {"sum", "cksum", "killall5"}
