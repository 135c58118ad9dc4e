"""The six operations of multipart uploads."""

from __future__ import annotations

from collections.abc import Mapping

from ingot.base.limits import LIST_KEYS_MAX, PART_BYTES_MAX, PARTS_MAX
from ingot.s3 import checksums
from ingot.s3.documents import multipart as documents
from ingot.s3.errors import S3Error
from ingot.s3.headers import parse_count, parse_part_number
from ingot.server.body import RequestBody, read_document
from ingot.server.events.notes import CREATED, note_object
from ingot.server.handlers.common import (
    OWNER,
    attributes_of,
    checksum_of,
    checksum_value,
    precondition_of,
    refuse_unsupported,
    version_headers,
)
from ingot.server.handlers.lock import lock_of
from ingot.server.request import Request
from ingot.server.response import Headers, Response, document, empty, header
from ingot.server.service import Service
from ingot.server.upload import ALWAYS_BLOB, store_body
from ingot.store.manifest import CompletedPart, Expected
from ingot.store.records import PartRecord, UploadRecord

_OBJECT_SIZE_HEADER = "x-amz-mp-object-size"


async def create_multipart_upload(request: Request, service: Service) -> Response:
    """Begin an upload."""
    refuse_unsupported(request)
    algorithm, kind = _wanted_checksum(request)
    upload = await service.store.uploads.create(
        request.bucket,
        request.key,
        attributes_of(request),
        checksum_algorithm=algorithm,
        checksum_type=kind,
        lock=lock_of(request, service),
    )
    headers = {}
    if algorithm:
        headers = {checksums.ALGORITHM_HEADER: algorithm, checksums.TYPE_HEADER: kind}
    created = documents.CreatedUpload(request.bucket, request.key, upload.upload_id)
    return document(documents.render_created(created), headers=headers)


async def upload_part(request: Request, service: Service) -> Response:
    """Store a part of an upload."""
    refuse_unsupported(request)
    number = parse_part_number(request.parameters["partNumber"])
    upload_id = request.parameters["uploadId"]
    uploads = service.store.uploads
    upload = uploads.get(request.bucket, request.key, upload_id)
    body = RequestBody(request, size_bytes_max=PART_BYTES_MAX)
    _check_algorithm(upload, body)
    service.store.quotas.require_room(
        request.bucket, request.key, body.expected.size_bytes, part=(upload_id, number)
    )
    stored = await store_body(
        service.store.bodies,
        body,
        inline_max=ALWAYS_BLOB,
        checksum=upload.checksum_algorithm or None,
    )
    part = await uploads.put_part(request.bucket, request.key, upload_id, number, stored)
    headers: Headers = [
        (b"etag", b'"%s"' % part.etag.encode("ascii")),
        (b"content-length", b"0"),
    ]
    for name, value in part.checksums.items():
        headers.append(header(checksums.ALGORITHMS[name].header, value))
    return Response(200, headers)


async def complete_multipart_upload(request: Request, service: Service) -> Response:
    """Make an object of the parts that the body names."""
    named = documents.parse_complete(await read_document(request, checksum_is_of_body=False))
    upload_id = request.parameters["uploadId"]
    record = await service.store.uploads.complete(
        request.bucket,
        request.key,
        upload_id,
        [
            CompletedPart(
                part.number,
                part.etag,
                {part.checksum.algorithm: part.checksum.value} if part.checksum else {},
            )
            for part in named
        ],
        expected=_expected(request.headers),
        precondition=precondition_of(request),
    )
    note_object(f"{CREATED}CompleteMultipartUpload", request, service, record)
    host = request.headers.get("host", "")
    completed = documents.CompletedUpload(
        location=f"http://{host}{request.raw_path.decode('latin-1')}",
        bucket=request.bucket,
        key=request.key,
        etag=record.etag,
        checksum=checksum_of(record),
    )
    response = document(documents.render_completed(completed))
    response.headers += version_headers(record.version_id)
    return response


async def abort_multipart_upload(request: Request, service: Service) -> Response:
    """End an upload and drop its parts."""
    upload_id = request.parameters["uploadId"]
    await service.store.uploads.abort(request.bucket, request.key, upload_id)
    return empty(204)


