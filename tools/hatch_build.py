"""Add man pages and completion scripts to wheels; an editable installation has none."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FOLDER = "build/man"
# Where the shells look, below a prefix that they know as a whole machine's.
_COMPLETIONS = {
    "ingot.bash": "share/bash-completion/completions/ingot",
    "_ingot": "share/zsh/site-functions/_ingot",
    "ingot.fish": "share/fish/vendor_completions.d/ingot.fish",
}


class SharedFiles(BuildHookInterface[Any]):
    """Hatch calls this before it builds a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the pages; say where a wheel puts them and the scripts."""
        if version == "editable":
            return
        root = Path(self.root)
        folder = root / _FOLDER
        for old in folder.glob("*.1"):
            old.unlink()
        subprocess.run(
            [sys.executable, str(root / "tools/manpages.py"), str(folder)],
            check=True,
            env=os.environ | {"PYTHONPATH": str(root / "src")},
        )
        shared = build_data.setdefault("shared_data", {})
        for page in sorted(folder.glob("*.1")):
            shared[str(page)] = f"share/man/man1/{page.name}"
        for script, place in _COMPLETIONS.items():
            shared[str(root / "src/ingot/cli/completions" / script)] = place
