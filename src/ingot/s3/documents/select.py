"""The request of SelectObjectContent: a query, and how the object and the answer are written."""

from __future__ import annotations

from typing import NamedTuple

from ingot.base.units import KIB
from ingot.s3 import xml
from ingot.s3.documents.common import check_children, parse_bool
from ingot.s3.errors import S3Error

EXPRESSION_BYTES_MAX = 256 * KIB
COMPRESSIONS = ("NONE", "GZIP", "BZIP2")
HEADER_USES = ("NONE", "USE", "IGNORE")
QUOTES = ("ASNEEDED", "ALWAYS")
DOCUMENT, LINES = "DOCUMENT", "LINES"


class CsvInput(NamedTuple):
    """How a CSV object is written; None is S3's own default."""

    header: str | None = None
    field_delimiter: str | None = None
    record_delimiter: str | None = None
    quote: str | None = None
    quote_escape: str | None = None
    comments: str | None = None
    allow_quoted_record_delimiter: bool = False


class JsonInput(NamedTuple):
    """How a JSON object is written: one `DOCUMENT`, or `LINES`."""

    type: str = LINES


class ParquetInput(NamedTuple):
    """The object is a Parquet file."""


class CsvOutput(NamedTuple):
    """The answer is CSV; None is S3's own default."""

    field_delimiter: str | None = None
    record_delimiter: str | None = None
    quote: str | None = None
    quote_escape: str | None = None
    quote_fields: str | None = None


class JsonOutput(NamedTuple):
    """The answer is JSON, a record a line."""

    record_delimiter: str | None = None


Input = CsvInput | JsonInput | ParquetInput
Output = CsvOutput | JsonOutput


class SelectRequest(NamedTuple):
    """A query on one object."""

    expression: str
    input: Input
    output: Output
    compression: str = "NONE"


def render(request: SelectRequest) -> bytes:
    """Write SelectObjectContentRequest."""
    return xml.document(
        "SelectObjectContentRequest",
        xml.leaf("Expression", request.expression),
        xml.leaf("ExpressionType", "SQL"),
        xml.node(
            "InputSerialization",
            xml.leaf("CompressionType", request.compression),
            _render_input(request.input),
        ),
        xml.node("OutputSerialization", _render_output(request.output)),
    )


def parse(data: bytes) -> SelectRequest:
    """Read SelectObjectContentRequest.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "SelectObjectContentRequest")
    check_children(
        root,
        *("Expression", "ExpressionType", "InputSerialization", "OutputSerialization"),
        *("RequestProgress", "ScanRange"),
    )
    if root.require("ExpressionType").strip().upper() != "SQL":
        raise S3Error("MalformedXML", "ExpressionType must be SQL.")
    source, target = root.find("InputSerialization"), root.find("OutputSerialization")
    if source is None or target is None:
        raise S3Error("MalformedXML", "The request needs both serializations.")
    expression = root.require("Expression")
    if len(expression.encode()) > EXPRESSION_BYTES_MAX:
        raise S3Error("MalformedXML", "The SQL expression is too long.")
    compression = source.get("CompressionType", "NONE").strip().upper()
    return SelectRequest(
        expression,
        _parse_input(source),
        _parse_output(target),
        _one_of("CompressionType", compression, COMPRESSIONS),
    )


def _render_input(source: Input) -> str:
    match source:
        case CsvInput():
            return xml.node(
                "CSV",
                xml.leaf("FileHeaderInfo", source.header),
                xml.leaf("FieldDelimiter", source.field_delimiter),
                xml.leaf("RecordDelimiter", source.record_delimiter),
                xml.leaf("QuoteCharacter", source.quote),
                xml.leaf("QuoteEscapeCharacter", source.quote_escape),
                xml.leaf("Comments", source.comments),
                xml.flag("AllowQuotedRecordDelimiter", value=True)
                if source.allow_quoted_record_delimiter
                else "",
            )
        case JsonInput():
            return xml.node("JSON", xml.leaf("Type", source.type))
        case ParquetInput():
            return xml.node("Parquet")


def _render_output(target: Output) -> str:
    if isinstance(target, JsonOutput):
        return xml.node("JSON", xml.leaf("RecordDelimiter", target.record_delimiter))
    return xml.node(
        "CSV",
        xml.leaf("QuoteFields", target.quote_fields),
        xml.leaf("FieldDelimiter", target.field_delimiter),
        xml.leaf("RecordDelimiter", target.record_delimiter),
        xml.leaf("QuoteCharacter", target.quote),
        xml.leaf("QuoteEscapeCharacter", target.quote_escape),
    )


def _parse_input(element: xml.Element) -> Input:
    check_children(element, "CompressionType", "CSV", "JSON", "Parquet")
    kinds = [child for child in element.children if child.name != "CompressionType"]
    if len(kinds) != 1:
        raise S3Error("MalformedXML", "InputSerialization is one of CSV, JSON and Parquet.")
    kind = kinds[0]
    if kind.name == "Parquet":
        return ParquetInput()
    if kind.name == "JSON":
        check_children(kind, "Type")
        found = kind.get("Type", LINES).strip().upper()
        return JsonInput(_one_of("Type", found, (DOCUMENT, LINES)))
    check_children(
        kind,
        *("FileHeaderInfo", "FieldDelimiter", "RecordDelimiter", "QuoteCharacter"),
        *("QuoteEscapeCharacter", "Comments", "AllowQuotedRecordDelimiter"),
    )
    header = kind.optional("FileHeaderInfo")
    return CsvInput(
        None if header is None else _one_of("FileHeaderInfo", header.strip().upper(), HEADER_USES),
        kind.optional("FieldDelimiter"),
        kind.optional("RecordDelimiter"),
        kind.optional("QuoteCharacter"),
        kind.optional("QuoteEscapeCharacter"),
        kind.optional("Comments"),
        parse_bool(kind, "AllowQuotedRecordDelimiter"),
    )


def _parse_output(element: xml.Element) -> Output:
    check_children(element, "CSV", "JSON")
    if len(element.children) != 1:
        raise S3Error("MalformedXML", "OutputSerialization is either CSV or JSON.")
    kind = element.children[0]
    if kind.name == "JSON":
        check_children(kind, "RecordDelimiter")
        return JsonOutput(kind.optional("RecordDelimiter"))
    check_children(
        kind,
        *("FieldDelimiter", "RecordDelimiter", "QuoteCharacter", "QuoteEscapeCharacter"),
        "QuoteFields",
    )
    quoted = kind.optional("QuoteFields")
    return CsvOutput(
        kind.optional("FieldDelimiter"),
        kind.optional("RecordDelimiter"),
        kind.optional("QuoteCharacter"),
        kind.optional("QuoteEscapeCharacter"),
        None if quoted is None else _one_of("QuoteFields", quoted.strip().upper(), QUOTES),
    )


def _one_of(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise S3Error("MalformedXML", f"{name} must be one of {', '.join(allowed)}.")
    return text
