"""Reads plain Parquet files: what a test needs of the format, and nothing of ours."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any


def parquet_rows(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file with one page for each column of strings and 64-bit numbers."""
    (length,) = struct.unpack("<I", data[-8:-4])
    footer, _ = _thrift_struct(data, len(data) - 8 - length)
    columns: dict[str, list[Any]] = {}
    for group in footer[4]:
        for column in group[1]:
            about = column[3]
            page, start = _thrift_struct(data, about[9])
            name = about[3][-1].decode()
            columns.setdefault(name, []).extend(_values(data, start, about[1], page[5][1]))
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _values(data: bytes, start: int, kind: int, count: int) -> Iterable[Any]:
    if kind == 2:  # INT64
        return struct.unpack_from(f"<{count}q", data, start)
    assert kind == 6, "of other kinds nothing is known"
    values = []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, start)
        values.append(data[start + 4 : start + 4 + length].decode())
        start += 4 + length
    return values


def _thrift_struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """Read a structure of Thrift's compact protocol; return it by field, and where it ends."""
    fields: dict[int, Any] = {}
    number = 0
    while data[at]:
        kind, step = data[at] & 15, data[at] >> 4
        at += 1
        if step:
            number += step
        else:
            number, at = _varint(data, at)
            number = number >> 1 ^ -(number & 1)
        fields[number], at = _thrift_value(data, at, kind)
    return fields, at + 1


def _thrift_value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in {1, 2}:
        return kind == 1, at
    if kind == 3:
        return data[at], at + 1
    if kind in {4, 5, 6}:
        number, at = _varint(data, at)
        return number >> 1 ^ -(number & 1), at
    if kind == 8:
        length, at = _varint(data, at)
        return data[at : at + length], at + length
    if kind == 12:
        return _thrift_struct(data, at)
    assert kind == 9, "of other kinds nothing is known"
    count, inner = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = _varint(data, at)
    items = []
    for _ in range(count):
        item, at = _thrift_value(data, at, inner)
        items.append(item)
    return items, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
