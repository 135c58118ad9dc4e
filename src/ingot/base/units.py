"""Sizes and durations as people write them, and back."""

from __future__ import annotations

import re

from ingot.base.errors import UsageError

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?b?)", re.IGNORECASE)
_SIZE_FACTORS = {"": 1, "k": KIB, "m": MIB, "g": GIB, "t": TIB, "p": 1 << 50}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_DURATION_FACTORS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_size(text: str, *, default_unit: str = "") -> int:
    """Read `4G`, `512MiB`, `1.5g` or `1000` as bytes; units are powers of 1024.

    Args:
        text: the size as written.
        default_unit: the unit (`""`, `k`, `m`, `g`, `t`, `p`) of a bare number.

    Raises:
        UsageError: the text is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a size", hint="write it like 512M, 4G or 1048576")
    number, unit, suffix = match.groups()
    factor = _SIZE_FACTORS[(unit or ("" if suffix else default_unit)).lower()]
    return int(float(number) * factor) if "." in number else int(number) * factor


def format_size(size_bytes: int) -> str:
    """Write bytes for people: `4.0 GiB`, `17 B`."""
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if abs(value) < 1024 or unit == "PiB":
            return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def parse_duration(text: str) -> float:
    """Read `10s`, `1h30m`, `7d` or `250ms` as seconds; a bare number is seconds.

    Raises:
        UsageError: the text is no duration.
    """
    stripped = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        return float(stripped)
    if not stripped or _DURATION.sub("", stripped):
        raise UsageError(f"{text!r} is not a duration", hint="write it like 30s, 5m, 1h30m or 7d")
    return sum(float(n) * _DURATION_FACTORS[unit] for n, unit in _DURATION.findall(stripped))


def format_duration(duration_s: float) -> str:
    """Write seconds for people: `850 ms`, `12.3 s`, `4m05s`, `2h03m`."""
    if duration_s < 1:
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    minutes, seconds = divmod(int(duration_s), 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"
