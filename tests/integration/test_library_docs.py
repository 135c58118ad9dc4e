"""The page on the Python library: its program runs and is typed, and all that is public is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ingot.s3client

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE = DOCS / "python-library.md"
NAMES = DOCS / "python-library-names.md"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_program_of_the_page_runs(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert len(blocks()) >= 8
    monkeypatch.chdir(tmp_path)
    names = {
        "ENDPOINT": server.endpoint,
        "ACCESS_KEY": server.access_key,
        "SECRET_KEY": server.secret_key,
    }
    for block in blocks():
        exec(compile(block, str(PAGE), "exec"), names)
    assert "5 b'hello'" in capsys.readouterr().out


def test_the_program_of_the_page_is_typed(tmp_path: Path) -> None:
    program = "\n".join(["ENDPOINT = ACCESS_KEY = SECRET_KEY = 'x'", *blocks()])
    path = tmp_path / "program.py"
    path.write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Success: no issues found in 1 source file\n")


def test_every_public_name_is_there_and_told() -> None:
    headings = re.findall(r"^## (\w+)$", NAMES.read_text(), re.MULTILINE)
    assert headings == ingot.s3client.__all__ == dir(ingot.s3client)
    for name in ingot.s3client.__all__:
        assert getattr(ingot.s3client, name).__doc__, name
    with pytest.raises(AttributeError):
        _ = ingot.s3client.nothing


def test_the_package_itself_imports_nothing() -> None:
    code = "import sys, ingot.s3client; print(sum(n.startswith('ingot.') for n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "1\n"
