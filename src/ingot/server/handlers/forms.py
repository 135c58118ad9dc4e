"""PostObject: a browser's form, its file streamed into the store."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from ingot.base.limits import PUT_BYTES_MAX
from ingot.iam.identities import ANONYMOUS, Identity
from ingot.s3 import checksums, postpolicy
from ingot.s3.checksums import Algorithm
from ingot.s3.documents import post, tagging
from ingot.s3.errors import S3Error
from ingot.s3.etags import quote_etag
from ingot.s3.formclaims import missing_field, parse_form_claim, verify_form
from ingot.s3.forms import FIELDS_BYTES_MAX, Event, Field, File, FormParser, parse_boundary
from ingot.s3.headers import CONTENT_HEADERS
from ingot.s3.names import check_key, encode_path
from ingot.s3.postpolicy import PostPolicy
from ingot.s3.tags import OBJECT_TAGS_MAX, TAGGING_HEADER
from ingot.server.authorization import authorize
from ingot.server.body import RequestBody
from ingot.server.events.notes import CREATED, note_object
from ingot.server.handlers.common import attributes_of, refuse_unsupported, version_headers
from ingot.server.handlers.lock import lock_of
from ingot.server.request import Request
from ingot.server.response import Headers, Response, document, header
from ingot.server.service import Service
from ingot.store.bodies import BodyWriter
from ingot.store.locks import Lock
from ingot.store.records import Attributes, ObjectRecord

_FILENAME: Final = "${filename}"
# Of fields and separators beside the file; what is behind the file has to fit, too.
_FORM_BYTES_MAX: Final = PUT_BYTES_MAX + 2 * FIELDS_BYTES_MAX
_NO_POLICY: Final = PostPolicy(0, ())
_KEPT_HEADERS: Final[tuple[str, ...]] = ("host", "user-agent", "referer", "origin")
_REDIRECTS: Final = ("success_action_redirect", "redirect")


async def post_object(request: Request, service: Service) -> Response:
    """Store the file of a form; it is durable, and visible under its key, once this answers."""
    if request.identity is not ANONYMOUS:
        raise S3Error(
            "InvalidArgument", "A form is signed by its fields, not by a header or the query."
        )
    service.store.buckets.partition(request.bucket)  # no bucket, no upload
    form = _Form(request, service, parse_boundary(request.headers.get("content-type", "")))
    body = RequestBody(request, size_bytes_max=_FORM_BYTES_MAX, checksum_is_of_body=False)
    try:
        await body.pump(form.write)
        record = await form.finish()
    except BaseException:
        await form.abort()
        raise
    return _answer(request, form.fields, record)


class _Upload(NamedTuple):
    """What is known when the file begins: nobody uploads who may not.

    Attributes:
        posted: the request as if the fields had been its headers.
        policy: what limits the file's size.
        checksum: what the file must turn out to be, if that is announced.
        attributes: of the object.
        lock: of the object.
        writer: takes the file.
    """

    posted: Request
    policy: PostPolicy
    checksum: tuple[Algorithm, str] | None
    attributes: Attributes
    lock: Lock | None
    writer: BodyWriter


class _Form:
    """One form on its way in.

    Attributes:
        fields: what came in front of the file, by lower-case name.
    """

    def __init__(self, request: Request, service: Service, boundary: bytes) -> None:
        self._request = request
        self._service = service
        self._parser = FormParser(boundary)
        self._upload: _Upload | None = None
        self._size_bytes = 0
        self.fields: dict[str, str] = {}

    async def write(self, data: bytes) -> None:
        """Take the next bytes of the form."""
        for event in self._parser.feed(data):
            await self._take(event)

    async def finish(self) -> ObjectRecord:
        """Store what came under its key."""
        self._parser.finish()
        upload = self._upload
        if upload is None:
            raise S3Error("IncorrectNumberOfFilesInPostRequest")
        least_bytes = upload.policy.least_bytes or 0
        if self._size_bytes < least_bytes:
            raise S3Error(
                "EntityTooSmall",
                ProposedSize=str(self._size_bytes),
                MinSizeAllowed=str(least_bytes),
            )
        stored = await upload.writer.finish()
        if upload.checksum is not None:
            name = upload.checksum[0].name
            if stored.checksums[name] != upload.checksum[1]:
                raise S3Error(
                    "BadDigest", f"The {name} you specified did not match the calculated checksum."
                )
        posted = upload.posted
        record = await self._service.store.objects.put(
            posted.bucket, posted.key, stored, upload.attributes, lock=upload.lock
        )
        note_object(f"{CREATED}Post", posted, self._service, record)
        return record

    async def abort(self) -> None:
        """Keep nothing."""
        if self._upload is not None:
            await self._upload.writer.abort()

    async def _take(self, event: Event) -> None:
        if isinstance(event, Field):
            if event.name in self.fields:
                raise S3Error(
                    "InvalidArgument",
                    f"The form has more than one field named '{event.name}'.",
                    ArgumentName=event.name,
                )
            self.fields[event.name] = event.value
        elif isinstance(event, File):
            self._upload = self._begin(event.name)
        else:
            assert self._upload is not None, "content comes behind the head of the file"
            self._size_bytes += len(event)
            most_bytes = self._upload.policy.most_bytes
            most_bytes = PUT_BYTES_MAX if most_bytes is None else min(most_bytes, PUT_BYTES_MAX)
            if self._size_bytes > most_bytes:
                raise S3Error(
                    "EntityTooLarge",
                    ProposedSize=str(self._size_bytes),
                    MaxSizeAllowed=str(most_bytes),
                )
            await self._upload.writer.write(event)

    def _begin(self, filename: str) -> _Upload:
        """Make sure that the fields are good for an upload, and whose it is."""
        request, service, fields = self._request, self._service, self.fields
        key = fields.get("key", "").replace(_FILENAME, filename)
        if not key:
            raise missing_field("key")
        check_key(key)
        fields["key"] = request.key = key
        if fields.get("bucket", request.bucket) != request.bucket:
            raise S3Error("InvalidArgument", "The form names another bucket than its address.")
        posted = copy.copy(request)
        posted.headers = _headers(request, fields)
        policy = self._authenticate(posted)
        request.identity = posted.identity
        authorize(posted, service)
        refuse_unsupported(posted)
        checksum = checksums.declared(posted.headers)
        writer = service.store.bodies.writer(
            checksums=() if checksum is None else (checksum[0].name,)
        )
        return _Upload(
            posted, policy, checksum, attributes_of(posted), lock_of(posted, service), writer
        )

    def _authenticate(self, posted: Request) -> PostPolicy:
        """Set who sent the form, and return what they were allowed to put into it."""
        service, fields = self._service, self.fields
        claim = parse_form_claim(fields)
        if claim is None:
            posted.identity = ANONYMOUS
            return _NO_POLICY
        posted.claim = claim
        if claim.session_token is not None:
            raise S3Error("InvalidToken")
        identity: Identity | None = service.identities.find(claim.access_key)
        if identity is None:
            raise S3Error("InvalidAccessKeyId", AWSAccessKeyId=claim.access_key)
        verify_form(claim, identity.secret_key, fields["policy"], region=service.region)
        posted.identity = identity
        policy = postpolicy.parse(fields["policy"])
        postpolicy.check(policy, fields | {"bucket": posted.bucket}, service.clock.now_ns())
        return policy


def _headers(request: Request, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a PUT that would say what the fields of a form say.

    Raises:
        S3Error: `MalformedXML`, `InvalidTag` for tags that are none.
    """
    headers: dict[str, str] = {
        name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers
    }
    for name, value in fields.items():
        if name in CONTENT_HEADERS or name.startswith("x-amz-"):
            # As a header arrives: its bytes, each a character.
            headers[name] = value.encode().decode("latin-1")
    if "acl" in fields:
        headers["x-amz-acl"] = fields["acl"]
    if "tagging" in fields:
        tags = tagging.parse(fields["tagging"].encode(), limit=OBJECT_TAGS_MAX)
        headers[TAGGING_HEADER] = urlencode(tags)
    return headers


