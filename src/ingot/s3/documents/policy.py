"""The document of GetBucketPolicyStatus."""

from __future__ import annotations

from ingot.s3 import xml


def render_status(*, is_public: bool) -> bytes:
    """Write PolicyStatus."""
    return xml.document("PolicyStatus", xml.leaf("IsPublic", "true" if is_public else "false"))


def parse_status(data: bytes) -> bool:
    """Read PolicyStatus: whether everybody is given something.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "PolicyStatus")
    return root.get("IsPublic").strip().lower() == "true"
