"""The running installation as files of an image."""

import subprocess
import sys
from pathlib import Path

import ingot
from ingot.debian.distribution import distribution_entries, distribution_package

SITE = "usr/lib/python3/dist-packages"


def test_modules_metadata_and_program() -> None:
    entries = {entry.path: entry for entry in distribution_entries("3.11")}
    own = Path(ingot.__file__)
    init = entries[f"{SITE}/ingot/__init__.py"]
    assert init.content is not None
    assert init.content.read() == own.read_bytes()
    assert f"{SITE}/ingot/py.typed" in entries
    assert f"{SITE}/ingot-{ingot.__version__}.dist-info/METADATA" in entries
    assert entries["usr/bin/ingot"].mode == 0o755
    assert {entry.mode for path, entry in entries.items() if path.startswith(SITE)} == {0o644}


def test_what_a_checkout_leaves_behind_is_not_copied() -> None:
    paths = [entry.path for entry in distribution_entries("3.11")]
    assert not [path for path in paths if "/__pycache__/" in path or "/." in path]
    assert paths == sorted(set(paths), key=paths.index)


def test_the_copy_runs(tmp_path: Path) -> None:
    for entry in distribution_entries("3.11"):
        path = tmp_path / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        assert entry.content is not None
        path.write_bytes(entry.content.read())
    command = [sys.executable, "-S", "-c", "import ingot; print(ingot.__file__)"]
    done = subprocess.run(
        command,
        env={"PYTHONPATH": str(tmp_path / SITE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(tmp_path / SITE / "ingot/__init__.py")
    assert distribution_package().version == ingot.__version__
