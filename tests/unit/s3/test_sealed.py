"""Sealed bodies: another implementation reads them, and nothing else than what was sealed."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest
from minio import crypto

from ingot.base.secret import Secret
from ingot.s3.sealed import SEED_BYTES, UnreadableError, unseal
from ingot.s3.sealed import seal as seal_with

SECRET = Secret("the-secret-key")
SIZES = (1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 70_000)


def seal(secret: Secret, data: bytes) -> bytes:
    return seal_with(secret, data, os.urandom(SEED_BYTES))


class Answer(io.BytesIO):
    """What the other implementation reads from."""

    def release_conn(self) -> None:
        """Do as a connection's answer does."""


@pytest.mark.parametrize("size_bytes", SIZES)
def test_another_implementation_reads_and_writes_the_same(size_bytes: int) -> None:
    data = bytes(index % 251 for index in range(size_bytes))
    assert unseal(SECRET, crypto.encrypt(data, SECRET.reveal())) == data
    answer: Any = Answer(seal(SECRET, data))
    assert crypto.decrypt(answer, SECRET.reveal()) == data


def test_nothing_is_sealed_too() -> None:
    assert unseal(SECRET, seal(SECRET, b"")) == b""
    assert seal(SECRET, b"same") != seal(SECRET, b"same")


def test_what_was_changed_cut_or_sealed_by_others_is_refused() -> None:
    sealed = seal(SECRET, b"x" * 40_000)
    chunk = 16 * 1024 + 16
    head, first, second, third = (
        *(sealed[:41], sealed[41 : 41 + chunk]),
        *(sealed[41 + chunk : 41 + 2 * chunk], sealed[41 + 2 * chunk :]),
    )
    flipped = [
        sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        for at in (0, 33, 41, 100, len(sealed) - 1)
    ]
    for wrong in (
        *flipped,
        b"",
        head,
        head + first,
        head + first + second,
        head + second + first + third,
        head + first + third,
        sealed + b"more",
        sealed[:32] + b"\x01" + sealed[33:],
        sealed[:32] + b"\x07" + sealed[33:],
    ):
        with pytest.raises(UnreadableError):
            unseal(SECRET, wrong)
    with pytest.raises(UnreadableError):
        unseal(Secret("another"), sealed)
