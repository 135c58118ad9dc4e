"""The documentation names what the product has, and its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingot.cli.commands import COMMANDS
from ingot.cli.main import ingot


@pytest.mark.parametrize("verb", [row.name for row in COMMANDS])
def test_help_has_an_example(verb: str) -> None:
    result = CliRunner().invoke(ingot, [verb, "--help"])
    assert result.exit_code == 0, result.output
    assert "Example" in result.output


def test_reference_names_every_command(root: Path) -> None:
    text = "".join(path.read_text() for path in (root / "docs/reference").glob("*.md"))
    missing = [row.name for row in COMMANDS if f"ingot {row.name}" not in text]
    assert missing == []


def test_relative_links_lead_somewhere(tracked: list[Path], root: Path) -> None:
    broken = [
        f"{path.relative_to(root)} -> {target}"
        for path in tracked
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_decision_has_its_three_parts(root: Path) -> None:
    decisions = sorted((root / "docs/decisions").glob("[0-9]*.md"))
    assert decisions
    for path in decisions:
        text = path.read_text()
        for heading in ("## Context", "## Measurement", "## Decision"):
            assert heading in text, f"{path.name} lacks {heading!r}"


def test_generated_pages_are_up_to_date(root: Path) -> None:
    command = [sys.executable, str(root / "tools/reference.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_reference_names_every_component_and_example(root: Path) -> None:
    text = (root / "docs/reference/system.md").read_text()
    components = [path.parent.name for path in (root / "src/ingot/system").glob("*/component.yml")]
    assert [name for name in sorted(components) if f"`{name}`" not in text] == []
    pages = "".join(path.read_text() for path in root.glob("docs/**/*.md"))
    pages += (root / "README.md").read_text()
    examples = [path.name for path in (root / "examples").glob("*.yml")]
    assert [name for name in sorted(examples) if name not in pages] == []
