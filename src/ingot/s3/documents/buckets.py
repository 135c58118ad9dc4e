"""Documents about buckets: the list of them, where they are, and their versioning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.dates import format_iso8601
from ingot.s3.documents.common import Owner, parse_instant, parse_owner, render_owner
from ingot.s3.errors import S3Error

VERSIONING_STATUSES = ("Enabled", "Suspended")


class Bucket(NamedTuple):
    """One bucket of a list; `created_ns` is nanoseconds since the epoch."""

    name: str
    created_ns: int


class BucketList(NamedTuple):
    """The answer of ListBuckets; `continuation_token` names the next page, if there is one."""

    owner: Owner | None
    buckets: Sequence[Bucket]
    prefix: str | None = None
    continuation_token: str | None = None


def render_list(result: BucketList) -> bytes:
    """Write ListAllMyBucketsResult."""
    return xml.document(
        "ListAllMyBucketsResult",
        render_owner(result.owner),
        xml.node(
            "Buckets",
            *(
                xml.node(
                    "Bucket",
                    xml.leaf("Name", bucket.name),
                    xml.leaf("CreationDate", format_iso8601(bucket.created_ns)),
                )
                for bucket in result.buckets
            ),
        ),
        xml.leaf("Prefix", result.prefix),
        xml.leaf("ContinuationToken", result.continuation_token),
    )


def parse_list(data: bytes) -> BucketList:
    """Read ListAllMyBucketsResult.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "ListAllMyBucketsResult", lenient=True)
    inner = root.find("Buckets") or xml.Element("Buckets")
    buckets = [
        Bucket(element.require("Name"), parse_instant(element, "CreationDate"))
        for element in inner.all("Bucket")
    ]
    return BucketList(
        parse_owner(root), buckets, root.optional("Prefix"), root.optional("ContinuationToken")
    )


def render_create(location: str) -> bytes:
    """Write CreateBucketConfiguration, the body of CreateBucket outside us-east-1."""
    return xml.document("CreateBucketConfiguration", xml.leaf("LocationConstraint", location))


def parse_create(data: bytes) -> str | None:
    """Read CreateBucketConfiguration as its location constraint, if it has one.

    Raises:
        S3Error: `MalformedXML`.
    """
    if not data.strip():
        return None
    return xml.parse(data, "CreateBucketConfiguration").get("LocationConstraint").strip() or None


def render_location(region: str) -> bytes:
    """Write LocationConstraint; Amazon's oldest region has no name there."""
    return xml.document("LocationConstraint", xml.escape("" if region == "us-east-1" else region))


def parse_location(data: bytes) -> str:
    """Read LocationConstraint as a region.

    Raises:
        S3Error: `MalformedXML`.
    """
    return xml.parse(data, "LocationConstraint", lenient=True).text.strip() or "us-east-1"


def render_versioning(status: str | None) -> bytes:
    """Write VersioningConfiguration; a bucket that never had versioning has no status."""
    return xml.document("VersioningConfiguration", xml.leaf("Status", status))


def parse_put_versioning(data: bytes) -> str:
    """Read the VersioningConfiguration of PutBucketVersioning as its status.

    Raises:
        S3Error: `MalformedXML`, `IllegalVersioningConfigurationException` for another status than
            `Enabled` and `Suspended`, `NotImplemented` for MFA delete.
    """
    root = xml.parse(data, "VersioningConfiguration")
    status = root.optional("Status")
    if status not in VERSIONING_STATUSES:
        raise S3Error("IllegalVersioningConfigurationException")
    if root.get("MfaDelete", "Disabled") != "Disabled":
        raise S3Error("NotImplemented", "MFA delete is not implemented.")
    return status


def parse_versioning(data: bytes) -> str | None:
    """Read VersioningConfiguration as its status.

    Raises:
        S3Error: `MalformedXML`.
    """
    return xml.parse(data, "VersioningConfiguration", lenient=True).optional("Status")
