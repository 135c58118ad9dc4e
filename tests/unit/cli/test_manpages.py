"""Man pages: one for each verb, well-formed, the same each time, in the wheel with completion."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ingot.cli.commands import COMMANDS
from ingot.cli.completion import SCRIPTS

ROOT = Path(__file__).resolve().parents[3]
_TOOL = ROOT / "tools" / "manpages.py"
# What a line may begin with.
_REQUESTS = {".TH", ".SH", ".SS", ".TP", ".PP", ".br", ".nf", ".fi"}


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
        assert re.search(r"\\(?!fB|fR|-|e|&|\((dq|aq|ga|ha|ti)|\[u)", text) is None, name
        assert text.isascii(), name


def test_two_formatters_find_nothing_wrong(pages: dict[str, str], tmp_path: Path) -> None:
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
    checkers = (["mandoc", "-Tlint", "-Wwarning"], ["groff", "-man", "-Tutf8", "-ww", "-z"])
    for checker in checkers:
        done = subprocess.run(
            [*checker, *sorted(pages)], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        said = (done.stdout + done.stderr).splitlines()
        # A date would differ from build to build.
        assert [line for line in said if 'missing date, using ""' not in line] == []


def test_examples_can_be_copied_from_what_is_shown(pages: dict[str, str], tmp_path: Path) -> None:
    example = "ingot tag set store/photos/cat.jpg 'kind=cat&public=yes'"
    (tmp_path / "page.1").write_text(pages["ingot-tag.1"])
    for formatter in (["mandoc", "-Tutf8"], ["groff", "-man", "-Tutf8", "-rLL=120n"]):
        shown = subprocess.run(
            [*formatter, tmp_path / "page.1"], capture_output=True, text=True, check=True
        )
        assert example in shown.stdout


def test_the_nameless_command_is_what_its_page_is_about(pages: dict[str, str]) -> None:
    lines = pages["ingot-server.1"].splitlines()
    assert "\\fBingot server\\fR [OPTIONS] [DIR]" in lines
    assert lines.index("\\fB\\-\\-address HOST:PORT\\fR") < lines.index(".SH COMMANDS")
    assert '.SS "run"' not in lines


def test_options_and_their_variables_are_there_as_they_are(pages: dict[str, str]) -> None:
    for text in pages.values():
        assert "\\fB\\-h, \\-\\-help\\fR" in text
    assert "\\fBINGOT_RESOLVE, MC_RESOLVE\\fR\nAs \\-\\-resolve.\n" in pages["ingot.1"]


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
    for place in (
        "man/man1/ingot-mirror.1",
        "bash-completion/completions/ingot",
        "zsh/site-functions/_ingot",
        "fish/vendor_completions.d/ingot.fish",
    ):
        assert any(name.endswith(f".data/data/share/{place}") for name in names), place
    # `ingot completion` prints those of the package.
    scripts = {name.rpartition("/")[2] for name in names if "/cli/completions/" in name}
    assert scripts == set(SCRIPTS.values())