def _answer(request: Request, fields: Mapping[str, str], record: ObjectRecord) -> Response:
    scheme = "https" if request.is_secure else "http"
    folder = request.raw_path.decode("latin-1").rstrip("/")
    host = request.headers.get("host", "")
    location = f"{scheme}://{host}{folder}{encode_path(f'/{request.key}')}"
    etag = quote_etag(record.etag)
    headers: Headers = [header("etag", etag), *version_headers(record.version_id)]
    target = next((fields[name] for name in _REDIRECTS if fields.get(name)), "")
    if _is_address(target):
        told = urlencode({"bucket": request.bucket, "key": request.key, "etag": etag})
        separator = "&" if urlsplit(target).query else "?"
        headers.append(header("location", f"{target}{separator}{told}"))
        return Response(303, [*headers, (b"content-length", b"0")])
    headers.append(header("location", location))
    status = fields.get("success_action_status", "")
    if status == "201":
        posted = post.Posted(location, request.bucket, request.key, record.etag)
        response = document(post.render(posted), status=201)
        response.headers += headers
        return response
    if status == "200":
        return Response(200, [*headers, (b"content-length", b"0")])
    return Response(204, headers)


def _is_address(text: str) -> bool:
    """Tell whether a browser can be sent to an address; if not, S3 acts as if none was given."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
