"""`python -m ingot.server`: the server with all its settings from the environment.

For appliances and containers: without the command line's parser it starts a sixth sooner.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from ingot.base.errors import Error
from ingot.base.logs import configure
from ingot.server.process import banner
from ingot.server.settings import load


def main() -> int:
    """Serve until told to stop; return the exit code."""
    try:
        settings = load(os.environ, {})
        configure(json_lines=settings.json_log)
        from ingot.server.process.run import run

        def announce(document: dict[str, Any]) -> None:
            sys.stdout.write(banner.render(document, str(settings.data_dir)) + "\n")
            sys.stdout.flush()

        return run(settings, on_terminal=sys.stdout.isatty(), announce=announce)
    except Error as error:
        sys.stderr.write(f"error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
