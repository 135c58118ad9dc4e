"""The linters are tests: format, lint, types, import contracts, shell syntax."""

import subprocess
import sys
from pathlib import Path

import pytest

_PYTHON_TOOLS = {
    "ruff format": ["ruff", "format", "--check", "--quiet", "."],
    "ruff check": ["ruff", "check", "--quiet", "."],
    "mypy": ["mypy"],
    "import-linter": ["lint-imports"],
}


@pytest.mark.parametrize("tool", _PYTHON_TOOLS)
def test_tool_finds_nothing(tool: str, root: Path) -> None:
    program, *arguments = _PYTHON_TOOLS[tool]
    command = [str(Path(sys.executable).parent / program), *arguments]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_shell_scripts_parse(tracked: list[Path]) -> None:
    checked = 0
    for path in tracked:
        with path.open("rb") as file:
            first = file.readline(80)
        if first.startswith(b"#!") and first.split()[0].endswith((b"/sh", b"/bash", b"/env")):
            shell = "bash" if b"bash" in first else "sh"
            if shell == "sh" and b"sh" not in first:
                continue
            result = subprocess.run([shell, "-n", str(path)], capture_output=True, check=False)
            assert result.returncode == 0, f"{path}: {result.stderr.decode()}"
            checked += 1
    assert checked >= 3
