"""What the client may not drag in: starting a command must stay quick."""

from __future__ import annotations

import subprocess
import sys


def imported(modules: str) -> set[str]:
    """Return what the import of modules brings into a fresh interpreter."""
    code = f"import sys, {modules}\nprint(*sys.modules)"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_the_client_is_light() -> None:
    heavy = {"boto3", "botocore", "asyncio", "rich", "click", "msgspec", "sqlite3", "ssl"}
    assert heavy & imported("ingot.s3client.transfer") == set()


def test_listing_needs_neither_threads_nor_tls() -> None:
    modules = "ingot.cli.objects.ls, ingot.client.listing, ingot.client.connections"
    heavy = {"msgspec", "ssl", "concurrent.futures", "logging", "ctypes", "secrets", "difflib"}
    assert heavy & imported(modules) == set()
