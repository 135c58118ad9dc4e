"""Man pages: one for each verb, well-formed, the same each time, and in the wheel."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ingot.cli.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
_TOOL = ROOT / "tools" / "manpages.py"
# What a line may begin with.
_REQUESTS = {".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi"}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, _TOOL, folder], check=True)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_every_verb_has_its_page(pages: dict[str, str]) -> None:
    assert pages.keys() == {"ingot.1"} | {f"ingot-{row.name}.1" for row in COMMANDS}
    for row in COMMANDS:
        name = f"ingot-{row.name}".replace("-", "\\-")
        assert f"\\fB{name}\\fR(1)" in pages["ingot.1"]


def test_pages_have_their_sections_and_nothing_that_troff_would_swallow(
    pages: dict[str, str],
) -> None:
    for name, text in pages.items():
        lines = text.splitlines()
        assert lines[0].startswith(f'.TH "{name[:-2].upper()}" "1" "" "ingot '), name
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"):
            assert f".SH {heading}" in lines, (name, heading)
        assert "Examples:" in text, name
        commands = {line.split()[0] for line in lines if line.startswith((".", "'"))}
        assert commands <= _REQUESTS, name
        assert text.count(".nf\n") == text.count(".fi\n"), name
        # Every backslash begins an escape that we wrote.
        assert re.search(r"\\(?!fB|fR|-|e|&|\(dq)", text) is None, name


def test_groups_describe_their_commands(pages: dict[str, str]) -> None:
    for words in ("set", "list", "remove"):
        assert f'.SS "{words}"' in pages["ingot-alias.1"]


def test_pages_are_the_same_each_time(pages: dict[str, str], tmp_path: Path) -> None:
    subprocess.run([sys.executable, _TOOL, tmp_path], check=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == pages


def test_a_wheel_installs_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert sum(name.endswith(".1") for name in names) == len(COMMANDS) + 1
    assert any(name.endswith(".data/data/share/man/man1/ingot-mirror.1") for name in names)
