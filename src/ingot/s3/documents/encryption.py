"""The document of a bucket's default encryption."""

from __future__ import annotations

from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.documents.common import check_children, parse_bool
from ingot.s3.errors import S3Error

SSE_S3 = "AES256"
SSE_KMS = "aws:kms"
ALGORITHMS = (SSE_S3, SSE_KMS, "aws:kms:dsse")


class BucketEncryption(NamedTuple):
    """How new objects are encrypted; `key_id` names a KMS key, None the service's own."""

    algorithm: str
    key_id: str | None = None
    bucket_key: bool = False


def render(encryption: BucketEncryption) -> bytes:
    """Write ServerSideEncryptionConfiguration."""
    return xml.document(
        "ServerSideEncryptionConfiguration",
        xml.node(
            "Rule",
            xml.node(
                "ApplyServerSideEncryptionByDefault",
                xml.leaf("SSEAlgorithm", encryption.algorithm),
                xml.leaf("KMSMasterKeyID", encryption.key_id),
            ),
            xml.flag("BucketKeyEnabled", value=True) if encryption.bucket_key else "",
        ),
    )


def parse(data: bytes) -> BucketEncryption:
    """Read ServerSideEncryptionConfiguration.

    Raises:
        S3Error: `MalformedXML`, `InvalidArgument` for a key that the algorithm does not take.
    """
    root = xml.parse(data, "ServerSideEncryptionConfiguration")
    check_children(root, "Rule")
    if len(root.children) != 1:
        raise S3Error("MalformedXML", "A bucket's encryption has exactly one Rule.")
    rule = root.children[0]
    # Amazon also tells here which kinds of encryption clients must not ask for.
    names = ("ApplyServerSideEncryptionByDefault", "BucketKeyEnabled", "BlockedEncryptionTypes")
    check_children(rule, *names)
    element = rule.find(names[0])
    if element is None:
        raise S3Error("MalformedXML", f"The element Rule has no {names[0]}.")
    check_children(element, "SSEAlgorithm", "KMSMasterKeyID")
    algorithm = element.require("SSEAlgorithm").strip()
    if algorithm not in ALGORITHMS:
        raise S3Error("MalformedXML", f"SSEAlgorithm must be one of {', '.join(ALGORITHMS)}.")
    key_id = element.get("KMSMasterKeyID").strip() or None
    if key_id is not None and algorithm == SSE_S3:
        raise S3Error("InvalidArgument", f"{SSE_S3} takes no KMSMasterKeyID.")
    return BucketEncryption(algorithm, key_id, parse_bool(rule, names[1]))
