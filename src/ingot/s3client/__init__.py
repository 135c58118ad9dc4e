"""A small S3 client: one method per operation, and the multipart transfer engine.

    from ingot.s3client import Transfers, connect

`connect` yields an `S3Client`, whose methods are named as the S3 operations; `Transfers` moves
files and whole objects. The names in `__all__` are public: they change by deprecation only. They
are imported when they are first used, so that a program pays for what it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingot.base.errors import (
        ConflictError,
        DeniedError,
        Error,
        IntegrityError,
        NetworkError,
        NotFoundError,
        UsageError,
    )
    from ingot.base.retry import Backoff
    from ingot.base.secret import Secret
    from ingot.s3.checksums import ChecksumValue
    from ingot.s3.documents.buckets import Bucket
    from ingot.s3.documents.common import Owner
    from ingot.s3.documents.copy import CopyResult
    from ingot.s3.documents.cors import CorsRule
    from ingot.s3.documents.delete import DeleteFailure, ObjectIdentifier
    from ingot.s3.documents.encryption import BucketEncryption
    from ingot.s3.documents.lifecycle import (
        Expiration,
        Filter,
        LifecycleRule,
        NoncurrentExpiration,
        NoncurrentTransition,
        Transition,
    )
    from ingot.s3.documents.listing import (
        Entry,
        ObjectList,
        ObjectListV2,
        VersionEntry,
        VersionList,
    )
    from ingot.s3.documents.lock import DefaultRetention, LockConfiguration, Retention
    from ingot.s3.documents.multipart import CompletedUpload, Part, PartList, Upload, UploadList
    from ingot.s3.documents.notification import Hook, Notifications
    from ingot.s3.documents.replication import Replication, ReplicationRule
    from ingot.s3.documents.replicationstats import Count, ReplicationStats, Resync, TargetStats
    from ingot.s3.documents.select import (
        CsvInput,
        CsvOutput,
        JsonInput,
        JsonOutput,
        ParquetInput,
        SelectRequest,
    )
    from ingot.s3.ranges import ByteRange
    from ingot.s3.sigv4 import Credentials
    from ingot.s3client.body import Body, SourceChangedError
    from ingot.s3client.client import PostForm, S3Client
    from ingot.s3client.connecting import connect
    from ingot.s3client.endpoint import Endpoint
    from ingot.s3client.errors import (
        ServiceConflictError,
        ServiceDeniedError,
        ServiceError,
        ServiceIntegrityError,
        ServiceNotFoundError,
        ServiceUnavailableError,
        ServiceUnsupportedError,
        ServiceUsageError,
    )
    from ingot.s3client.identityresults import (
        AccessKeyInfo,
        AccessKeys,
        GroupInfo,
        GroupPolicies,
        PolicyEntities,
        PolicyHolders,
        PolicyInfo,
        UserInfo,
        UserPolicies,
    )
    from ingot.s3client.listen import BucketEvent, NoStreamError
    from ingot.s3client.multipart import StartedUpload
    from ingot.s3client.parts import TransferOptions
    from ingot.s3client.quotas import BucketQuota
    from ingot.s3client.results import (
        Attributes,
        CopySource,
        ObjectInfo,
        ObjectStream,
        PartResult,
        PutResult,
        WriteConditions,
    )
    from ingot.s3client.resume import UploadMemory
    from ingot.s3client.transfer import Transfers
    from ingot.transport.options import TlsOptions, TransportOptions
    from ingot.transport.pool import Transport

__all__ = [
    "AccessKeyInfo",
    "AccessKeys",
    "Attributes",
    "Backoff",
    "Body",
    "Bucket",
    "BucketEncryption",
    "BucketEvent",
    "BucketQuota",
    "ByteRange",
    "ChecksumValue",
    "CompletedUpload",
    "ConflictError",
    "CopyResult",
    "CopySource",
    "CorsRule",
    "Count",
    "Credentials",
    "CsvInput",
    "CsvOutput",
    "DefaultRetention",
    "DeleteFailure",
    "DeniedError",
    "Endpoint",
    "Entry",
    "Error",
    "Expiration",
    "Filter",
    "GroupInfo",
    "GroupPolicies",
    "Hook",
    "IntegrityError",
    "JsonInput",
    "JsonOutput",
    "LifecycleRule",
    "LockConfiguration",
    "NetworkError",
    "NoStreamError",
    "NoncurrentExpiration",
    "NoncurrentTransition",
    "NotFoundError",
    "Notifications",
    "ObjectIdentifier",
    "ObjectInfo",
    "ObjectList",
    "ObjectListV2",
    "ObjectStream",
    "Owner",
    "ParquetInput",
    "Part",
    "PartList",
    "PartResult",
    "PolicyEntities",
    "PolicyHolders",
    "PolicyInfo",
    "PostForm",
    "PutResult",
    "Replication",
    "ReplicationRule",
    "ReplicationStats",
    "Resync",
    "Retention",
    "S3Client",
    "Secret",
    "SelectRequest",
    "ServiceConflictError",
    "ServiceDeniedError",
    "ServiceError",
    "ServiceIntegrityError",
    "ServiceNotFoundError",
    "ServiceUnavailableError",
    "ServiceUnsupportedError",
    "ServiceUsageError",
    "SourceChangedError",
    "StartedUpload",
    "TargetStats",
    "TlsOptions",
    "TransferOptions",
    "Transfers",
    "Transition",
    "Transport",
    "TransportOptions",
    "Upload",
    "UploadList",
    "UploadMemory",
    "UsageError",
    "UserInfo",
    "UserPolicies",
    "VersionEntry",
    "VersionList",
    "WriteConditions",
    "connect",
]

# Where each is at home; one text for each module, for there are many.
_HOMES = {
    "ingot.base.errors": (
        "ConflictError DeniedError Error IntegrityError NetworkError NotFoundError UsageError"
    ),
    "ingot.base.retry": "Backoff",
    "ingot.base.secret": "Secret",
    "ingot.s3.checksums": "ChecksumValue",
    "ingot.s3.documents.buckets": "Bucket",
    "ingot.s3.documents.common": "Owner",
    "ingot.s3.documents.copy": "CopyResult",
    "ingot.s3.documents.cors": "CorsRule",
    "ingot.s3.documents.delete": "DeleteFailure ObjectIdentifier",
    "ingot.s3.documents.encryption": "BucketEncryption",
    "ingot.s3.documents.lifecycle": (
        "Expiration Filter LifecycleRule NoncurrentExpiration NoncurrentTransition Transition"
    ),
    "ingot.s3.documents.listing": "Entry ObjectList ObjectListV2 VersionEntry VersionList",
    "ingot.s3.documents.lock": "DefaultRetention LockConfiguration Retention",
    "ingot.s3.documents.multipart": "CompletedUpload Part PartList Upload UploadList",
    "ingot.s3.documents.notification": "Hook Notifications",
    "ingot.s3.documents.replication": "Replication ReplicationRule",
    "ingot.s3.documents.replicationstats": "Count ReplicationStats Resync TargetStats",
    "ingot.s3.documents.select": (
        "CsvInput CsvOutput JsonInput JsonOutput ParquetInput SelectRequest"
    ),
    "ingot.s3.ranges": "ByteRange",
    "ingot.s3.sigv4": "Credentials",
    "ingot.s3client.body": "Body SourceChangedError",
    "ingot.s3client.client": "PostForm S3Client",
    "ingot.s3client.connecting": "connect",
    "ingot.s3client.endpoint": "Endpoint",
    "ingot.s3client.errors": (
        "ServiceConflictError ServiceDeniedError ServiceError ServiceIntegrityError "
        "ServiceNotFoundError ServiceUnavailableError ServiceUnsupportedError "
        "ServiceUsageError"
    ),
    "ingot.s3client.identityresults": (
        "AccessKeyInfo AccessKeys GroupInfo GroupPolicies PolicyEntities PolicyHolders PolicyInfo "
        "UserInfo UserPolicies"
    ),
    "ingot.s3client.listen": "BucketEvent NoStreamError",
    "ingot.s3client.multipart": "StartedUpload",
    "ingot.s3client.parts": "TransferOptions",
    "ingot.s3client.quotas": "BucketQuota",
    "ingot.s3client.results": (
        "Attributes CopySource ObjectInfo ObjectStream PartResult PutResult WriteConditions"
    ),
    "ingot.s3client.resume": "UploadMemory",
    "ingot.s3client.transfer": "Transfers",
    "ingot.transport.options": "TlsOptions TransportOptions",
    "ingot.transport.pool": "Transport",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
