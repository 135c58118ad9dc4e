"""Uploads, and whether the service took what was sent for what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from ingot.base.errors import Error, IntegrityError
from ingot.s3.documents import multipart as documents
from ingot.s3.etags import unquote_etag
from ingot.s3.headers import VERSION_ID_HEADER
from ingot.s3client.call import Call
from ingot.s3client.caller import FRAMED_HEADER, Caller
from ingot.s3client.results import object_info
from ingot.transport.pool import Request, Response


class Storer(Caller):
    """Sends objects and parts; the operations that upload stand on this."""

    # Whether the service is known to take the framing of large bodies off.
    _takes_frames = False

    def stored(self, call: Call) -> Mapping[str, str]:
        """Send an object or part and return the headers of the answer.

        There are services that do not know the framing of a checksum behind the body, and store it
        with the bytes. One that does not tell the checksum is asked what it has, once; what it
        took wrong is sent again without.

        Raises:
            IntegrityError: the service tells another checksum than that of what was sent.
            ServiceError: it refused.
            NetworkError: no answer came.
        """
        return self.begin_stored(call)()

    def begin_stored(self, call: Call) -> Callable[[], Mapping[str, str]]:
        """Send an object or part; what is returned waits for the answer as `stored` does."""
        return partial(self._taken, call, self.begin(call))

    def _taken(
        self, call: Call, receive: Callable[[], tuple[Request, Response]]
    ) -> Mapping[str, str]:
        request, response = receive()
        response.close()
        answer = response.headers
        header = self.algorithm.header
        told, sent = answer.get(header), request.headers.get(header)
        if told is not None and sent is not None and told != sent:
            raise IntegrityError(f"{call.subject}: the service has other bytes than were sent")
        if self._takes_frames or FRAMED_HEADER not in request.headers:
            return answer
        if told is None and self._stored_bytes(call, answer) not in {None, call.body.size_bytes}:
            self.frames = False
            return self.stored(call)
        self._takes_frames = True
        return answer

    def _stored_bytes(self, call: Call, answer: Mapping[str, str]) -> int | None:
        """Return the size of what was just stored, if the service tells it."""
        query = dict(call.query)
        with suppress(Error):
            if "uploadId" in query:
                number = int(query["partNumber"])
                after = [("max-parts", "1"), ("part-number-marker", str(number - 1))]
                asked = [("uploadId", query["uploadId"]), *after]
                listed = Call("GET", call.bucket, call.key, query=asked)
                parts = self.parsed(listed, documents.parse_parts).parts
                return next((part.size_bytes for part in parts if part.number == number), None)
            version = answer.get(VERSION_ID_HEADER)
            of_version = [] if version is None else [("versionId", version)]
            head = Call("HEAD", call.bucket, call.key, query=of_version)
            info = object_info(self.finish(head).headers)
            # Else somebody else wrote meanwhile.
            if info.etag == unquote_etag(answer.get("etag", "")):
                return info.size_bytes
        return None
