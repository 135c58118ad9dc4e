"""What the client may not drag in: starting a command must stay quick."""

from __future__ import annotations

import subprocess
import sys


def test_the_client_is_light() -> None:
    code = (
        "import sys, ingot.s3client.transfer\n"
        "heavy = {'boto3', 'botocore', 'asyncio', 'rich', 'click', 'msgspec', 'sqlite3'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert found == "[]\n"
