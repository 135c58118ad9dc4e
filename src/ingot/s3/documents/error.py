"""The Error document."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.errors import S3Error


class ErrorDocument(NamedTuple):
    """What an error answer says.

    Attributes:
        code: the S3 code.
        message: a sentence.
        resource: the path of the request.
        request_id: what the server's log calls the request.
        fields: further elements, `BucketName` and the like.
    """

    code: str
    message: str
    resource: str = ""
    request_id: str = ""
    fields: Mapping[str, str] = MappingProxyType({})


_NAMED = ("Code", "Message", "Resource", "RequestId")


def render(error: ErrorDocument) -> bytes:
    """Write the document; it alone has no namespace."""
    content = xml.node(
        "Error",
        xml.leaf("Code", error.code),
        xml.leaf("Message", error.message),
        *(xml.leaf(name, value) for name, value in error.fields.items()),
        xml.leaf("Resource", error.resource),
        xml.leaf("RequestId", error.request_id),
    )
    return (xml.DECLARATION + content).encode()


def parse(data: bytes) -> ErrorDocument:
    """Read the document, or the JSON object that MinIO's admin API answers in its place.

    Raises:
        S3Error: `MalformedXML`, whichever it should have been.
    """
    if data.startswith(b"{"):
        return _parse_json(data)
    element = xml.parse(data, "Error", lenient=True)
    return ErrorDocument(
        element.get("Code"),
        element.get("Message"),
        element.get("Resource"),
        element.get("RequestId"),
        {child.name: child.text for child in element.children if child.name not in _NAMED},
    )


def _parse_json(data: bytes) -> ErrorDocument:
    # Most clients never meet one, and it takes longer to import than all of this room.
    import msgspec

    try:
        told = msgspec.json.decode(data, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise S3Error("MalformedXML") from error
    texts = {name: value for name, value in told.items() if isinstance(value, str)}
    code, message, resource, request_id = (texts.pop(name, "") for name in _NAMED)
    further = {name: value for name, value in texts.items() if value}
    return ErrorDocument(code, message, resource, request_id, further)
