"""Policies in files, for the commands that give them to buckets, users and access keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingot.client.policyfiles import WrittenPolicy


def policy_of(file: str) -> WrittenPolicy:
    """Read a policy from a file; `-` is standard input.

    Raises:
        UsageError: it is none; with line and column.
        Error: the file cannot be read.
    """
    from ingot.cli._keys import read_file
    from ingot.client.policyfiles import read_policy
    from ingot.s3client.settings import POLICY_BYTES_MAX

    origin = "standard input" if file == "-" else file
    return read_policy(read_file(file, POLICY_BYTES_MAX + 1), origin)