async def list_parts(request: Request, service: Service) -> Response:
    """List the parts of an upload by number."""
    parameters = request.parameters
    limit = parse_count("max-parts", parameters.get("max-parts"), limit=LIST_KEYS_MAX)
    marker = parse_count(
        "part-number-marker", parameters.get("part-number-marker") or "0", limit=PARTS_MAX
    )
    upload_id = parameters["uploadId"]
    page = service.store.uploads.list_parts(
        request.bucket, request.key, upload_id, after=marker, limit=limit
    )
    algorithm = page.upload.checksum_algorithm or None
    return document(
        documents.render_parts(
            documents.PartList(
                bucket=request.bucket,
                key=request.key,
                upload_id=upload_id,
                part_number_marker=marker,
                next_part_number_marker=page.parts[-1].number if page.parts else None,
                max_parts=limit,
                is_truncated=page.truncated,
                parts=[_part(part) for part in page.parts],
                owner=OWNER,
                storage_class=page.upload.attributes.storage_class,
                checksum_algorithm=algorithm,
                checksum_type=_checksum_type(page.upload),
            )
        )
    )


async def list_multipart_uploads(request: Request, service: Service) -> Response:
    """List a bucket's unfinished uploads by key and time."""
    parameters = request.parameters
    limit = parse_count("max-uploads", parameters.get("max-uploads"), limit=LIST_KEYS_MAX)
    prefix = parameters.get("prefix", "")
    key_marker = parameters.get("key-marker", "")
    upload_id_marker = parameters.get("upload-id-marker", "")
    page = service.store.uploads.list(
        request.bucket,
        prefix=prefix,
        delimiter=parameters.get("delimiter", ""),
        after_key=key_marker,
        after_upload_id=upload_id_marker,
        limit=limit,
    )
    uploads = [
        documents.Upload(
            key=listed.key,
            upload_id=listed.record.upload_id,
            initiated_ns=listed.record.initiated_ns,
            owner=OWNER,
            storage_class=listed.record.attributes.storage_class,
            checksum_algorithm=listed.record.checksum_algorithm or None,
            checksum_type=_checksum_type(listed.record),
        )
        for listed in page.uploads
    ]
    return document(
        documents.render_uploads(
            documents.UploadList(
                bucket=request.bucket,
                prefix=prefix,
                delimiter=parameters.get("delimiter") or None,
                max_uploads=limit,
                encoding_type=parameters.get("encoding-type"),
                is_truncated=page.truncated,
                uploads=uploads,
                common_prefixes=page.prefixes,
                key_marker=key_marker,
                upload_id_marker=upload_id_marker,
                next_key_marker=page.next_key if page.truncated else None,
                next_upload_id_marker=page.next_upload_id if page.truncated else None,
            )
        )
    )


def _wanted_checksum(request: Request) -> tuple[str, str]:
    """Return the algorithm and type that an upload asks for; both empty if it asks for none."""
    name = request.headers.get(checksums.ALGORITHM_HEADER)
    kind = request.headers.get(checksums.TYPE_HEADER)
    if name is None:
        if kind is not None:
            raise S3Error(
                "InvalidRequest",
                f"The {checksums.TYPE_HEADER} header can only be used with the"
                f" {checksums.ALGORITHM_HEADER} header.",
            )
        return "", ""
    algorithm = checksums.algorithm(name).name
    return algorithm, checksums.checksum_type(algorithm, kind)


def _check_algorithm(upload: UploadRecord, body: RequestBody) -> None:
    sent = body.expected.algorithm
    wanted = upload.checksum_algorithm
    if sent is not None and wanted and sent.name != wanted:
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {wanted.lower()}, actual"
            f" checksum Type: {sent.name.lower()}",
        )


def _expected(headers: Mapping[str, str]) -> Expected:
    sums = {
        algorithm.name: headers[name]
        for name, algorithm in checksums.BY_HEADER.items()
        if name in headers
    }
    kind = headers.get(checksums.TYPE_HEADER, "").upper()
    size_text = headers.get(_OBJECT_SIZE_HEADER)
    if size_text is None:
        return Expected(sums, checksum_type=kind)
    if not (size_text.isascii() and size_text.isdigit()):
        raise S3Error("InvalidArgument", ArgumentName=_OBJECT_SIZE_HEADER)
    return Expected(sums, int(size_text), kind)


def _part(part: PartRecord) -> documents.Part:
    return documents.Part(
        number=part.number,
        modified_ns=part.modified_ns,
        etag=part.etag,
        size_bytes=part.size_bytes,
        checksum=checksum_value(part.checksums),
    )


def _checksum_type(upload: UploadRecord) -> checksums.ChecksumType | None:
    if not upload.checksum_algorithm:
        return None
    return checksums.checksum_type(upload.checksum_algorithm, upload.checksum_type)
