"""One idea per file, functions that fit a screen."""

import ast
from pathlib import Path

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

# Declarative tables are exempt from length, not from order (STYLE §B "Size").
TABLES = {"src/ingot/s3/operations.py", "src/ingot/s3/errors.py", "src/ingot/server/settings.py"}


def test_files_are_short(sources: list[Path], root: Path) -> None:
    long = {
        str(path.relative_to(root)): count
        for path in sources
        if (count := len(path.read_text().splitlines())) > FILE_LINES_MAX
        and str(path.relative_to(root)) not in TABLES
    }
    assert long == {}


def test_functions_fit_a_screen(sources: list[Path], root: Path) -> None:
    long = []
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long.append(f"{path.relative_to(root)}:{node.lineno} {node.name} {lines}")
    assert long == []


def test_modules_say_what_they_own(sources: list[Path], root: Path) -> None:
    silent = [
        str(path.relative_to(root))
        for path in sources
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []
