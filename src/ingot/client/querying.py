"""How objects are written that queries are about: told by options, else by their names; pure."""

from __future__ import annotations

import re

from ingot.base.errors import UsageError
from ingot.s3.documents.select import (
    COMPRESSIONS,
    DOCUMENT,
    HEADER_USES,
    LINES,
    QUOTES,
    CsvInput,
    CsvOutput,
    Input,
    JsonInput,
    JsonOutput,
    Output,
    ParquetInput,
)

_COMPRESSED = {".gz": "GZIP", ".bz2": "BZIP2"}
_JSON_TYPES = {"document": DOCUMENT, "lines": LINES}
_PAIR = re.compile(r"(\w+)=((?:[^,\\]|\\.)*)(?:,|$)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def compression_of(name: str, said: str | None) -> str:
    """Return how an object is compressed.

    Raises:
        UsageError: as S3 cannot read.
    """
    if said is not None:
        if said.upper() not in COMPRESSIONS:
            raise UsageError(f"{said!r} is no compression", hint=", ".join(COMPRESSIONS))
        return said.upper()
    return next((kind for ending, kind in _COMPRESSED.items() if name.endswith(ending)), "NONE")


def input_of(name: str, csv: str | None, json: str | None, *, parquet: bool) -> Input:
    """Return how an object is written: as one of the options says, else as its name says.

    Raises:
        UsageError: several options are given, or one cannot be understood.
    """
    if sum((csv is not None, json is not None, parquet)) > 1:
        raise UsageError("an object is CSV, JSON or Parquet: say one of them")
    if parquet:
        return ParquetInput()
    if json is not None:
        return JsonInput(_json_type(json))
    if csv is not None:
        return _csv_input(csv)
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    if name.endswith(".parquet"):
        return ParquetInput()
    if name.endswith((".json", ".jsonl", ".ndjson")):
        return JsonInput(LINES)
    return CsvInput(header="USE")


def output_of(source: Input, csv: str | None, json: str | None) -> Output:
    """Return how the answer is written: as an option says, else like the object.

    Raises:
        UsageError: both options are given, or one cannot be understood.
    """
    if csv is not None and json is not None:
        raise UsageError("an answer is CSV or JSON: say one of them")
    if json is not None:
        values = _pairs(json, ("rd",))
        return JsonOutput(values.get("rd"))
    if csv is not None:
        values = _pairs(csv, ("rd", "fd", "qc", "qec", "qf"))
        quoted = values.get("qf")
        return CsvOutput(
            values.get("fd"),
            values.get("rd"),
            values.get("qc"),
            values.get("qec"),
            None if quoted is None else _one_of("qf", quoted, QUOTES),
        )
    return CsvOutput() if isinstance(source, CsvInput) else JsonOutput()


def _csv_input(text: str) -> CsvInput:
    values = _pairs(text, ("rd", "fd", "qc", "qec", "fh", "cc", "qrd"))
    return CsvInput(
        header=_one_of("fh", values.get("fh", "USE"), HEADER_USES),
        field_delimiter=values.get("fd"),
        record_delimiter=values.get("rd"),
        quote=values.get("qc"),
        quote_escape=values.get("qec"),
        comments=values.get("cc"),
        allow_quoted_record_delimiter=values.get("qrd", "").lower() == "true",
    )


def _json_type(text: str) -> str:
    values = _pairs(text, ("type",))
    found = _JSON_TYPES.get(values.get("type", "lines").lower())
    if found is None:
        raise UsageError(f"{text!r} is no kind of JSON", hint="type=lines or type=document")
    return found


def _pairs(text: str, names: tuple[str, ...]) -> dict[str, str]:
    r"""Read `name=value,name=value`, in which `\n`, `\t` and `\,` stand for what they look like."""
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None or match[1] not in names:
            raise UsageError(
                f"{text!r} cannot be understood from {text[position:]!r} on",
                hint=f"write name=value,name=value with names of {', '.join(names)}",
            )
        values[match[1]] = re.sub(
            r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), match[2], flags=re.DOTALL
        )
        position = match.end()
    return values


def _one_of(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text.upper() not in allowed:
        raise UsageError(f"{name}={text} is not possible", hint=f"one of {', '.join(allowed)}")
    return text.upper()
