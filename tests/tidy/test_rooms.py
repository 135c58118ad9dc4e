"""Nothing lies around: every module is used, every table row has its function."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import ingot.server.admin
import ingot.server.handlers
from ingot.cli.commands import COMMANDS
from ingot.s3.operations import OPERATIONS
from ingot.server.admin.operations import OPERATIONS as ADMIN_OPERATIONS

# Found by name at run time rather than imported: entry points and plug-in folders.
_FOUND_BY_NAME = (
    "ingot.cli.",
    "ingot.server.handlers.",
    "ingot.server.admin.",
    "ingot.appliance.outputs.",
    "ingot.vm.runners.",
    "ingot.system.",
)
_ENTRY_POINTS = {"ingot", "ingot.__main__", "ingot.server.__main__"}


def _module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # Modules started by name: `python -m ingot.server.process.worker`, "module:attribute".
            names.add(node.value.split(":")[0])
    return names


def test_no_module_is_dead(sources: list[Path], tracked: list[Path], root: Path) -> None:
    used: set[str] = set()
    tests = [p for p in tracked if p.suffix == ".py" and p.is_relative_to(root / "tests")]
    shipped_tests = [p for p in sources if p.is_relative_to(root / "src/ingot/testing")]
    for path in sources:
        own = _module_name(path, root)
        used |= {name for name in _imports(path) if name != own}
    for path in tests:
        # A module of `ingot.testing` exists for tests; any other must serve the product.
        used |= {name for name in _imports(path) if name.startswith("ingot.testing")}
    assert shipped_tests
    dead = [
        name
        for path in sources
        if path.name != "__init__.py"
        and (name := _module_name(path, root)) not in used | _ENTRY_POINTS
        and not name.startswith(_FOUND_BY_NAME)
    ]
    assert dead == []


@pytest.mark.parametrize(
    ("room", "table", "other"),
    [
        (ingot.server.handlers, OPERATIONS, set()),
        (
            *(ingot.server.admin, ADMIN_OPERATIONS.values()),
            {("api", "answer"), ("exchange", "read_sealed"), ("exchange", "sealed")},
        ),
    ],
)
def test_every_operation_has_its_handler_and_every_handler_its_row(room, table, other) -> None:
    rows = {(row.family, re.sub(r"(?<!^)(?=[A-Z])", "_", row.name).lower()) for row in table}
    handlers = set()
    for info in pkgutil.iter_modules(room.__path__):
        module = importlib.import_module(f"{room.__name__}.{info.name}")
        for name, value in vars(module).items():
            public = not name.startswith("_") and inspect.iscoroutinefunction(value)
            if public and value.__module__ == module.__name__:
                handlers.add((info.name, name))
    assert rows - handlers == set(), "rows without a function"
    assert handlers - rows == other, "functions without a row"


def test_every_command_has_its_file_and_every_file_its_command(root: Path) -> None:
    infrastructure = {
        "__init__", "commands", "entry", "main", "printer", "progress",
    }  # fmt: skip
    used = {row.target.split(":")[0] for row in COMMANDS}
    folder = root / "src/ingot/cli"
    paths = [path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py")]
    files = {".".join(path.parts) for path in paths} - infrastructure
    helpers = {name for name in files - used if name.rpartition(".")[2].startswith("_")}
    assert files - helpers == used


def test_every_component_is_complete(root: Path) -> None:
    folders = [p for p in (root / "src/ingot/system").iterdir() if p.is_dir()]
    components = [p for p in folders if p.name != "__pycache__"]
    assert len(components) >= 7
    for folder in components:
        assert (folder / "component.yml").is_file(), f"{folder.name} has no component.yml"
