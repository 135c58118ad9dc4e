"""Operations on what an object has beside its bytes: tags, retention, legal hold."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ingot.s3.documents import lock, restore, tagging
from ingot.s3.documents.lock import Retention
from ingot.s3client.caller import Call, Caller
from ingot.s3client.objects import BYPASS_HEADER
from ingot.s3client.settings import document_call


class AnnotationOperations(Caller):
    """Methods named as the S3 operations; each raises `ServiceError` or `NetworkError`.

    `version_id` None means the current version.
    """

    def get_object_tagging(
        self, bucket: str, key: str, *, version_id: str | None = None
    ) -> dict[str, str]:
        """Return an object's tags; empty where it has none."""
        return self.parsed(_get(bucket, key, "tagging", version_id), tagging.parse_answer)

    def put_object_tagging(
        self, bucket: str, key: str, tags: Mapping[str, str], *, version_id: str | None = None
    ) -> None:
        """Replace an object's tags."""
        data = tagging.render(tags)
        self.finish(document_call("PUT", bucket, key, "tagging", data, version_id=version_id))

    def delete_object_tagging(
        self, bucket: str, key: str, *, version_id: str | None = None
    ) -> None:
        """Take an object's tags away."""
        self.finish(_call("DELETE", bucket, key, "tagging", version_id))

    def get_object_retention(
        self, bucket: str, key: str, *, version_id: str | None = None
    ) -> Retention | None:
        """Return until when a version must stay, or None.

        Raises:
            ServiceNotFoundError: it never had a retention, or there is no such object.
        """
        return self.parsed(
            _get(bucket, key, "retention", version_id), partial(lock.parse_retention, lenient=True)
        )

    def put_object_retention(
        self,
        bucket: str,
        key: str,
        retention: Retention | None,
        *,
        version_id: str | None = None,
        bypass: bool = False,
    ) -> None:
        """Say until when a version must stay.

        Args:
            bucket: where it is.
            key: its name.
            retention: None takes it away.
            version_id: see above.
            bypass: shorten or take away one in governance mode, for those who may.
        """
        call = document_call(
            "PUT",
            bucket,
            key,
            "retention",
            lock.render_retention(retention),
            version_id=version_id,
            headers={BYPASS_HEADER: "true"} if bypass else {},
        )
        self.finish(call)

    def get_object_legal_hold(
        self, bucket: str, key: str, *, version_id: str | None = None
    ) -> bool:
        """Return whether a version must stay until further notice.

        Raises:
            ServiceNotFoundError: that was never said, or there is no such object.
        """
        return self.parsed(
            _get(bucket, key, "legal-hold", version_id),
            partial(lock.parse_legal_hold, lenient=True),
        )

    def put_object_legal_hold(
        self, bucket: str, key: str, *, on: bool, version_id: str | None = None
    ) -> None:
        """Say whether a version must stay until further notice."""
        data = lock.render_legal_hold(on=on)
        self.finish(document_call("PUT", bucket, key, "legal-hold", data, version_id=version_id))

    def restore_object(
        self, bucket: str, key: str, days: int, *, version_id: str | None = None
    ) -> None:
        """Ask for an archived object to be readable for some days, once the service has it."""
        data = restore.render(days)
        self.finish(document_call("POST", bucket, key, "restore", data, version_id=version_id))


def _get(bucket: str, key: str, subresource: str, version_id: str | None) -> Call:
    return _call("GET", bucket, key, subresource, version_id)


def _call(method: str, bucket: str, key: str, subresource: str, version_id: str | None) -> Call:
    query = [(subresource, "")]
    if version_id is not None:
        query.append(("versionId", version_id))
    return Call(method, bucket, key, query=query)
