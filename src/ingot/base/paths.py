"""Where Ingot keeps a user's files: XDG folders, each with its own override variable."""

from __future__ import annotations

import os
from pathlib import Path


def config_dir() -> Path:
    """Return the folder of settings and aliases: `INGOT_CONFIG_DIR`, else XDG config/ingot."""
    return _directory("INGOT_CONFIG_DIR", "XDG_CONFIG_HOME", ".config")


def cache_dir() -> Path:
    """Return the folder of everything that can be fetched again: `INGOT_CACHE_DIR`, else XDG."""
    return _directory("INGOT_CACHE_DIR", "XDG_CACHE_HOME", ".cache")


def state_dir() -> Path:
    """Return the folder of machines and journals: `INGOT_STATE_DIR`, else XDG state/ingot."""
    return _directory("INGOT_STATE_DIR", "XDG_STATE_HOME", ".local/state")


def _directory(override: str, xdg: str, fallback: str) -> Path:
    if own := os.environ.get(override):
        return Path(own).expanduser().absolute()
    base = os.environ.get(xdg)
    # The XDG specification says that relative paths in these variables must be ignored.
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / fallback
    return root / "ingot"
