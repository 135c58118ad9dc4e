"""The S3 clients of a benchmark: how each is told to do the same work."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.peers import ACCESS_KEY, SECRET_KEY, find

# The alias or remote of the server, for those that have such.
ALIAS = "bench"
Command = list[str]


@dataclass(frozen=True)
class Client:
    """How one client does each job; a job it cannot do is left out.

    Attributes:
        program: what must be on PATH (or in INGOT_BENCH_PEERS), None for ours.
        variables: from the endpoint to its environment.
        up: from (program, folder, bucket) to the copy of a folder's contents.
        down: the same the other way.
        sync: from (program, folder, bucket) to the run that finds nothing to do.
        list: from the program to the list of buckets.
    """

    name: str
    program: str | None
    variables: Callable[[str], Mapping[str, str]]
    up: Callable[[str, Path, str], Command]
    down: Callable[[str, str, Path], Command]
    sync: Callable[[str, Path, str], Command]
    list: Callable[[str], Command]

    def path(self) -> str:
        """Return the program, which is installed."""
        found = find(self.program) if self.program else sys.executable
        assert found is not None
        return found


def _host(endpoint: str) -> dict[str, str]:
    scheme, _, address = endpoint.partition("://")
    return {f"MC_HOST_{ALIAS}": f"{scheme}://{ACCESS_KEY}:{SECRET_KEY}@{address}"}


def _aws(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "S3_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _rclone(endpoint: str) -> dict[str, str]:
    prefix = f"RCLONE_CONFIG_{ALIAS.upper()}_"
    return {
        f"{prefix}TYPE": "s3",
        f"{prefix}PROVIDER": "Minio",
        f"{prefix}ENDPOINT": endpoint,
        f"{prefix}ACCESS_KEY_ID": ACCESS_KEY,
        f"{prefix}SECRET_ACCESS_KEY": SECRET_KEY,
        "RCLONE_CONFIG": os.devnull,
    }


_OURS = ("-m", "ingot")
CLIENTS = (
    Client(
        "ingot",
        None,
        _host,
        lambda exe, src, bucket: [exe, *_OURS, "cp", "-r", "-q", f"{src}/", f"{ALIAS}/{bucket}"],
        lambda exe, bucket, dst: [exe, *_OURS, "cp", "-r", "-q", f"{ALIAS}/{bucket}/", f"{dst}/"],
        lambda exe, src, bucket: [exe, *_OURS, "mirror", "-q", str(src), f"{ALIAS}/{bucket}"],
        lambda exe: [exe, *_OURS, "ls", ALIAS],
    ),
    Client(
        "s5cmd",
        "s5cmd",
        _aws,
        lambda exe, src, bucket: [exe, "--log", "error", "cp", f"{src}/", f"s3://{bucket}/"],
        lambda exe, bucket, dst: [exe, "--log", "error", "cp", f"s3://{bucket}/*", f"{dst}/"],
        lambda exe, src, bucket: [exe, "--log", "error", "sync", f"{src}/", f"s3://{bucket}/"],
        lambda exe: [exe, "ls"],
    ),
    Client(
        "rclone",
        "rclone",
        _rclone,
        lambda exe, src, bucket: [exe, "copy", "-q", str(src), f"{ALIAS}:{bucket}"],
        lambda exe, bucket, dst: [exe, "copy", "-q", f"{ALIAS}:{bucket}", str(dst)],
        lambda exe, src, bucket: [exe, "sync", "-q", str(src), f"{ALIAS}:{bucket}"],
        lambda exe: [exe, "lsd", f"{ALIAS}:"],
    ),
    Client(
        "mc",
        "mc",
        _host,
        lambda exe, src, bucket: [exe, "-q", "cp", "-r", f"{src}/", f"{ALIAS}/{bucket}"],
        lambda exe, bucket, dst: [exe, "-q", "cp", "-r", f"{ALIAS}/{bucket}/", f"{dst}/"],
        lambda exe, src, bucket: [exe, "-q", "mirror", str(src), f"{ALIAS}/{bucket}"],
        lambda exe: [exe, "ls", ALIAS],
    ),
    Client(
        "aws",
        "aws",
        _aws,
        lambda exe, src, bucket: [
            *(exe, "s3", "cp", "--recursive", "--only-show-errors", str(src), f"s3://{bucket}/")
        ],
        lambda exe, bucket, dst: [
            *(exe, "s3", "cp", "--recursive", "--only-show-errors", f"s3://{bucket}/", str(dst))
        ],
        lambda exe, src, bucket: [
            *(exe, "s3", "sync", "--only-show-errors", str(src), f"s3://{bucket}/")
        ],
        lambda exe: [exe, "s3", "ls"],
    ),
)


def installed(names: list[str] | None) -> list[Client]:
    """Return the clients that are here, ours first; only those named, if any are."""
    return [
        client
        for client in CLIENTS
        if client.program is None
        or ((names is None or client.name in names) and find(client.program))
    ]
