"""The page on the Python library: its program runs and is typed, and all that is public is told."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import ssl
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

import ingot.s3
import ingot.s3client

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE = DOCS / "python-library.md"
NAMES = DOCS / "python-library-names.md"
# What operations are made of: only methods that are not public speak of them.
OURS = {"Answer", "Call", "Location", "Request", "Response"}


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


class Mentioned:
    """Collects the classes of ours that signatures and fields speak of."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        # Some modules import for typing only.
        self._names: dict[str, Any] = {"ssl": ssl}
        for package in (ingot.s3, ingot.s3client):
            for row in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
                for name, value in vars(importlib.import_module(row.name)).items():
                    if inspect.isclass(value):
                        self._names.setdefault(name, value)

    def look(self, cls: type, where: str) -> None:
        self._all(cls, where)
        for name, member in inspect.getmembers(cls):
            function = member.fget if isinstance(member, property) else member
            if inspect.isroutine(function) and not name.startswith("_"):
                self._all(inspect.unwrap(function), f"{where}.{name}")

    def _all(self, thing: Any, where: str) -> None:
        for kind in typing.get_type_hints(thing, localns=self._names).values():
            self._one(kind, where)

    def _one(self, kind: Any, where: str) -> None:
        if isinstance(kind, list):
            for inner in kind:
                self._one(inner, where)
        elif typing.get_origin(kind) is not None:
            for inner in typing.get_args(kind):
                self._one(inner, where)
        elif inspect.isclass(kind) and kind.__module__.startswith("ingot"):
            self.found.setdefault(kind.__name__, where)


def test_all_that_public_names_speak_of_is_public() -> None:
    mentioned = Mentioned()
    for name in ingot.s3client.__all__:
        value = getattr(ingot.s3client, name)
        if inspect.isclass(value):
            mentioned.look(value, name)
    missing = {name: where for name, where in mentioned.found.items() if name not in OURS}
    assert {n: w for n, w in missing.items() if n not in ingot.s3client.__all__} == {}


def test_the_package_itself_imports_nothing() -> None:
    code = "import sys, ingot.s3client; print(sum(n.startswith('ingot.') for n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "1\n"
