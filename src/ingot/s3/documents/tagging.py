"""The document of tags, the same in requests and answers, for objects and buckets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ingot.s3 import xml
from ingot.s3.errors import S3Error
from ingot.s3.tags import check_tags


def render(tags: Mapping[str, str]) -> bytes:
    """Write Tagging."""
    return xml.document(
        "Tagging",
        xml.node(
            "TagSet",
            *(
                xml.node("Tag", xml.leaf("Key", key), xml.leaf("Value", value))
                for key, value in tags.items()
            ),
        ),
    )


def parse(data: bytes, *, limit: int) -> dict[str, str]:
    """Read Tagging.

    Raises:
        S3Error: `MalformedXML`, and as `check_tags`.
    """
    pairs = [
        (tag.require("Key"), tag.require("Value")) for tag in _tags(xml.parse(data, "Tagging"))
    ]
    return check_tags(pairs, limit=limit)


def parse_answer(data: bytes) -> dict[str, str]:
    """Read Tagging as a service has it, which may have tags of its own that nobody may set.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "Tagging", lenient=True)
    return {tag.require("Key"): tag.get("Value") for tag in _tags(root)}


def _tags(root: xml.Element) -> Iterator[xml.Element]:
    tag_set = root.find("TagSet")
    if tag_set is None:
        raise S3Error("MalformedXML", "The document has no TagSet.")
    return tag_set.all("Tag")
