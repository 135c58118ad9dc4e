"""SelectObjectContent: a query that the service answers from within an object."""

from __future__ import annotations

from collections.abc import Generator

from ingot.base.errors import Error, NetworkError
from ingot.s3.documents import select as documents
from ingot.s3.documents.error import ErrorDocument
from ingot.s3.documents.select import SelectRequest
from ingot.s3.errors import ERRORS
from ingot.s3.eventstream import Decoder, Message
from ingot.s3client.caller import Caller
from ingot.s3client.errors import service_error
from ingot.s3client.settings import document_call


class SelectOperations(Caller):
    """Methods named as the S3 operations; each raises `ServiceError` or `NetworkError`."""

    def select_object_content(
        self, bucket: str, key: str, request: SelectRequest
    ) -> Generator[bytes]:
        """Yield the records that a query finds, as the request wants them written.

        Raises:
            ServiceError: the service refused, perhaps only in the middle.
            IntegrityError: what arrived is not what was sent.
            NetworkError: the answer ended before its end.
        """
        call = document_call(
            "POST",
            bucket,
            key,
            "select",
            documents.render(request),
            further=[("select-type", "2")],
        )
        decoder = Decoder()
        with self.send(call) as response:
            for piece in response.stream():
                for message in decoder.feed(piece):
                    kind = message.headers.get(":event-type")
                    if message.headers.get(":message-type") == "error":
                        raise _refusal(message, call.subject)
                    if kind == "Records":
                        yield message.payload
                    elif kind == "End":
                        return
        raise NetworkError(f"{call.subject}: the answer to the query ended too early")


def _refusal(message: Message, subject: str) -> Error:
    code = message.headers.get(":error-code", "InternalError")
    said = message.headers.get(":error-message", "")
    row = ERRORS.get(code)
    return service_error(ErrorDocument(code, said), row.status if row else 400, subject)
