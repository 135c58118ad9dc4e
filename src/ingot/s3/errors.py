"""The S3 error table: every code this project answers, its HTTP status and its message.

Sources: Amazon S3 API reference, "Error responses"; where several texts exist, the one SDKs show.
"""

from __future__ import annotations

from typing import NamedTuple

from ingot.base.errors import Error


class ErrorRow(NamedTuple):
    """What a code answers unless the place that raises it knows better."""

    status: int
    message: str


ERRORS: dict[str, ErrorRow] = {
    "AccessDenied": ErrorRow(403, "Access Denied."),
    "AccessForbidden": ErrorRow(403, "AccessForbidden"),
    "AuthorizationHeaderMalformed": ErrorRow(
        400, "The authorization header that you provided is not valid."
    ),
    "AuthorizationQueryParametersError": ErrorRow(
        400, "The authorization query parameters that you provided are not valid."
    ),
    "BadDigest": ErrorRow(
        400, "The Content-MD5 or checksum value that you specified did not match what was received."
    ),
    "BadRequest": ErrorRow(400, "The request could not be understood."),
    "BucketAlreadyExists": ErrorRow(
        409,
        "The requested bucket name is not available. Please select a different name and try again.",
    ),
    "BucketAlreadyOwnedByYou": ErrorRow(
        409, "Your previous request to create the named bucket succeeded and you already own it."
    ),
    "BucketNotEmpty": ErrorRow(409, "The bucket that you tried to delete is not empty."),
    "ConditionalRequestConflict": ErrorRow(
        409, "A conflicting operation occurred during the request. Try it again."
    ),
    "EntityTooLarge": ErrorRow(
        400, "Your proposed upload exceeds the maximum allowed object size."
    ),
    "EntityTooSmall": ErrorRow(
        400, "Your proposed upload is smaller than the minimum allowed object size."
    ),
    "ExpiredToken": ErrorRow(400, "The provided token has expired."),
    "IllegalLocationConstraintException": ErrorRow(
        400, "The location constraint is not valid for the region this request was sent to."
    ),
    "IncompleteBody": ErrorRow(
        400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    ),
    "IncorrectNumberOfFilesInPostRequest": ErrorRow(
        400, "POST requires exactly one file upload per request."
    ),
    "InternalError": ErrorRow(500, "An internal error occurred. Try again."),
    "IllegalVersioningConfigurationException": ErrorRow(
        400, "The versioning configuration that you specified is not valid."
    ),
    "InvalidAccessKeyId": ErrorRow(
        403, "The access key ID that you provided does not exist in our records."
    ),
    "InvalidArgument": ErrorRow(400, "An argument of the request is not valid."),
    "InvalidBucketName": ErrorRow(400, "The specified bucket is not valid."),
    "InvalidChunkSizeError": ErrorRow(400, "A chunk of the body has a size that is not valid."),
    "InvalidBucketState": ErrorRow(
        409, "The request is not valid with the current state of the bucket."
    ),
    "InvalidDigest": ErrorRow(
        400, "The Content-MD5 or checksum value that you specified is not valid."
    ),
    "InvalidLocationConstraint": ErrorRow(
        400, "The specified location (Region) constraint is not valid."
    ),
    "InvalidPart": ErrorRow(
        400,
        "One or more of the specified parts could not be found. The part may not have been"
        " uploaded, or the specified entity tag may not match the part's entity tag.",
    ),
    "InvalidPartNumber": ErrorRow(416, "The requested partnumber is not satisfiable."),
    "InvalidPartOrder": ErrorRow(
        400,
        "The list of parts was not in ascending order. The parts list must be specified in order"
        " by part number.",
    ),
    "InvalidPolicyDocument": ErrorRow(
        400,
        "The content of the form does not meet the conditions specified in the policy document.",
    ),
    "InvalidRange": ErrorRow(416, "The requested range is not satisfiable."),
    "InvalidRequest": ErrorRow(400, "The request is not valid."),
    "InvalidStorageClass": ErrorRow(400, "The storage class that you specified is not valid."),
    "InvalidToken": ErrorRow(400, "The provided token is malformed or otherwise not valid."),
    "InvalidURI": ErrorRow(400, "The specified URI could not be parsed."),
    "InvalidTag": ErrorRow(400, "The tag that you provided is not valid."),
    "KeyTooLongError": ErrorRow(400, "Your key is too long."),
    "MalformedPolicy": ErrorRow(400, "This policy contains invalid Json"),
    "MalformedTrailerError": ErrorRow(400, "The trailer of the request is not well-formed."),
    "MalformedXML": ErrorRow(
        400,
        "The XML that you provided was not well formed or did not validate against our published"
        " schema.",
    ),
    "MaxMessageLengthExceeded": ErrorRow(400, "Your request was too large."),
    "MetadataTooLarge": ErrorRow(
        400, "Your metadata headers exceed the maximum allowed metadata size."
    ),
    "MethodNotAllowed": ErrorRow(405, "The specified method is not allowed against this resource."),
    "MalformedPOSTRequest": ErrorRow(
        400, "The body of your POST request is not well-formed multipart/form-data."
    ),
    "MaxPostPreDataLengthExceededError": ErrorRow(
        400, "Your POST request fields preceding the upload file were too large."
    ),
    "MissingContentLength": ErrorRow(411, "You must provide the Content-Length HTTP header."),
    "MissingRequestBodyError": ErrorRow(400, "The request body is empty."),
    "MissingSecurityHeader": ErrorRow(400, "Your request is missing a required header."),
    "NoSuchBucket": ErrorRow(404, "The specified bucket does not exist."),
    "NoSuchBucketPolicy": ErrorRow(404, "The bucket policy does not exist"),
    "NoSuchCORSConfiguration": ErrorRow(404, "The CORS configuration does not exist"),
    "NoSuchKey": ErrorRow(404, "The specified key does not exist."),
    "NoSuchLifecycleConfiguration": ErrorRow(404, "The lifecycle configuration does not exist"),
    "NoSuchObjectLockConfiguration": ErrorRow(
        404, "The specified object does not have an ObjectLock configuration."
    ),
    "NoSuchTagSet": ErrorRow(404, "The TagSet does not exist"),
    "NoSuchUpload": ErrorRow(
        404,
        "The specified multipart upload does not exist. The upload ID might be invalid, or the"
        " multipart upload might have been aborted or completed.",
    ),
    "NoSuchVersion": ErrorRow(404, "The specified version does not exist."),
    "NotImplemented": ErrorRow(
        501, "A header or query you provided implies functionality that is not implemented."
    ),
    "NotModified": ErrorRow(304, "Not Modified."),
    "ObjectLockConfigurationNotFoundError": ErrorRow(
        404, "Object Lock configuration does not exist for this bucket"
    ),
    "OperationAborted": ErrorRow(
        409, "A conflicting conditional operation is in progress against this resource. Try again."
    ),
    "PreconditionFailed": ErrorRow(
        412, "At least one of the preconditions that you specified did not hold."
    ),
    "RequestTimeTooSkewed": ErrorRow(
        403, "The difference between the request time and the server's time is too large."
    ),
    "RequestTimeout": ErrorRow(
        400,
        "Your socket connection to the server was not read from or written to within the timeout"
        " period.",
    ),
    "ServiceUnavailable": ErrorRow(503, "Service is unable to handle request. Try again."),
    "SignatureDoesNotMatch": ErrorRow(
        403,
        "The request signature that the server calculated does not match the signature that you"
        " provided. Check your secret access key and signing method.",
    ),
    "SlowDown": ErrorRow(503, "Please reduce your request rate."),
    "TooManyBuckets": ErrorRow(400, "You have attempted to create more buckets than are allowed."),
    "UnexpectedContent": ErrorRow(400, "This request contains unsupported content."),
    "XAmzContentChecksumMismatch": ErrorRow(
        400, "The provided 'x-amz-checksum' header does not match what was computed."
    ),
    "XAmzContentSHA256Mismatch": ErrorRow(
        400, "The provided 'x-amz-content-sha256' header does not match what was computed."
    ),
    # MinIO's codes; Amazon has no quotas, and its devices are never full.
    "XMinioAdminBucketQuotaExceeded": ErrorRow(400, "Bucket quota exceeded"),
    "XMinioAdminGroupNotEmpty": ErrorRow(
        400, "The specified group is not empty - cannot remove it."
    ),
    "XMinioAdminInvalidAccessKey": ErrorRow(400, "The access key is invalid."),
    "XMinioAdminInvalidArgument": ErrorRow(400, "Invalid arguments specified."),
    "XMinioAdminInvalidSecretKey": ErrorRow(400, "The secret key is invalid."),
    "XMinioAdminNoSuchAccessKey": ErrorRow(404, "The specified access key does not exist."),
    "XMinioAdminNoSuchGroup": ErrorRow(404, "The specified group does not exist."),
    "XMinioAdminNoSuchPolicy": ErrorRow(404, "The canned policy does not exist."),
    "XMinioAdminNoSuchUser": ErrorRow(404, "The specified user does not exist."),
    "XMinioAdminPolicyChangeAlreadyApplied": ErrorRow(
        400, "The specified policy change is already in effect."
    ),
    "XMinioIAMPolicyInUse": ErrorRow(400, "The policy cannot be removed, as it is in use"),
    "XMinioInvalidGroupName": ErrorRow(400, "The group name is invalid."),
    "XMinioInvalidIAMCredentials": ErrorRow(
        403, "Credential is not allowed to be same as admin access key"
    ),
    "XMinioMalformedJSON": ErrorRow(400, "The JSON you provided was not well-formed."),
    "XMinioStorageFull": ErrorRow(
        507, "The storage has no room left for this request. Please free up space and try again."
    ),
}


class S3Error(Error):
    """A failure with its S3 code: what a handler raises and the error document tells.

    Args:
        code: a row of `ERRORS`.
        message: what to say instead of the row's text.
        fields: further elements of the error document (`BucketName="b"`, `Key="k"`).

    Attributes:
        headers: what the answer carries besides, by lower-case name.
    """

    def __init__(self, code: str, message: str | None = None, **fields: str) -> None:
        row = ERRORS[code]
        super().__init__(message or row.message)
        self.code = code
        self.status = row.status
        self.fields = fields
        self.headers: dict[str, str] = {}
