"""What must not stand in any file: leftovers, paths of a machine, addresses in locks."""

import re
from pathlib import Path

_LEFTOVERS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
_SKIPS = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b")
_MACHINE_PATHS = re.compile(r"(?<![\w./-])/(work|farm|home/\w+|Users/\w+)/")
_TEXT_SUFFIXES = {".py", ".md", ".sh", ".yml", ".toml", ".txt", ".in", ".ts", ".tsx", ".css", ""}


def _lines(paths: list[Path]) -> list[tuple[Path, int, str]]:
    found = []
    for path in paths:
        if path.suffix in _TEXT_SUFFIXES and path.name != Path(__file__).name:
            text = path.read_text(errors="replace")
            found += [(path, number, line) for number, line in enumerate(text.splitlines(), 1)]
    return found


def test_no_leftovers(tracked: list[Path], root: Path) -> None:
    hits = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path, number, line in _lines(tracked)
        if _LEFTOVERS.search(line) or _SKIPS.search(line)
    ]
    assert hits == []


def test_no_paths_of_a_machine(tracked: list[Path], root: Path) -> None:
    hits = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path, number, line in _lines(tracked)
        if _MACHINE_PATHS.search(line)
    ]
    assert hits == []


def test_locks_carry_hashes_and_no_addresses(root: Path) -> None:
    locks = [
        *(root / "requirements").glob("*.txt"),
        root / "src/ingot/system/store/wheels.txt",
    ]
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text, lock
        if lock.name == "debian.txt":
            continue
        pinned = re.findall(r"^[A-Za-z0-9._-]+==", text, re.MULTILINE)
        hashed = re.findall(
            r"^[A-Za-z0-9._-]+==[^\n]*\\\n(?:\s+--hash=sha256:)", text, re.MULTILINE
        )
        assert pinned
        assert len(pinned) == len(hashed), lock


def test_suppressions_carry_their_reason(sources: list[Path], root: Path) -> None:
    bare = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path, number, line in _lines(sources)
        if re.search(r"#\s*(noqa|type: ignore|pragma)[^#]*$", line)
    ]
    assert bare == []
