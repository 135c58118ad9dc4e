"""The page on the Python library: its program runs, and it names all that is public."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ingot.s3client

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "python-library.md"


def test_the_program_of_the_page_runs(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    monkeypatch.chdir(tmp_path)
    names = {
        "ENDPOINT": server.endpoint,
        "ACCESS_KEY": server.access_key,
        "SECRET_KEY": server.secret_key,
    }
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert "5 b'hello'" in capsys.readouterr().out


def test_every_public_name_is_there_and_on_the_page() -> None:
    text = PAGE.read_text()
    for name in ingot.s3client.__all__:
        assert getattr(ingot.s3client, name).__doc__, name
        assert re.search(rf"\b{name}\b", text), name
    with pytest.raises(AttributeError):
        _ = ingot.s3client.nothing


def test_the_package_itself_imports_nothing() -> None:
    code = "import sys, ingot.s3client; print(sum(n.startswith('ingot.') for n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "1\n"
